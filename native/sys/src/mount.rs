//! What no wrapper has of the mount calls.

use std::{ffi::CStr, io};

/// How a mount and all below it are to be restricted.
#[derive(Clone, Copy, Debug)]
pub struct Restrictions {
    pub readonly: bool,
}

// uapi/linux/mount.h
const MOUNT_ATTR_RDONLY: u64 = 0x1;
const MOUNT_ATTR_NOSUID: u64 = 0x2;
const MOUNT_ATTR_NODEV: u64 = 0x4;
const MOUNT_ATTR_NOEXEC: u64 = 0x8;
const AT_RECURSIVE: libc::c_int = 0x8000;

#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// Nothing on the mount at `path`, or on one below it, is a device, a program or of another user's rights any more. Only for a mount
/// namespace of one's own: the mounts themselves change.
pub fn restrict_tree(path: &CStr, Restrictions { readonly }: Restrictions) -> io::Result<()> {
    let set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | if readonly { MOUNT_ATTR_RDONLY } else { 0 };
    let attributes = MountAttributes { set, clear: 0, propagation: 0, user_namespace: 0 };
    let size = size_of::<MountAttributes>();
    // SAFETY: the path ends with a NUL byte, the structure is as large as is said and of the kernel's layout; both live until
    // the call is over, and the kernel writes to neither.
    let result = unsafe {
        libc::syscall(libc::SYS_mount_setattr, libc::AT_FDCWD, path.as_ptr(), AT_RECURSIVE, &raw const attributes, size)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
