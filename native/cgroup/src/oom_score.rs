//! How readily the kernel kills a cgroup's processes when memory runs out.

use crate::{CgroupError, CgroupPath, Cgroups};
use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

// A child that is forked meanwhile has its parent's old score and is found in the next round.
const MAX_ROUNDS: u32 = 8;

/// What the processes had before.
#[derive(Debug, Default)]
pub struct OomScores(HashMap<PathBuf, i32>);

impl Cgroups {
    /// Gives all processes of the cgroup and below it this score, -1000 to 1000; when the kernel refuses one, none has it.
    pub fn set_oom_score_adj(&self, path: &CgroupPath, score: i32) -> Result<OomScores, CgroupError> {
        let mut before = OomScores::default();
        for _ in 0..MAX_ROUNDS {
            match before.change(&self.processes(path), score) {
                Ok(0) => break,
                Ok(_) => {}
                Err(failure) => {
                    before.restore();
                    return Err(failure);
                }
            }
        }
        Ok(before)
    }
}

impl OomScores {
    /// How many had another one.
    fn change(&mut self, pids: &[i32], score: i32) -> Result<usize, CgroupError> {
        let mut changed = 0;
        for pid in pids {
            let file = PathBuf::from(format!("/proc/{pid}/oom_score_adj"));
            let Some(old) = read(&file).filter(|old| *old != score) else { continue };
            match fs::write(&file, score.to_string()) {
                Ok(()) => {
                    changed += 1;
                    self.0.entry(file).or_insert(old);
                }
                Err(source) if is_gone(&source) => {}
                Err(source) => return Err(CgroupError::Write { file, value: score.to_string(), source }),
            }
        }
        Ok(changed)
    }

    pub fn restore(self) {
        for (file, score) in self.0 {
            // It had it a moment ago, so the kernel takes it; a process that has ended needs none.
            let _ = fs::write(file, score.to_string());
        }
    }
}

fn read(file: &Path) -> Option<i32> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn is_gone(failure: &io::Error) -> bool {
    failure.kind() == io::ErrorKind::NotFound || failure.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}
