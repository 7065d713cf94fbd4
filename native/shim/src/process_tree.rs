//! A process and its live descendants, where no cgroup holds them together.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;

// A tree deeper or wider than that is a fork bomb; the container's own limits hold it.
const MAX_MEMBERS: usize = 4096;

/// Kills them all. Who has lost its parent before is not found: it has become another's child.
pub fn kill(root: i32) {
    // Stopped before it is asked for its children, so that it makes no more; killed when all are known, for an orphan has
    // another parent.
    let mut members = vec![root];
    let mut next = 0;
    while next < members.len() && members.len() < MAX_MEMBERS {
        let pid = members[next];
        next += 1;
        signal(pid, Signal::STOP);
        members.extend(children(pid));
    }
    for pid in members {
        signal(pid, Signal::KILL);
    }
}

fn children(pid: i32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|child| child.parse().ok()).collect::<Vec<i32>>())
        .collect()
}

fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        // Gone already is what we want.
        let _ = kill_process(pid, signal);
    }
}
