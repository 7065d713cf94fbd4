//! Both filters, old and new, as the kernel would run them.

use super::{Instruction, Part, Questions, rebuilt};
use crate::seccomp::compile;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn run(filter: &[Instruction], architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
    const MASK: u16 = 0x54;
    const FIRST_ARGUMENT: u32 = 16;
    let (mut at, mut loaded) = (0, 0);
    loop {
        let next = filter[at];
        at += 1;
        match next {
            Instruction::Load(Part::Number) => loaded = number,
            Instruction::Load(Part::Architecture) => loaded = architecture,
            Instruction::Load(Part::Other(offset)) => {
                let argument = arguments[(offset - FIRST_ARGUMENT) as usize / 8];
                loaded = if offset % 8 == 0 { argument as u32 } else { (argument >> 32) as u32 };
            }
            Instruction::Jump { test, value, then, otherwise } => {
                at += usize::from(if test.is_true(loaded, value) { then } else { otherwise });
            }
            Instruction::Skip(count) => at += count as usize,
            Instruction::Return(action) => return action,
            Instruction::Other { code: MASK, value } => loaded &= value,
            Instruction::Other { code, .. } => panic!("code {code:#x}"),
        }
    }
}

fn compiled(default: &str, rules: Value) -> Vec<u8> {
    let architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"];
    let profile = json!({ "defaultAction": default, "architectures": architectures, "syscalls": rules });
    compile::program(&serde_json::from_value(profile).expect("a profile")).expect("a program")
}

fn read(program: &[u8]) -> Vec<Instruction> {
    let (instructions, []) = program.as_chunks() else { panic!("no whole instructions") };
    instructions.iter().map(|each| Instruction::read(*each).expect("an instruction")).collect()
}

fn bytes(instructions: &[Instruction]) -> Vec<u8> {
    instructions.iter().flat_map(|each| each.bytes()).collect()
}

fn assert_says_the_same(program: &[u8]) {
    let filter = read(program);
    let rebuilt = rebuilt(&filter).expect("another");
    let questions = Questions::of(&filter).expect("questions");
    // All calls that there are, and what is beside all that is asked for.
    let mut numbers: BTreeSet<u32> = (0..700).chain((0..700).map(|number| 0x4000_0000 | number)).collect();
    let beside = |number: &u32| [number.wrapping_sub(1), *number, number.wrapping_add(1)];
    numbers.extend(questions.numbers.iter().flat_map(beside));
    let values = [0, 1, 2, 3, 16, 38, 0x7e02_0000, 0x1000_0000, u64::from(u32::MAX), 1 << 32, 1 << 32 | 2, u64::MAX];
    for architecture in questions.architectures.iter().flat_map(beside) {
        for &number in &numbers {
            for value in values {
                let arguments = [value, value ^ 1, 9, 0, value, 7];
                let expected = run(&filter, architecture, number, arguments);
                let found = run(&rebuilt, architecture, number, arguments);
                assert_eq!(found, expected, "{architecture:#x} {number:#x} {value:#x}");
            }
        }
    }
}

#[test]
fn a_rebuilt_filter_says_the_same_of_calls_of_all_architectures() {
    let names = "read write open openat close stat fstat lstat poll lseek mmap mprotect munmap brk ioctl readv writev access \
                 pipe select sched_yield mremap msync shmget shmat dup dup2 pause nanosleep getpid sendfile connect accept \
                 sendto recvfrom bind listen execve exit wait4 kill uname semget fcntl flock fsync clock_nanosleep_time64";
    let masked =
        |value: u64, two: u64| json!([{ "index": 0, "value": value, "valueTwo": two, "op": "SCMP_CMP_MASKED_EQ" }]);
    let compared = json!([
        { "index": 0, "value": 2, "op": "SCMP_CMP_GE" },
        { "index": 1, "value": 1u64 << 32, "op": "SCMP_CMP_LT" },
    ]);
    let rules = json!([
        { "names": names.split_whitespace().collect::<Vec<_>>(), "action": "SCMP_ACT_ALLOW" },
        { "names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": masked(0x7e02_0000, 0) },
        { "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 },
        { "names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": masked(0xffff_fffe, 2) },
        { "names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": masked(0xffff_fff0, 16) },
        { "names": ["personality", "prctl"], "action": "SCMP_ACT_LOG", "args": compared },
        { "names": ["ptrace", "reboot"], "action": "SCMP_ACT_KILL_PROCESS" },
    ]);
    for default in ["SCMP_ACT_ERRNO", "SCMP_ACT_TRAP"] {
        assert_says_the_same(&compiled(default, rules.clone()));
    }
}

#[test]
fn a_rebuilt_filter_of_one_call_or_of_none_says_the_same() {
    assert_says_the_same(&compiled("SCMP_ACT_ALLOW", json!([{ "names": ["reboot"], "action": "SCMP_ACT_TRAP" }])));
    assert_says_the_same(&compiled("SCMP_ACT_ERRNO", json!([])));
}

#[test]
fn a_filter_of_calls_that_are_next_to_each_other_gets_shorter() {
    let names: Vec<String> = (0..300)
        .filter_map(|number| libseccomp::ScmpSyscall::from_raw_syscall(number).get_name().ok())
        .filter(|name| name != "ptrace")
        .collect();
    let long = compiled("SCMP_ACT_ERRNO", json!([{ "names": names, "action": "SCMP_ACT_ALLOW" }]));
    assert_says_the_same(&long);
    let short = super::shorten(&long).expect("a shorter one");
    assert!(short.len() * 2 < long.len(), "{} of {}", short.len(), long.len());
    assert_eq!(super::shorten(&short), None, "it is as short as it gets");
}

#[test]
fn what_is_not_understood_is_left_as_it_is() {
    let (number, end) = (Instruction::Load(Part::Number), Instruction::Return(0));
    let masked = bytes(&[number, Instruction::Other { code: 0x54, value: 1 }, end]);
    let endless = bytes(&[number, Instruction::Skip(7), end]);
    let computed_return = [0x16, 0, 0, 0, 0, 0, 0, 0];
    for program in [&masked[..], &endless, &computed_return, &masked[1..], &[]] {
        assert_eq!(super::shorten(program), None, "{program:?}");
    }
}
