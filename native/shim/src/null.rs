//! A /dev/null of the pod's own. Whatever stands for a process's standard input is that process's to change: root may change the mode
//! of what it has open, and some OCI runtimes make the container's user its owner. The node's must not be that file.

use crate::error::ShimError;
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, chmodat, makedev, mknodat, openat},
    io::Errno,
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen},
};
use std::{io, os::fd::OwnedFd, sync::OnceLock};

static NULL: OnceLock<OwnedFd> = OnceLock::new();

/// Once, at the start. It is in a file system that has no path, and goes with the last who has it open.
pub fn make() -> Result<(), ShimError> {
    let null = make_node().map_err(|errno| ShimError::io("make the pod's null device", errno))?;
    let _ = NULL.set(null);
    Ok(())
}

fn make_node() -> Result<OwnedFd, Errno> {
    let system = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&system)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let folder = fsmount(&system, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    let everybody = Mode::from_raw_mode(0o666);
    mknodat(&folder, "null", FileType::CharacterDevice, everybody, makedev(1, 3))?;
    // What the umask has left out.
    chmodat(&folder, "null", everybody, AtFlags::empty())?;
    openat(&folder, "null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
}

pub fn open() -> io::Result<OwnedFd> {
    NULL.get().ok_or(io::ErrorKind::NotFound)?.try_clone()
}
