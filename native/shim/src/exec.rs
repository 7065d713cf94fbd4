//! One process beside a container's: its output goes to who asked, its exit code last.

use crate::{
    console::Console,
    container::Reply,
    exec_cgroup::ExecCgroup,
    exit::{Ended, Stuck},
    input::Input,
    process_tree,
};
use std::{fs, os::fd::OwnedFd, path::PathBuf, time::Instant};
use wire::ShimStream;

pub const CHUNK_BYTES: usize = 64 * 1024;

/// Why an exec was ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    TimedOut,
    Cancelled,
    RuntimeStuck(Stuck),
}

pub struct Exec {
    pub reply: Reply,
    pub container: String,
    pub pipes: Vec<(ShimStream, OwnedFd)>,
    /// The runtime, until it has put the process in its place and ended.
    pub runtime_pid: i32,
    pub pid: Option<i32>,
    pub ended: Option<Ended>,
    pub deadline: Option<Instant>,
    /// The answer waits no longer than that for what is left: output, or processes that were killed.
    pub drain_deadline: Option<Instant>,
    pub cut: Option<Cut>,
    pub bytes_left: [u64; 2],
    /// both only of one with streams
    pub input: Option<Input>,
    pub console: Option<Console>,
    /// `None` where the host has none to give
    pub cgroup: Option<ExecCgroup>,
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

    /// Ends the process and all that it has started; a runtime that is still at work with what it has begun.
    pub fn kill(&self) {
        // Of one that has ended the number may be a stranger's by now.
        if self.ended.is_none() {
            process_tree::kill(self.pid.unwrap_or(self.runtime_pid));
        }
        if let Some(cgroup) = &self.cgroup {
            cgroup.kill();
        }
    }

    /// The process has ended, and its output is read; of one that was cut, nothing is alive.
    pub fn is_over(&self) -> bool {
        self.ended.is_some() && self.pipes.is_empty() && (self.cut.is_none() || self.is_dead())
    }

    /// Tells of the end of what was killed, where that is waited for: not before the output is read, or it would tell again and
    /// again.
    pub fn dying(&self) -> Option<&OwnedFd> {
        let is_awaited = self.cut.is_some() && self.ended.is_some() && self.pipes.is_empty();
        self.cgroup.as_ref().filter(|_| is_awaited).map(ExecCgroup::events)
    }

    fn is_dead(&self) -> bool {
        self.cgroup.as_ref().is_none_or(ExecCgroup::is_empty)
    }
}

impl Drop for Exec {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
    }
}
