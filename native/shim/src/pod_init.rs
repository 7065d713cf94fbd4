//! PID 1 of the PID namespace that containers of the pod may share, made when the first of them asks for it: a program
//! that does nothing, in an empty root, without capabilities, descriptors or environment: a mere fork of the shim would let
//! a container with SYS_PTRACE walk /proc/1/root to the node.

use crate::{
    error::ShimError,
    output::{self, Chunk, read_chunk},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{CWD, Gid, Mode, OFlags, Uid, openat},
    io::{read, write},
    mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, mount_remount, unmount},
    pipe::{PipeFlags, pipe_with},
    process::{
        Pid, PidfdFlags, Signal, WaitOptions, chdir, kill_process, pidfd_open, pidfd_send_signal, pivot_root,
        set_parent_process_death_signal, setsid, waitpid,
    },
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
    thread::{
        CapabilitySet, CapabilitySets, LinkNameSpaceType, move_into_link_name_space,
        remove_capability_from_bounding_set, set_capabilities, set_no_new_privs, set_thread_gid, set_thread_groups,
        set_thread_uid,
    },
};
use std::{
    fs::{self, File, Permissions},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::PermissionsExt,
    },
    path::Path,
    time::{Duration, Instant},
};
use sys::{
    namespace::{UnshareFlags, unshare},
    process::{Fork, exec_descriptor, fork, fork_sibling, keep_inherited_descriptors_from_children, reset_signals},
};

const START_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_REPORT_BYTES: usize = 4096;
// The program has to fit, and nothing else.
const ROOT_OPTIONS: &std::ffi::CStr = c"size=4m,nr_inodes=4,mode=555";

pub struct PodInit {
    pub pid: i32,
    process: OwnedFd,
}

impl PodInit {
    /// @param folder made if need be; stays empty
    /// @param user the namespace that is to own it
    pub fn start(program: &Path, folder: &Path, user: Option<&File>) -> Result<Self, ShimError> {
        let failed = |step: &'static str| move |source: io::Error| failure(step, source);
        fs::create_dir_all(folder).map_err(failed("make its folder"))?;
        let (report, its_report) = output::pipe().map_err(|errno| failure("make its pipe", errno.into()))?;
        let own = File::open("/proc/self/ns/pid").map_err(failed("open our PID namespace"))?;
        // Before its rights are those of the pod.
        let program = File::open(program).map_err(|source| ShimError::PodInit {
            message: failure(&format!("copy {}", program.display()), source).to_string(),
        })?;
        let forked = match user {
            None => unshare(UnshareFlags::NEWPID).and_then(|()| fork()),
            Some(namespace) => fork_in_user_namespace(namespace, &its_report),
        };
        if matches!(forked, Ok(Fork::Child)) {
            drop(report);
            let Err(refused) = become_init(program, folder, &its_report);
            let _ = write(&its_report, refused.to_string().as_bytes());
            // No destructor may run here: they would take away what is the shim's.
            std::process::exit(1);
        }
        // Before anything else: whatever the shim starts would be in the pod's namespace.
        let returned = move_into_link_name_space(own.as_fd(), Some(LinkNameSpaceType::ProcessID));
        drop(its_report);
        let Fork::Parent(number) = forked.map_err(failed("fork"))? else {
            return Err(failure("fork", io::ErrorKind::InvalidData.into()));
        };
        sys::failpoint!("shim: forked PID 1");
        let pid = Pid::from_raw(number).ok_or_else(|| failure("fork", io::ErrorKind::InvalidData.into()))?;
        let started = returned
            .map_err(|errno| failure("return to our PID namespace", errno.into()))
            .and_then(|()| wait_for_exec(&report))
            .and_then(|()| pidfd_open(pid, PidfdFlags::empty()).map_err(|errno| failure("hold it", errno.into())));
        match started {
            Ok(process) => Ok(Self { pid: number, process }),
            Err(refused) => {
                // Its end is taken here, so that nobody takes it for another's.
                let _ = kill_process(pid, Signal::KILL);
                let _ = waitpid(Some(pid), WaitOptions::empty());
                Err(refused)
            }
        }
    }

    pub fn kill(&self) {
        // Gone already is what we want.
        let _ = pidfd_send_signal(&self.process, Signal::KILL);
    }
}

/// A process of ours on the way gives up its rights for those of the namespace's root; the new one is a child of the shim.
fn fork_in_user_namespace(namespace: &File, its_report: &OwnedFd) -> io::Result<Fork> {
    let (number, its_number) = pipe_with(PipeFlags::CLOEXEC)?;
    let Fork::Parent(between) = fork()? else {
        let forked = become_its_root(namespace).and_then(|()| {
            unshare(UnshareFlags::NEWPID)?;
            fork_sibling()
        });
        let told = match forked {
            Ok(Fork::Child) => return Ok(Fork::Child),
            Ok(Fork::Parent(pid)) => write(&its_number, &pid.to_ne_bytes()),
            Err(refused) => write(its_report, failure("enter the user namespace", refused).to_string().as_bytes()),
        };
        // No destructor may run here: they would take away what is the shim's.
        std::process::exit(i32::from(told.is_err()));
    };
    drop(its_number);
    let mut pid = [0; 4];
    let read = read(&number, &mut pid);
    let _ = waitpid(Pid::from_raw(between), WaitOptions::empty());
    match read? {
        4 => Ok(Fork::Parent(i32::from_ne_bytes(pid))),
        _ => Err(io::Error::other("the pod's user namespace could not be entered")),
    }
}

