//! New file systems, without a place.

use rustix::{
    fd::AsFd,
    io::Errno,
    mount::{FsMountFlags, FsOpenFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen},
};
use std::os::fd::OwnedFd;
use sys::mount::MountAttrFlags;

// Of these others have mounts too, which a flag of the whole would change; and they have no use for it.
const KERNELS: [&str; 7] = ["proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2"];

pub type Data = [(String, Option<String>)];

/// @param source as the table of mounts names it; for some, a device
/// @param label SELinux's, of all that is in it
pub fn make(
    kind: &str,
    source: &str,
    data: &Data,
    label: Option<&str>,
    attributes: MountAttrFlags,
) -> Result<OwnedFd, Errno> {
    match make_with(kind, source, data, label, attributes) {
        // The group of terminals may be none of the user namespace's.
        Err(Errno::INVAL) if kind == "devpts" && data.iter().any(|(name, _)| name == "gid") => {
            let others: Vec<_> = data.iter().filter(|(name, _)| name != "gid").cloned().collect();
            make_with(kind, source, &others, label, attributes)
        }
        made => made,
    }
}

fn make_with(
    kind: &str,
    source: &str,
    data: &Data,
    label: Option<&str>,
    attributes: MountAttrFlags,
) -> Result<OwnedFd, Errno> {
    let system = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    let system = system.as_fd();
    if !source.is_empty() {
        fsconfig_set_string(system, "source", source)?;
    }
    for (name, value) in data {
        match value {
            Some(value) => fsconfig_set_string(system, name.as_str(), value.as_str())?,
            None => fsconfig_set_flag(system, name.as_str())?,
        }
    }
    if let Some(label) = label.filter(|_| takes_label(kind)) {
        fsconfig_set_string(system, "context", label)?;
    }
    if attributes.contains(MountAttrFlags::MOUNT_ATTR_RDONLY) && !KERNELS.contains(&kind) {
        fsconfig_set_flag(system, "ro")?;
    }
    fsconfig_create(system)?;
    fsmount(system, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// The policy labels what is in the others.
fn takes_label(kind: &str) -> bool {
    !["proc", "sysfs", "mqueue", "cgroup", "cgroup2"].contains(&kind)
}
