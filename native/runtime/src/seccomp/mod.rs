//! System call filters: made of a profile, or given as the kernel takes them.

use crate::{error::RuntimeError, spec::Seccomp};
use std::path::Path;

/// As the kernel takes it.
pub struct Filter {
    /// instructions of 8 bytes (`struct sock_filter`)
    pub program: Vec<u8>,
    /// flags of seccomp(2)
    pub flags: u64,
}

impl Filter {
    /// @param compiled base64 of a program that was made of this profile before; then nothing is compiled
    pub fn make(profile: &Seccomp, compiled: Option<&str>) -> Result<Self, RuntimeError> {
        let _ = (profile, compiled);
        Err(RuntimeError::argument("compile the seccomp profile", "not written yet"))
    }

    /// Keeps the program in a file, which `read` takes, and berthd: the next container with this profile gets it.
    pub fn write(&self, file: &Path) -> Result<(), RuntimeError> {
        let _ = file;
        Err(RuntimeError::argument("keep the seccomp filter", "not written yet"))
    }

    /// @param flags as `make` gave them; the container's state keeps them
    pub fn read(flags: u64, file: &Path) -> Result<Self, RuntimeError> {
        let _ = (flags, file);
        Err(RuntimeError::argument("read the seccomp filter", "not written yet"))
    }

    /// Filters the calls of this process from now on, and of what it runs.
    pub fn load(&self) -> Result<(), RuntimeError> {
        sys::seccomp::set_filter(&self.program, self.flags)
            .map_err(|source| RuntimeError::io("load the seccomp filter", source))
    }
}
