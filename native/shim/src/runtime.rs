//! The OCI runtime's command line: crun and runc take the same words, and ours does but for `create` and `start`.

use crate::{descriptors, error::ShimError, log, null, read_only_program};
use rustix::{
    fs::statvfs,
    io::{FdFlags, fcntl_setfd, read, write},
    mount::{UnmountFlags, unmount},
    pipe::{PipeFlags, pipe_with},
};
use std::{
    fs::{self, File},
    io::Read,
    os::{
        fd::{AsRawFd, BorrowedFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use sys::process::{Fork, fork, fork_into};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
// For a few small files of it.
const ROOM_BYTES: u64 = 64 * 1024;
const MAX_LOG_BYTES: u64 = 64 * 1024;
const MAX_MESSAGE_CHARACTERS: usize = 4096;

pub struct Runtime {
    pub program: PathBuf,
    /// before those of each call
    pub args: Vec<String>,
    /// where it keeps its own state
    pub root: PathBuf,
    /// where it may mount what nobody else is to see
    pub private: PathBuf,
    /// how long a call of it may take
    pub limit: Duration,
}

/// What a process has for its standard streams.
pub enum Stdio {
    /// `stdin` `None` is one that has ended
    Pipes { stdin: Option<OwnedFd>, stdout: OwnedFd, stderr: OwnedFd },
    /// a terminal, sent to this socket, which is in the folder that the runtime is run in
    Console { folder: PathBuf, socket: String },
}

/// Where an exec's process comes to be.
#[derive(Default)]
pub struct ExecPlace<'a> {
    /// a cgroup of v2 for the runtime and all that it starts
    pub born_in: Option<BorrowedFd<'a>>,
    /// below the container's own, on a v2 host
    pub sub_cgroup: Option<&'a str>,
    /// crun leaves the process what it has itself
    pub oom_score_adj: Option<i32>,
}

/// What a new process of the runtime has before it is the runtime.
#[derive(Default)]
struct Birth<'a> {
    cgroup: Option<BorrowedFd<'a>>,
    oom_score_adj: Option<i32>,
    /// left open
    descriptor: Option<BorrowedFd<'a>>,
}

impl Stdio {
    fn give_to(self, command: &mut Command) {
        match self {
            Self::Pipes { stdin, stdout, stderr } => {
                stdin.map(|stdin| command.stdin(stdin));
                command.stdout(stdout).stderr(stderr);
            }
            Self::Console { folder, socket } => {
                command.current_dir(folder).arg("--console-socket").arg(socket);
            }
        }
    }
}

impl Runtime {
    /// Whether it is ours, which is told to `run` where others are to `create` and then to `start`: when it ends, the command runs.
    pub fn starts_at_once(&self) -> bool {
        read_only_program::is_own(&self.program)
    }

    /// Each gives the process id of the runtime, which the caller waits for. `log` takes the runtime's own words.
    pub fn create(&self, id: &str, bundle: &Path, pid_file: &Path, log: &Path, stdio: Stdio) -> Result<i32, ShimError> {
        let mut command = self.command(log)?;
        command.arg("create").arg("--bundle").arg(bundle).arg("--pid-file").arg(pid_file);
        stdio.give_to(&mut command);
        self.launch(command, "create", id, &Birth::default())
    }

    /// Both in one, where the runtime starts at once. @param pid_namespace to be joined, whatever process has its number by now
    pub fn run(
        &self,
        id: &str,
        bundle: &Path,
        pid_file: &Path,
        log: &Path,
        stdio: Stdio,
        pid_namespace: Option<BorrowedFd>,
    ) -> Result<i32, ShimError> {
        let mut command = self.command(log)?;
        command.arg("run").arg("--bundle").arg(bundle).arg("--pid-file").arg(pid_file);
        if let Some(namespace) = pid_namespace {
            command.arg("--pid-namespace").arg(namespace.as_raw_fd().to_string());
        }
        stdio.give_to(&mut command);
        self.launch(command, "run", id, &Birth { descriptor: pid_namespace, ..Birth::default() })
    }

    pub fn start(&self, id: &str, log: &Path) -> Result<i32, ShimError> {
        let mut command = self.command(log)?;
        command.arg("start");
        self.launch(command, "start", id, &Birth::default())
    }

    pub fn delete(&self, id: &str, log: &Path) -> Result<i32, ShimError> {
        let mut command = self.command(log)?;
        command.arg("delete").arg("--force");
        self.launch(command, "delete", id, &Birth::default())
    }

    pub fn exec(
        &self,
        id: &str,
        process: &Path,
        pid_file: &Path,
        log: &Path,
        stdio: Stdio,
        place: &ExecPlace,
    ) -> Result<i32, ShimError> {
        let mut command = self.command(log)?;
        command.arg("exec").arg("--detach").arg("--process").arg(process).arg("--pid-file").arg(pid_file);
        if let Some(name) = place.sub_cgroup {
            command.arg("--cgroup").arg(name);
        }
        stdio.give_to(&mut command);
        let birth = Birth { cgroup: place.born_in, oom_score_adj: place.oom_score_adj, descriptor: None };
        self.launch(command, "exec", id, &birth)
    }

    /// Images go to the folder's `checkpoint`, CRIU's log and figures beside it. The container goes on.
    pub fn checkpoint(&self, id: &str, folder: &Path, log: &Path) -> Result<i32, ShimError> {
        let mut command = self.command(log)?;
        command.arg("checkpoint").arg("--image-path").arg(folder.join("checkpoint"));
        command.arg("--work-path").arg(folder).arg("--leave-running");
        self.launch(command, "checkpoint", id, &Birth::default())
    }

    /// Without the runtime's help: what it keeps of a container that it could not delete.
    pub fn forget(&self, id: &str) {
        // It has made nothing in many cases; what can't be removed goes with the pod.
        let _ = fs::remove_dir_all(self.root.join(id));
    }

    fn command(&self, log: &Path) -> Result<Command, ShimError> {
        // Not `Stdio::null`, which is the node's, and opened in the new process, which can't open anything any more.
        let null = || null::open().map_err(|source| ShimError::io("open the pod's null device", source));
        let doing = || format!("run {} from a mount that nobody can write to", self.program.display());
        let read_only =
            read_only_program::find(&self.program, &self.private).map_err(|source| ShimError::io(doing(), source))?;
        let mut command = Command::new(read_only.as_ref().unwrap_or(&self.program));
        command
            .arg0(&self.program)
            .env_clear()
            .env("PATH", PATH)
            .current_dir("/")
            .stdin(null()?)
            .stdout(null()?)
            .stderr(null()?);
        if read_only.is_some() {
            // It looks for itself whether that is so, and need not start again.
            command.env("_LIBCONTAINER_CLONED_BINARY", "1");
        }
        // Where else it mounts its own program for a moment, at each call. In /tmp, its default, the kernel would mount it in the
        // namespaces of the node and of all other pods too.
        command.env("_LIBCONTAINER_STATEDIR", &self.private);
        command.args(&self.args).arg("--root").arg(&self.root).arg("--log").arg(log).arg("--log-format").arg("json");
        Ok(command)
    }

    /// Waited for by its number, as every process here.
    fn launch(&self, mut command: Command, verb: &str, id: &str, birth: &Birth) -> Result<i32, ShimError> {
        command.arg(id);
        let failed = |source: std::io::Error| ShimError::io(format!("{} {verb} {id}", self.program.display()), source);
        let (report, its_report) = pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed(errno.into()))?;
        let forked = match birth.cgroup {
            Some(cgroup) => fork_into(cgroup),
            None => fork(),
        };
        let Fork::Parent(pid) = forked.map_err(failed)? else {
            if let Some(adjustment) = birth.oom_score_adj {
                // One that is refused (lower than our own, without the capability) leaves it as it is.
                let _ = fs::write("/proc/self/oom_score_adj", adjustment.to_string());
            }
            if let Some(descriptor) = birth.descriptor {
                // Of one that stays closed it says so itself.
                let _ = fcntl_setfd(descriptor, FdFlags::empty());
            }
            descriptors::give_back();
            let errno = command.exec().raw_os_error().unwrap_or(0);
            let _ = write(&its_report, &errno.to_ne_bytes());
            // No destructor may run here: they would take away what is the shim's.
            std::process::exit(127);
        };
        drop(its_report);
        let mut errno = [0; 4];
        match read(&report, &mut errno) {
            // Closed by the exec that went well.
            Ok(0) => Ok(pid),
            _ => Err(failed(std::io::Error::from_raw_os_error(i32::from_ne_bytes(errno)))),
        }
    }
}

