//! Which PID namespaces the pod's containers may be in, and how long the pod's own is kept.

use crate::{children::Child, container::Reply, error::ShimError, pod_init::PodInit, server::Server, user_namespace};
use rustix::fs::{fstat, stat};
use std::{fs::File, os::fd::OwnedFd, path::Path};
use wire::{ShimEnsurePodPidResult, shim_response::Result as CallResult};

impl Server {
    /// Idempotent: one that lives is the answer.
    pub fn ensure_pod_pid(&mut self, reply: Reply) -> Result<(), ShimError> {
        // One that has ended, and whose end was not taken yet, is none.
        self.reap();
        let pid = match &self.pod_init {
            Some(init) => init.pid,
            None => {
                let user = user_namespace::open(self.state_dir())?;
                let folder = self.state_dir().join("pod-init");
                let init = PodInit::start(Path::new(&self.config.pod_init_path), &folder, user.as_ref())?;
                let pid = init.pid;
                self.pod_init = Some(init);
                self.follow(pid, Child::PodInit);
                pid
            }
        };
        self.answer(reply, CallResult::EnsurePodPid(ShimEnsurePodPidResult { pid }));
        Ok(())
    }

    /// The kernel has killed all that was in the namespace; containers that were end by themselves.
    pub fn pod_init_ended(&mut self) {
        self.pod_init = None;
        self.leave_if_alone();
    }

    /// Answered when the pod's PID namespace is gone.
    pub fn shut_down(&mut self, reply: Reply) -> Result<(), ShimError> {
        if !self.containers.is_empty() {
            return Err(ShimError::Busy { containers: self.containers.len() });
        }
        sys::failpoint!("shim: shuts down");
        self.leavers.push(reply);
        if let Some(init) = &self.pod_init {
            init.kill();
        }
        self.leave_if_alone();
        Ok(())
    }

    fn leave_if_alone(&mut self) {
        if self.pod_init.is_some() {
            return;
        }
        for reply in std::mem::take(&mut self.leavers) {
            self.done(reply);
            self.ending = true;
        }
    }

    /// The PID namespace of one of the pod's processes, for the moment of a start in which its number must not pass to
    /// another. 0 is none.
    pub fn hold_pid_namespace(&mut self, pid: i32) -> Result<Option<OwnedFd>, ShimError> {
        if pid == 0 {
            return Ok(None);
        }
        self.reap();
        // Their ends are ours to take: until we have, the number is theirs.
        let mut known = self.containers.values().filter(|container| container.ended.is_none());
        let is_ours = self.pod_init.as_ref().is_some_and(|init| init.pid == pid)
            || known.any(|container| container.process.as_ref().is_some_and(|process| process.pid == pid));
        let gone = || ShimError::State {
            doing: "join PID namespace of process",
            id: pid.to_string(),
            state: "no running process of the pod",
        };
        if !is_ours {
            return Err(gone());
        }
        File::open(format!("/proc/{pid}/ns/pid")).map(|file| Some(file.into())).map_err(|_| gone())
    }
}

/// Whether a process is in the namespace behind the descriptor.
pub fn is_in_pid_namespace(pid: i32, namespace: &OwnedFd) -> bool {
    let (Ok(its), Ok(wanted)) = (stat(format!("/proc/{pid}/ns/pid")), fstat(namespace)) else { return false };
    (its.st_dev, its.st_ino) == (wanted.st_dev, wanted.st_ino)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_in_its_own_pid_namespace_and_in_no_other() {
        let own = std::process::id().cast_signed();
        let open = |kind| OwnedFd::from(File::open(format!("/proc/self/ns/{kind}")).expect("namespace"));
        assert!(is_in_pid_namespace(own, &open("pid")));
        assert!(!is_in_pid_namespace(own, &open("uts")));
        assert!(!is_in_pid_namespace(0, &open("pid")));
    }
}
