//! Shuts a process in: it sees one folder as the whole file system, no other process and no network, has of root's rights only
//! those that its work takes, and few calls of the kernel ([`filter`]). An attacker who takes over the reader of an archive, or of
//! a container's files, finds nothing else.

use crate::{error::HelperError, filter};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
    mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount_bind, mount_change, mount_remount, unmount},
    process::{
        Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions, WaitStatus, chdir, chroot, getpid, getrlimit,
        kill_process, pidfd_open, pivot_root, set_parent_process_death_signal, setrlimit, umask, waitpid,
    },
    stdio::stdout,
    thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs},
};
use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process::ExitCode,
};
use sys::{
    namespace::{UnshareFlags, unshare},
    process::{Fork, fork},
};

// Reading a tree takes two descriptors a level; a decompressor takes address space.
const MAX_OPEN_FILES: u64 = 1024;
const MAX_ADDRESS_SPACE_BYTES: u64 = 1 << 30;

/// Runs `work` in a process of its own that is shut in the current folder, gives it that folder, and ends as that process
/// does: with its status, or by its signal. Neither outlives the other, nor the thread that started this program.
///
/// When it can't be shut in, `work` hears why, and has no folder.
pub fn run(work: impl FnOnce(Result<OwnedFd, HelperError>) -> ExitCode) -> ExitCode {
    // SYS_ADMIN is not among them: marking a folder as opaque takes it, so that is done by the helper afterwards.
    let rights = CapabilitySet::CHOWN
        | CapabilitySet::DAC_OVERRIDE
        | CapabilitySet::FOWNER
        | CapabilitySet::FSETID
        | CapabilitySet::MKNOD
        | CapabilitySet::SETFCAP;
    run_in(enter_current_folder, rights, work)
}

/// The same in the root that `enter` makes of a mount namespace of its own.
pub fn run_in(
    enter: impl FnOnce() -> Result<(), HelperError>,
    rights: CapabilitySet,
    work: impl FnOnce(Result<OwnedFd, HelperError>) -> ExitCode,
) -> ExitCode {
    match fork_into_pid_namespace() {
        Ok(Fork::Child) => work(shut_in(enter, rights)),
        Ok(Fork::Parent(child)) => end_like(child),
        Err(failure) => work(Err(failure)),
    }
}

/// A process can't leave its own PID namespace, only its children can.
fn fork_into_pid_namespace() -> Result<Fork, HelperError> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(failed("follow the helper's end"))?;
    // It may have ended before that.
    if has_ended(stdout(), PollFlags::ERR).map_err(failed("look for the helper"))? {
        return Err(HelperError::io("shut the process in", Errno::PIPE));
    }
    let parent = pidfd_open(getpid(), PidfdFlags::empty()).map_err(failed("open the own process"))?;
    unshare(UnshareFlags::NEWPID).map_err(|source| HelperError::io("shut the process in: leave PIDs", source))?;
    let side = fork().map_err(|source| HelperError::io("shut the process in: fork", source))?;
    if matches!(side, Fork::Child) {
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(failed("follow the parent's end"))?;
        if has_ended(parent.as_fd(), PollFlags::IN).map_err(failed("look for the parent"))? {
            return Err(HelperError::io("shut the process in", Errno::SRCH));
        }
    }
    Ok(side)
}

/// Says so by `sign`: a pipe whose reader is gone is in error, and the descriptor of a process that ended can be read.
fn has_ended(peer: BorrowedFd, sign: PollFlags) -> Result<bool, Errno> {
    let mut peers = [PollFd::from_borrowed_fd(peer, sign)];
    poll(&mut peers, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    Ok(peers[0].revents().contains(sign))
}

fn end_like(child: i32) -> ExitCode {
    let status = wait(child);
    let Some(signal) = status.and_then(|status| status.terminating_signal()) else {
        let code = status.and_then(|status| u8::try_from(status.exit_status()?).ok());
        return code.map_or(ExitCode::FAILURE, ExitCode::from);
    };
    if let Some(signal) = Signal::from_named_raw(signal) {
        // No core file of a process that only waited.
        let _ = limit(Resource::Core, 0);
        for _ in 0..2 {
            // The first SIGSEGV is heard by the standard library, which then steps aside.
            let _ = kill_process(getpid(), signal);
        }
    }
    ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX))
}

fn wait(child: i32) -> Option<WaitStatus> {
    loop {
        match waitpid(Pid::from_raw(child), WaitOptions::empty()) {
            Err(Errno::INTR) => {}
            other => return other.ok().flatten().map(|(_, status)| status),
        }
    }
}

fn shut_in(enter: impl FnOnce() -> Result<(), HelperError>, rights: CapabilitySet) -> Result<OwnedFd, HelperError> {
    umask(Mode::empty());
    enter()?;
    let namespaces = UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    unshare(namespaces).map_err(|source| HelperError::io("shut the process in: leave namespaces", source))?;
    limit(Resource::Nofile, MAX_OPEN_FILES).map_err(failed("limit descriptors"))?;
    limit(Resource::As, MAX_ADDRESS_SPACE_BYTES).map_err(failed("limit memory"))?;
    limit(Resource::Core, 0).map_err(failed("limit core files"))?;
    set_no_new_privs(true).map_err(failed("give up new privileges"))?;
    set_capabilities(
        None,
        CapabilitySets { effective: rights, permitted: rights, inheritable: CapabilitySet::empty() },
    )
    .map_err(failed("give up capabilities"))?;
    let root = openat(CWD, "/", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(failed("open the folder"))?;
    // Last: it allows nothing of the above.
    filter::load().map_err(|source| HelperError::io("shut the process in: filter system calls", source))?;
    Ok(root)
}

/// Into the folder that [`run`] shuts in.
pub fn enter_current_folder() -> Result<(), HelperError> {
    leave_mount_namespace()?;
    // The new root must be a mount point. Enter it by its path: "." is still below the bind.
    let folder = rustix::process::getcwd(Vec::new()).map_err(failed("find the folder"))?;
    mount_bind(&folder, &folder).map_err(failed("bind the folder"))?;
    chdir(&folder).map_err(failed("enter the folder"))?;
    // Devices of a layer are made here, and opened by nobody.
    mount_remount(".", MountFlags::BIND | MountFlags::NODEV | MountFlags::NOSUID | MountFlags::NOEXEC, "")
        .map_err(failed("restrict the folder"))?;
    pivot_to_current_folder()
}

pub fn leave_mount_namespace() -> Result<(), HelperError> {
    unshare(UnshareFlags::NEWNS)
        .map_err(|source| HelperError::io("shut the process in: leave mount namespace", source))?;
    // Or what follows would be mounted on the node too.
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(failed("make mounts private"))
}

/// Which is a mount point: what is outside of it is gone.
pub fn pivot_to_current_folder() -> Result<(), HelperError> {
    pivot_root(".", ".").map_err(failed("pivot root"))?;
    unmount(".", UnmountFlags::DETACH).map_err(failed("detach the old root"))?;
    chroot(".").and_then(|()| chdir("/")).map_err(failed("enter the new root"))
}

pub fn failed(step: &'static str) -> impl FnOnce(Errno) -> HelperError {
    move |errno| HelperError::io(format!("shut the process in: {step}"), errno)
}

fn limit(resource: Resource, most: u64) -> Result<(), Errno> {
    let hard = getrlimit(resource).maximum.map_or(most, |hard| hard.min(most));
    setrlimit(resource, Rlimit { current: Some(hard), maximum: Some(hard) })
}
