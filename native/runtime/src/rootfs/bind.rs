//! Binds. What a bind may do is settled while it has no place yet, so there is no moment at which a read-only one can be written to.

use super::options::{Attributes, Options, Sharing};
use rustix::{
    fs::CWD,
    io::Errno,
    mount::{OpenTreeFlags, open_tree},
};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};
use sys::mount::{MountAttrFlags as Attribute, MountPropagationFlags as Propagation, set_mount_attributes};

/// @param sharing of a bind that says nothing of it
pub fn open(source: &str, recursive: bool, options: &Options, sharing: Sharing) -> io::Result<OwnedFd> {
    if !source.starts_with('/') {
        return Err(io::Error::other("its source is no absolute path"));
    }
    let tree = clone(CWD, source, recursive)?;
    let mount = tree.as_fd();
    let sharing = if options.propagation.is_empty() { &[sharing][..] } else { &options.propagation };
    for Sharing { kind, recursive } in sharing {
        set_mount_attributes(mount, *recursive, Attribute::empty(), Attribute::empty(), *kind)?;
    }
    if !options.own.is_empty() {
        restrict(mount, false, exactly(options.own))?;
    }
    if !options.recursive.is_empty() {
        restrict(mount, true, options.recursive)?;
    }
    Ok(tree)
}

/// @param path empty for what the descriptor is of
pub fn clone(folder: impl AsFd, path: &str, recursive: bool) -> Result<OwnedFd, Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    flags.set(OpenTreeFlags::AT_EMPTY_PATH, path.is_empty());
    flags.set(OpenTreeFlags::AT_RECURSIVE, recursive);
    open_tree(folder, path, flags)
}

/// As `mount --bind -o` has it: whoever names some means those, and not what the source happens to have.
fn exactly(named: Attributes) -> Attributes {
    let all = Attribute::MOUNT_ATTR_RDONLY
        | Attribute::MOUNT_ATTR_NOSUID
        | Attribute::MOUNT_ATTR_NODEV
        | Attribute::MOUNT_ATTR_NOEXEC
        | Attribute::MOUNT_ATTR_NOSYMFOLLOW;
    Attributes { set: named.set, clear: named.clear | (all - named.set) }
}

/// What whoever owns a mount has forbidden stays forbidden in a user namespace.
fn restrict(mount: BorrowedFd, recursive: bool, Attributes { set, clear }: Attributes) -> io::Result<()> {
    match set_mount_attributes(mount, recursive, set, clear, Propagation::empty()) {
        Err(failure) if failure.raw_os_error() == Some(Errno::PERM.raw_os_error()) => {
            let clear = clear & Attribute::MOUNT_ATTR__ATIME;
            set_mount_attributes(mount, recursive, set, clear, Propagation::empty())
        }
        other => other,
    }
}
