//! The last steps of a new process on its way to be the container's: who it is, what it may do, what it runs.

use crate::{error::RuntimeError, seccomp::Filter, spec::Process};
use std::convert::Infallible;

/// Called in the container's root and namespaces, as root there, with the standard streams in place and every other descriptor closed
/// on exec. Sets everything of `process` in the right order and runs its command.
///
/// @param filter of the container; `None` without one
/// @returns only a failure
pub fn run(process: &Process, filter: Option<&Filter>) -> Result<Infallible, RuntimeError> {
    let _ = (process, filter);
    Err(RuntimeError::argument("run the command", "not written yet"))
}
