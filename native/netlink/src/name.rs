use crate::NetlinkError;
use std::{fmt, net::IpAddr};

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
    pub address: IpAddr,
    pub length: u8,
}

impl Prefix {
    pub fn parse(text: &str) -> Result<Self, NetlinkError> {
        let parsed = text.split_once('/').and_then(|(address, length)| {
            let address: IpAddr = address.parse().ok()?;
            Some(Self { address, length: length.parse().ok().filter(|length| *length <= bits(address))? })
        });
        parsed.ok_or_else(|| NetlinkError::Address(text.chars().take(64).collect()))
    }

    /// The network that the address is in: 10.88.0.0/16 of 10.88.0.1/16.
    pub fn network(self) -> Self {
        let address = match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.length)).unwrap_or(0);
                IpAddr::V4((u32::from(address) & mask).into())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.length)).unwrap_or(0);
                IpAddr::V6((u128::from(address) & mask).into())
            }
        };
        Self { address, ..self }
    }

    /// Whether one network holds the other.
    pub fn overlaps(self, other: Self) -> bool {
        let length = self.length.min(other.length);
        self.address.is_ipv6() == other.address.is_ipv6()
            && Self { length, ..self }.network() == Self { length, ..other }.network()
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv6() { 128 } else { 32 }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
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

    fn prefix(text: &str) -> Prefix {
        Prefix::parse(text).expect("prefix")
    }

    #[test]
    fn a_network_has_no_host_bits() {
        assert_eq!(prefix("10.88.0.1/16").network().to_string(), "10.88.0.0/16");
        assert_eq!(prefix("10.1.2.3/0").network().to_string(), "0.0.0.0/0");
        assert_eq!(prefix("fd00:1::5/64").network().to_string(), "fd00:1::/64");
        assert_eq!(prefix("fd00:1::5/0").network().to_string(), "::/0");
        for bad in ["10.0.0.1", "10.0.0.1/33", "fd00::1/129", "fd00::1%eth0/64", ""] {
            assert!(Prefix::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn networks_overlap_when_one_holds_the_other() {
        assert!(prefix("10.88.0.1/16").overlaps(prefix("10.0.0.0/8")));
        assert!(prefix("10.88.0.1/16").overlaps(prefix("10.88.255.255/32")));
        assert!(!prefix("10.88.0.1/16").overlaps(prefix("10.89.0.0/16")));
        assert!(prefix("fd00::1/64").overlaps(prefix("fd00::/8")));
        assert!(!prefix("10.88.0.1/16").overlaps(prefix("::/0")), "another family");
    }
}
