//! Descriptors that a program is started with.

use std::{
    io,
    os::fd::{FromRawFd, OwnedFd, RawFd},
};

/// Closes whatever was left open for this program, but for its standard streams and `wanted`, which becomes the caller's. The first
/// that a program does, once: nothing may have opened a descriptor yet.
pub fn take_inherited(wanted: Option<RawFd>) -> io::Result<Option<OwnedFd>> {
    let Some(wanted) = wanted else {
        close(3, RawFd::MAX)?;
        return Ok(None);
    };
    if wanted < 3 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    close(3, wanted - 1)?;
    close(wanted + 1, RawFd::MAX)?;
    // SAFETY: takes numbers only. It also tells whether the descriptor is there.
    if unsafe { libc::fcntl(wanted, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and as nothing has been opened by this program, nobody else owns it.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(wanted) }))
}

fn close(first: RawFd, last: RawFd) -> io::Result<()> {
    if first > last {
        return Ok(());
    }
    // SAFETY: what is closed was left open by whoever started us, so nothing here owns it.
    match unsafe { libc::close_range(first.cast_unsigned(), last.cast_unsigned(), 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
