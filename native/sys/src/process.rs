//! Processes and signals of a single-threaded program.

use std::{
    io,
    os::fd::{FromRawFd, OwnedFd},
};

/// Which side of a fork one is on.
pub enum Fork {
    Parent,
    Child,
}

/// Makes a copy of the process. Only for programs with a single thread: of other threads the child has none, but their locks.
pub fn fork() -> io::Result<Fork> {
    // SAFETY: the callers are single-threaded, so no lock is held by a thread that the child lacks.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Fork::Child),
        _ => Ok(Fork::Parent),
    }
}

/// Blocks the signals and gives a descriptor that they are read from (not blocking, closed on exec).
pub fn signal_descriptor(signals: &[i32]) -> io::Result<OwnedFd> {
    // SAFETY: a zeroed set is storage that sigemptyset then makes a set; every call gets a pointer to it while it lives,
    // and the descriptor that comes back is new and belongs to nobody else.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) < 0 {
            return Err(io::Error::last_os_error());
        }
        match libc::signalfd(-1, &raw const set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) {
            -1 => Err(io::Error::last_os_error()),
            descriptor => Ok(OwnedFd::from_raw_fd(descriptor)),
        }
    }
}

/// Whatever started us may have left descriptors open. The programs that we run get none of them.
pub fn keep_inherited_descriptors_from_children() -> io::Result<()> {
    // SAFETY: takes numbers only. Nothing is closed here, so no descriptor that somebody owns changes its meaning.
    match unsafe { libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_int) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

pub const SIGHUP: i32 = libc::SIGHUP;
pub const SIGINT: i32 = libc::SIGINT;
pub const SIGTERM: i32 = libc::SIGTERM;
pub const SIGCHLD: i32 = libc::SIGCHLD;