/// A runtime that can't write its state or its log ends without a word, so that is asked before. `folder` is where both go.
pub fn require_room(folder: &Path) -> Result<(), ShimError> {
    let failed = |source: std::io::Error| {
        ShimError::io(format!("find room in {} for the OCI runtime", folder.display()), source)
    };
    let space = statvfs(folder).map_err(|errno| failed(errno.into()))?;
    // A file system without a limit has no blocks to tell of.
    if space.f_blocks > 0 && space.f_bavail.saturating_mul(space.f_frsize) < ROOM_BYTES {
        return Err(failed(std::io::ErrorKind::StorageFull.into()));
    }
    Ok(())
}

/// A crun that is killed as it begins leaves the place where it was about to mount itself, or has done so.
pub fn clear_leftovers(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"crun.")) {
        // In most cases nothing is mounted there.
        let _ = unmount(entry.path(), UnmountFlags::DETACH);
        if let Err(failure) = fs::remove_file(entry.path()) {
            log::warn(format_args!("remove {}: {failure}", entry.path().display()));
        }
    }
}

/// The last error in the runtime's log; it said nothing otherwise.
pub fn message(log: &Path) -> String {
    let mut text = String::new();
    if let Ok(file) = File::open(log) {
        // Cut in the middle of a letter it is no text any more, and there is nothing to tell.
        let _ = file.take(MAX_LOG_BYTES).read_to_string(&mut text);
    }
    let message = text.lines().rev().find_map(|line| json_string(line, "msg"));
    message
        .unwrap_or_else(|| "it ended with an error and said nothing".into())
        .chars()
        .take(MAX_MESSAGE_CHARACTERS)
        .collect()
}

