//! Routes: a pod's own, and those of the node that a subnet must not collide with.

use crate::{Netlink, NetlinkError, Prefix};
use netlink_packet_core::NLM_F_CREATE;
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    link::LinkAttribute,
    route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType},
};
use std::net::IpAddr;

// linux/rtnetlink.h: the table of the node's own addresses.
const TABLE_LOCAL: u8 = 255;

/// A route of the node that has something in common with a subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    pub route: Prefix,
    pub gateway: Option<IpAddr>,
    /// index of the link; `None` for a route that leads nowhere
    pub link: Option<u32>,
}

impl Overlap {
    /// A wider route by a gateway goes on for all that is not ours. Any other would take pods' packets from us, or has
    /// neighbours with pods' addresses.
    pub fn is_conflict(&self, subnet: Prefix) -> bool {
        self.route.length >= subnet.length || self.gateway.is_none()
    }
}

impl Netlink {
    pub fn add_default_route(&mut self, index: u32, gateway: IpAddr) -> Result<(), NetlinkError> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(gateway);
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Static;
        message.header.scope = RouteScope::Universe;
        message.header.kind = RouteType::Unicast;
        message.attributes.push(RouteAttribute::Gateway(gateway.into()));
        message.attributes.push(RouteAttribute::Oif(index));
        self.change(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE, format!("add default route by {gateway}"))
    }

    /// The node's routes and addresses that share something with the subnet, but for the default routes and those by `own`.
    pub fn overlaps(&mut self, subnet: Prefix, own: Option<u32>) -> Result<Vec<Overlap>, NetlinkError> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(subnet.address);
        let all = self.dump(RouteNetlinkMessage::GetRoute(message), "list routes")?;
        Ok(all
            .iter()
            .filter_map(|message| if let RouteNetlinkMessage::NewRoute(route) = message { Some(route) } else { None })
            .filter(|route| matches!(route.header.table, RouteHeader::RT_TABLE_MAIN | TABLE_LOCAL))
            .filter_map(overlap)
            .filter(|each| each.route.length > 0 && each.route.overlaps(subnet) && (own.is_none() || each.link != own))
            .collect())
    }

    pub(crate) fn link_name(&mut self, index: u32) -> Result<String, NetlinkError> {
        let name = self.list_links()?.into_iter().find(|link| link.header.index == index).and_then(|link| {
            link.attributes
                .into_iter()
                .find_map(|each| if let LinkAttribute::IfName(name) = each { Some(name) } else { None })
        });
        Ok(name.unwrap_or_else(|| format!("link {index}")))
    }
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet }
}

fn overlap(message: &RouteMessage) -> Option<Overlap> {
    let (mut destination, mut gateway, mut link) = (None, None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => destination = ip(address),
            RouteAttribute::Gateway(address) => gateway = ip(address),
            RouteAttribute::Oif(index) => link = Some(*index),
            // The hops of a route with several; which does not matter here.
            RouteAttribute::MultiPath(hops) => {
                link = hops.first().map(|hop| hop.interface_index);
                gateway = hops.iter().flat_map(|hop| &hop.attributes).find_map(|each| match each {
                    RouteAttribute::Gateway(address) => ip(address),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    Some(Overlap {
        route: Prefix { address: destination?, length: message.header.destination_prefix_length },
        gateway,
        link,
    })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlap(route: &str, gateway: Option<&str>) -> Overlap {
        Overlap {
            route: Prefix::parse(route).expect("prefix"),
            gateway: gateway.map(|text| text.parse().expect("address")),
            link: Some(2),
        }
    }

    #[test]
    fn a_wider_route_by_a_gateway_is_in_nobodys_way_and_any_other_is() {
        let subnet = Prefix::parse("10.88.0.1/16").expect("prefix");
        assert!(!overlap("10.0.0.0/8", Some("192.0.2.1")).is_conflict(subnet));
        assert!(overlap("10.0.0.0/8", None).is_conflict(subnet), "neighbours on the same cable");
        assert!(overlap("10.88.0.0/16", Some("192.0.2.1")).is_conflict(subnet));
        assert!(overlap("10.88.7.0/24", Some("192.0.2.1")).is_conflict(subnet));
    }

    #[test]
    fn the_loopback_subnet_collides_with_loopback() {
        let subnet = Prefix::parse("127.88.0.1/16").expect("prefix");
        let mut netlink = Netlink::open().expect("socket");
        let lo = netlink.link_index(&crate::InterfaceName::parse("lo").expect("name")).expect("lo");
        netlink.set_up(lo, None, "bring loopback up").expect("up");
        let found = netlink.overlaps(subnet, None).expect("routes");
        assert!(found.iter().any(|each| each.is_conflict(subnet) && each.link == Some(lo)), "{found:?}");
        assert_eq!(netlink.overlaps(subnet, Some(lo)).expect("routes"), []);
    }
}
