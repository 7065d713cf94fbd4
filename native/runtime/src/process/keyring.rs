//! The keys of whoever started us are not the container's.

use super::confinement;
use crate::{error::RuntimeError, spec::Process};
use std::io::ErrorKind;
use sys::keyring::new_session_keyring;

/// Gives the process a session keyring of its own.
pub fn leave(process: &Process) -> Result<(), RuntimeError> {
    confinement::label_new_keys(process)?;
    match new_session_keyring() {
        // A kernel without keys; or a filter that we are under ourselves keeps them from everybody in here.
        Err(source) if !matches!(source.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied) => {
            Err(RuntimeError::io("make a session keyring", source))
        }
        _ => Ok(()),
    }
}
