//! The container's file systems: its root, what is mounted in it, its devices, and what is hidden or read-only there.

mod bind;
mod cgroup_mount;
mod devices;
mod filesystem;
mod hide;
mod mount;
mod options;
mod root;
mod sources;
mod target;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub use options::Options;
pub use sources::Sources;

use crate::{error::RuntimeError, spec::Spec};
use rustix::{fs::Mode, process::umask};
use std::{
    os::fd::{AsFd, BorrowedFd},
    path::Path,
};
use sys::mount::{MountAttrFlags as Attribute, MountPropagationFlags as Propagation, set_mount_attributes};
use target::{Kind, below_root};

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
    let Place { spec, sources, .. } = place;
    let sharing = sources::default_sharing(&spec.linux)?;
    let root = root::isolate(place.root, sharing)?;
    // What is made has the mode that it is to have.
    let mask = umask(Mode::empty());
    let unfinished = mount::mount_all(root.as_fd(), spec, sources, sharing)?;
    devices::make(root.as_fd(), spec, is_devices_callers(spec))?;
    // Before the root becomes read-only; where it can't be made, whoever goes there says why.
    let _ = target::find_or_make(root.as_fd(), &below_root(&spec.process.cwd), Kind::Folder);
    umask(mask);
    unfinished.finish()
}

/// Makes it the root, nothing of the old one left, and then what has to be last: masked and read-only paths, a read-only root.
pub fn enter(place: &Place) -> Result<(), RuntimeError> {
    let linux = &place.spec.linux;
    let root = root::open(place.root)?;
    if let Some(terminal) = place.terminal {
        devices::bind_console(root.as_fd(), terminal)?;
    }
    root::pivot(root.as_fd())?;
    hide::mask(root.as_fd(), &linux.masked_paths, linux.mount_label.as_deref().filter(|label| !label.is_empty()))?;
    hide::make_readonly(root.as_fd(), &linux.readonly_paths)?;
    let failed = |source| RuntimeError::io("settle what the root is", source);
    let (none, sharing) = (Attribute::empty(), sources::default_sharing(linux)?);
    set_mount_attributes(root.as_fd(), sharing.recursive, none, none, sharing.kind).map_err(failed)?;
    if place.spec.root.readonly {
        let set = Attribute::MOUNT_ATTR_RDONLY;
        set_mount_attributes(root.as_fd(), false, set, none, Propagation::empty()).map_err(failed)?;
    }
    Ok(())
}

fn is_devices_callers(spec: &Spec) -> bool {
    let is_bind = |mount: &crate::spec::Mount| {
        mount.kind == "bind" || mount.options.iter().any(|option| option == "bind" || option == "rbind")
    };
    spec.mounts.iter().any(|mount| is_bind(mount) && below_root(&mount.destination) == Path::new("dev"))
}
