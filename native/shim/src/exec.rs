//! One process beside a container's: its output goes to who asked, its exit code last.

use crate::{container::Reply, exit::Ended};
use rustix::process::{Pid, Signal, kill_process};
use std::{fs, os::fd::OwnedFd, path::PathBuf, time::Instant};
use wire::ShimStream;

pub const CHUNK_BYTES: usize = 64 * 1024;
// A tree deeper or wider than that is a fork bomb; the container's own limits hold it.
const MAX_TREE: usize = 4096;

pub struct Exec {
    pub reply: Reply,
    pub container: String,
    pub pipes: Vec<(ShimStream, OwnedFd)>,
    /// The runtime, until it has put the process in its place and ended.
    pub runtime_pid: i32,
    pub pid: Option<i32>,
    pub ended: Option<Ended>,
    pub deadline: Option<Instant>,
    pub drain_deadline: Option<Instant>,
    pub timed_out: bool,
    pub bytes_left: [u64; 2],
    /// made for the runtime; removed with the exec
    pub files: Vec<PathBuf>,
}

impl Exec {
    /// How much of a chunk may still be passed on.
    pub fn take(&mut self, stream: ShimStream, bytes: usize) -> usize {
        let left = &mut self.bytes_left[stream as usize];
        let taken = (*left).min(bytes as u64);
        *left -= taken;
        taken as usize
    }

    /// Ends the process and its live descendants; a runtime that is still at work with what it has begun.
    pub fn kill(&self) {
        // Listed before any of them dies: an orphan has another parent.
        for member in tree(self.pid.unwrap_or(self.runtime_pid)) {
            if let Some(pid) = Pid::from_raw(member) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

impl Drop for Exec {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
    }
}

fn tree(root: i32) -> Vec<i32> {
    let mut members = vec![root];
    let mut next = 0;
    while next < members.len() && members.len() < MAX_TREE {
        let pid = members[next];
        next += 1;
        for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            members.extend(children.split_whitespace().filter_map(|child| child.parse::<i32>().ok()));
        }
    }
    members
}
