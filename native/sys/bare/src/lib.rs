//! What a program needs that has neither a C library nor Rust's own runtime below it: its start, its end, and the few kernel
//! calls that it makes. A part of sys by its nature, and a crate of its own because it must not bring the standard library.
#![no_std]

use core::{
    arch::{asm, naked_asm},
    ffi::CStr,
};

// @source linux/prctl.h, linux/seccomp.h, asm/unistd_64.h
const SYS_READ: usize = 0;
const SYS_PRCTL: usize = 157;
const PR_SET_DUMPABLE: usize = 4;
const PR_SET_NAME: usize = 15;
const PR_SET_SECCOMP: usize = 22;
const SECCOMP_MODE_STRICT: usize = 1;
const ERRNO_INTERRUPTED: isize = -4;

/// Makes a `fn()` all there is of a program that says `#![no_main]` and is linked without start files. The program ends by an
/// invalid instruction when the function returns.
#[macro_export]
macro_rules! start_with {
    ($run:path) => {
        // SAFETY: nothing else has the name, by which the start calls it.
        #[unsafe(no_mangle)]
        extern "C" fn berth_run() {
            $run()
        }
    };
}

unsafe extern "C" {
    fn berth_run();
}

/// The kernel jumps here.
// SAFETY: without start files nothing else defines the linker's entry point. Nothing of ours is in a register or in memory
// yet; the stack is made to be aligned as a call expects it, and what follows the call does not return.
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    naked_asm!("xor ebp, ebp", "and rsp, -16", "call {run}", "ud2", run = sym berth_run)
}

/// Ends the process at once.
pub fn stop() -> ! {
    // SAFETY: an invalid instruction ends the process; nothing comes after it.
    unsafe { asm!("ud2", options(noreturn, nomem, nostack)) }
}

/// Other processes without SYS_PTRACE see nothing of this one. False when the kernel refused.
pub fn become_undumpable() -> bool {
    // SAFETY: the option takes a number.
    unsafe { call(SYS_PRCTL, PR_SET_DUMPABLE, 0, 0) == 0 }
}

/// What `ps` shows; the kernel takes 15 bytes of it.
pub fn set_name(name: &CStr) {
    // SAFETY: the name ends with a zero byte, and lives while the kernel copies it.
    unsafe { call(SYS_PRCTL, PR_SET_NAME, name.as_ptr().expose_provenance(), 0) };
}

/// From here on the kernel kills the process for any call but read, write, exit and the return from a signal. False where the
/// kernel has no seccomp, or a filter is there already.
pub fn allow_only_read_and_write() -> bool {
    // SAFETY: the option takes a number.
    unsafe { call(SYS_PRCTL, PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0) == 0 }
}

/// Reads standard input, and throws away what comes, until it ends or fails.
pub fn read_to_the_end() {
    loop {
        let mut buffer = [0u8];
        // SAFETY: the kernel writes at most the buffer's length into it, and it lives until the call is over.
        let bytes = unsafe { call(SYS_READ, 0, buffer.as_mut_ptr().expose_provenance(), buffer.len()) };
        if bytes <= 0 && bytes != ERRNO_INTERRUPTED {
            return;
        }
    }
}

/// # Safety
/// What the kernel does with the arguments has to be sound, with regard to memory too.
unsafe fn call(number: usize, first: usize, second: usize, third: usize) -> isize {
    let result;
    // SAFETY: the kernel's calling convention on x86-64: it changes these three registers and no other. The caller answers
    // for what the call itself does. Unused arguments are zero, as prctl wants them.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") first,
            in("rsi") second,
            in("rdx") third,
            in("r10") 0usize,
            in("r8") 0usize,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}
