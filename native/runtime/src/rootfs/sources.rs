//! What is bound in the container, opened while we are still the node's root: that of a user namespace may not reach it.

use super::{
    bind,
    options::{Options, Sharing},
};
use crate::{
    error::RuntimeError,
    spec::{Linux, Mount, NamespaceKind, Spec},
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// One for each mount of the spec, detached; none where nothing had to be opened before.
#[derive(Default)]
pub struct Sources(Vec<Option<OwnedFd>>);

impl Sources {
    /// Called before a user namespace is joined. For a container with the node's ids it opens nothing.
    pub fn open(spec: &Spec) -> Result<Self, RuntimeError> {
        if spec.linux.namespaces.iter().all(|namespace| namespace.kind != NamespaceKind::User) {
            return Ok(Self::default());
        }
        let open = |mount: &Mount| {
            let options = read_options(mount)?;
            let sharing = default_sharing(&spec.linux)?;
            let bound = options.bind.map(|recursive| bind::open(&mount.source, recursive, &options, sharing));
            bound.transpose().map_err(|source| failed(mount, source))
        };
        spec.mounts.iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    pub fn get(&self, index: usize) -> Option<BorrowedFd<'_>> {
        self.0.get(index)?.as_ref().map(AsFd::as_fd)
    }
}

pub fn read_options(mount: &Mount) -> Result<Options, RuntimeError> {
    Options::read(&mount.kind, &mount.options).map_err(|why| RuntimeError::argument(doing(mount), why))
}

/// Of what says nothing of it itself.
pub fn default_sharing(linux: &Linux) -> Result<Sharing, RuntimeError> {
    let Some(word) = &linux.rootfs_propagation else { return Ok(Sharing::PRIVATE) };
    let unknown = || RuntimeError::argument("read the spec", format!("rootfsPropagation {word:?} is not known"));
    Sharing::read(word).ok_or_else(unknown)
}

pub fn failed(mount: &Mount, source: impl Into<std::io::Error>) -> RuntimeError {
    RuntimeError::io(doing(mount), source)
}

pub fn doing(mount: &Mount) -> String {
    format!("mount {} on {}", mount.source, mount.destination)
}
