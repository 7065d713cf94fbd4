//! What is bound in the container, opened while we are still the node's root: that of a user namespace may not reach it.

use crate::{error::RuntimeError, spec::Spec};
use std::os::fd::OwnedFd;

/// One for each mount of the spec, detached; none where nothing had to be opened before.
#[derive(Default)]
pub struct Sources(Vec<Option<OwnedFd>>);

impl Sources {
    /// Called before a user namespace is joined. For a container with the node's ids it opens nothing.
    pub fn open(spec: &Spec) -> Result<Self, RuntimeError> {
        let _ = spec;
        Ok(Self::default())
    }
}
