//! How soon the kernel ends a process for want of memory.

use crate::{error::RuntimeError, spec::Process};
use std::{fs, io};

/// Of the caller, which is still in the node's namespaces.
pub fn adjust(process: &Process) -> Result<(), RuntimeError> {
    process.oom_score_adj.map_or(Ok(()), |adjustment| {
        write(adjustment).map_err(|source| RuntimeError::io(format!("write {adjustment} to oom_score_adj"), source))
    })
}

/// The same, but one that is refused (lower than our own, without the capability) leaves it as it is.
pub fn adjust_if_allowed(process: &Process) -> Result<(), RuntimeError> {
    match adjust(process) {
        Err(RuntimeError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        adjusted => adjusted,
    }
}

fn write(adjustment: i32) -> io::Result<()> {
    fs::write("/proc/self/oom_score_adj", adjustment.to_string())
}
