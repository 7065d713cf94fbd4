//! The container's cgroup: a leaf that is made with its first limits and taken away with the container. Every later change of a limit is
//! the helper's.

use crate::{error::RuntimeError, spec::Linux};
use sys::process::Fork;

/// A cgroup, ready for one new process. It is opened before any namespace of the container is joined, while we may, and entered by
/// the new process before it does anything: what the runtime itself needs counts against no limit of the container.
pub struct Place {}

impl Place {
    /// As `sys::process::fork`. On v2 the child is in the cgroup from its first moment, where the kernel can do that.
    pub fn fork(&mut self) -> Result<Fork, RuntimeError> {
        Err(RuntimeError::argument("fork", "not written yet"))
    }

    /// In the child, which has one thread, before anything else: it is in the cgroup then, wherever it was born, and nothing of
    /// this is open any more.
    pub fn enter(self) -> Result<(), RuntimeError> {
        Err(RuntimeError::argument("enter the cgroup", "not written yet"))
    }
}

/// Makes the leaf in every hierarchy, and applies the limits and the device rules. A failure leaves nothing behind.
pub fn make(linux: &Linux) -> Result<Place, RuntimeError> {
    let _ = linux;
    Err(RuntimeError::argument("make the cgroup", "not written yet"))
}

/// The cgroup of a container that runs. @param sub below it, on a v2 host
pub fn open(cgroups_path: &str, sub: Option<&str>) -> Result<Place, RuntimeError> {
    let _ = (cgroups_path, sub);
    Err(RuntimeError::argument("open the cgroup", "not written yet"))
}

/// Kills what is in it, and removes it. One that is not there is fine.
pub fn remove(cgroups_path: &str) -> Result<(), RuntimeError> {
    let _ = cgroups_path;
    Err(RuntimeError::argument("remove the cgroup", "not written yet"))
}
