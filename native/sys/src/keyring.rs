//! Keyrings of the kernel.

use std::{ffi::c_char, io};

/// Gives the process a new session keyring without a name, in place of the one it has come with: one with a name is joined by
/// whoever knows it.
pub fn new_session_keyring() -> io::Result<()> {
    // SAFETY: a null pointer is how an anonymous keyring is asked for; nothing else is read or written.
    match unsafe {
        libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING as libc::c_long, std::ptr::null::<c_char>())
    } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
