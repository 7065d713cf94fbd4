//! One rtnetlink socket and the few requests that Berth makes.

use crate::{InterfaceName, NetlinkError, Prefix};
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{
        InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo,
        LinkMessage,
    },
    route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    os::fd::{AsRawFd, BorrowedFd},
};

/// Belongs to the network namespace of the thread that opened it, for ever.
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    pub fn open() -> Result<Self, NetlinkError> {
        let failed = |source| NetlinkError::io("open netlink socket", source);
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(failed)?;
        socket.bind_auto().map_err(failed)?;
        socket.connect(&SocketAddr::new(0, 0)).map_err(failed)?;
        Ok(Self { socket, sequence: 0 })
    }

    /// `None` when there is no such link.
    pub fn find_link(&mut self, name: &InterfaceName) -> Result<Option<LinkMessage>, NetlinkError> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.as_str().into()));
        let doing = format!("find link {name}");
        match self.ask(RouteNetlinkMessage::GetLink(message), 0, &doing) {
            Ok(Some(RouteNetlinkMessage::NewLink(link))) => Ok(Some(link)),
            Ok(_) => Err(NetlinkError::Answer { doing }),
            Err(NetlinkError::Io { source, .. })
                if source.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error()) =>
            {
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    /// The index of a link that must be there.
    pub fn link_index(&mut self, name: &InterfaceName) -> Result<u32, NetlinkError> {
        let missing = || NetlinkError::io(format!("find link {name}"), io::Error::from(io::ErrorKind::NotFound));
        Ok(self.find_link(name)?.ok_or_else(missing)?.header.index)
    }

    /// Makes the bridge with its address, or mends what is missing of it.
    pub fn ensure_bridge(&mut self, name: &InterfaceName, gateway: Prefix, mtu: u32) -> Result<(), NetlinkError> {
        if self.find_link(name)?.is_none() {
            let mut message = LinkMessage::default();
            message.attributes.push(LinkAttribute::IfName(name.as_str().into()));
            message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]));
            // Without this the bridge takes the lowest address of its ports, which changes as pods come and go.
            message.attributes.push(LinkAttribute::Address(bridge_mac(gateway.address)));
            if mtu > 0 {
                message.attributes.push(LinkAttribute::Mtu(mtu));
            }
            self.change(
                RouteNetlinkMessage::NewLink(message),
                NLM_F_CREATE | NLM_F_EXCL,
                format!("make bridge {name}"),
            )?;
        }
        let index = self.link_index(name)?;
        self.add_address(index, gateway)?;
        self.set_up(index, None, &format!("bring bridge {name} up"))
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
            let mut named = LinkMessage::default();
            named.header.index = index;
            named.attributes.push(LinkAttribute::IfAlias(alias.into()));
            self.change(RouteNetlinkMessage::NewLink(named), 0, format!("name {host} as ours"))?;
        }
        self.set_up(index, Some(bridge), &format!("put {host} on its bridge"))?;
        // A pod may reach itself through an address of the node; the port must send back what came from it.
        let mut hairpin = LinkMessage::default();
        hairpin.header.index = index;
        hairpin.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::PortKind(InfoPortKind::Bridge),
            LinkInfo::PortData(InfoPortData::BridgePort(vec![InfoBridgePort::HairpinMode(true)])),
        ]));
        self.change(RouteNetlinkMessage::NewLink(hairpin), 0, format!("let {host} send back"))
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

    /// An address that is there already is fine.
    pub fn add_address(&mut self, index: u32, prefix: Prefix) -> Result<(), NetlinkError> {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.prefix_len = prefix.length;
        message.header.index = index;
        message.attributes.push(AddressAttribute::Local(IpAddr::V4(prefix.address)));
        message.attributes.push(AddressAttribute::Address(IpAddr::V4(prefix.address)));
        let doing = format!("add address {}/{}", prefix.address, prefix.length);
        match self.change(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL, doing) {
            Err(failure) if failure.kind() == wire::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }

    pub fn add_default_route(&mut self, index: u32, gateway: Ipv4Addr) -> Result<(), NetlinkError> {
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet;
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Static;
        message.header.scope = RouteScope::Universe;
        message.header.kind = RouteType::Unicast;
        message.attributes.push(RouteAttribute::Gateway(RouteAddress::Inet(gateway)));
        message.attributes.push(RouteAttribute::Oif(index));
        self.change(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE, format!("add default route by {gateway}"))
    }

    /// A link that is not there is fine.
    pub fn delete_link(&mut self, name: &InterfaceName) -> Result<(), NetlinkError> {
        let Some(link) = self.find_link(name)? else { return Ok(()) };
        let mut message = LinkMessage::default();
        message.header.index = link.header.index;
        match self.change(RouteNetlinkMessage::DelLink(message), 0, format!("delete link {name}")) {
            // Its namespace ended meanwhile, and took it along.
            Err(NetlinkError::Io { source, .. })
                if source.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error()) =>
            {
                Ok(())
            }
            other => other,
        }
    }

    /// All links of the namespace, at most so many, in no order.
    pub fn list_links(&mut self, most: usize) -> Result<Vec<LinkMessage>, NetlinkError> {
        let doing = "list links";
        self.send(RouteNetlinkMessage::GetLink(LinkMessage::default()), NLM_F_DUMP, doing)?;
        let mut links = Vec::new();
        loop {
            let (bytes, _) = self.socket.recv_from_full().map_err(|source| NetlinkError::io(doing, source))?;
            let unreadable = || NetlinkError::Answer { doing: doing.into() };
            // One datagram holds several messages of the list.
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).map_err(|_| unreadable())?;
                let length = usize::try_from(message.header.length).map_err(|_| unreadable())?.next_multiple_of(4);
                rest = rest.get(length.max(1)..).unwrap_or_default();
                if message.header.sequence_number != self.sequence {
                    continue;
                }
                match message.payload {
                    NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) if links.len() < most => {
                        links.push(link);
                    }
                    NetlinkPayload::InnerMessage(_) => {}
                    NetlinkPayload::Done(_) => return Ok(links),
                    NetlinkPayload::Error(error) => return Err(NetlinkError::io(doing, error.to_io())),
                    _ => return Err(unreadable()),
                }
            }
        }
    }

    fn change(&mut self, message: RouteNetlinkMessage, flags: u16, doing: String) -> Result<(), NetlinkError> {
        self.ask(message, NLM_F_ACK | flags, &doing).map(drop)
    }

    fn send(&mut self, message: RouteNetlinkMessage, flags: u16, doing: &str) -> Result<(), NetlinkError> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map_err(|source| NetlinkError::io(doing, source))?;
        Ok(())
    }

    /// Sends one request and waits for its answer: a message, or an acknowledgement (`None`).
    fn ask(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
        doing: &str,
    ) -> Result<Option<RouteNetlinkMessage>, NetlinkError> {
        self.send(message, flags, doing)?;
        let failed = |source| NetlinkError::io(doing, source);
        loop {
            let (answer, _) = self.socket.recv_from_full().map_err(failed)?;
            let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer)
                .map_err(|_| NetlinkError::Answer { doing: doing.into() })?;
            // What is left of an earlier request that was given up.
            if answer.header.sequence_number != self.sequence {
                continue;
            }
            return match answer.payload {
                NetlinkPayload::InnerMessage(message) => Ok(Some(message)),
                NetlinkPayload::Error(error) => match error.code {
                    None => Ok(None),
                    Some(_) => Err(failed(error.to_io())),
                },
                _ => Err(NetlinkError::Answer { doing: doing.into() }),
            };
        }
    }
}

/// A locally administered address made from the gateway's, so that it is the same after every start.
fn bridge_mac(gateway: Ipv4Addr) -> Vec<u8> {
    [[0x0a, 0x58].as_slice(), gateway.octets().as_slice()].concat()
}
