//! Routes: a pod's own, and those of the node that a subnet must not collide with.

use crate::{Netlink, NetlinkError, Prefix};
use netlink_packet_core::NLM_F_CREATE;
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    link::{LinkAttribute, LinkFlags},
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
    /// A route that is not wider would take pods' packets from us, and a wider one on a cable has neighbours with pods'
    /// addresses. Any other wider one goes on for all that is not ours.
    pub fn is_conflict(&self, subnet: Prefix, on_cable: bool) -> bool {
        self.route.length >= subnet.length || self.gateway.is_none() && on_cable
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

    /// The node's routes and addresses that share something with the subnet, the widest first, but for the default routes and
    /// those by `own`.
    pub fn overlaps(&mut self, subnet: Prefix, own: Option<u32>) -> Result<Vec<Overlap>, NetlinkError> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(subnet.address);
        let all = self.dump(RouteNetlinkMessage::GetRoute(message), "list routes")?;
        let mut found: Vec<Overlap> = all
            .iter()
            .filter_map(|message| if let RouteNetlinkMessage::NewRoute(route) = message { Some(route) } else { None })
            .filter(|route| matches!(route.header.table, RouteHeader::RT_TABLE_MAIN | TABLE_LOCAL))
            .filter_map(overlap)
            .filter(|each| each.route.length > 0 && each.route.overlaps(subnet) && (own.is_none() || each.link != own))
            .collect();
        found.sort_by_key(|each| each.route.length);
        Ok(found)
    }

    /// A link's name, and whether it has neighbours.
    pub(crate) fn cable(&mut self, index: u32) -> Result<(String, bool), NetlinkError> {
        let Some(link) = self.list_links()?.into_iter().find(|link| link.header.index == index) else {
            return Ok((format!("link {index}"), false));
        };
        let on_cable = !link.header.flags.intersects(LinkFlags::Pointopoint | LinkFlags::Noarp);
        let name = link
            .attributes
            .into_iter()
            .find_map(|each| if let LinkAttribute::IfName(name) = each { Some(name) } else { None });
        Ok((name.unwrap_or_default(), on_cable))
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
    if !matches!(message.header.kind, RouteType::Unicast | RouteType::Local | RouteType::Broadcast | RouteType::Anycast)
    {
        // Of IPv6 they name loopback.
        link = None;
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
    fn a_wider_route_by_a_gateway_or_a_tunnel_is_in_nobodys_way_and_any_other_is() {
        let subnet = Prefix::parse("10.88.0.1/16").expect("prefix");
        assert!(!overlap("10.0.0.0/8", Some("192.0.2.1")).is_conflict(subnet, true));
        assert!(!overlap("10.0.0.0/8", None).is_conflict(subnet, false), "a tunnel, or nowhere");
        assert!(overlap("10.0.0.0/8", None).is_conflict(subnet, true), "neighbours on the same cable");
        assert!(overlap("10.88.0.0/16", Some("192.0.2.1")).is_conflict(subnet, true));
        assert!(overlap("10.88.7.0/24", None).is_conflict(subnet, false));
    }

    #[test]
    fn the_loopback_subnet_collides_with_loopback() {
        let subnet = Prefix::parse("127.88.0.1/16").expect("prefix");
        let mut netlink = Netlink::open().expect("socket");
        let lo = netlink.link_index(&crate::InterfaceName::parse("lo").expect("name")).expect("lo");
        netlink.set_up(lo, None, "bring loopback up").expect("up");
        let found = netlink.overlaps(subnet, None).expect("routes");
        assert!(found.iter().any(|each| each.is_conflict(subnet, true) && each.link == Some(lo)), "{found:?}");
        assert_eq!(netlink.overlaps(subnet, Some(lo)).expect("routes"), []);
    }
}
