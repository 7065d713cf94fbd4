//! Links: finding, making, putting on a bridge, taking away.

use crate::{InterfaceName, Netlink, NetlinkError};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{
        InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo,
        LinkMessage,
    },
};
use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

impl Netlink {
    /// `None` when there is no such link.
    pub fn find_link(&mut self, name: &InterfaceName) -> Result<Option<LinkMessage>, NetlinkError> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.as_str().into()));
        let doing = format!("find link {name}");
        match self.ask(RouteNetlinkMessage::GetLink(message), 0, &doing) {
            Ok(Some(RouteNetlinkMessage::NewLink(link))) => Ok(Some(link)),
            Ok(_) => Err(NetlinkError::Answer { doing }),
            Err(failure) if is_no_device(&failure) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The index of a link that must be there.
    pub fn link_index(&mut self, name: &InterfaceName) -> Result<u32, NetlinkError> {
        let missing = || NetlinkError::io(format!("find link {name}"), io::Error::from(io::ErrorKind::NotFound));
        Ok(self.find_link(name)?.ok_or_else(missing)?.header.index)
    }

    /// All links of the namespace.
    pub fn list_links(&mut self) -> Result<Vec<LinkMessage>, NetlinkError> {
        let all = self.dump(RouteNetlinkMessage::GetLink(LinkMessage::default()), "list links")?;
        Ok(all
            .into_iter()
            .filter_map(|message| if let RouteNetlinkMessage::NewLink(link) = message { Some(link) } else { None })
            .collect())
    }

    /// Makes a veth pair: `host` here, on the bridge and up, `peer` in the other namespace, down.
    pub fn create_veth(
        &mut self,
        host: &InterfaceName,
        peer: &InterfaceName,
        namespace: BorrowedFd,
        bridge: &InterfaceName,
        mtu: u32,
        alias: &str,
    ) -> Result<(), NetlinkError> {
        let mut other = LinkMessage::default();
        other.attributes.push(LinkAttribute::IfName(peer.as_str().into()));
        other.attributes.push(LinkAttribute::NetNsFd(namespace.as_raw_fd()));
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(host.as_str().into()));
        if mtu > 0 {
            message.attributes.push(LinkAttribute::Mtu(mtu));
            other.attributes.push(LinkAttribute::Mtu(mtu));
        }
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(other))),
        ]));
        self.change(
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
            format!("make veth pair {host}"),
        )?;
        let (index, bridge) = (self.link_index(host)?, self.link_index(bridge)?);
        if !alias.is_empty() {
            self.set_attribute(index, LinkAttribute::IfAlias(alias.into()), format!("name {host} as ours"))?;
        }
        self.put_on_bridge(host.as_str(), index, bridge)
    }

    /// Up too.
    pub(crate) fn put_on_bridge(&mut self, name: &str, index: u32, bridge: u32) -> Result<(), NetlinkError> {
        self.set_up(index, Some(bridge), &format!("put {name} on its bridge"))?;
        // A pod may reach itself through an address of the node; the port must send back what came from it.
        let mut hairpin = LinkMessage::default();
        hairpin.header.index = index;
        hairpin.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::PortKind(InfoPortKind::Bridge),
            LinkInfo::PortData(InfoPortData::BridgePort(vec![InfoBridgePort::HairpinMode(true)])),
        ]));
        self.change(RouteNetlinkMessage::NewLink(hairpin), 0, format!("let {name} send back"))
    }

    pub fn set_up(&mut self, index: u32, master: Option<u32>, doing: &str) -> Result<(), NetlinkError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        if let Some(master) = master {
            message.attributes.push(LinkAttribute::Controller(master));
        }
        self.change(RouteNetlinkMessage::NewLink(message), 0, doing.to_owned())
    }

    pub(crate) fn set_attribute(
        &mut self,
        index: u32,
        attribute: LinkAttribute,
        doing: String,
    ) -> Result<(), NetlinkError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.attributes.push(attribute);
        self.change(RouteNetlinkMessage::NewLink(message), 0, doing)
    }

    /// A link that is not there is fine.
    pub fn delete_link(&mut self, name: &InterfaceName) -> Result<(), NetlinkError> {
        let Some(link) = self.find_link(name)? else { return Ok(()) };
        let mut message = LinkMessage::default();
        message.header.index = link.header.index;
        match self.change(RouteNetlinkMessage::DelLink(message), 0, format!("delete link {name}")) {
            // Its namespace ended meanwhile, and took it along.
            Err(failure) if is_no_device(&failure) => Ok(()),
            other => other,
        }
    }
}

fn is_no_device(failure: &NetlinkError) -> bool {
    matches!(failure, NetlinkError::Io { source, .. }
        if source.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error()))
}
