//! What no wrapper has of the mount calls.

pub use rustix::mount::{MountAttrFlags, MountPropagationFlags};
use std::{
    ffi::CStr,
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

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
const MOUNT_ATTR_IDMAP: u64 = 0x10_0000;
const AT_RECURSIVE: libc::c_int = 0x8000;

#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// Who hears of what is mounted below a mount later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// nobody, and the mount hears of nothing
    Private,
    /// nobody, and the mount hears of what is mounted where it comes from
    Slave,
}

/// What a mount is to become.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    pub readonly: bool,
    pub propagation: Propagation,
    /// ids on the disk are those of this namespace; a mount can be given one once, before it has a place
    pub id_mapped: Option<BorrowedFd<'a>>,
    /// with all that is mounted below it
    pub recursive: bool,
}

/// Nothing on the mount at `path`, or on one below it, is a device, a program or of another user's rights any more. Only for a mount
/// namespace of one's own: the mounts themselves change.
pub fn restrict_tree(path: &CStr, Restrictions { readonly }: Restrictions) -> io::Result<()> {
    let set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | if readonly { MOUNT_ATTR_RDONLY } else { 0 };
    let attributes = MountAttributes { set, clear: 0, propagation: 0, user_namespace: 0 };
    set_attributes(libc::AT_FDCWD, path, AT_RECURSIVE, &attributes)
}

/// Changes a mount that was cloned, by its descriptor.
pub fn change(mount: BorrowedFd, change: Change) -> io::Result<()> {
    let attributes = MountAttributes {
        set: if change.readonly { MOUNT_ATTR_RDONLY } else { 0 }
            | if change.id_mapped.is_some() { MOUNT_ATTR_IDMAP } else { 0 },
        clear: 0,
        propagation: match change.propagation {
            Propagation::Private => libc::MS_PRIVATE,
            Propagation::Slave => libc::MS_SLAVE,
        },
        user_namespace: change.id_mapped.map_or(0, |namespace| namespace.as_raw_fd() as u64),
    };
    let flags = libc::AT_EMPTY_PATH | if change.recursive { AT_RECURSIVE } else { 0 };
    set_attributes(mount.as_raw_fd(), c"", flags, &attributes)
}

/// Changes a mount by its descriptor, which may have a place or none yet.
///
/// @param clear before `set`
/// @param propagation one, or nothing to leave it
/// @param recursive with all that is mounted below it, or nothing of it
pub fn set_mount_attributes(
    mount: BorrowedFd,
    recursive: bool,
    set: MountAttrFlags,
    clear: MountAttrFlags,
    propagation: MountPropagationFlags,
) -> io::Result<()> {
    let attributes = MountAttributes {
        set: set.bits().into(),
        clear: clear.bits().into(),
        propagation: propagation.bits().into(),
        user_namespace: 0,
    };
    let flags = libc::AT_EMPTY_PATH | if recursive { AT_RECURSIVE } else { 0 };
    set_attributes(mount.as_raw_fd(), c"", flags, &attributes)
}

fn set_attributes(
    folder: libc::c_int,
    path: &CStr,
    flags: libc::c_int,
    attributes: &MountAttributes,
) -> io::Result<()> {
    let size = size_of::<MountAttributes>();
    // SAFETY: the path ends with a NUL byte, the structure is as large as is said and of the kernel's layout; both live until
    // the call is over, and the kernel writes to neither. Descriptors are the kernel's to check.
    let result = unsafe {
        libc::syscall(libc::SYS_mount_setattr, folder, path.as_ptr(), flags, std::ptr::from_ref(attributes), size)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
