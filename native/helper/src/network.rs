//! The node's bridge network: made, looked at, and taken away.

use crate::{error::HelperError, host_ports};
use netlink::{BridgeConfig, Difference, InterfaceName, Netlink, Prefix, TableConfig};
use std::{fs, io};
use wire::{
    CheckNetwork, CheckNetworkResult, EnsureNetwork, EnsureNetworkResult, KernelSetting, NetworkDifference,
    RemoveNetwork,
};

const DEFAULT_MTU: u32 = 1500;
/// The kernel takes 255 bytes of an alias.
const MAX_ALIAS_BYTES: usize = 64;

pub fn ensure(request: &EnsureNetwork) -> Result<EnsureNetworkResult, HelperError> {
    let (bridge, table) = parse(request)?;
    let ports = host_ports::parse(&request.host_ports)?;
    let mut warnings = Netlink::open()?.ensure_bridge(&bridge)?;
    sys::failpoint!("helper: made bridge");
    netlink::ensure_table(&table, &ports)?;
    sys::failpoint!("helper: made table");
    request.settings.iter().try_for_each(write)?;
    sys::failpoint!("helper: wrote settings");
    let with_ipv6 = bridge.gateways.iter().any(|gateway| gateway.address.is_ipv6());
    warnings.extend(netlink::forward_warnings(&table.name, with_ipv6)?);
    let table_fingerprint = netlink::fingerprint(&table.name)?.unwrap_or_default();
    Ok(EnsureNetworkResult { warnings, table_fingerprint })
}

pub fn check(request: CheckNetwork) -> Result<CheckNetworkResult, HelperError> {
    let wanted = request.wanted.unwrap_or_default();
    let (bridge, table) = parse(&wanted)?;
    let mut differences = Netlink::open()?.check_bridge(&bridge)?;
    let problem = match netlink::fingerprint(&table.name)? {
        None => Some("it is not there"),
        Some(found) if found != request.table_fingerprint => Some("it has other rules than it was made with"),
        Some(_) => None,
    };
    differences.extend(
        problem.map(|problem| Difference { object: format!("nftables table {}", table.name), problem: problem.into() }),
    );
    for setting in &wanted.settings {
        let KernelSetting { path, value, .. } = setting;
        if let Some(found) = read(setting)?.filter(|found| is_to_be_written(setting, found)) {
            differences.push(Difference { object: path.clone(), problem: format!("it is {found}, not {value}") });
        }
    }
    let as_message = |Difference { object, problem }| NetworkDifference { object, problem };
    Ok(CheckNetworkResult { differences: differences.into_iter().map(as_message).collect() })
}

pub fn remove(request: &RemoveNetwork) -> Result<(), HelperError> {
    let name = InterfaceName::parse(&request.bridge)?;
    let owner = alias(&request.bridge_alias)?;
    Netlink::open()?.delete_bridge(&BridgeConfig { name, owner, gateways: Vec::new(), mtu: 0, ports: Vec::new() })?;
    sys::failpoint!("helper: deleted bridge");
    netlink::delete_table(&InterfaceName::parse(&request.nft_table)?)?;
    sys::failpoint!("helper: deleted table");
    request.settings.iter().try_for_each(write)
}

fn parse(request: &EnsureNetwork) -> Result<(BridgeConfig, TableConfig), HelperError> {
    let gateways = request.gateway_prefixes.iter().map(|text| Prefix::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let ports = request.host_interfaces.iter().map(|text| InterfaceName::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let table = TableConfig {
        name: InterfaceName::parse(&request.nft_table)?,
        subnets: gateways.iter().map(|gateway| gateway.network()).collect(),
        masquerade: request.masquerade,
    };
    let bridge = BridgeConfig {
        name: InterfaceName::parse(&request.bridge)?,
        owner: alias(&request.bridge_alias)?,
        gateways,
        mtu: mtu(request.mtu),
        ports,
    };
    Ok((bridge, table))
}

pub fn mtu(wanted: u32) -> u32 {
    if wanted == 0 { DEFAULT_MTU } else { wanted }
}

/// A bridge without one would be anybody's.
fn alias(text: &str) -> Result<String, HelperError> {
    if text.is_empty() || text.len() > MAX_ALIAS_BYTES {
        let value = text.chars().take(MAX_ALIAS_BYTES).collect();
        return Err(HelperError::Argument { doing: "read alias of bridge", value, why: "it is not 1 to 64 bytes" });
    }
    Ok(text.to_owned())
}

fn write(setting: &KernelSetting) -> Result<(), HelperError> {
    // Writing it, even its own value, resets other settings of the kernel, so only a change is written.
    let Some(found) = read(setting)? else { return Ok(()) };
    if !is_to_be_written(setting, &found) {
        return Ok(());
    }
    let KernelSetting { path, value, .. } = setting;
    fs::write(format!("/proc/sys/{path}"), value)
        .map_err(|source| HelperError::io(format!("write {value} to /proc/sys/{path}"), source))
}

fn is_to_be_written(setting: &KernelSetting, found: &str) -> bool {
    found != setting.value && (setting.instead_of.is_empty() || found == setting.instead_of)
}

/// `None` where its interface is gone.
fn read(setting: &KernelSetting) -> Result<Option<String>, HelperError> {
    let KernelSetting { path, value, .. } = setting;
    let known = match path.split('/').collect::<Vec<_>>()[..] {
        ["net", "ipv4", "ip_forward"] => true,
        ["net", "ipv6", "conf", interface, "forwarding" | "accept_ra"] => InterfaceName::parse(interface).is_ok(),
        _ => false,
    };
    if !known || !matches!(value.as_str(), "0" | "1" | "2") {
        let value = format!("{path} = {value}").chars().take(128).collect();
        return Err(HelperError::Argument { doing: "set kernel setting", value, why: "it is none of a network's" });
    }
    match fs::read_to_string(format!("/proc/sys/{path}")) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(failure) => Err(HelperError::io(format!("read /proc/sys/{path}"), failure)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(path: &str, value: &str, instead_of: &str) -> KernelSetting {
        KernelSetting { path: path.into(), value: value.into(), instead_of: instead_of.into() }
    }

    #[test]
    fn settings_that_are_none_of_a_network_are_refused() {
        for (path, value) in [
            ("kernel/panic", "1"),
            ("net/ipv4/ip_forward/../../../kernel/panic", "1"),
            ("net/ipv6/conf/../accept_ra", "1"),
            ("net/ipv6/conf/a/b/accept_ra", "1"),
            ("net/ipv6/conf/eth0/mtu", "1"),
            ("net/ipv4/ip_forward", "1\n"),
        ] {
            assert!(read(&setting(path, value, "")).is_err(), "{path} = {value}");
        }
        assert_eq!(read(&setting("net/ipv6/conf/no-such-link/accept_ra", "1", "")).expect("read"), None);
    }

    #[test]
    fn a_setting_is_written_over_the_value_that_was_ours_only() {
        assert!(is_to_be_written(&setting("", "1", ""), "0"));
        assert!(!is_to_be_written(&setting("", "1", ""), "1"));
        assert!(is_to_be_written(&setting("", "1", "2"), "2"));
        assert!(!is_to_be_written(&setting("", "1", "2"), "0"), "somebody has turned it off since");
    }
}
