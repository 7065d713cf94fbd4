//! The bridge of a network: whose it is, what it should be like, and what of that is missing.

use crate::{InterfaceName, Netlink, NetlinkError, Prefix, setting};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
};
use std::{collections::HashSet, net::IpAddr};

pub struct BridgeConfig {
    pub name: InterfaceName,
    /// The alias that says whose it is, "berth:1a2b3c4d".
    pub owner: String,
    /// its own addresses, one of each family of pods
    pub gateways: Vec<Prefix>,
    pub mtu: u32,
    /// the node's ends of the pods that are on it; one that is not there is passed over
    pub ports: Vec<InterfaceName>,
}

/// A part of the network that is not as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub object: String,
    /// "it is down"
    pub problem: String,
}

impl Netlink {
    /// Makes the bridge, or mends what is missing of it, and puts the pods on it that are not. Gives warnings.
    pub fn ensure_bridge(&mut self, config: &BridgeConfig) -> Result<Vec<String>, NetlinkError> {
        let BridgeConfig { name, gateways, mtu, .. } = config;
        if gateways.iter().any(|gateway| gateway.address.is_ipv6()) && !setting::has_ipv6() {
            return Err(NetlinkError::NoIpv6);
        }
        let found = self.find_link(name)?;
        if let Some(problem) = found.as_ref().and_then(|link| foreign(config, link)) {
            return Err(NetlinkError::Foreign { name: name.to_string(), problem });
        }
        let warnings = self.check_overlaps(config, found.as_ref().map(|link| link.header.index))?;
        let link = match found {
            Some(link) => link,
            None => self.create_bridge(config)?,
        };
        let index = link.header.index;
        let seen = Seen::of(&link);
        if seen.alias != config.owner {
            // Not with its making, where the kernel passes it over.
            let alias = LinkAttribute::IfAlias(config.owner.clone());
            self.set_attribute(index, alias, format!("mark bridge {name} as ours"))?;
        }
        if seen.mtu != *mtu {
            self.set_attribute(index, LinkAttribute::Mtu(*mtu), format!("set the MTU of bridge {name} to {mtu}"))?;
        }
        // A pod could make itself the node's router otherwise. The node's own address there need not wait for a first pod to be usable.
        for (file, value) in [("accept_ra", "0"), ("accept_dad", "0")] {
            setting::write_ipv6(name, file, value)?;
        }
        if gateways.iter().any(|gateway| gateway.address.is_ipv6()) {
            setting::write_ipv6(name, "disable_ipv6", "0")?;
        }
        let there = self.global_addresses(index)?;
        for gateway in gateways.iter().filter(|gateway| !there.contains(gateway)) {
            self.add_address(index, *gateway)?;
        }
        self.set_up(index, None, &format!("bring bridge {name} up"))?;
        for (port, link) in self.strayed_ports(config, index)? {
            self.put_on_bridge(&port, link, index)?;
        }
        Ok(warnings)
    }

    /// What differs from what `ensure_bridge` makes. Changes nothing.
    pub fn check_bridge(&mut self, config: &BridgeConfig) -> Result<Vec<Difference>, NetlinkError> {
        let BridgeConfig { name, gateways, mtu, .. } = config;
        let bridge = |problem: String| Difference { object: format!("bridge {name}"), problem };
        let Some(link) = self.find_link(name)? else { return Ok(vec![bridge("it is not there".into())]) };
        if let Some(problem) = foreign(config, &link) {
            return Ok(vec![bridge(format!("it {problem}"))]);
        }
        let (index, seen) = (link.header.index, Seen::of(&link));
        let mut problems = Vec::new();
        if seen.alias != config.owner {
            problems.push("it is not marked as ours".into());
        }
        if !link.header.flags.contains(LinkFlags::Up) {
            problems.push("it is down".into());
        }
        if seen.mtu != *mtu {
            problems.push(format!("it has an MTU of {}, not {mtu}", seen.mtu));
        }
        let there = self.global_addresses(index)?;
        let missing = gateways.iter().filter(|gateway| !there.contains(gateway));
        problems.extend(missing.map(|gateway| format!("it is without its address {gateway}")));
        let strayed = self.strayed_ports(config, index)?.into_iter();
        let strayed =
            strayed.map(|(port, _)| Difference { object: port, problem: format!("it is not on bridge {name}") });
        Ok(problems.into_iter().map(bridge).chain(strayed).collect())
    }

    /// One that is not there is fine, and one that is not ours stays.
    pub fn delete_bridge(&mut self, config: &BridgeConfig) -> Result<(), NetlinkError> {
        match self.find_link(&config.name)? {
            Some(link) if foreign(config, &link).is_none() => self.delete_link(&config.name),
            _ => Ok(()),
        }
    }

