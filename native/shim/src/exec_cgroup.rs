//! A cgroup for each exec, so that all it has started can be found: a child that was orphaned, has left its session or has
//! forked twice is in it still. Only v2 is used, whose cgroups without controllers cost nothing, and which the kernel kills
//! whole. On v2 the runtime puts the process into a child of the container's. On a hybrid host the runtime knows the v1
//! hierarchies alone, so the whole exec is born in a leaf of the v2 tree, below one that is the pod's and goes with it. On v1 there
//! is none: an exec is found by the descent of its processes.

use crate::log;
use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, unlinkat},
    io::{Errno, pread, read, write},
    process::{Pid, Signal, kill_process},
};
use std::{
    fs,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

const CGROUP: &str = "/sys/fs/cgroup";
const MAX_FILE_BYTES: usize = 256 * 1024;
// Before Linux 5.14 the kernel does not kill a cgroup whole; a fork bomb may outrun so many rounds.
const KILL_ROUNDS: usize = 64;

/// Where execs have their cgroups on this host.
pub enum ExecCgroups {
    /// below that of their container
    V2,
    /// in the v2 tree of a hybrid host, below a cgroup of the pod's, which is made with the first
    Hybrid {
        tree: OwnedFd,
        path: String,
    },
    None,
}

impl ExecCgroups {
    /// @param hybrid to be called before that tree is hidden
    pub fn detect(hybrid: bool, path: &str) -> Self {
        if !hybrid {
            return if fs::exists(format!("{CGROUP}/cgroup.controllers")).unwrap_or(false) {
                Self::V2
            } else {
                Self::None
            };
        }
        match folder(CWD, &format!("{CGROUP}/unified")) {
            Ok(tree) if !path.is_empty() => Self::Hybrid { tree, path: path.to_owned() },
            _ => Self::None,
        }
    }

    /// A host that has none to give runs the command all the same.
    pub fn make(&self, container: &str, number: u64) -> Option<ExecCgroup> {
        let made = match self {
            Self::None => return None,
            Self::V2 => folder(CWD, &format!("{CGROUP}{container}"))
                .and_then(|parent| ExecCgroup::make(parent, format!("exec-{number}"))),
            Self::Hybrid { tree, path } => {
                make_folders(tree, path).and_then(|parent| ExecCgroup::make(parent, format!("exec-{number}")))
            }
        };
        made.inspect_err(|errno| log::warn(format_args!("make cgroup of exec {number}: {errno}"))).ok()
    }
}

pub struct ExecCgroup {
    parent: OwnedFd,
    name: String,
    folder: OwnedFd,
    /// ready for POLLPRI when the last process has ended, or the first has come
    events: OwnedFd,
}

impl ExecCgroup {
    fn make(parent: OwnedFd, name: String) -> Result<Self, Errno> {
        mkdirat(&parent, &name, Mode::from_raw_mode(0o755))?;
        let folder = folder(parent.as_fd(), &name)?;
        let events = openat(&folder, "cgroup.events", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { parent, name, folder, events })
    }

    /// As the runtime's `--cgroup` takes it.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    pub fn kill(&self) {
        if write_file(&self.folder, "cgroup.kill", "1").is_ok() {
            return;
        }
        for _ in 0..KILL_ROUNDS {
            let members = processes(&self.folder);
            if members.is_empty() {
                return;
            }
            for pid in members.into_iter().filter_map(Pid::from_raw) {
                // Gone already is what we want.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }

    pub fn events(&self) -> &OwnedFd {
        &self.events
    }

    /// Nothing is alive in it.
    pub fn is_empty(&self) -> bool {
        let mut text = [0; 256];
        let bytes = pread(&self.events, &mut text, 0).unwrap_or(0);
        text[..bytes].starts_with(b"populated 0")
    }

    /// What has outlived the command is its container's now, as any daemon. False when the cgroup could not be removed yet.
    pub fn dissolve(&self) -> bool {
        for pid in processes(&self.folder) {
            let _ = write_file(&self.parent, "cgroup.procs", &pid.to_string());
        }
        matches!(unlinkat(&self.parent, &self.name, AtFlags::REMOVEDIR), Ok(()) | Err(Errno::NOENT | Errno::NODEV))
    }
}

fn folder(at: BorrowedFd, path: &str) -> Result<OwnedFd, Errno> {
    openat(at, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

fn make_folders(tree: &OwnedFd, path: &str) -> Result<OwnedFd, Errno> {
    let mut at = folder(tree.as_fd(), ".")?;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        match mkdirat(&at, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => at = folder(at.as_fd(), name)?,
            Err(errno) => return Err(errno),
        }
    }
    Ok(at)
}

fn processes(folder: &OwnedFd) -> Vec<i32> {
    members(&read_file(folder, "cgroup.procs").unwrap_or_default())
}

/// Of whole lines: a number that was cut is another process's.
fn members(text: &str) -> Vec<i32> {
    let (whole, _) = text.rsplit_once('\n').unwrap_or_default();
    whole.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect()
}

fn read_file(folder: &OwnedFd, name: &str) -> Result<String, Errno> {
    let file = openat(folder, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    while text.len() < MAX_FILE_BYTES {
        match read(&file, &mut buffer)? {
            0 => break,
            bytes => text.extend_from_slice(&buffer[..bytes]),
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn write_file(folder: &OwnedFd, name: &str, value: &str) -> Result<(), Errno> {
    let file = openat(folder, name, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    write(&file, value.as_bytes()).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::members;

    #[test]
    fn a_number_that_the_bound_has_cut_names_nobody() {
        assert_eq!(members("17\n0\n4711\n"), [17, 4711]);
        assert_eq!(members("17\n47"), [17]);
        assert!(members("47").is_empty());
    }
}
