//! The records of a PAX header: "<length> <key>=<value>\n", the length being that of the whole record. A value may hold any byte.

use crate::archive::malformed;
use std::io;

const XATTR: &[u8] = b"SCHILY.xattr.";

/// Seconds since the epoch, and nanoseconds beyond them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    pub seconds: i64,
    pub nanos: u32,
}

impl Time {
    pub fn of_seconds(seconds: u64) -> Self {
        Self { seconds: i64::try_from(seconds).unwrap_or(0), nanos: 0 }
    }
}

#[derive(Default)]
pub struct Records {
    /// in the order they came
    all: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Records {
    pub fn parse(mut bytes: &[u8]) -> io::Result<Self> {
        let mut all = Vec::new();
        // Some writers fill up with NUL bytes.
        while bytes.first().is_some_and(|byte| *byte != 0) {
            let (record, rest) = split_record(bytes).ok_or_else(|| malformed("a PAX header is malformed"))?;
            all.push(record);
            bytes = rest;
        }
        Ok(Self { all })
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The last one counts.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.each(key).last()
    }

    pub fn each(&self, key: &str) -> impl Iterator<Item = &[u8]> {
        self.all.iter().filter(move |(other, _)| other == key.as_bytes()).map(|(_, value)| value.as_slice())
    }

    pub fn number(&self, key: &str) -> io::Result<Option<u64>> {
        self.get(key).map(number).transpose()
    }

    pub fn time(&self, key: &str) -> Option<Time> {
        let text = str::from_utf8(self.get(key)?).ok()?;
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let seconds: i64 = whole.parse().ok()?;
        let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
        let nanos: u32 = digits.parse().ok()?;
        // "-1.25" is a second and a quarter before the epoch.
        Some(if whole.starts_with('-') && nanos > 0 {
            Time { seconds: seconds.saturating_sub(1), nanos: 1_000_000_000 - nanos }
        } else {
            Time { seconds, nanos }
        })
    }

    pub fn xattrs(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.all.iter().filter_map(|(key, value)| Some((key.strip_prefix(XATTR)?.to_vec(), value.clone()))).collect()
    }
}

pub fn number(digits: &[u8]) -> io::Result<u64> {
    let text = str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    text.and_then(|text| text.parse().ok()).ok_or_else(|| malformed("a number of a PAX header is malformed"))
}

type Record = (Vec<u8>, Vec<u8>);

fn split_record(bytes: &[u8]) -> Option<(Record, &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(number(&bytes[..space]).ok()?).ok()?;
    let record = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=').filter(|at| *at > 0)?;
    Some(((record[..equals].to_vec(), record[equals + 1..].to_vec()), &bytes[length..]))
}

#[cfg(test)]
mod tests {
    use super::{Records, Time};

    #[test]
    fn a_value_may_hold_any_byte_and_the_last_of_a_key_counts() {
        let records =
            Records::parse(b"12 path=old\n12 path=a\n=\n31 SCHILY.xattr.user.x=\x00\n\xff1234\n\0\0").expect("good");
        assert_eq!(records.get("path"), Some(b"a\n=".as_slice()));
        assert_eq!(records.xattrs(), [(b"user.x".to_vec(), b"\x00\n\xff1234".to_vec())]);
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for bad in ["12 path=old", "8 path=a\n", "99 path=a\n", "0 a=b\n", "x a=b\n", "6 ab=\n1", "6 =ab\n", "+6 a=b\n"]
        {
            assert!(Records::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn times_have_nanoseconds_and_may_be_before_the_epoch() {
        for (text, seconds, nanos) in [
            ("12", 12, 0),
            ("12.5", 12, 500_000_000),
            ("12.0000000019", 12, 1),
            ("-1.25", -2, 750_000_000),
            ("-9223372036854775808.5", i64::MIN, 500_000_000),
        ] {
            let record = format!("mtime={text}\n");
            let length = record.len() + if record.len() + 3 > 9 { 3 } else { 2 };
            let records = Records::parse(format!("{length} {record}").as_bytes()).expect("good");
            assert_eq!(records.time("mtime"), Some(Time { seconds, nanos }), "{text}");
        }
    }
}
