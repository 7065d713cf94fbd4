//! Device rules as a program that the kernel asks for each use of a device, as v2 has it.

use super::device_rules::{Access, Kind, Rule, Rules};
use crate::error::RuntimeError;
use std::os::fd::{AsFd, BorrowedFd};
use sys::bpf::{attach_device_filter, load_device_filter};

/// @param folder of a cgroup that was made a moment ago: it allows what the pod's allows
pub fn apply(folder: BorrowedFd, rules: &Rules) -> Result<(), RuntimeError> {
    if rules.allow_all() {
        return Ok(());
    }
    let failed = |doing: &'static str| move |source| RuntimeError::io(doing, source);
    let program = load_device_filter(&program(rules)).map_err(failed("load the device filter"))?;
    attach_device_filter(folder, program.as_fd()).map_err(failed("attach the device filter"))
}

// Registers. A program is called with where the question is, and answers 1 or 0 in the first one.
const ANSWER: u8 = 0;
const QUESTION: u8 = 1;
const KIND: u8 = 2;
/// what is asked for, without what is allowed so far
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
const SCRATCH: u8 = 6;

// `struct bpf_cgroup_dev_ctx`: what is asked for and the kind in the halves of one word, and the numbers.
const KIND_MASK: u32 = 0xffff;
const ACCESS_SHIFT: u32 = 16;
const MAJOR_AT: i16 = 4;
const MINOR_AT: i16 = 8;

// uapi/linux/bpf.h: BPF_DEVCG_DEV_*, BPF_DEVCG_ACC_*
const BLOCK: u32 = 1;
const CHARACTER: u32 = 2;
const MAKE: u32 = 1;
const READ: u32 = 2;
const WRITE: u32 = 4;

/// Each of what is asked for is decided by the last rule that names it, so the rules are asked from the last to the first: a rule that
/// denies any of what is left answers no, and what one allows is asked for no more. When nothing is left, the answer is yes.
fn program(rules: &Rules) -> Vec<u64> {
    let mut code = vec![
        load(KIND, QUESTION, 0),
        copy(ACCESS, KIND),
        and(KIND, KIND_MASK),
        shift_right(ACCESS, ACCESS_SHIFT),
        load(MAJOR, QUESTION, MAJOR_AT),
        load(MINOR, QUESTION, MINOR_AT),
    ];
    rules.list.iter().rev().for_each(|rule| add(rule, &mut code));
    code.extend(answer(rules.others));
    code
}

fn add(rule: &Rule, code: &mut Vec<u64>) {
    let decision = if rule.allow {
        let [say, end] = answer(true);
        vec![and(ACCESS, !bits(rule.access)), skip_unless_equal(ACCESS, 0, 2), say, end]
    } else {
        let [say, end] = answer(false);
        vec![copy(SCRATCH, ACCESS), and(SCRATCH, bits(rule.access)), skip_if_equal(SCRATCH, 0, 2), say, end]
    };
    let kind = match rule.kind {
        Kind::Character => CHARACTER,
        Kind::Block => BLOCK,
    };
    let conditions = [(KIND, Some(kind)), (MAJOR, rule.major), (MINOR, rule.minor)];
    let conditions: Vec<(u8, u32)> =
        conditions.into_iter().filter_map(|(register, value)| Some((register, value?))).collect();
    for (index, (register, value)) in conditions.iter().enumerate() {
        // Past the conditions that follow, and what is done when all hold.
        code.push(skip_unless_equal(*register, *value, conditions.len() - 1 - index + decision.len()));
    }
    code.extend(decision);
}

fn answer(yes: bool) -> [u64; 2] {
    const MOVE_NUMBER: u8 = 0xb7;
    const EXIT: u8 = 0x95;
    [instruction(MOVE_NUMBER, ANSWER, 0, 0, u32::from(yes)), instruction(EXIT, 0, 0, 0, 0)]
}

fn bits(access: Access) -> u32 {
    let bit = |wanted: bool, bit: u32| if wanted { bit } else { 0 };
    bit(access.read, READ) | bit(access.write, WRITE) | bit(access.make, MAKE)
}

/// A word of 32 bits; the upper half becomes zero.
fn load(to: u8, from: u8, offset: i16) -> u64 {
    instruction(0x61, to, from, offset, 0)
}

fn copy(to: u8, from: u8) -> u64 {
    instruction(0xbf, to, from, 0, 0)
}

/// Of the lower half; the upper one becomes zero.
fn and(register: u8, mask: u32) -> u64 {
    instruction(0x54, register, 0, 0, mask)
}

fn shift_right(register: u8, bits: u32) -> u64 {
    instruction(0x77, register, 0, 0, bits)
}

fn skip_unless_equal(register: u8, value: u32, count: usize) -> u64 {
    instruction(0x55, register, 0, distance(count), value)
}

fn skip_if_equal(register: u8, value: u32, count: usize) -> u64 {
    instruction(0x15, register, 0, distance(count), value)
}

/// A rule has eight instructions at most.
fn distance(count: usize) -> i16 {
    i16::try_from(count).unwrap_or(i16::MAX)
}

