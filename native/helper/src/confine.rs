//! Shuts the calling process in: it sees the current folder as the whole file system, has no network, and of root's rights
//! only those that making files of any owner takes. An attacker who takes over the reader of an archive finds nothing else.

use crate::error::HelperError;
use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    mount::{MountPropagationFlags, UnmountFlags, mount_bind, mount_change, unmount},
    process::{Resource, Rlimit, chdir, chroot, getrlimit, pivot_root, setrlimit, umask},
    thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs},
};
use std::os::fd::OwnedFd;
use sys::namespace::{UnshareFlags, unshare};

// Reading needs a few descriptors at a time, and the address space of a decompressor.
const MAX_OPEN_FILES: u64 = 256;
const MAX_ADDRESS_SPACE_BYTES: u64 = 1 << 30;

/// Returns the folder, which is the root directory now.
pub fn enter_current_folder() -> Result<OwnedFd, HelperError> {
    let failed = |step: &'static str| {
        move |errno: rustix::io::Errno| HelperError::io(format!("confine the unpacker: {step}"), errno)
    };
    umask(Mode::empty());
    let namespaces = UnshareFlags::NEWNS | UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    unshare(namespaces).map_err(|source| HelperError::io("confine the unpacker: leave namespaces", source))?;
    // Or what follows would be mounted on the node too.
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(failed("make mounts private"))?;
    // The new root must be a mount point. Enter it by its path: "." is still below the bind.
    let folder = rustix::process::getcwd(Vec::new()).map_err(failed("find the folder"))?;
    mount_bind(&folder, &folder).map_err(failed("bind the folder"))?;
    chdir(&folder).map_err(failed("enter the folder"))?;
    pivot_root(".", ".").map_err(failed("pivot root"))?;
    unmount(".", UnmountFlags::DETACH).map_err(failed("detach the old root"))?;
    chroot(".").and_then(|()| chdir("/")).map_err(failed("enter the new root"))?;
    limit(Resource::Nofile, MAX_OPEN_FILES).map_err(failed("limit descriptors"))?;
    limit(Resource::As, MAX_ADDRESS_SPACE_BYTES).map_err(failed("limit memory"))?;
    limit(Resource::Core, 0).map_err(failed("limit core files"))?;
    // SYS_ADMIN is what the kernel asks for a trusted.* attribute, the mark of an opaque folder; without a mount, a
    // network or another process in sight it gives nothing else.
    let kept = CapabilitySet::CHOWN
        | CapabilitySet::DAC_OVERRIDE
        | CapabilitySet::FOWNER
        | CapabilitySet::FSETID
        | CapabilitySet::MKNOD
        | CapabilitySet::SETFCAP
        | CapabilitySet::SYS_ADMIN;
    set_no_new_privs(true).map_err(failed("give up new privileges"))?;
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() })
        .map_err(failed("give up capabilities"))?;
    openat(CWD, "/", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(failed("open the folder"))
}

fn limit(resource: Resource, most: u64) -> Result<(), rustix::io::Errno> {
    let hard = getrlimit(resource).maximum.map_or(most, |hard| hard.min(most));
    setrlimit(resource, Rlimit { current: Some(hard), maximum: Some(hard) })
}
