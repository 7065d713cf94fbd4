//! System call filters: made of a profile, or given as the kernel takes them.

mod compile;
mod instruction;
mod newer_calls;
mod shorten;

use crate::{error::RuntimeError, spec::Seccomp};
use base64::{Engine, prelude::BASE64_STANDARD};
use shorten::shorten;
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};
use sys::seccomp::{INSTRUCTION_BYTES, MOST_INSTRUCTIONS};

const MOST_BYTES: usize = MOST_INSTRUCTIONS * INSTRUCTION_BYTES;

/// As the kernel takes it.
#[derive(Debug)]
pub struct Filter {
    /// instructions of 8 bytes (`struct sock_filter`)
    pub program: Vec<u8>,
    /// flags of seccomp(2)
    pub flags: u64,
}

impl Filter {
    /// @param compiled base64 of a program that was made of this profile before; then nothing is compiled
    pub fn make(profile: &Seccomp, compiled: Option<&str>) -> Result<Self, RuntimeError> {
        let flags = compile::flags(profile)?;
        let Some(text) = compiled else {
            let program = compile::program(profile)?;
            return checked("compile the seccomp profile", shorten(&program).unwrap_or(program), flags);
        };
        let doing = "read the compiled seccomp filter";
        let program =
            BASE64_STANDARD.decode(text).map_err(|source| RuntimeError::argument(doing, source.to_string()))?;
        checked(doing, program, flags)
    }

    /// Keeps the program in a file, which `read` takes, and berthd: the next container with this profile gets it.
    pub fn write(&self, file: &Path) -> Result<(), RuntimeError> {
        let write = || -> io::Result<()> {
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?.write_all(&self.program)
        };
        write().map_err(|source| RuntimeError::io(format!("write {}", file.display()), source))
    }

    /// @param flags as `make` gave them; the container's state keeps them
    pub fn read(flags: u64, file: &Path) -> Result<Self, RuntimeError> {
        let doing = format!("read {}", file.display());
        let read = || -> io::Result<Vec<u8>> {
            let mut program = Vec::with_capacity(MOST_BYTES + 1);
            File::open(file)?.take(MOST_BYTES as u64 + 1).read_to_end(&mut program)?;
            Ok(program)
        };
        let program = read().map_err(|source| RuntimeError::io(&doing, source))?;
        checked(&doing, program, flags)
    }

    /// Filters the calls of this process from now on, and of what it runs.
    pub fn load(&self) -> Result<(), RuntimeError> {
        sys::seccomp::set_filter(&self.program, self.flags)
            .map_err(|source| RuntimeError::io("load the seccomp filter", source))
    }
}

/// What is in it is for the kernel to check.
fn checked(doing: &str, program: Vec<u8>, flags: u64) -> Result<Filter, RuntimeError> {
    let length = program.len();
    if length == 0 || !length.is_multiple_of(INSTRUCTION_BYTES) {
        return Err(RuntimeError::argument(doing, format!("{length} bytes are no whole instructions")));
    }
    if length > MOST_BYTES {
        let count = length / INSTRUCTION_BYTES;
        let why = format!("it has {count} instructions, and the kernel takes {MOST_INSTRUCTIONS}");
        return Err(RuntimeError::argument(doing, why));
    }
    Ok(Filter { program, flags })
}