/// `struct bpf_insn`
fn instruction(code: u8, to: u8, from: u8, offset: i16, value: u32) -> u64 {
    let ([offset_low, offset_high], [a, b, c, d]) = (offset.to_ne_bytes(), value.to_ne_bytes());
    u64::from_ne_bytes([code, to | from << 4, offset_low, offset_high, a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::{super::device_rules, *};
    use crate::spec::DeviceRule;

    /// What the kernel would answer, by the few instructions that there are.
    fn run(program: &[u64], question: [u32; 3]) -> bool {
        let mut registers = [0u64; 11];
        let mut at = 0;
        loop {
            let [code, both, offset_low, offset_high, a, b, c, d] = program[at].to_ne_bytes();
            let (to, from) = (usize::from(both & 15), usize::from(both >> 4));
            let offset = i16::from_ne_bytes([offset_low, offset_high]);
            // Extended by its sign, as the kernel does.
            let value = i64::from(i32::from_ne_bytes([a, b, c, d])).cast_unsigned();
            let mut skip = 0;
            match code {
                0x61 => registers[to] = u64::from(question[usize::try_from(offset / 4).expect("offset")]),
                0xbf => registers[to] = registers[from],
                0x54 => registers[to] = registers[to] & value & 0xffff_ffff,
                0x77 => registers[to] >>= value,
                0x55 if registers[to] != value => skip = offset,
                0x15 if registers[to] == value => skip = offset,
                0x55 | 0x15 => {}
                0xb7 => registers[to] = value,
                0x95 => return registers[0] == 1,
                other => panic!("instruction {other:#x}"),
            }
            at += 1 + usize::try_from(skip).expect("forward");
        }
    }

    fn rule(allow: bool, text: &str) -> DeviceRule {
        let [kind, major, minor, access] = text.split([' ', ':']).collect::<Vec<_>>()[..] else { panic!("{text}") };
        DeviceRule {
            allow,
            access: access.into(),
            kind: Some(kind.into()),
            major: major.parse().ok(),
            minor: minor.parse().ok(),
        }
    }

    /// @param asked "c 1:3 rw"
    fn allows(rules: &[DeviceRule], asked: &str) -> bool {
        let asked = rule(true, asked);
        let kind = if asked.kind.as_deref() == Some("b") { BLOCK } else { CHARACTER };
        let access = asked.access.bytes().fold(0, |all, letter| {
            all | match letter {
                b'r' => READ,
                b'w' => WRITE,
                _ => MAKE,
            }
        });
        let number = |number: Option<i64>| u32::try_from(number.expect("number")).expect("number");
        let question = [access << 16 | kind, number(asked.major), number(asked.minor)];
        run(&program(&device_rules::of(rules).expect("rules")), question)
    }

    #[test]
    fn a_container_has_the_default_devices_and_no_other() {
        let nothing = [rule(false, "a *:* rwm")];
        for good in ["c 1:3 rw", "c 1:9 r", "c 5:0 rwm", "c 5:2 rw", "c 136:77 rw", "c 200:1 m", "b 8:0 m"] {
            assert!(allows(&nothing, good), "{good}");
        }
        for bad in ["c 1:1 r", "c 1:4 w", "c 10:200 rw", "b 8:0 r", "b 8:0 rm", "b 1:3 r", "c 137:0 r", "c 3:1 r"] {
            assert!(!allows(&nothing, bad), "{bad}");
        }
    }

    #[test]
    fn the_last_rule_that_names_a_device_holds() {
        let mut rules =
            vec![rule(false, "a *:* rwm"), rule(true, "b 8:* rw"), rule(false, "b 8:16 w"), rule(true, "b 8:16 r")];
        assert!(allows(&rules, "b 8:17 rw") && allows(&rules, "b 8:16 r"));
        assert!(!allows(&rules, "b 8:16 w") && !allows(&rules, "b 8:16 rw"));
        rules.push(rule(true, "b 8:16 w"));
        assert!(allows(&rules, "b 8:16 rw"), "by two rules");
    }

    #[test]
    fn any_number_is_any() {
        let rules = [rule(true, "c *:7 r"), rule(true, "c 9:* w")];
        assert!(allows(&rules, "c 4095:7 r") && allows(&rules, "c 9:1048575 w") && allows(&rules, "c 9:7 rw"));
        assert!(!allows(&rules, "c 8:8 r") && !allows(&rules, "c 9:8 r"));
    }

    #[test]
    fn what_is_taken_from_all_is_denied_and_the_rest_is_not() {
        let rules = [rule(true, "a *:* rwm"), rule(false, "c 10:* w"), rule(false, "b *:1 rwm")];
        assert!(allows(&rules, "c 10:1 r") && allows(&rules, "c 11:1 rwm") && allows(&rules, "b 8:2 rw"));
        assert!(!allows(&rules, "c 10:1 rw") && !allows(&rules, "b 8:1 r"));
        assert!(allows(&rules, "b 8:1 m"), "the default rules come last");
    }
}
