//! /dev: the devices that every container has, those that it is given, and the links that programs look for.

use super::{
    bind,
    mount::place,
    target::{Kind, below_root, find_or_make, find_or_make_without_links, find_without_links},
};
use crate::{
    error::RuntimeError,
    spec::{Device, Spec},
};
use rustix::{
    fs::{AtFlags, CWD, FileType, Gid, Mode, Uid, chownat, fstat, makedev, mknodat, symlinkat, unlinkat},
    io::Errno,
};
use std::{
    ffi::OsStr,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};
use sys::mount::{MountAttrFlags as Attribute, MountPropagationFlags as Propagation, set_mount_attributes};

const DEVICES: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

const LINKS: [(&str, &str); 6] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("/proc/kcore", "core"),
    ("pts/ptmx", "ptmx"),
];

const DEFAULT_MODE: u32 = 0o666;
// Terminals of a devpts. @source Documentation/admin-guide/devices.txt
const TERMINAL_MAJORS: std::ops::RangeInclusive<u32> = 136..=143;

/// Called with an empty umask. A folder of the caller's that is bound to /dev is left as it is.
pub fn make(root: BorrowedFd, spec: &Spec, is_callers: bool) -> Result<(), RuntimeError> {
    if is_callers {
        return Ok(());
    }
    let given = spec.linux.devices.iter().map(Node::read).collect::<Result<Vec<_>, _>>()?;
    let own = DEVICES.into_iter().map(|(path, major, minor)| Node::character(path, major, minor));
    // At one of ours the caller may want another.
    let own = own.filter(|node| given.iter().all(|each| below_root(each.path) != below_root(node.path)));
    let (folder, _) = find_or_make_without_links(root, Path::new("dev"), Kind::Folder)
        .map_err(|errno| RuntimeError::io("make /dev", errno))?;
    for node in own.chain(given.iter().copied()) {
        let made = node.make(root, &folder);
        made.map_err(|source| RuntimeError::io(format!("make device {}", node.path), source))?;
    }
    make_links(&folder, spec.process.terminal)
}

fn make_links(folder: &OwnedFd, terminal: bool) -> Result<(), RuntimeError> {
    let failed = |name: &'static str| move |errno: Errno| RuntimeError::io(format!("make /dev/{name}"), errno);
    for (text, name) in LINKS {
        match symlinkat(text, folder, name) {
            // The node's makes terminals of the node.
            Err(Errno::EXIST) if name == "ptmx" => {
                unlinkat(folder, name, AtFlags::empty()).and_then(|()| symlinkat(text, folder, name))
            }
            Err(Errno::EXIST) => Ok(()),
            other => other,
        }
        .map_err(failed(name))?;
    }
    if terminal {
        match mknodat(folder, "console", FileType::RegularFile, Mode::from_raw_mode(0o620), 0) {
            Err(Errno::EXIST) => Ok(()),
            other => other,
        }
        .map_err(failed("console"))?;
    }
    Ok(())
}

/// /dev/console is the container's terminal.
pub fn bind_console(root: BorrowedFd, terminal: BorrowedFd) -> Result<(), RuntimeError> {
    let bind = || {
        let stat = fstat(terminal)?;
        if !is_device(&stat, FileType::CharacterDevice) || !TERMINAL_MAJORS.contains(&rustix::fs::major(stat.st_rdev)) {
            return Err(io::Error::other("the terminal is none"));
        }
        let target = find_without_links(root, "dev/console")?;
        place(bind::clone(terminal, "", false)?, target).map_err(Into::into)
    };
    bind().map_err(|source| RuntimeError::io("bind the terminal to /dev/console", source))
}

/// A null device that is certainly the kernel's, for binds of it.
pub struct Null(OwnedFd);

impl Null {
    pub fn find(root: BorrowedFd) -> Result<Self, RuntimeError> {
        let failed = |source: io::Error| RuntimeError::io("find the container's /dev/null", source);
        let null = find_without_links(root, "dev/null").map_err(|errno| failed(errno.into()))?;
        let stat = fstat(&null).map_err(|errno| failed(errno.into()))?;
        if !is_device(&stat, FileType::CharacterDevice) || stat.st_rdev != makedev(1, 3) {
            return Err(failed(io::Error::other("it is no null device")));
        }
        Ok(Self(null))
    }

