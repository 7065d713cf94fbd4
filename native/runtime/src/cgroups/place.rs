//! How a process comes into a cgroup.

use crate::error::RuntimeError;
use cgroup::{CgroupPath, Cgroups};
use rustix::{
    fs::{Mode, OFlags, open, openat},
    io::{Errno, write},
};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};
use sys::process::{Fork, fork, fork_into};

/// A cgroup, ready for one new process. It is opened before any namespace of the container is joined, while we may, and entered by
/// the new process before it does anything: what the runtime itself needs counts against no limit of the container.
pub struct Place {
    /// of v2, until a child was born there
    folder: Option<OwnedFd>,
    /// what takes the number of a process, of each hierarchy
    members: Vec<OwnedFd>,
}

impl Place {
    pub(super) fn open(cgroups: &Cgroups, path: &CgroupPath) -> Result<Self, RuntimeError> {
        let mut place = Self { folder: None, members: Vec::new() };
        for hierarchy in &cgroups.hierarchies {
            let folder = path.under(&hierarchy.mount);
            let failed = |errno| RuntimeError::io(format!("open cgroup {}", folder.display()), errno);
            if cgroups.is_v2() {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let opened = open(&folder, flags, Mode::empty()).map_err(failed)?;
                place.members.push(open_members(&opened, "cgroup.procs").map_err(failed)?);
                place.folder = Some(opened);
            } else {
                // The move of a whole process waits for every CPU, 5 to 20 ms after a quiet time; that of a thread does not, and a
                // process that was forked a moment ago has one.
                let file = folder.join("tasks");
                place.members.push(open(&file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?);
            }
        }
        Ok(place)
    }

    pub(super) fn v2_folder(&self) -> Option<BorrowedFd<'_>> {
        self.folder.as_ref().map(AsFd::as_fd)
    }

    /// As `sys::process::fork`. On v2 the child is in the cgroup from its first moment, where the kernel can do that.
    pub fn fork(&mut self) -> Result<Fork, RuntimeError> {
        if let Some(folder) = &self.folder {
            match fork_into(folder.as_fd()) {
                Ok(Fork::Child) => {
                    self.members.clear();
                    return Ok(Fork::Child);
                }
                // An older kernel, a filter that does not know the call, or ids of a user namespace by now: it is moved.
                Err(failure) if is_not_possible(&failure) => {}
                outcome => return outcome.map_err(|failure| RuntimeError::io("fork into the cgroup", failure)),
            }
        }
        fork().map_err(|failure| RuntimeError::io("fork", failure))
    }

    /// In the child, which has one thread, before anything else: it is in the cgroup then, wherever it was born, and nothing of
    /// this is open any more.
    pub fn enter(self) -> Result<(), RuntimeError> {
        // "0" is whoever writes.
        self.members.iter().try_for_each(|members| match write(members, b"0") {
            Ok(_) => Ok(()),
            Err(errno) => Err(RuntimeError::io("enter the cgroup", errno)),
        })
    }
}

fn open_members(folder: &OwnedFd, file: &str) -> Result<OwnedFd, Errno> {
    openat(folder, file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
}

fn is_not_possible(failure: &io::Error) -> bool {
    let errno = Errno::from_io_error(failure);
    matches!(errno, Some(Errno::NOSYS | Errno::INVAL | Errno::TOOBIG | Errno::PERM | Errno::ACCESS))
}
