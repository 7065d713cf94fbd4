//! Checkpoints: CRIU, by way of the OCI runtime, writes down the processes of a container, which go on afterwards. From before it
//! begins until whoever asked has copied the container's files too, the container is frozen, so that both are of one moment.

use crate::{
    children::Child,
    container::{Phase, Reply},
    error::ShimError,
    exit::{Ended, Stuck},
    log, process_tree, runtime,
    server::Server,
};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use wire::ShimCheckpoint;

// A runtime that was killed and is still there sits in the kernel, and does not keep its caller.
const DEATH: Duration = Duration::from_secs(5);
const LOG: &str = "runtime.log";
const CRIU_LOG: &str = "dump.log";
// As Go says it.
const NOT_FOUND: &str = "executable file not found";
// A big container's has some MiB; what went wrong first is what is looked for.
const MAX_LOG_BYTES: u64 = 16 * 1024 * 1024;
const MAX_LINE_CHARACTERS: usize = 512;

/// One that is being made, by the container's id.
pub struct Checkpoint {
    reply: Reply,
    cgroup_path: String,
    folder: PathBuf,
    /// `None` when it has done its part, and the container is held for who copies its files.
    runtime_pid: Option<i32>,
    /// until when it is held then
    until: Instant,
    is_cut: bool,
}

impl Server {
    pub fn checkpoint(&mut self, reply: Reply, request: &ShimCheckpoint) -> Result<(), ShimError> {
        let is_busy = self.checkpoints.contains_key(&request.container_id);
        let container = self.find(&request.container_id)?;
        let id = container.id.clone();
        let refused = |state| ShimError::State { doing: "checkpoint container", id: id.clone(), state };
        if is_busy {
            return Err(refused("being checkpointed already"));
        }
        let runtime =
            container.runtime.as_ref().filter(|_| container.phase == Phase::Running && container.ended.is_none());
        let Some(runtime) = runtime else { return Err(refused(container.phase.name())) };
        let limit = match request.timeout_millis {
            0 => runtime.limit,
            millis => Duration::from_millis(millis.into()),
        };
        let folder = PathBuf::from(&request.folder);
        let cgroup_path = container.cgroup_path.clone();
        freeze(&cgroup_path, true).map_err(|source| ShimError::io(format!("freeze container {id}"), source))?;
        let pid = runtime.checkpoint(&id, &folder, &folder.join(LOG)).inspect_err(|_| thaw(&cgroup_path))?;
        let until = Instant::now() + limit;
        let checkpoint = Checkpoint { reply, cgroup_path, folder, runtime_pid: Some(pid), until, is_cut: false };
        self.checkpoints.insert(id.clone(), checkpoint);
        self.follow_runtime(pid, Child::Checkpoint(id), limit);
        Ok(())
    }

    /// The runtime has ended, or is not waited for any more.
    pub fn checkpointed(&mut self, id: &str, end: Result<Ended, Stuck>) {
        let Some(mut checkpoint) = self.checkpoints.remove(id) else { return };
        let reply = checkpoint.reply;
        let doing = || format!("checkpoint container {id}");
        let failure = match end {
            _ if checkpoint.is_cut => ShimError::Cancelled { doing: doing() },
            Ok(Ended { code: 0, .. }) => {
                checkpoint.runtime_pid = None;
                self.checkpoints.insert(id.to_owned(), checkpoint);
                return self.done(reply);
            }
            Ok(_) => ShimError::Checkpoint { id: id.to_owned(), message: reason(&checkpoint.folder) },
            Err(stuck) => ShimError::Stuck { doing: doing(), stuck },
        };
        thaw(&checkpoint.cgroup_path);
        self.fail(reply, &failure);
    }

    /// Nobody wants it any more, or something else has to be done with the container: it goes on at once.
    pub fn end_checkpoint(&mut self, id: &str) {
        let Some(checkpoint) = self.checkpoints.get_mut(id) else { return };
        let Some(pid) = checkpoint.runtime_pid else {
            thaw(&checkpoint.cgroup_path);
            self.checkpoints.remove(id);
            return;
        };
        if !checkpoint.is_cut {
            checkpoint.is_cut = true;
            process_tree::kill(pid);
            thaw(&checkpoint.cgroup_path);
            self.expect_end(pid, DEATH);
        }
    }

