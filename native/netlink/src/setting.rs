//! Settings of interfaces below /proc/sys, of the caller's network namespace.

use crate::{InterfaceName, NetlinkError};
use std::{fs, path::Path};

const IPV6: &str = "/proc/sys/net/ipv6/conf";

/// Whether the kernel has IPv6 at all.
pub fn has_ipv6() -> bool {
    Path::new(IPV6).exists()
}

/// A kernel without IPv6 has nothing to set.
pub fn write_ipv6(interface: &InterfaceName, file: &str, value: &str) -> Result<(), NetlinkError> {
    if !has_ipv6() {
        return Ok(());
    }
    let path = format!("{IPV6}/{interface}/{file}");
    fs::write(&path, value).map_err(|source| NetlinkError::io(format!("write {value} to {path}"), source))
}
