//! The processes that we have started, or are left to us, and what their ends mean.

use crate::{
    exit::{Ended, Stuck},
    process_tree, runtime,
    server::Server,
    time,
};
use rustix::{
    io::read,
    process::{Pid, WaitOptions, WaitStatus, test_kill_process, wait, waitpid},
};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

// Ends of processes that nobody has asked for yet: a container or command that ends before its pid file was read is among them, and
// so are all orphans of the pod while a runtime is at work. 1.5 MB at most.
const MAX_STRANGERS: usize = 65_536;

const UNKNOWN_CODE: i32 = 255;

/// What a process that we wait for is to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Child {
    Create(String),
    Start(String),
    /// taking back a start that failed
    FailedStart(String),
    Delete(String),
    Checkpoint(String),
    Init(String),
    ExecStart(u64),
    ExecProcess(u64),
    PodInit,
}

/// A child, and when it is stuck if it has not ended by then.
pub struct Followed {
    pub child: Child,
    pub due: Option<(Instant, Stuck)>,
}

impl Followed {
    const fn is_runtime(&self) -> bool {
        self.due.is_some()
    }
}

impl Server {
    /// Takes the end of every process that has ended: runtimes, containers, execs, and orphans of theirs.
    pub fn reap(&mut self) {
        let mut signals = [0; 4096];
        while matches!(read(&self.signals, &mut signals), Ok(bytes) if bytes > 0) {}
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let ended = ended(status);
            let pid = pid.as_raw_nonzero().get();
            match self.children.remove(&pid) {
                Some(followed) => {
                    self.is_to_clear |= followed.is_runtime() && ended.signal != 0;
                    self.child_ended(followed.child, ended);
                }
                None => {
                    if self.strangers.len() >= MAX_STRANGERS {
                        self.strangers.pop_front();
                    }
                    self.strangers.push_back((pid, ended));
                }
            }
        }
        // Kept longer, an end would be taken for that of a later process of the same number.
        let is_awaited = |each: &Followed| matches!(each.child, Child::Create(_) | Child::ExecStart(_));
        if !self.children.values().any(is_awaited) {
            self.strangers = VecDeque::new();
        }
        // What another one is about to use is left alone.
        if self.is_to_clear && !self.children.values().any(Followed::is_runtime) {
            self.is_to_clear = false;
            runtime::clear_leftovers(self.state_dir());
        }
    }

    /// From now on the end of this process, which we have just started, is what `child` says.
    pub fn follow(&mut self, pid: i32, child: Child) {
        self.children.insert(pid, Followed { child, due: None });
    }

    /// The same of an OCI runtime, which may take only so long.
    pub fn follow_runtime(&mut self, pid: i32, child: Child, limit: Duration) {
        self.children.insert(pid, Followed { child, due: Some((Instant::now() + limit, Stuck { limit })) });
    }

    /// Of a runtime that was killed: longer it is not waited for.
    pub fn expect_end(&mut self, pid: i32, patience: Duration) {
        if let Some(Followed { due: Some((deadline, _)), .. }) = self.children.get_mut(&pid) {
            *deadline = (*deadline).min(Instant::now() + patience);
        }
    }

    /// The same of a process that a runtime has started, and told us of; its end may have come already.
    pub fn expect(&mut self, pid: i32, child: Child) {
        let end = match Pid::from_raw(pid).map(|pid| waitpid(Some(pid), WaitOptions::NOHANG)) {
            Some(Ok(Some((_, status)))) => Some(ended(status)),
            // It lives; an end under its number was that of an earlier process.
            Some(Ok(None)) => None,
            _ => self.earlier_end(pid),
        };
        match end {
            Some(ended) => self.child_ended(child, ended),
            None => self.follow(pid, child),
        }
    }

    fn earlier_end(&mut self, pid: i32) -> Option<Ended> {
        let known = self.strangers.iter().rposition(|(stranger, _)| *stranger == pid);
        let is_gone = || Pid::from_raw(pid).is_none_or(|pid| test_kill_process(pid).is_err());
        match known {
            Some(index) => self.strangers.remove(index).map(|(_, ended)| ended),
            // So many others have ended since that its end was forgotten: better an unknown code than a wait for ever.
            None => is_gone().then(|| Ended { code: UNKNOWN_CODE, signal: 0, at_nanos: time::now_nanos() }),
        }
    }

    fn child_ended(&mut self, child: Child, ended: Ended) {
        match child {
            Child::Init(id) => self.init_ended(&id, ended),
            Child::ExecProcess(id) => self.exec_ended(id, ended),
            Child::PodInit => self.pod_init_ended(),
            runtime => self.runtime_ended(runtime, Ok(ended)),
        }
    }

    fn runtime_ended(&mut self, child: Child, end: Result<Ended, Stuck>) {
        match child {
            Child::Create(id) => self.created(&id, end),
            Child::Start(id) => self.started(&id, end),
            Child::FailedStart(id) => self.start_taken_back(&id),
            Child::Delete(id) => self.deleted(&id, end.err()),
            Child::Checkpoint(id) => self.checkpointed(&id, end),
            Child::ExecStart(id) => self.exec_started(id, end),
            Child::Init(_) | Child::ExecProcess(_) | Child::PodInit => {}
        }
    }

    /// Its end is not waited for: what hangs in the kernel does not even die. Taken when it comes, it is a stranger's.
    pub fn end_stuck_runtimes(&mut self, now: Instant) {
        let due = |each: &Followed| each.due.filter(|(deadline, _)| *deadline <= now).map(|(_, stuck)| stuck);
        let all: Vec<(i32, Stuck)> =
            self.children.iter().filter_map(|(pid, each)| due(each).map(|stuck| (*pid, stuck))).collect();
        for (pid, stuck) in all {
            let Some(followed) = self.children.remove(&pid) else { continue };
            process_tree::kill(pid);
            self.is_to_clear = true;
            self.runtime_ended(followed.child, Err(stuck));
        }
    }
}

fn ended(status: WaitStatus) -> Ended {
    Ended::from_wait(status.exit_status(), status.terminating_signal())
}