    /// @param checkpoint as it was asked for
    pub fn end_checkpoint_of(&mut self, checkpoint: Reply) -> Result<(), ShimError> {
        if self.end_checkpoints(|each| each.reply == checkpoint) == 0 {
            return Err(ShimError::NotFound { what: "checkpoint", id: checkpoint.request.to_string() });
        }
        Ok(())
    }

    /// Who asked has gone, or has taken too long with the files.
    pub fn end_old_checkpoints(&mut self, now: Instant) {
        let gone: Vec<u64> = self
            .checkpoints
            .values()
            .map(|each| each.reply.connection)
            .filter(|connection| !self.connections.contains_key(connection))
            .collect();
        self.end_checkpoints(|each| {
            gone.contains(&each.reply.connection) || (each.runtime_pid.is_none() && each.until <= now)
        });
    }

    fn end_checkpoints(&mut self, is_over: impl Fn(&Checkpoint) -> bool) -> usize {
        let over: Vec<String> =
            self.checkpoints.iter().filter(|(_, each)| is_over(each)).map(|(id, _)| id.clone()).collect();
        for id in &over {
            self.end_checkpoint(id);
        }
        over.len()
    }

    pub fn next_checkpoint_end(&self) -> Option<Instant> {
        self.checkpoints.values().filter(|each| each.runtime_pid.is_none()).map(|each| each.until).min()
    }
}

/// The kernel freezes what runs a moment later; CRIU waits for it.
fn freeze(cgroup_path: &str, is_frozen: bool) -> std::io::Result<()> {
    let v1 = format!("/sys/fs/cgroup/freezer{cgroup_path}/freezer.state");
    if Path::new(&v1).exists() {
        fs::write(v1, if is_frozen { "FROZEN" } else { "THAWED" })
    } else {
        fs::write(format!("/sys/fs/cgroup{cgroup_path}/cgroup.freeze"), if is_frozen { "1" } else { "0" })
    }
}

fn thaw(cgroup_path: &str) {
    match freeze(cgroup_path, false) {
        Err(failure) if failure.kind() != std::io::ErrorKind::NotFound => {
            log::warn(format_args!("thaw {cgroup_path}: {failure}"));
        }
        // It has gone with its processes.
        _ => {}
    }
}

/// CRIU's own words say more than the runtime's, which name a file that goes.
fn reason(folder: &Path) -> String {
    criu_error(&folder.join(CRIU_LOG)).unwrap_or_else(|| match runtime::message(&folder.join(LOG)) {
        message if message.contains(NOT_FOUND) => {
            format!("criu is not installed: install Debian's package criu ({message})")
        }
        message => message,
    })
}

/// The first: others follow from it.
fn criu_error(log: &Path) -> Option<String> {
    let lines = BufReader::new(File::open(log).ok()?.take(MAX_LOG_BYTES)).split(b'\n').map_while(Result::ok);
    lines
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .find_map(|line| line.find("Error (").map(|start| format!("CRIU: {}", &line[start..])))
        .map(|line| line.chars().take(MAX_LINE_CHARACTERS).collect())
}

#[cfg(test)]
mod tests {
    use super::criu_error;
    use std::fs;

    #[test]
    fn what_went_wrong_first_is_told_in_criu_s_words() {
        let log = std::env::temp_dir().join(format!("berth-dump-log-{}", std::process::id()));
        let text = "(00.1) cg: Set 1\n(00.2) Error (criu/sk-inet.c:191): Connected TCP socket\n(00.3) Error (criu/cr-dump.c): FAILED\n";
        fs::write(&log, text).expect("write");
        assert_eq!(criu_error(&log).as_deref(), Some("CRIU: Error (criu/sk-inet.c:191): Connected TCP socket"));
        fs::write(&log, "all is well\n").expect("write");
        assert_eq!(criu_error(&log), None);
        fs::remove_file(&log).expect("remove");
    }
}
