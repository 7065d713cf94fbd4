//! System call filters.

use std::io;

/// Bytes of one instruction (`struct sock_filter`).
pub const INSTRUCTION_BYTES: usize = size_of::<libc::sock_filter>();
/// Instructions that the kernel takes in one filter.
pub const MOST_INSTRUCTIONS: usize = libc::BPF_MAXINSNS as usize;

/// Flags of seccomp(2): to log what is not allowed; to leave speculation past a store as it is.
pub const LOG: u64 = libc::SECCOMP_FILTER_FLAG_LOG;
pub const SPEC_ALLOW: u64 = libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;

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
