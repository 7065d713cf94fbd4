//! The container's file systems: its root, what is mounted in it, its devices, and what is hidden or read-only there.

mod sources;

pub use sources::Sources;

use crate::{error::RuntimeError, spec::Spec};
use std::{os::fd::BorrowedFd, path::Path};

/// Called in the new process, in the container's own mount namespace (and user namespace, where it joins one), with the container's
/// cgroup and network namespaces already its own, before the root is changed.
pub struct Place<'a> {
    pub spec: &'a Spec,
    /// absolute; the shim has mounted it
    pub root: &'a Path,
    /// made before the user namespace was joined
    pub sources: &'a Sources,
    /// the container's side of its terminal, for `enter` to bind to /dev/console; `prepare` gets none, as the devpts that it is made in
    /// is not there yet
    pub terminal: Option<BorrowedFd<'a>>,
}

/// Mounts all, makes the devices. The old root is still there, so hooks of before the change of root can run after it.
pub fn prepare(place: &Place) -> Result<(), RuntimeError> {
    let _ = place;
    Err(RuntimeError::argument("prepare the root", "not written yet"))
}

/// Makes it the root, nothing of the old one left, and then what has to be last: masked and read-only paths, a read-only root.
pub fn enter(place: &Place) -> Result<(), RuntimeError> {
    let _ = place;
    Err(RuntimeError::argument("enter the root", "not written yet"))
}
