//! Calls that a system call filter should refuse, with arguments that do little where none does. Only for tests of filters.

use std::io;

/// One of [`calls`].
#[derive(Clone, Copy)]
pub struct Call {
    pub name: &'static str,
    number: libc::c_long,
    arguments: [libc::c_long; 6],
}

const fn bare(name: &'static str, number: libc::c_long) -> Call {
    Call { name, number, arguments: [0; 6] }
}

const fn with(name: &'static str, number: libc::c_long, first: [libc::c_long; 4]) -> Call {
    Call { name, number, arguments: [first[0], first[1], first[2], first[3], -1, 0] }
}

const EXECUTABLE: libc::c_long = (libc::PROT_READ | libc::PROT_EXEC) as libc::c_long;
const NEW_MEMORY: libc::c_long = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as libc::c_long;

const CALLS: &[Call] = &[
    bare("mount", libc::SYS_mount),
    bare("umount2", libc::SYS_umount2),
    bare("fsopen", libc::SYS_fsopen),
    bare("fsconfig", libc::SYS_fsconfig),
    bare("fsmount", libc::SYS_fsmount),
    bare("fspick", libc::SYS_fspick),
    bare("move_mount", libc::SYS_move_mount),
    bare("open_tree", libc::SYS_open_tree),
    bare("mount_setattr", libc::SYS_mount_setattr),
    bare("pivot_root", libc::SYS_pivot_root),
    bare("chroot", libc::SYS_chroot),
    bare("chdir", libc::SYS_chdir),
    bare("fchdir", libc::SYS_fchdir),
    bare("unshare", libc::SYS_unshare),
    bare("setns", libc::SYS_setns),
    bare("clone", libc::SYS_clone),
    bare("clone3", libc::SYS_clone3),
    bare("execve", libc::SYS_execve),
    bare("execveat", libc::SYS_execveat),
    bare("ptrace", libc::SYS_ptrace),
    bare("process_vm_readv", libc::SYS_process_vm_readv),
    bare("process_vm_writev", libc::SYS_process_vm_writev),
    bare("process_madvise", libc::SYS_process_madvise),
    bare("kill", libc::SYS_kill),
    bare("tkill", libc::SYS_tkill),
    bare("tgkill of nobody", libc::SYS_tgkill),
    with("tgkill with another signal", libc::SYS_tgkill, [1, 1, libc::SIGCONT as libc::c_long, 0]),
    bare("rt_sigqueueinfo", libc::SYS_rt_sigqueueinfo),
    bare("pidfd_open", libc::SYS_pidfd_open),
    bare("pidfd_send_signal", libc::SYS_pidfd_send_signal),
    bare("pidfd_getfd", libc::SYS_pidfd_getfd),
    bare("bpf", libc::SYS_bpf),
    bare("perf_event_open", libc::SYS_perf_event_open),
    bare("io_uring_setup", libc::SYS_io_uring_setup),
    bare("io_uring_enter", libc::SYS_io_uring_enter),
    bare("io_uring_register", libc::SYS_io_uring_register),
    bare("userfaultfd", libc::SYS_userfaultfd),
    bare("memfd_create", libc::SYS_memfd_create),
    bare("socket", libc::SYS_socket),
    bare("socketpair", libc::SYS_socketpair),
    bare("connect", libc::SYS_connect),
    bare("bind", libc::SYS_bind),
    bare("sendmsg", libc::SYS_sendmsg),
    bare("recvmsg", libc::SYS_recvmsg),
    bare("keyctl", libc::SYS_keyctl),
    bare("add_key", libc::SYS_add_key),
    bare("request_key", libc::SYS_request_key),
    bare("prctl", libc::SYS_prctl),
    bare("seccomp", libc::SYS_seccomp),
    bare("capset", libc::SYS_capset),
    bare("setresuid", libc::SYS_setresuid),
    bare("prlimit64", libc::SYS_prlimit64),
    bare("personality", libc::SYS_personality),
    bare("name_to_handle_at", libc::SYS_name_to_handle_at),
    bare("open_by_handle_at", libc::SYS_open_by_handle_at),
    bare("ioctl", libc::SYS_ioctl),
    with("fcntl that duplicates", libc::SYS_fcntl, [0, libc::F_DUPFD_CLOEXEC as libc::c_long, 0, 0]),
    with("mmap of code", libc::SYS_mmap, [0, 4096, EXECUTABLE, NEW_MEMORY]),
    with("mprotect to code", libc::SYS_mprotect, [0, 0, EXECUTABLE, 0]),
    bare("init_module", libc::SYS_init_module),
    bare("finit_module", libc::SYS_finit_module),
    bare("delete_module", libc::SYS_delete_module),
    bare("reboot", libc::SYS_reboot),
    bare("swapon", libc::SYS_swapon),
    bare("quotactl", libc::SYS_quotactl),
    bare("syslog", libc::SYS_syslog),
    bare("clock_settime", libc::SYS_clock_settime),
    bare("sethostname", libc::SYS_sethostname),
    bare("fanotify_init", libc::SYS_fanotify_init),
    bare("setxattr", libc::SYS_setxattr),
    bare("renameat2", libc::SYS_renameat2),
    #[cfg(target_arch = "x86_64")]
    bare("fork", libc::SYS_fork),
    #[cfg(target_arch = "x86_64")]
    bare("iopl", libc::SYS_iopl),
    #[cfg(target_arch = "x86_64")]
    bare("modify_ldt", libc::SYS_modify_ldt),
    // The same calls once more under other numbers.
    #[cfg(target_arch = "x86_64")]
    bare("read of x32", 0x4000_0000 | libc::SYS_read),
    #[cfg(target_arch = "x86_64")]
    bare("mount of x32", 0x4000_0000 | libc::SYS_mount),
];