fn become_its_root(namespace: &File) -> io::Result<()> {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::User))?;
    set_thread_groups(&[])?;
    set_thread_gid(Gid::ROOT)?;
    set_thread_uid(Uid::ROOT)?;
    Ok(())
}

fn failure(step: &str, source: io::Error) -> ShimError {
    ShimError::io(format!("start PID 1 of the pod: {step}"), source)
}

/// The pipe closes when the program runs. What it carries before is why it doesn't.
fn wait_for_exec(report: &OwnedFd) -> Result<(), ShimError> {
    let deadline = Instant::now() + START_TIMEOUT;
    let mut text = Vec::new();
    while text.len() < MAX_REPORT_BYTES {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(failure("wait for it", io::ErrorKind::TimedOut.into()));
        }
        let timeout = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        // Interrupted or not, the pipe is asked again.
        let _ = poll(&mut [PollFd::new(report, PollFlags::IN)], Some(&timeout));
        match read_chunk(report, MAX_REPORT_BYTES) {
            Chunk::Bytes(bytes) => text.extend(bytes),
            Chunk::Later => {}
            Chunk::End => break,
        }
    }
    if text.is_empty() {
        return Ok(());
    }
    Err(ShimError::PodInit { message: String::from_utf8_lossy(&text).into_owned() })
}

/// In the new process. The order is that of the rights that each step needs.
fn become_init(program: File, folder: &Path, report: &OwnedFd) -> Result<std::convert::Infallible, ShimError> {
    let failed = |step: &'static str| move |errno: rustix::io::Errno| failure(step, errno.into());
    // The end of the shim ends the namespace, and all that is in it. If it has ended by now nobody reads the pipe any more.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(failed("tie it to the shim"))?;
    let mut reader = [PollFd::new(report, PollFlags::empty())];
    poll(&mut reader, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).map_err(failed("look for the shim"))?;
    if reader[0].revents().contains(PollFlags::ERR) {
        return Err(failure("look for the shim", io::ErrorKind::BrokenPipe.into()));
    }
    setsid().map_err(failed("leave session"))?;
    let program = enter_empty_root(program, folder)?;
    let (input, output) = pipe_with(PipeFlags::CLOEXEC).map_err(failed("make standard streams"))?;
    dup2_stdin(&input)
        .and_then(|()| dup2_stdout(&output))
        .and_then(|()| dup2_stderr(&output))
        .map_err(failed("take standard streams"))?;
    keep_inherited_descriptors_from_children().map_err(|source| failure("close descriptors", source))?;
    reset_signals().map_err(|source| failure("reset signals", source))?;
    set_no_new_privs(true).map_err(failed("give up new privileges"))?;
    // Of a kernel that knows more than we, too: it says where they end.
    for bit in 0..u64::BITS {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << bit)) {
            Ok(()) => {}
            Err(rustix::io::Errno::INVAL) if bit > 0 => break,
            Err(errno) => return Err(failed("give up the bounding set")(errno)),
        }
    }
    let none = CapabilitySet::empty();
    // The ambient set goes with them: it never holds what these two do not.
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
        .map_err(failed("give up capabilities"))?;
    Err(failure("run it", exec_descriptor(program.as_fd(), c"berth-pod-init")))
}

/// Returns the program: a copy, so that no container can get at the node's file by /proc/1/exe, and without a name, so that
/// the root is empty.
fn enter_empty_root(mut program: File, folder: &Path) -> Result<OwnedFd, ShimError> {
    let failed = |step: &'static str| move |errno: rustix::io::Errno| failure(step, errno.into());
    unshare(UnshareFlags::NEWNS).map_err(|source| failure("make mount namespace", source))?;
    // Or what follows would be mounted on the node too.
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(failed("make mounts private"))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("pod-init", folder, "tmpfs", flags, ROOT_OPTIONS).map_err(failed("mount its root"))?;
    let copy = folder.join("berth-pod-init");
    File::create(&copy)
        .and_then(|mut copy| io::copy(&mut program, &mut copy))
        .map_err(|source| failure("copy the program", source))?;
    // What a process may run and not read makes it undumpable from its first moment.
    fs::set_permissions(&copy, Permissions::from_mode(0o111)).map_err(|source| failure("make it a program", source))?;
    let held = openat(CWD, &copy, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(failed("hold the program"))?;
    fs::remove_file(&copy).map_err(|source| failure("take its name", source))?;
    chdir(folder).map_err(failed("enter its root"))?;
    pivot_root(".", ".").map_err(failed("pivot root"))?;
    unmount(".", UnmountFlags::DETACH).map_err(failed("detach the old root"))?;
    chdir("/").map_err(failed("enter its root"))?;
    mount_remount("/", flags | MountFlags::BIND | MountFlags::RDONLY, c"")
        .map_err(failed("make its root read-only"))?;
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_that_closes_is_a_program_that_runs_and_words_in_it_are_why_it_does_not() {
        let (report, its_report) = output::pipe().expect("pipe");
        drop(its_report);
        assert!(wait_for_exec(&report).is_ok());
        let (report, its_report) = output::pipe().expect("pipe");
        write(&its_report, b"start PID 1 of the pod: fork: no").expect("write");
        drop(its_report);
        assert_eq!(
            wait_for_exec(&report).map_err(|refused| refused.to_string()),
            Err("start PID 1 of the pod: fork: no".into())
        );
    }
}
