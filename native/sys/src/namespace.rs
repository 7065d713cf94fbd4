//! Namespaces of the calling process.

pub use rustix::thread::UnshareFlags;
use std::io;

/// Gives the calling thread namespaces of its own. Descriptors stay shared with the other threads.
pub fn unshare(flags: UnshareFlags) -> io::Result<()> {
    if flags.contains(UnshareFlags::FILES) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: only CLONE_FILES can make descriptors that safe code owns mean something else, and it was refused above.
    unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(Into::into)
}
