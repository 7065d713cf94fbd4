//! Programs that the kernel runs for us: the filter of devices of a cgroup of v2.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

// uapi/linux/bpf.h
const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_ATTACH: libc::c_int = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 2;

/// The first fields of what the call takes; what is not given is zero to the kernel.
#[repr(C)]
struct Load {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
}

#[repr(C)]
struct Attach {
    cgroup: u32,
    program: u32,
    attach_type: u32,
    flags: u32,
}

/// Has the kernel check a program that is asked for each use of a device. It has it as long as the descriptor, or a cgroup that it is
/// attached to.
///
/// @param program instructions as the kernel takes them, `struct bpf_insn`
pub fn load_device_filter(program: &[u64]) -> io::Result<OwnedFd> {
    // Of use for programs that call the kernel's functions; a filter calls none.
    let license = c"Apache-2.0";
    let load = Load {
        program_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        instruction_count: u32::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        instructions: program.as_ptr().expose_provenance() as u64,
        license: license.as_ptr().expose_provenance() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
    };
    // SAFETY: the kernel reads as many instructions as are there, and a text that ends with a NUL byte; both live until the call is over.
    // Without a log it writes nothing.
    let descriptor = unsafe { bpf(BPF_PROG_LOAD, &load) }?;
    let descriptor = libc::c_int::try_from(descriptor).map_err(io::Error::other)?;
    // SAFETY: the kernel has made the descriptor a moment ago, and it belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// From here on, each use of a device in the cgroup has to be allowed by the program too.
pub fn attach_device_filter(cgroup: BorrowedFd, program: BorrowedFd) -> io::Result<()> {
    let number = |descriptor: BorrowedFd| descriptor.as_raw_fd().cast_unsigned();
    let (cgroup, program) = (number(cgroup), number(program));
    let attach = Attach { cgroup, program, attach_type: BPF_CGROUP_DEVICE, flags: BPF_F_ALLOW_MULTI };
    // SAFETY: there are only numbers in it; descriptors are the kernel's to check.
    unsafe { bpf(BPF_PROG_ATTACH, &attach) }.map(drop)
}

/// # Safety
/// What the arguments point to is as the command wants it, and lives until the call is over.
unsafe fn bpf<T>(command: libc::c_int, arguments: &T) -> io::Result<libc::c_long> {
    // SAFETY: the kernel reads as many bytes as the structure has; the caller answers for the rest.
    match unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(arguments), size_of::<T>()) } {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}
