use crate::NetlinkError;
use std::{fmt, net::Ipv4Addr};

const MAX_BYTES: usize = 15;

/// The name of an interface, checked: it also stands in paths below /proc and in rules of nft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceName(String);

impl InterfaceName {
    pub fn parse(text: &str) -> Result<Self, NetlinkError> {
        let good = (1..=MAX_BYTES).contains(&text.len())
            && !matches!(text, "." | "..")
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        if good { Ok(Self(text.to_owned())) } else { Err(NetlinkError::Name(text.chars().take(64).collect())) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An address and the length of its network's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    pub address: Ipv4Addr,
    pub length: u8,
}

impl Prefix {
    pub fn parse(text: &str) -> Result<Self, NetlinkError> {
        let parsed = text.split_once('/').and_then(|(address, length)| {
            Some(Self { address: address.parse().ok()?, length: length.parse().ok().filter(|length| *length <= 32)? })
        });
        parsed.ok_or_else(|| NetlinkError::Address(text.chars().take(64).collect()))
    }

    /// The network that the address is in, "10.88.0.0/16".
    pub fn network(self) -> String {
        let mask = u32::MAX.checked_shl(32 - u32::from(self.length)).unwrap_or(0);
        format!("{}/{}", Ipv4Addr::from(u32::from(self.address) & mask), self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_a_path_or_a_rule_are_refused() {
        for bad in ["", "..", "a/b", "a b", "a;b", "a\nb", "sixteen-letters-"] {
            assert!(InterfaceName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(InterfaceName::parse("veth0123456789a").is_ok());
    }

    #[test]
    fn a_network_has_no_host_bits() {
        assert_eq!(Prefix::parse("10.88.0.1/16").expect("prefix").network(), "10.88.0.0/16");
        assert_eq!(Prefix::parse("10.1.2.3/0").expect("prefix").network(), "0.0.0.0/0");
        for bad in ["10.0.0.1", "10.0.0.1/33", "fd00::1/64", ""] {
            assert!(Prefix::parse(bad).is_err(), "{bad:?}");
        }
    }
}