/// The number that the runtime wrote when the process was there.
pub fn read_pid(file: &Path) -> Result<i32, ShimError> {
    let failed = |source: std::io::Error| ShimError::io(format!("read {}", file.display()), source);
    let text = fs::read_to_string(file).map_err(failed)?;
    // Of kill(2), 1 and less are others' or everybody.
    let pid = text.trim().parse().ok().filter(|pid| *pid > 1);
    pid.ok_or_else(|| failed(std::io::ErrorKind::InvalidData.into()))
}

/// The value of a text field of one flat JSON object.
fn json_string(line: &str, field: &str) -> Option<String> {
    let start = line.find(&format!("\"{field}\""))? + field.len() + 2;
    let mut letters = line[start..].trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?.chars();
    let mut value = String::new();
    loop {
        match letters.next()? {
            '"' => return Some(value),
            '\\' => match letters.next()? {
                'n' | 'r' | 't' => value.push(' '),
                'u' => {
                    let code = u32::from_str_radix(&letters.by_ref().take(4).collect::<String>(), 16).ok()?;
                    value.push(char::from_u32(code).unwrap_or('\u{fffd}'));
                }
                other => value.push(other),
            },
            letter => value.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{json_string, read_pid};
    use std::fs;

    #[test]
    fn a_runtime_says_why_in_a_field_of_its_log() {
        let line = r#"{"level":"error","msg":"exec: \"nope\": not \u0066ound\nreally","time":"x"}"#;
        assert_eq!(json_string(line, "msg").as_deref(), Some("exec: \"nope\": not found really"));
        assert_eq!(json_string(r#"{ "msg" : "crun" }"#, "msg").as_deref(), Some("crun"));
        assert_eq!(json_string("not json", "msg"), None);
    }

    #[test]
    fn a_number_that_names_no_process_of_ours_is_no_pid() {
        let file = std::env::temp_dir().join(format!("berth-pid-{}", std::process::id()));
        for (text, good) in [("4711\n", true), ("1", false), ("0", false), ("-4711", false), ("", false)] {
            fs::write(&file, text).expect("write");
            assert_eq!(read_pid(&file).is_ok(), good, "{text:?}");
        }
        fs::remove_file(&file).expect("remove");
    }
}
