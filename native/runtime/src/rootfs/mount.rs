//! What the spec mounts, one after the other.

use super::{
    bind, cgroup_mount,
    filesystem::FileSystem,
    options::{Options, Sharing},
    sources::{Sources, doing, failed, read_options},
    target::{Kind, below_root, find_or_make, find_or_make_without_links, is_folder, is_proc},
};
use crate::{
    error::RuntimeError,
    spec::{Mount, Spec},
};
use rustix::{
    fs::fstat,
    io::Errno,
    mount::{MoveMountFlags, move_mount},
};
use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};
use sys::mount::{MountAttrFlags as Attribute, MountPropagationFlags as Propagation, set_mount_attributes};

// What file systems that show a container its own figures stand in for. @source runc, checkProcMount
const IN_PROC: [&str; 10] = [
    "proc/cpuinfo",
    "proc/diskstats",
    "proc/meminfo",
    "proc/stat",
    "proc/swaps",
    "proc/uptime",
    "proc/loadavg",
    "proc/slabinfo",
    "proc/sys/kernel/ns_last_pid",
    "proc/sys/crypto/fips_enabled",
];

/// Mounts that are to become read-only when all is made that belongs in them.
#[must_use]
#[derive(Default)]
pub struct Unfinished(Vec<OwnedFd>);

impl Unfinished {
    pub fn finish(self) -> Result<(), RuntimeError> {
        for mount in self.0 {
            let set = Attribute::MOUNT_ATTR_RDONLY;
            set_mount_attributes(mount.as_fd(), false, set, Attribute::empty(), Propagation::empty())
                .map_err(|source| RuntimeError::io("make a mount read-only", source))?;
        }
        Ok(())
    }
}

pub fn mount_all(
    root: BorrowedFd,
    spec: &Spec,
    sources: &Sources,
    sharing: Sharing,
) -> Result<Unfinished, RuntimeError> {
    let mut unfinished = Unfinished::default();
    for (index, mount) in spec.mounts.iter().enumerate() {
        let one = One { root, spec, mount, options: read_options(mount)? };
        match (sources.get(index), one.options.bind) {
            (Some(source), _) => one.place(source)?,
            (None, Some(recursive)) => one.bind(recursive, sharing)?,
            (None, None) if mount.kind == "cgroup" => one.mount_cgroups()?,
            (None, None) => unfinished.0.extend(one.mount_new()?),
        }
    }
    Ok(unfinished)
}

struct One<'a> {
    root: BorrowedFd<'a>,
    spec: &'a Spec,
    mount: &'a Mount,
    options: Options,
}

