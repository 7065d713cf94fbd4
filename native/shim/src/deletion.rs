//! Signals to containers, and their deletion.

use crate::{
    children::Child,
    container::{Phase, Reply},
    error::ShimError,
    exit::Stuck,
    lifecycle, log, mounts,
    server::Server,
    volumes,
};
use rustix::{
    io::Errno,
    process::{Signal, pidfd_send_signal},
};
use std::{
    fs,
    os::fd::{AsFd, BorrowedFd},
    path::Path,
};
use wire::ShimSignal;

impl Server {
    pub fn signal(&mut self, reply: Reply, request: &ShimSignal) -> Result<(), ShimError> {
        // What is frozen hears nothing.
        self.end_checkpoint(&request.container_id);
        let container = self.find(&request.container_id)?;
        let id = container.id.clone();
        let gone = || ShimError::NotFound { what: "process of container", id: id.clone() };
        let process = container.process.as_ref().filter(|_| container.ended.is_none()).ok_or_else(gone)?;
        // The kernel checks the number; a named constant only covers some.
        let refused =
            || ShimError::Argument { doing: format!("signal container {id}"), why: "there is no such signal" };
        let signal = Signal::from_named_raw(request.signal).ok_or_else(refused)?;
        match send(process.descriptor.as_fd(), &container.cgroup_path, signal) {
            Ok(()) => {}
            Err(Errno::SRCH) => return Err(gone()),
            Err(errno) => return Err(ShimError::io(format!("signal container {id}"), errno)),
        }
        self.done(reply);
        Ok(())
    }

    pub fn kill(&mut self, id: &str) {
        self.end_checkpoint(id);
        let found = self.containers.get(id).and_then(|each| Some((each, each.process.as_ref()?)));
        if let Some((container, process)) = found {
            // Gone already is what we want.
            let _ = send(process.descriptor.as_fd(), &container.cgroup_path, Signal::KILL);
        }
    }

    pub fn delete_container(&mut self, reply: Reply, id: &str) -> Result<(), ShimError> {
        let Some(container) = self.containers.get_mut(id) else {
            self.done(reply);
            return Ok(());
        };
        container.deleters.push(reply);
        match container.phase {
            Phase::Created => self.deleted(id, None),
            Phase::Running => self.kill(id),
            Phase::Exited => self.start_delete(id),
            // What is under way ends in the deletion.
            Phase::Starting | Phase::Draining | Phase::Deleting => {}
        }
        Ok(())
    }

    pub fn start_delete(&mut self, id: &str) {
        self.end_checkpoint(id);
        let Some(container) = self.containers.get_mut(id) else { return };
        let deletion = container
            .runtime
            .as_ref()
            .filter(|_| container.launched)
            .map(|runtime| (runtime.delete(id, &container.file("delete.log")), runtime.limit));
        match deletion {
            Some((Ok(pid), limit)) => {
                container.phase = Phase::Deleting;
                self.follow_runtime(pid, Child::Delete(id.to_owned()), limit);
                sys::failpoint!("shim: runtime deletes");
            }
            // Without a runtime to ask, what we mounted goes all the same, and the helper empties the cgroup.
            Some((Err(_), _)) | None => self.deleted(id, None),
        }
    }

    /// The runtime has taken away what it made; what we made follows when somebody has asked for that. One that was stuck is not
    /// asked again: the next deletion does without it.
    pub fn deleted(&mut self, id: &str, stuck: Option<Stuck>) {
        let Some(container) = self.containers.get_mut(id) else { return };
        container.launched = false;
        sys::failpoint!("shim: runtime has deleted");
        if let Some(runtime) = &container.runtime {
            runtime.forget(id);
        }
        if self.config.hide_unified {
            mounts::clear_unified(&container.cgroup_path);
        }
        if container.deleters.is_empty() {
            if let Some(stuck) = stuck {
                log::warn(ShimError::Stuck { doing: format!("delete container {id}: oci delete"), stuck });
            }
            container.phase = Phase::Exited;
            return;
        }
        let removed = match stuck {
            Some(stuck) => Err(ShimError::Stuck { doing: format!("delete container {id}: oci delete"), stuck }),
            None => remove_root(&container.folder),
        };
        sys::failpoint!("shim: deleted container");
        let deleters = std::mem::take(&mut container.deleters);
        if removed.is_ok() {
            self.containers.remove(id);
        } else {
            container.phase = Phase::Exited;
        }
        for reply in deleters {
            match &removed {
                Ok(()) => self.done(reply),
                Err(failure) => self.fail(reply, failure),
            }
        }
    }
}

pub fn remove_root(folder: &Path) -> Result<(), ShimError> {
    mounts::unmount_if_mounted(&folder.join("rootfs"))?;
    sys::failpoint!("shim: unmounted root");
    volumes::unmount_all(folder)?;
    mounts::unmount_if_mounted(&folder.join(lifecycle::LAYERS))?;
    match fs::remove_dir_all(folder) {
        Err(failure) if failure.kind() != std::io::ErrorKind::NotFound => {
            Err(ShimError::io(format!("remove {}", folder.display()), failure))
        }
        _ => Ok(()),
    }
}

/// A profile of AppArmor may let nobody signal its processes. That is then as with a signal that they ignore; and the kernel kills a
/// cgroup of v2 without asking the profile.
fn send(process: BorrowedFd, cgroup_path: &str, signal: Signal) -> Result<(), Errno> {
    match pidfd_send_signal(process, signal) {
        Err(refused @ (Errno::ACCESS | Errno::PERM)) if signal == Signal::KILL => {
            fs::write(format!("/sys/fs/cgroup{cgroup_path}/cgroup.kill"), "1").map_err(|_| refused)
        }
        Err(Errno::ACCESS | Errno::PERM) => Ok(()),
        sent => sent,
    }
}
