//! AppArmor and SELinux: what the command is confined by from its first moment, said to the kernel before its exec.

use crate::{error::RuntimeError, spec::Process};
use rustix::{
    fs::{CWD, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags, fstatfs, openat, openat2},
    io::{Errno, write},
};
use std::{io, os::fd::OwnedFd};

/// For the next exec.
pub fn set(process: &Process) -> Result<(), RuntimeError> {
    if let Some(profile) = named(process.apparmor_profile.as_deref()) {
        let value = format!("exec {profile}");
        // The first is AppArmor's alone; a kernel that has no such file has one security module at most.
        let written = match set_attribute("apparmor/exec", &value) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => set_attribute("exec", &value),
            other => other,
        };
        written.map_err(|source| RuntimeError::io(format!("set AppArmor profile {profile:?}"), source))?;
    }
    if let Some(label) = named(process.selinux_label.as_deref()) {
        set_attribute("exec", label)
            .map_err(|source| RuntimeError::io(format!("set SELinux label {label:?}"), source))?;
    }
    Ok(())
}

/// So that the container may use the keyring that is made for it. An exec ends this.
pub fn label_new_keys(process: &Process) -> Result<(), RuntimeError> {
    let Some(label) = named(process.selinux_label.as_deref()) else { return Ok(()) };
    set_attribute("keycreate", label)
        .map_err(|source| RuntimeError::io(format!("set SELinux label {label:?} of keys"), source))
}

fn named(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

fn set_attribute(name: &str, value: &str) -> io::Result<()> {
    match write(&open_attribute(name)?, value.as_bytes())? {
        length if length == value.len() => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}

/// The container's /proc is its own affair. A profile that was written to another file than the kernel's would confine nothing, so
/// only the procfs itself is taken, and nothing that is mounted in it.
fn open_attribute(name: &str) -> io::Result<OwnedFd> {
    let proc =
        openat(CWD, "/proc", OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    if fstatfs(&proc)?.f_type != PROC_SUPER_MAGIC {
        return Err(io::Error::other("/proc is no procfs"));
    }
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_MAGICLINKS;
    let path = format!("self/attr/{name}");
    openat2(&proc, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty(), resolve).map_err(|errno| match errno {
        Errno::XDEV => io::Error::other("something is mounted in its place in /proc"),
        other => other.into(),
    })
}
