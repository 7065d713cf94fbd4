//! Where the command is run. All paths are the container's: its root is ours.

use crate::error::RuntimeError;
use rustix::{
    io::Errno,
    process::{chdir, getcwd},
};
use std::{fs::DirBuilder, io, os::unix::fs::DirBuilderExt};

/// Makes it when it is missing, and goes there. @returns false where only the user may go
pub fn enter_as_root(folder: &str) -> Result<bool, RuntimeError> {
    let entered = match chdir(folder) {
        Err(Errno::NOENT) => {
            let made = DirBuilder::new().recursive(true).mode(0o755).create(folder);
            made.map_err(|source| RuntimeError::io(format!("make working directory {folder:?}"), source))?;
            chdir(folder)
        }
        other => other,
    };
    match entered {
        Err(Errno::ACCESS) => Ok(false),
        other => found(folder, other.map(|()| true)),
    }
}

pub fn enter(folder: &str) -> Result<(), RuntimeError> {
    found(folder, chdir(folder))
}

/// A path can lead out of the root by a descriptor of ours (`/proc/self/fd/7`); the kernel then has no name for the place.
fn found<T>(folder: &str, entered: Result<T, Errno>) -> Result<T, RuntimeError> {
    let failed = |source: io::Error| RuntimeError::io(format!("enter working directory {folder:?}"), source);
    let entered = entered.map_err(|errno| failed(errno.into()))?;
    match getcwd(Vec::new()) {
        Ok(place) if place.as_bytes().starts_with(b"/") => Ok(entered),
        Ok(_) | Err(Errno::NOENT) => Err(failed(io::Error::other("it is outside of the container's root"))),
        Err(errno) => Err(failed(errno.into())),
    }
}
