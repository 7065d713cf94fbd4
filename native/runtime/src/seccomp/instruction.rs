//! Instructions of a filter. @source include/uapi/linux/bpf_common.h, include/uapi/linux/seccomp.h

use rustix::io::Errno;
use sys::seccomp::INSTRUCTION_BYTES;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// takes this part of what is known of the call
    Load(Part),
    /// compares what was loaded last, and leaves out so many instructions when the test is true, or when it is not
    Jump {
        test: Test,
        value: u32,
        then: u8,
        otherwise: u8,
    },
    /// leaves out so many
    Skip(u32),
    Return(u32),
    /// does something with what was loaded, and goes on
    Other {
        code: u16,
        value: u32,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Number,
    /// what the number is of
    Architecture,
    /// an argument's half, or the caller's address
    Other(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    Equal,
    Greater,
    GreaterOrEqual,
    AnyBit,
}

const LOAD: u16 = 0x20;
const SKIP: u16 = 0x05;
const RETURN: u16 = 0x06;
const JUMPS: [(u16, Test); 4] =
    [(0x15, Test::Equal), (0x25, Test::Greater), (0x35, Test::GreaterOrEqual), (0x45, Test::AnyBit)];
// Of the lowest three bits of a code.
const CLASS: u16 = 0x07;
const CLASS_OF_JUMPS: u16 = 0x05;
const CLASS_OF_RETURNS: u16 = 0x06;
/// SECCOMP_RET_ERRNO
const FAIL: u32 = 0x0005_0000;

impl Instruction {
    /// The call is not made.
    pub fn fail(errno: Errno) -> Self {
        Self::Return(FAIL | errno.raw_os_error().unsigned_abs())
    }

    /// @returns `None` for a jump or a return that is not among those above
    pub fn read([c0, c1, then, otherwise, k0, k1, k2, k3]: [u8; INSTRUCTION_BYTES]) -> Option<Self> {
        let (code, value) = (u16::from_ne_bytes([c0, c1]), u32::from_ne_bytes([k0, k1, k2, k3]));
        Some(match code {
            LOAD => Self::Load(match value {
                0 => Part::Number,
                4 => Part::Architecture,
                offset => Part::Other(offset),
            }),
            SKIP => Self::Skip(value),
            RETURN => Self::Return(value),
            _ if code & CLASS == CLASS_OF_JUMPS => {
                let (_, test) = JUMPS.into_iter().find(|(known, _)| *known == code)?;
                Self::Jump { test, value, then, otherwise }
            }
            _ if code & CLASS == CLASS_OF_RETURNS => return None,
            _ => Self::Other { code, value },
        })
    }

    pub fn bytes(self) -> [u8; INSTRUCTION_BYTES] {
        let (code, then, otherwise, value) = match self {
            Self::Load(Part::Number) => (LOAD, 0, 0, 0),
            Self::Load(Part::Architecture) => (LOAD, 0, 0, 4),
            Self::Load(Part::Other(offset)) => (LOAD, 0, 0, offset),
            Self::Jump { test, value, then, otherwise } => (test.code(), then, otherwise, value),
            Self::Skip(count) => (SKIP, 0, 0, count),
            Self::Return(action) => (RETURN, 0, 0, action),
            Self::Other { code, value } => (code, 0, 0, value),
        };
        let ([c0, c1], [k0, k1, k2, k3]) = (code.to_ne_bytes(), value.to_ne_bytes());
        [c0, c1, then, otherwise, k0, k1, k2, k3]
    }
}

impl Test {
    pub fn is_true(self, loaded: u32, value: u32) -> bool {
        match self {
            Self::Equal => loaded == value,
            Self::Greater => loaded > value,
            Self::GreaterOrEqual => loaded >= value,
            Self::AnyBit => loaded & value != 0,
        }
    }

    fn code(self) -> u16 {
        JUMPS[self as usize].0
    }
}