/// All of them.
pub fn calls() -> &'static [Call] {
    CALLS
}

impl Call {
    /// Where nothing refuses it, the call is made.
    pub fn make(self) -> io::Result<i64> {
        let [first, second, third, fourth, fifth, sixth] = self.arguments;
        // SAFETY: only calls of the list above can be made. Their pointers are null, the one mapping is new and stays, and no
        // descriptor is closed or replaced; a fork copies all memory, so each side has its own.
        match unsafe { libc::syscall(self.number, first, second, third, fourth, fifth, sixth) } {
            -1 => Err(io::Error::last_os_error()),
            result => Ok(result),
        }
    }
}

/// Ways into the kernel that a process has, each with numbers of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Abi {
    Native,
    #[cfg(target_arch = "x86_64")]
    X32,
    #[cfg(target_arch = "x86_64")]
    I386,
}

/// getpriority(2), which looks at 32 bits of each argument and changes nothing. @returns as the kernel does, an error below zero
pub fn priority(abi: Abi, which: u64, who: u64) -> i64 {
    let number = match abi {
        Abi::Native => libc::SYS_getpriority,
        #[cfg(target_arch = "x86_64")]
        Abi::X32 => 0x4000_0000 | libc::SYS_getpriority,
        #[cfg(target_arch = "x86_64")]
        Abi::I386 => return i64::from(priority_of_i386(which as u32, who as u32)),
    };
    // SAFETY: takes numbers only, and neither reads nor writes memory.
    match unsafe { libc::syscall(number, which, who) } {
        -1 => -i64::from(io::Error::last_os_error().raw_os_error().unwrap_or(0)),
        result => result,
    }
}

/// A call that no kernel has. @returns as the kernel does
pub fn unknown() -> i64 {
    // SAFETY: takes nothing, and there is no such call.
    match unsafe { libc::syscall(100_000) } {
        -1 => -i64::from(io::Error::last_os_error().raw_os_error().unwrap_or(0)),
        result => result,
    }
}

#[cfg(target_arch = "x86_64")]
fn priority_of_i386(which: u32, who: u32) -> i32 {
    // @source arch/x86/entry/syscalls/syscall_32.tbl
    const GETPRIORITY: u32 = 96;
    let mut result = GETPRIORITY;
    // SAFETY: takes numbers only, and neither reads nor writes memory. The register of the first argument is the compiler's own, and
    // gets its value back; the kernel may clear those that 32-bit code has not.
    unsafe {
        std::arch::asm!(
            "xchg {which}, rbx",
            "int 0x80",
            "xchg {which}, rbx",
            which = inout(reg) u64::from(which) => _,
            inout("eax") result,
            in("ecx") who,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            options(nostack),
        );
    }
    result as i32
}
