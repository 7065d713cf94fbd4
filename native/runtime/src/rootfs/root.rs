//! The root itself: a mount of its own, which nobody else has, in place of the node's.

use super::{bind, options::Sharing};
use crate::error::RuntimeError;
use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
    mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount},
    process::{chdir, fchdir, pivot_root},
};
use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};
use sys::mount::{MountAttrFlags as Attribute, set_mount_attributes};

const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Nothing that is mounted from here on is seen by the node, and the root is a mount that can become our root.
///
/// @param sharing of the container's mounts: only what is shared with the node may have to stay so until it is bound
pub fn isolate(root: &Path, sharing: Sharing) -> Result<OwnedFd, RuntimeError> {
    let failed = |errno: Errno| RuntimeError::io(format!("prepare root {}", root.display()), errno);
    if sharing.is_shared() {
        // Only this one, on which the root is placed.
        let mounted = open(root)?;
        let private = MountPropagationFlags::PRIVATE;
        set_mount_attributes(mounted.as_fd(), false, Attribute::empty(), Attribute::empty(), private)
            .map_err(|source| RuntimeError::io(format!("make the mount at {} private", root.display()), source))?;
    } else {
        mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC).map_err(failed)?;
    }
    // By its own path, and not by one of the table of mounts: the clone has no lock on it in a user namespace either.
    let below = open(root)?;
    let own = bind::clone(&below, "", true).map_err(failed)?;
    let (none, private) = (Attribute::empty(), MountPropagationFlags::PRIVATE);
    set_mount_attributes(own.as_fd(), true, none, none, private)
        .map_err(|source| RuntimeError::io(format!("make root {} private", root.display()), source))?;
    super::mount::place(&own, below).map_err(failed)?;
    Ok(own)
}

/// The mount on top, which is ours after `isolate`. Its path is the shim's.
pub fn open(root: &Path) -> Result<OwnedFd, RuntimeError> {
    openat(CWD, root, FOLDER | OFlags::NOFOLLOW, Mode::empty())
        .map_err(|errno| RuntimeError::io(format!("open root {}", root.display()), errno))
}

/// The old root goes on top of the new one, and then away: so it needs no folder in it. @source pivot_root(2), "pivot_root(".", ".")"
pub fn pivot(root: BorrowedFd) -> Result<(), RuntimeError> {
    let failed = |doing: &'static str| move |errno: Errno| RuntimeError::io(doing, errno);
    let old = openat(CWD, "/", FOLDER, Mode::empty()).map_err(failed("open the old root"))?;
    fchdir(root).map_err(failed("enter the root"))?;
    pivot_root(".", ".").map_err(failed("change the root"))?;
    fchdir(&old).map_err(failed("enter the old root"))?;
    // Or the node's mounts would go with ours.
    mount_change(".", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .map_err(failed("take the old root from the node"))?;
    unmount(".", UnmountFlags::DETACH).map_err(failed("leave the old root"))?;
    chdir("/").map_err(failed("enter the root"))
}