impl One<'_> {
    fn failed(&self, source: impl Into<std::io::Error>) -> RuntimeError {
        failed(self.mount, source)
    }

    fn bind(&self, recursive: bool, sharing: Sharing) -> Result<(), RuntimeError> {
        let tree = bind::open(&self.mount.source, recursive, &self.options, sharing);
        self.place(tree.map_err(|source| self.failed(source))?.as_fd())
    }

    fn place(&self, tree: BorrowedFd) -> Result<(), RuntimeError> {
        let folder = is_folder(tree).map_err(|errno| self.failed(errno))?;
        let (target, _) = self.target(if folder { Kind::Folder } else { Kind::File })?;
        self.place_at(tree, &target)
    }

    fn place_at(&self, tree: BorrowedFd, target: &OwnedFd) -> Result<(), RuntimeError> {
        self.check_proc(Some(tree), target)?;
        match place(tree, target) {
            Err(Errno::INVAL) => Err(self.failed(self.what_does_not_fit(tree, target))),
            placed => placed.map_err(|errno| self.failed(errno)),
        }
    }

    /// The kernel says no more than that something is wrong.
    fn what_does_not_fit(&self, tree: BorrowedFd, target: &OwnedFd) -> Errno {
        match (is_folder(tree), is_folder(target)) {
            (Ok(true), Ok(false)) => Errno::NOTDIR,
            (Ok(false), Ok(true)) => Errno::ISDIR,
            _ => Errno::INVAL,
        }
    }

    fn target(&self, kind: Kind) -> Result<(OwnedFd, bool), RuntimeError> {
        let path = below_root(&self.mount.destination);
        if path.as_os_str().is_empty() || !self.mount.destination.starts_with('/') {
            return Err(RuntimeError::argument(doing(self.mount), "its place is no path below the root"));
        }
        let found = match is_kernels(&path) || ["proc", "sysfs"].contains(&self.mount.kind.as_str()) {
            true => find_or_make_without_links(self.root, &path, kind),
            false => find_or_make(self.root, &path, kind),
        };
        found.map_err(|errno| self.failed(errno))
    }

    /// What reads or writes a file in /proc must find the kernel's. @source CVE-2019-16884, CVE-2019-19921
    fn check_proc(&self, tree: Option<BorrowedFd>, target: &OwnedFd) -> Result<(), RuntimeError> {
        let path = below_root(&self.mount.destination);
        let refused = |why| Err(RuntimeError::argument(doing(self.mount), why));
        let in_proc = is_proc(target).map_err(|errno| self.failed(errno))?;
        if path == Path::new("proc") {
            return match tree.map(is_proc).transpose() {
                Ok(Some(true)) => Ok(()),
                Ok(_) => refused("only a procfs can be there"),
                Err(errno) => Err(self.failed(errno)),
            };
        }
        if (in_proc || path.starts_with("proc")) && !IN_PROC.iter().any(|each| path == Path::new(each)) {
            return refused("its place is in a procfs");
        }
        Ok(())
    }

    /// @returns what has to become read-only later
    fn mount_new(&self) -> Result<Option<OwnedFd>, RuntimeError> {
        let Mount { kind, source, .. } = self.mount;
        let (target, is_new) = self.target(Kind::Folder)?;
        let mut data = self.options.data.clone();
        if kind == "tmpfs" && !is_new && data.iter().all(|(name, _)| name != "mode") {
            let mode = fstat(&target).map_err(|errno| self.failed(errno))?.st_mode & 0o7777;
            data.push(("mode".into(), Some(format!("{mode:o}"))));
        }
        let mut attributes = self.options.own.set;
        // What is mounted or made in it needs a place there first.
        let is_late = kind == "tmpfs" && attributes.contains(Attribute::MOUNT_ATTR_RDONLY);
        attributes.set(Attribute::MOUNT_ATTR_RDONLY, attributes.contains(Attribute::MOUNT_ATTR_RDONLY) && !is_late);
        let label = self.spec.linux.mount_label.as_deref().filter(|label| !label.is_empty());
        let tree = match (FileSystem { kind, source, data: &data, label, attributes }).make() {
            // In a user namespace the node's network is nobody's to show; its own may be looked at.
            Err(Errno::PERM) if kind == "sysfs" => bind::open("/sys", true, &self.options, Sharing::PRIVATE),
            made => made.map_err(Into::into),
        };
        let tree = tree.map_err(|source| self.failed(source))?;
        self.share(&tree)?;
        self.place_at(tree.as_fd(), &target)?;
        Ok(is_late.then_some(tree))
    }

    fn mount_cgroups(&self) -> Result<(), RuntimeError> {
        let (target, _) = self.target(Kind::Folder)?;
        self.check_proc(None, &target)?;
        cgroup_mount::mount(&target, self.mount, &self.options, &self.spec.linux)
    }

    fn share(&self, tree: &OwnedFd) -> Result<(), RuntimeError> {
        for Sharing { kind, recursive } in &self.options.propagation {
            set_mount_attributes(tree.as_fd(), *recursive, Attribute::empty(), Attribute::empty(), *kind)
                .map_err(|source| self.failed(source))?;
        }
        Ok(())
    }
}

/// No image needs them to be links, and others than we look at what is there by its name.
fn is_kernels(path: &Path) -> bool {
    ["proc", "sys", "dev"].iter().any(|each| path == Path::new(each))
}

/// Gives a mount without a place one.
pub fn place(tree: impl AsFd, target: impl AsFd) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(tree, "", target, "", flags)
}
