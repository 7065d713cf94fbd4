//! What is to be said to calls that are newer than a profile. A C library tries a new call first, and falls back to an older one when it is
//! told that there is no such call (ENOSYS), but not when it is told that it may not (EPERM). So a profile that refuses what it does not
//! name says ENOSYS to what its author could not know: to numbers above all of those that it names. As runc does.

use super::instruction::{Instruction, Part, Test};
use libseccomp::{ScmpAction, ScmpArch, ScmpSyscall};
use rustix::io::Errno;

/// As the kernel names them to a filter. @source include/uapi/linux/audit.h
const ARCHITECTURES: &[(ScmpArch, u32)] = &[
    (ScmpArch::X8664, 0xc000_003e),
    (ScmpArch::X86, 0x4000_0003),
    (ScmpArch::Aarch64, 0xc000_00b7),
    (ScmpArch::Arm, 0x4000_0028),
];
/// Calls of x32 have it in their number, and stay with the filter.
const X32: u32 = 0x4000_0000;

/// @param architectures of the profile, the node's own among them
/// @returns what is to be in front of the filter
pub fn refusal(default: ScmpAction, architectures: &[ScmpArch], names: &[&str]) -> Vec<Instruction> {
    let ScmpAction::Errno(_) = default else { return Vec::new() };
    let known = ARCHITECTURES.iter().filter(|(architecture, _)| architectures.contains(architecture));
    known
        .filter_map(|&(architecture, its_name)| {
            let numbers = names.iter().filter_map(|name| ScmpSyscall::from_name_by_arch(name, architecture).ok());
            // Below zero are those that the architecture does not have.
            let newest = numbers.filter_map(|call| u32::try_from(call.as_raw_syscall()).ok()).max()?;
            let jump = |test, value, then, otherwise| Instruction::Jump { test, value, then, otherwise };
            Some([
                Instruction::Load(Part::Architecture),
                jump(Test::Equal, its_name, 0, 4),
                Instruction::Load(Part::Number),
                jump(Test::GreaterOrEqual, X32, 2, 0),
                jump(Test::Greater, newest, 0, 1),
                Instruction::fail(Errno::NOSYS),
            ])
        })
        .flatten()
        .collect()
}
