//! Masked paths, of which nothing is to be seen, and read-only ones. Done in the new root, when all else has its place.

use super::{
    bind,
    devices::Null,
    filesystem::FileSystem,
    mount::place,
    target::{below_root, find, is_folder, is_proc},
};
use crate::error::RuntimeError;
use rustix::io::Errno;
use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};
use sys::mount::{MountAttrFlags as Attribute, MountPropagationFlags as Propagation, set_mount_attributes};

/// A file becomes the null device, a folder an empty one. What is not there is fine.
pub fn mask(root: BorrowedFd, paths: &[String], label: Option<&str>) -> Result<(), RuntimeError> {
    let (mut null, mut empty) = (None, None);
    for path in paths {
        let failed = |source: io::Error| RuntimeError::io(format!("mask {path}"), source);
        let Some(target) = find_hidden(root, path).map_err(failed)? else { continue };
        let masked = match is_folder(&target) {
            Ok(true) => mask_folder(&target, &mut empty, label),
            Ok(false) => {
                let null = match &mut null {
                    Some(null) => null,
                    none => none.insert(Null::find(root)?),
                };
                null.bind().and_then(|tree| place(tree, target))
            }
            Err(errno) => Err(errno),
        };
        masked.map_err(|errno| failed(errno.into()))?;
    }
    Ok(())
}

/// One folder for all. The first of them gets it itself: to close a mount that has no place is to unmount it, and to wait for that.
fn mask_folder(target: &OwnedFd, empty: &mut Option<OwnedFd>, label: Option<&str>) -> Result<(), Errno> {
    match empty {
        Some(empty) => place(bind::clone(empty, "", false)?, target),
        none => place(none.insert(empty_folder(label)?), target),
    }
}

/// With all that is mounted below them.
pub fn make_readonly(root: BorrowedFd, paths: &[String]) -> Result<(), RuntimeError> {
    for path in paths {
        let failed = |source: io::Error| RuntimeError::io(format!("make {path} read-only"), source);
        let Some(target) = find_hidden(root, path).map_err(failed)? else { continue };
        let tree = bind::clone(&target, "", true).map_err(|errno| failed(errno.into()))?;
        let set = Attribute::MOUNT_ATTR_RDONLY;
        set_mount_attributes(tree.as_fd(), true, set, Attribute::empty(), Propagation::PRIVATE).map_err(failed)?;
        place(tree, target).map_err(|errno| failed(errno.into()))?;
    }
    Ok(())
}

/// @returns nothing where there is nothing
fn find_hidden(root: BorrowedFd, path: &str) -> io::Result<Option<OwnedFd>> {
    if !path.starts_with('/') {
        return Err(io::Error::other("it is no absolute path"));
    }
    let below = below_root(path);
    if below.as_os_str().is_empty() {
        return Err(io::Error::other("it is the root"));
    }
    let found = match find(root, &below) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        found => found?,
    };
    // Else what is hidden is something else, and what was meant is seen.
    if below.starts_with("proc") && below != Path::new("proc") && !is_proc(&found)? {
        return Err(io::Error::other("it is not the kernel's"));
    }
    Ok(Some(found))
}

/// Never to be written to, by whoever may change how it is mounted.
fn empty_folder(label: Option<&str>) -> Result<OwnedFd, Errno> {
    let flag = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
    let data =
        [flag("nr_blocks", Some("1")), flag("nr_inodes", Some("1")), flag("mode", Some("755")), flag("ro", None)];
    FileSystem { kind: "tmpfs", source: "tmpfs", data: &data, label, attributes: Attribute::MOUNT_ATTR_RDONLY }.make()
}
