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

pub struct FileSystem<'a> {
    pub kind: &'a str,
    /// as the table of mounts names it; for some, a device
    pub source: &'a str,
    pub data: &'a Data,
    /// SELinux's, of all that is in it
    pub label: Option<&'a str>,
    pub attributes: MountAttrFlags,
}

impl FileSystem<'_> {
    pub fn make(&self) -> Result<OwnedFd, Errno> {
        match self.make_once() {
            // The group of terminals may be none of the user namespace's.
            Err(Errno::INVAL) if self.kind == "devpts" && self.data.iter().any(|(name, _)| name == "gid") => {
                let others: Vec<_> = self.data.iter().filter(|(name, _)| name != "gid").cloned().collect();
                FileSystem { data: &others, ..*self }.make_once()
            }
            made => made,
        }
    }

    fn make_once(&self) -> Result<OwnedFd, Errno> {
        let system = fsopen(self.kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
        let system = system.as_fd();
        if !self.source.is_empty() {
            fsconfig_set_string(system, "source", self.source)?;
        }
        for (name, value) in self.data {
            match value {
                Some(value) => fsconfig_set_string(system, name.as_str(), value.as_str())?,
                None => fsconfig_set_flag(system, name.as_str())?,
            }
        }
        if let Some(label) = self.label.filter(|_| takes_label(self.kind)) {
            fsconfig_set_string(system, "context", label)?;
        }
        if self.attributes.contains(MountAttrFlags::MOUNT_ATTR_RDONLY) && !KERNELS.contains(&self.kind) {
            fsconfig_set_flag(system, "ro")?;
        }
        fsconfig_create(system)?;
        fsmount(system, FsMountFlags::FSMOUNT_CLOEXEC, self.attributes)
    }
}

/// The policy labels what is in the others.
fn takes_label(kind: &str) -> bool {
    !["proc", "sysfs", "mqueue", "cgroup", "cgroup2"].contains(&kind)
}
