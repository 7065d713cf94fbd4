//! Addresses of links.

use crate::{Netlink, NetlinkError, Prefix};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope},
};
use std::net::IpAddr;

impl Netlink {
    /// An address that is there already is fine. It can be used at once: we know that nobody else has it, so IPv6 need not look
    /// for a second for somebody who does.
    pub fn add_address(&mut self, index: u32, prefix: Prefix) -> Result<(), NetlinkError> {
        let mut message = AddressMessage::default();
        message.header.family = if prefix.address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
        message.header.prefix_len = prefix.length;
        message.header.index = index;
        message.attributes.push(AddressAttribute::Local(prefix.address));
        message.attributes.push(AddressAttribute::Address(prefix.address));
        if prefix.address.is_ipv6() {
            message.header.flags = AddressHeaderFlags::Nodad;
        }
        match self.change(
            RouteNetlinkMessage::NewAddress(message),
            NLM_F_CREATE | NLM_F_EXCL,
            format!("add address {prefix}"),
        ) {
            Err(failure) if failure.kind() == wire::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }

    /// What other hosts may know the link by: without those that the kernel gives each link for itself.
    pub(crate) fn global_addresses(&mut self, index: u32) -> Result<Vec<Prefix>, NetlinkError> {
        let all = self.dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()), "list addresses")?;
        Ok(all.into_iter().filter_map(|message| global_address(&message, index)).collect())
    }
}

fn global_address(message: &RouteNetlinkMessage, index: u32) -> Option<Prefix> {
    let RouteNetlinkMessage::NewAddress(message) = message else { return None };
    if message.header.index != index || message.header.scope != AddressScope::Universe {
        return None;
    }
    let find = |wanted: fn(&AddressAttribute) -> Option<IpAddr>| message.attributes.iter().find_map(wanted);
    // IPv6 has no local address beside the one of the link.
    let local = find(|each| if let AddressAttribute::Local(address) = each { Some(*address) } else { None });
    let address = local
        .or_else(|| find(|each| if let AddressAttribute::Address(address) = each { Some(*address) } else { None }));
    Some(Prefix { address: address?, length: message.header.prefix_len })
}
