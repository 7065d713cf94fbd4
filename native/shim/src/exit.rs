//! How a process ended, and the record of it.

use crate::{error::ShimError, time};
use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    time::Duration,
};
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

const RECORD: &str = "exit.json";
const TEMPORARY: &str = "exit.json.new";
// Longer than any record; its end is spaces.
const RECORD_BYTES: usize = 256;

/// Takes the room of a record, so that an exit can be written when the file system is full.
pub fn reserve_record(folder: &Path) -> Result<(), ShimError> {
    let temporary = folder.join(TEMPORARY);
    fs::write(&temporary, [b' '; RECORD_BYTES])
        .map_err(|source| ShimError::io(format!("reserve {}", temporary.display()), source))
}

/// On disk before anybody is told: a berthd that was away reads it even when this shim is gone too.
pub fn write_record(folder: &Path, exit: &ContainerExit) -> Result<(), ShimError> {
    let text = format!(
        "{{\"exitCode\":{},\"signal\":{},\"finishedAtNanos\":\"{}\",\"oomKilled\":{}}}",
        exit.exit_code, exit.signal, exit.finished_at_nanos, exit.oom_killed
    );
    let record = folder.join(RECORD);
    overwrite(&folder.join(TEMPORARY), &format!("{text:RECORD_BYTES$}"))
        .and_then(|()| fs::rename(folder.join(TEMPORARY), &record))
        .map_err(|source| ShimError::io(format!("write {}", record.display()), source))
}

// A file that is cut off first gives its room away.
fn overwrite(path: &Path, text: &str) -> std::io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(false).open(path)?.write_all(text.as_bytes())
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
