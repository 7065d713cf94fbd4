//! The container's cgroup: a leaf that is made with its first limits and taken away with the container. Every later change of a limit is
//! the helper's.

use crate::{error::RuntimeError, spec::Linux};

/// Makes the leaf in every hierarchy, applies the limits and the device rules, and moves the calling process into it.
pub fn enter_new(linux: &Linux) -> Result<(), RuntimeError> {
    let _ = linux;
    Err(RuntimeError::argument("make the cgroup", "not written yet"))
}

/// Moves the calling process into the cgroup of a container that runs. @param sub below it, on a v2 host
pub fn enter(cgroups_path: &str, sub: Option<&str>) -> Result<(), RuntimeError> {
    let _ = (cgroups_path, sub);
    Err(RuntimeError::argument("enter the cgroup", "not written yet"))
}

/// Kills what is in it, and removes it. One that is not there is fine.
pub fn remove(cgroups_path: &str) -> Result<(), RuntimeError> {
    let _ = cgroups_path;
    Err(RuntimeError::argument("remove the cgroup", "not written yet"))
}
