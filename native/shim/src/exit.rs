//! How a process ended, and the record of it.

use crate::{error::ShimError, time};
use std::{fs, path::Path, time::Duration};
use wire::ContainerExit;

/// What waiting for a process gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    pub code: i32,
    /// 0: none
    pub signal: i32,
    pub at_nanos: i64,
}

/// An OCI runtime that did not end in time; it was killed, with its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck {
    pub limit: Duration,
}

impl Ended {
    /// Shells and runtimes alike say 128 + signal.
    pub fn from_wait(exit_status: Option<i32>, signal: Option<i32>) -> Self {
        let signal = signal.unwrap_or(0);
        Self { code: exit_status.unwrap_or(128 + signal), signal, at_nanos: time::now_nanos() }
    }

    pub fn as_exit(self, oom_killed: bool) -> ContainerExit {
        ContainerExit { exit_code: self.code, signal: self.signal, finished_at_nanos: self.at_nanos, oom_killed }
    }
}

/// On disk before anybody is told: a berthd that was away reads it even when this shim is gone too.
pub fn write_record(folder: &Path, exit: &ContainerExit) -> Result<(), ShimError> {
    let text = format!(
        "{{\"exitCode\":{},\"signal\":{},\"finishedAtNanos\":\"{}\",\"oomKilled\":{}}}\n",
        exit.exit_code, exit.signal, exit.finished_at_nanos, exit.oom_killed
    );
    let (temporary, record) = (folder.join("exit.json.new"), folder.join("exit.json"));
    fs::write(&temporary, text)
        .and_then(|()| fs::rename(&temporary, &record))
        .map_err(|source| ShimError::io(format!("write {}", record.display()), source))
}

/// Whether the kernel killed a process of the cgroup for want of memory.
pub fn was_oom_killed(cgroup_path: &str) -> bool {
    let files = [
        format!("/sys/fs/cgroup/memory{cgroup_path}/memory.oom_control"),
        format!("/sys/fs/cgroup{cgroup_path}/memory.events"),
    ];
    let text = files.iter().find_map(|file| fs::read_to_string(file).ok()).unwrap_or_default();
    text.lines().filter_map(|line| line.strip_prefix("oom_kill ")).any(|count| count.trim() != "0")
}
