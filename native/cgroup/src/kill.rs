//! Ending every process of a cgroup.

use crate::{CgroupError, CgroupPath, Cgroups};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

const FIRST_WAIT: Duration = Duration::from_micros(200);
const LONGEST_WAIT: Duration = Duration::from_millis(20);
// Rounds of plain kills before the cgroup is frozen, so that a fork bomb can't outrun them.
const ROUNDS_BEFORE_FREEZE: u32 = 3;
// No cgroup of a pod is nested deeper.
const MAX_DEPTH: u32 = 16;

impl Cgroups {
    /// Kills all processes in the cgroup and below it, and returns when none is left. A missing cgroup is empty.
    pub fn kill(&self, path: &CgroupPath, deadline: Instant) -> Result<(), CgroupError> {
        let Some(folder) = self.folder_with_processes(path) else { return Ok(()) };
        let mut wait = FIRST_WAIT;
        for round in 0.. {
            let pids = processes(&folder, 0);
            if pids.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(CgroupError::NotEmpty { path: folder, pids });
            }
            if self.is_v2() {
                // The kernel does it in one go, new children included. Older than 5.14: one by one, below.
                if fs::write(folder.join("cgroup.kill"), "1").is_err() {
                    kill_each(&pids);
                }
            } else if round < ROUNDS_BEFORE_FREEZE {
                kill_each(&pids);
            } else {
                let state = folder.join("freezer.state");
                let frozen = fs::write(&state, "FROZEN").is_ok();
                kill_each(&processes(&folder, 0));
                // The signal is taken when the process is let go.
                if frozen {
                    fs::write(&state, "THAWED").map_err(|source| CgroupError::Write {
                        file: state,
                        value: "THAWED".into(),
                        source,
                    })?;
                }
            }
            thread::sleep(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        Ok(())
    }

    /// Of the cgroup and those below it.
    pub fn processes(&self, path: &CgroupPath) -> Vec<i32> {
        self.folder_with_processes(path).map_or_else(Vec::new, |folder| processes(&folder, 0))
    }

    /// v1 has the same ones in each hierarchy.
    fn folder_with_processes(&self, path: &CgroupPath) -> Option<PathBuf> {
        let mount = self.mount_of("freezer").or_else(|| self.mount_of("pids"));
        Some(path.under(mount.or(self.hierarchies.first().map(|each| each.mount.as_path()))?))
    }
}

fn kill_each(pids: &[i32]) {
    for pid in pids.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        // One that has gone by itself is what we want.
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn processes(folder: &Path, depth: u32) -> Vec<i32> {
    let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    // 0 stands for a process of a PID namespace that we can't see into; it can't be signalled by number.
    let mut pids: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect();
    if depth < MAX_DEPTH {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                pids.extend(processes(&entry.path(), depth + 1));
            }
        }
    }
    pids
}
