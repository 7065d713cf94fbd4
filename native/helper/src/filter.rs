//! What a process may still ask of the kernel once it is shut in: to read, to make files below its root, memory, and
//! its own end. Anything else kills it.

use libc::c_long;
use rustix::{mm::ProtFlags, process::Signal};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};
use std::{collections::BTreeMap, io};

/// The calls that are allowed whatever their arguments are.
const ALLOWED: &[c_long] = &[
    // the archive in, the answer out
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    // files, folders, links and nodes; what can be opened is below the root, and that is the target
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_ftruncate,
    libc::SYS_newfstatat,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_statx,
    libc::SYS_readlinkat,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_symlinkat,
    libc::SYS_linkat,
    libc::SYS_unlinkat,
    // what is known of them
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_utimensat,
    libc::SYS_fsetxattr,
    libc::SYS_fgetxattr,
    // memory; that it can't be made to hold code is said below
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // what the C library and Rust's may want between two lines of ours
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigaction,
    libc::SYS_sigaltstack,
    libc::SYS_getpid,
    libc::SYS_gettid,
    // the end
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Binds the calling thread, for good, and what it does from here on. Of another architecture's calls none is allowed.
pub fn load() -> io::Result<()> {
    apply_filter(&program().map_err(io::Error::other)?).map_err(io::Error::other)
}

fn program() -> Result<BpfProgram, seccompiler::BackendError> {
    let is = |argument, value| SeccompCondition::new(argument, Dword, SeccompCmpOp::Eq, value);
    let without = |argument, bits| SeccompCondition::new(argument, Dword, SeccompCmpOp::MaskedEq(bits), 0);
    let executable = u64::from(ProtFlags::EXEC.bits());
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, vec![SeccompRule::new(vec![without(2, executable)?])?]);
    }
    // A build with assertions looks whether what it closes is open.
    rules.insert(libc::SYS_fcntl, vec![SeccompRule::new(vec![is(1, libc::F_GETFD as u64)?])?]);
    // abort(3), of the first process of a namespace.
    let abort = Signal::ABORT.as_raw() as u64;
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![is(0, 1)?, is(1, 1)?, is(2, abort)?])?]);
    SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, std::env::consts::ARCH.try_into()?)?
        .try_into()
}
