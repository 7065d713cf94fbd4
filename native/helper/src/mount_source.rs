//! What a container mounts from the node: whether it is there, and whether mounts pass from there and back.

use crate::{error::HelperError, mount_table};
use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
};
use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
};
use wire::{CheckPath, Propagation};

/// May last as long as a server is away; that is why it is done here, where one worker more or less is nobody's loss.
pub fn check(request: &CheckPath) -> Result<(), HelperError> {
    let path = &request.path;
    let failed = |source: io::Error| HelperError::io(format!("look at {path}"), source);
    let needed = match request.propagation() {
        Propagation::Any => return fs::metadata(path).map(|_| ()).map_err(failed),
        Propagation::Shared => "shared",
        Propagation::SharedOrSlave => "shared or slave",
    };
    let opened = openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno: Errno| failed(errno.into()))?;
    let mount = mount_of(opened.as_fd()).map_err(failed)?;
    if mount.is_shared || (mount.is_slave && request.propagation() == Propagation::SharedOrSlave) {
        return Ok(());
    }
    Err(HelperError::Propagation { path: path.clone(), mount: mount.path, needed })
}

/// By its number: a name may stand for several mounts, and lead through links.
fn mount_of(descriptor: BorrowedFd<'_>) -> io::Result<mount_table::Mount> {
    // @source proc_pid_fdinfo(5)
    let facts = fs::read_to_string(format!("/proc/self/fdinfo/{}", descriptor.as_raw_fd()))?;
    let number = facts.lines().find_map(|line| line.strip_prefix("mnt_id:")).map(str::trim);
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    number
        .and_then(|number| mount_table::find(&table, number))
        .ok_or_else(|| io::Error::other("its mount is not in /proc/self/mountinfo"))
}