    pub fn bind(&self) -> Result<OwnedFd, Errno> {
        bind::clone(&self.0, "", false)
    }
}

#[derive(Clone, Copy)]
struct Node<'a> {
    path: &'a str,
    kind: FileType,
    number: u64,
    mode: Mode,
    owner: (u32, u32),
}

impl<'a> Node<'a> {
    fn character(path: &'a str, major: u32, minor: u32) -> Self {
        let mode = Mode::from_raw_mode(DEFAULT_MODE);
        Self { path, kind: FileType::CharacterDevice, number: makedev(major, minor), mode, owner: (0, 0) }
    }

    fn read(device: &'a Device) -> Result<Self, RuntimeError> {
        let kind = match device.kind.as_str() {
            "c" | "u" => FileType::CharacterDevice,
            "b" => FileType::BlockDevice,
            "p" => FileType::Fifo,
            kind => {
                return Err(RuntimeError::argument(
                    format!("make device {}", device.path),
                    format!("type {kind:?} is none of a device"),
                ));
            }
        };
        Ok(Self {
            path: &device.path,
            kind,
            number: if kind == FileType::Fifo { 0 } else { makedev(device.major, device.minor) },
            mode: Mode::from_raw_mode(device.file_mode.unwrap_or(DEFAULT_MODE) & 0o7777),
            owner: (device.uid.unwrap_or(0), device.gid.unwrap_or(0)),
        })
    }

    /// @param devices the folder that most are in
    fn make(&self, root: BorrowedFd, devices: &OwnedFd) -> io::Result<()> {
        let path = below_root(self.path);
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::other("its path names nothing"));
        };
        if parent == Path::new("dev") {
            return self.make_in(devices.as_fd(), name);
        }
        if parent.as_os_str().is_empty() {
            return self.make_in(root, name);
        }
        let (folder, _) = find_or_make(root, parent, Kind::Folder)?;
        self.make_in(folder.as_fd(), name)
    }

    fn make_in(&self, folder: BorrowedFd, name: &OsStr) -> io::Result<()> {
        match mknodat(folder, name, self.kind, self.mode, self.number) {
            Ok(()) if self.owner == (0, 0) => Ok(()),
            Ok(()) => {
                let (user, group) = (Uid::from_raw(self.owner.0), Gid::from_raw(self.owner.1));
                Ok(chownat(folder, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?)
            }
            // Not in a user namespace, and not without the capability.
            Err(Errno::PERM) => self.bind(folder, Path::new(name)),
            // What an image has there is not what is wanted, unless it is.
            Err(Errno::EXIST) => self.check(&find_without_links(folder, name)?),
            Err(errno) => Err(errno.into()),
        }
    }

    /// The node's, which has the same path there.
    fn bind(&self, folder: BorrowedFd, name: &Path) -> io::Result<()> {
        let node = bind::clone(CWD, self.path, false)?;
        self.check(&node)?;
        let set = Attribute::MOUNT_ATTR_NOSUID | Attribute::MOUNT_ATTR_NOEXEC;
        set_mount_attributes(node.as_fd(), false, set, Attribute::empty(), Propagation::PRIVATE)?;
        let (target, _) = find_or_make_without_links(folder, name, Kind::File)?;
        place(node, target).map_err(Into::into)
    }

    fn check(&self, found: &OwnedFd) -> io::Result<()> {
        let stat = fstat(found)?;
        if is_device(&stat, self.kind) && (self.kind == FileType::Fifo || stat.st_rdev == self.number) {
            return Ok(());
        }
        Err(io::Error::other("what is there is another"))
    }
}

fn is_device(stat: &rustix::fs::Stat, kind: FileType) -> bool {
    FileType::from_raw_mode(stat.st_mode) == kind
}
