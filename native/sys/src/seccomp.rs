//! System call filters.

use rustix::io::Errno;
use std::{io, mem::offset_of};

/// Bytes of one instruction (`struct sock_filter`).
pub const INSTRUCTION_BYTES: usize = size_of::<libc::sock_filter>();
/// Instructions that the kernel takes in one filter.
pub const MOST_INSTRUCTIONS: usize = libc::BPF_MAXINSNS as usize;

/// Flags of seccomp(2): to log what is not allowed; to leave speculation past a store as it is.
pub const LOG: u64 = libc::SECCOMP_FILTER_FLAG_LOG;
pub const SPEC_ALLOW: u64 = libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;

/// One instruction of a filter.
#[derive(Clone, Copy)]
pub struct Instruction(libc::sock_filter);

/// Of the value that was loaded last, with one of the instruction's own.
#[derive(Clone, Copy)]
pub enum Test {
    Equal,
    Greater,
    GreaterOrEqual,
}

impl Instruction {
    const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;

    /// The call's number.
    pub fn load_number() -> Self {
        Self::new(Self::LOAD, offset_of!(libc::seccomp_data, nr) as u32, 0, 0)
    }

    /// The architecture that the number is of.
    pub fn load_architecture() -> Self {
        Self::new(Self::LOAD, offset_of!(libc::seccomp_data, arch) as u32, 0, 0)
    }

    /// @param then instructions to leave out when the test is true @param otherwise when it is not
    pub fn jump(test: Test, value: u32, then: u8, otherwise: u8) -> Self {
        let test = match test {
            Test::Equal => libc::BPF_JEQ,
            Test::Greater => libc::BPF_JGT,
            Test::GreaterOrEqual => libc::BPF_JGE,
        };
        Self::new(libc::BPF_JMP | libc::BPF_K | test, value, then, otherwise)
    }

    /// The call is not made.
    pub fn fail(errno: Errno) -> Self {
        let action = libc::SECCOMP_RET_ERRNO | (errno.raw_os_error().unsigned_abs() & libc::SECCOMP_RET_DATA);
        Self::new(libc::BPF_RET | libc::BPF_K, action, 0, 0)
    }

    pub fn bytes(&self) -> [u8; INSTRUCTION_BYTES] {
        let Self(libc::sock_filter { code, jt, jf, k }) = self;
        let ([c0, c1], [k0, k1, k2, k3]) = (code.to_ne_bytes(), k.to_ne_bytes());
        [c0, c1, *jt, *jf, k0, k1, k2, k3]
    }

    fn new(code: u32, k: u32, jt: u8, jf: u8) -> Self {
        Self(libc::sock_filter { code: code as u16, jt, jf, k })
    }
}

/// Filters the calls of this process from now on, and of all that it becomes and starts. Only for programs with a single thread.
///
/// @param program instructions of eight bytes @param flags of seccomp(2)
pub fn set_filter(program: &[u8], flags: u64) -> io::Result<()> {
    let instructions: Vec<libc::sock_filter> = program
        .chunks_exact(INSTRUCTION_BYTES)
        .map(|bytes| libc::sock_filter {
            code: u16::from_ne_bytes([bytes[0], bytes[1]]),
            jt: bytes[2],
            jf: bytes[3],
            k: u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        })
        .collect();
    let len = u16::try_from(instructions.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = libc::sock_fprog { len, filter: instructions.as_ptr().cast_mut() };
    // SAFETY: the kernel copies `len` instructions, which live until the call is over, checks them itself, and writes nothing.
    match unsafe {
        libc::syscall(libc::SYS_seccomp, libc::c_ulong::from(libc::SECCOMP_SET_MODE_FILTER), flags, &raw const program)
    } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
