//! Processes and signals of a single-threaded program.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

/// Which side of a fork one is on.
pub enum Fork {
    /// with the number of the child
    Parent(i32),
    Child,
}

/// Makes a copy of the process. Only for programs with a single thread: of other threads the child has none, but their locks.
pub fn fork() -> io::Result<Fork> {
    // SAFETY: the callers are single-threaded, so no lock is held by a thread that the child lacks.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Fork::Child),
        child => Ok(Fork::Parent(child)),
    }
}

// clone(2); the library's own constant is too narrow for it.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// The same, with the child in the cgroup (of v2) behind the descriptor from its first moment: a move would come too late for
/// what it starts meanwhile, and waits for every CPU.
pub fn fork_into(cgroup: BorrowedFd) -> io::Result<Fork> {
    // SAFETY: zeroes are what the kernel takes for "not asked for".
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.exit_signal = libc::SIGCHLD as u64;
    arguments.cgroup = cgroup.as_raw_fd() as u64;
    clone(&arguments)
}

// clone(2)
const CLONE_PARENT: u64 = libc::CLONE_PARENT as u64;

/// As `fork`, with the new process a child of our own parent.
pub fn fork_sibling() -> io::Result<Fork> {
    // SAFETY: zeroes are what the kernel takes for "not asked for".
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = CLONE_PARENT;
    clone(&arguments)
}

fn clone(arguments: &libc::clone_args) -> io::Result<Fork> {
    // SAFETY: without CLONE_VM and a stack of its own the child is a copy, as of `fork`; the callers are single-threaded. The
    // C library is not told, so the child has a stale idea of its thread's id, which nothing asks for before an exec.
    match unsafe { libc::syscall(libc::SYS_clone3, std::ptr::from_ref(arguments), size_of::<libc::clone_args>()) } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Fork::Child),
        child => i32::try_from(child).map(Fork::Parent).map_err(io::Error::other),
    }
}

/// Blocks the signals and gives a descriptor that they are read from (not blocking, closed on exec).
pub fn signal_descriptor(signals: &[i32]) -> io::Result<OwnedFd> {
    // SAFETY: a zeroed set is storage that sigemptyset then makes a set; every call gets a pointer to it while it lives,
    // and the descriptor that comes back is new and belongs to nobody else.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) < 0 {
            return Err(io::Error::last_os_error());
        }
        match libc::signalfd(-1, &raw const set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) {
            -1 => Err(io::Error::last_os_error()),
            descriptor => Ok(OwnedFd::from_raw_fd(descriptor)),
        }
    }
}

/// Whatever started us may have left descriptors open. The programs that we run get none of them.
pub fn keep_inherited_descriptors_from_children() -> io::Result<()> {
    // SAFETY: takes numbers only. Nothing is closed here, so no descriptor that somebody owns changes its meaning.
    match unsafe { libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_int) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Signals as a new program expects them: none blocked, none handled. Children leave no zombies, for SIGCHLD is ignored; that
/// outlives an exec.
pub fn reset_signals() -> io::Result<()> {
    default_signals()?;
    // SAFETY: SIG_IGN names no code of ours.
    match unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) } {
        libc::SIG_ERR => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Signals as they are at first: none blocked, none handled, none ignored.
pub fn default_signals() -> io::Result<()> {
    // What the kernel takes for "as at first": no handler, no flags, no mask. The C library would not let us reset the two
    // signals that it keeps for itself, and its posix_spawn leaves one of them ignored in every program that it starts.
    let default = [0u64; 4];
    // SAFETY: SIG_DFL names no code of ours; the kernel reads four words of `default` and a set of eight bytes, and writes
    // nothing; a zeroed set is storage that sigemptyset makes a set, and it lives while the kernel reads it.
    unsafe {
        for signal in 1..=libc::SIGRTMAX() {
            // SIGKILL and SIGSTOP can't be changed, and need not be.
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), std::ptr::null::<u64>(), 8usize);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        match libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Runs the program behind the descriptor in place of this one, with its name as the only argument and no environment.
/// Returns only when that failed.
pub fn exec_descriptor(program: BorrowedFd, name: &CStr) -> io::Error {
    let (arguments, environment) = ([name.as_ptr(), std::ptr::null()], [std::ptr::null()]);
    // SAFETY: both lists end with a null pointer, and they and the name they point to live until the call is over.
    unsafe { libc::fexecve(program.as_raw_fd(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

pub const SIGHUP: i32 = libc::SIGHUP;
pub const SIGINT: i32 = libc::SIGINT;
pub const SIGTERM: i32 = libc::SIGTERM;
pub const SIGCHLD: i32 = libc::SIGCHLD;
