//! Ending every process of a cgroup.

use crate::{CgroupError, CgroupPath, Cgroups};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

const FIRST_WAIT: Duration = Duration::from_micros(200);
const LONGEST_WAIT: Duration = Duration::from_millis(20);
const FREEZER: &str = "freezer.state";
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
            } else {
                kill_each(&pids);
                // What forks faster than it is listed is held while it is listed once more.
                if round >= ROUNDS_BEFORE_FREEZE && fs::write(folder.join(FREEZER), "FROZEN").is_ok() {
                    kill_each(&processes(&folder, 0));
                }
                // What is frozen, by us or by whoever was to let it go and is not there any more, takes the signal when it is let go.
                if round > 0 {
                    thaw(&folder, 0)?;
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

    fn folder_with_processes(&self, path: &CgroupPath) -> Option<PathBuf> {
        self.index_of_processes().map(|index| path.under(&self.hierarchies[index].mount))
    }
}

fn kill_each(pids: &[i32]) {
    for pid in pids.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        // One that has gone by itself is what we want.
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Each of them, for one that was frozen itself does not go on with the one above it.
fn thaw(folder: &Path, depth: u32) -> Result<(), CgroupError> {
    let file = folder.join(FREEZER);
    match File::options().write(true).open(&file).and_then(|mut state| state.write_all(b"THAWED")) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(CgroupError::Write { file, value: "THAWED".into(), source });
        }
        // It went meanwhile, or there is no such controller.
        _ => {}
    }
    if depth < MAX_DEPTH {
        for below in folders_in(folder) {
            thaw(&below, depth + 1)?;
        }
    }
    Ok(())
}

fn folders_in(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}

fn processes(folder: &Path, depth: u32) -> Vec<i32> {
    let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    // 0 stands for a process of a PID namespace that we can't see into; it can't be signalled by number.
    let mut pids: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect();
    if depth < MAX_DEPTH {
        for below in folders_in(folder) {
            pids.extend(processes(&below, depth + 1));
        }
    }
    pids
}