    fn create_bridge(&mut self, config: &BridgeConfig) -> Result<LinkMessage, NetlinkError> {
        let BridgeConfig { name, owner, mtu, .. } = config;
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.as_str().into()));
        message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]));
        // Without this the bridge takes the lowest address of its ports, which changes as pods come and go. And it says whose the
        // bridge is from its first moment on.
        message.attributes.push(LinkAttribute::Address(mac_of(owner)));
        message.attributes.push(LinkAttribute::Mtu(*mtu));
        let doing = format!("make bridge {name}");
        self.change(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL, doing.clone())?;
        self.find_link(name)?.ok_or_else(|| NetlinkError::io(doing, std::io::ErrorKind::NotFound))
    }

    /// Wider routes by a gateway are told of: what is ours is not reached by them any more.
    fn check_overlaps(&mut self, config: &BridgeConfig, own: Option<u32>) -> Result<Vec<String>, NetlinkError> {
        let mut warnings = Vec::new();
        for gateway in &config.gateways {
            let subnet = gateway.network();
            for overlap in self.overlaps(subnet, own)? {
                let by = overlap.gateway.map(|gateway| format!(" by {gateway}")).unwrap_or_default();
                let (of, on_cable) = match overlap.link {
                    Some(index) => self.cable(index).map(|(name, on_cable)| (format!(" of {name}"), on_cable))?,
                    None => (String::new(), false),
                };
                let route = format!("{}{by}{of}", overlap.route);
                if overlap.is_conflict(subnet, on_cable) {
                    return Err(NetlinkError::Overlap { subnet, route });
                }
                warnings.push(format!("the route {route} does not lead to {subnet} any more: that is the pods'"));
            }
        }
        Ok(warnings)
    }

    /// Ports that are there and not on the bridge, with their indexes.
    fn strayed_ports(&mut self, config: &BridgeConfig, bridge: u32) -> Result<Vec<(String, u32)>, NetlinkError> {
        if config.ports.is_empty() {
            return Ok(Vec::new());
        }
        let links = self.list_links()?;
        let ports: HashSet<&str> = config.ports.iter().map(InterfaceName::as_str).collect();
        Ok(links
            .iter()
            .map(|link| (link.header.index, Seen::of(link)))
            .filter(|(_, seen)| seen.master != bridge && ports.contains(seen.name.as_str()))
            .map(|(index, seen)| (seen.name, index))
            .collect())
    }
}

/// What the kernel says of a link, as far as it matters here.
#[derive(Default)]
struct Seen {
    name: String,
    alias: String,
    mac: Vec<u8>,
    mtu: u32,
    /// 0 for none
    master: u32,
    is_bridge: bool,
}

impl Seen {
    fn of(link: &LinkMessage) -> Self {
        let mut seen = Self::default();
        for attribute in &link.attributes {
            match attribute {
                LinkAttribute::IfName(name) => seen.name.clone_from(name),
                LinkAttribute::IfAlias(alias) => seen.alias.clone_from(alias),
                LinkAttribute::Address(mac) => seen.mac.clone_from(mac),
                LinkAttribute::Mtu(mtu) => seen.mtu = *mtu,
                LinkAttribute::Controller(master) => seen.master = *master,
                LinkAttribute::LinkInfo(info) => {
                    seen.is_bridge = info.contains(&LinkInfo::Kind(InfoKind::Bridge));
                }
                _ => {}
            }
        }
        seen
    }
}

/// Why the link is not this node's bridge; `None` when it is.
fn foreign(config: &BridgeConfig, link: &LinkMessage) -> Option<String> {
    let seen = Seen::of(link);
    if !seen.is_bridge {
        return Some("is no bridge, and not ours".into());
    }
    if seen.alias == config.owner {
        return None;
    }
    if !seen.alias.is_empty() {
        let whose = if seen.alias.starts_with(OWNER_START) { "another Berth on this machine" } else { "somebody else" };
        return Some(format!("is the bridge of {whose}: its alias is {:?}", seen.alias));
    }
    // One without a mark that a crash left behind, or an older version.
    let older = config.gateways.iter().filter_map(|gateway| match gateway.address {
        IpAddr::V4(address) => Some(mac(address.octets())),
        IpAddr::V6(_) => None,
    });
    let is_ours = seen.mac == mac_of(&config.owner) || older.into_iter().any(|mac| mac == seen.mac);
    (!is_ours).then(|| "is a bridge, and not ours".into())
}

const OWNER_START: &str = "berth:";

/// FNV-1a: the same at every start, and another one for another owner.
fn mac_of(owner: &str) -> Vec<u8> {
    let hash = owner.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    mac(hash.to_be_bytes())
}

/// Locally administered.
fn mac(last: [u8; 4]) -> Vec<u8> {
    [[0x0a, 0x58].as_slice(), &last].concat()
}
