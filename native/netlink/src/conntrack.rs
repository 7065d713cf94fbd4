//! Flows that the kernel remembers, over ctnetlink. UDP has no end of a connection: a client that goes on sending keeps its
//! flow alive, and the flow keeps the address that it was translated to when it began.

use crate::{HostPort, NetlinkError, Protocol};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use std::{
    collections::HashMap,
    io,
    net::{IpAddr, UdpSocket},
};

// linux/netfilter/nfnetlink.h and nfnetlink_conntrack.h
const GET: u16 = 1 << 8 | 1;
const DELETE: u16 = 1 << 8 | 2;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;
const CTA_FILTER: u16 = 25;
const CTA_FILTER_ORIG_FLAGS: u16 = 1;
const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_IP_V4_DST: u16 = 2;
const CTA_IP_V6_DST: u16 = 4;
const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_DST_PORT: u16 = 3;
// net/netfilter/nf_internals.h: bits of CTA_FILTER_ORIG_FLAGS. Kernels before 5.8 know none, and list everything.
const BY_PROTOCOL: u32 = 1 << 3;
const BY_DESTINATION_PORT: u32 = 1 << 5;
// linux/netlink.h
const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const DUMP: u16 = 0x300;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const NESTED: u16 = 1 << 15;
const KIND_MASK: u16 = 0x3fff;
const HEADER_BYTES: usize = 16;
/// nfgenmsg, after the header: family, version, and an id that has no meaning here.
const FAMILY_BYTES: usize = 4;

const UDP: u8 = 17;

/// Forgets the UDP flows to these ports, so that the next packet of each is translated as the table says now.
pub fn forget_udp_flows(ports: &[HostPort]) -> Result<(), NetlinkError> {
    let udp = || ports.iter().filter(|port| port.protocol == Protocol::Udp && port.is_forwarded());
    [AF_INET, AF_INET6]
        .into_iter()
        .map(|family| (family, udp().filter(|port| (family == AF_INET6) == port.host_ip.is_ipv6()).collect::<Vec<_>>()))
        .try_for_each(|(family, ports)| forget_flows(family, &ports))
        .map_err(|source| NetlinkError::io("forget UDP flows to host ports", source))
}

fn forget_flows(family: u8, ports: &[&HostPort]) -> io::Result<()> {
    // The kernel looks for one port or for all, so that its list is walked once however many there are.
    let only = match ports {
        [] => return Ok(()),
        [port] => Some(port.port),
        _ => None,
    };
    let mut local = LocalAddresses::default();
    let mut is_ours = |flow: &Flow| {
        ports.iter().any(|port| {
            let to_us = if port.host_ip.is_unspecified() { local.contains(flow.to) } else { port.host_ip == flow.to };
            port.port == flow.port && to_us
        })
    };
    let socket = open()?;
    let flows = list(&socket, family, only)?;
    flows.iter().filter(|flow| is_ours(flow)).try_for_each(|flow| forget(&socket, family, flow))
}

/// Where a flow was sent, and how the kernel names it.
#[derive(Debug, PartialEq, Eq)]
struct Flow {
    to: IpAddr,
    port: u16,
    /// attributes of the answer that a request to delete it repeats
    name: Vec<u8>,
}

/// Whether an address is one of the node's own: only then can it be bound.
#[derive(Default)]
struct LocalAddresses {
    asked: HashMap<IpAddr, bool>,
}

impl LocalAddresses {
    fn contains(&mut self, address: IpAddr) -> bool {
        *self.asked.entry(address).or_insert_with(|| UdpSocket::bind((address, 0)).is_ok())
    }
}

fn open() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    Ok(socket)
}

fn list(socket: &Socket, family: u8, port: Option<u16>) -> io::Result<Vec<Flow>> {
    let mut protocol = attribute(CTA_PROTO_NUM, &[UDP]);
    if let Some(port) = port {
        protocol.extend(attribute(CTA_PROTO_DST_PORT, &port.to_be_bytes()));
    }
    let bits = BY_PROTOCOL | if port.is_some() { BY_DESTINATION_PORT } else { 0 };
    let tuple = attribute(CTA_TUPLE_ORIG | NESTED, &attribute(CTA_TUPLE_PROTO | NESTED, &protocol));
    let filter = attribute(CTA_FILTER | NESTED, &attribute(CTA_FILTER_ORIG_FLAGS, &bits.to_ne_bytes()));
    socket.send(&message(family, GET, REQUEST | DUMP, &[tuple, filter].concat()), 0)?;
    let mut flows = Vec::new();
    loop {
        let (datagram, _) = socket.recv_from_full()?;
        for (kind, body) in messages(&datagram) {
            match kind {
                DONE => return Ok(flows),
                ERROR => error_of(body)?,
                _ => flows.extend(flow(body)),
            }
        }
    }
}

fn forget(socket: &Socket, family: u8, flow: &Flow) -> io::Result<()> {
    socket.send(&message(family, DELETE, REQUEST | ACKNOWLEDGE, &flow.name), 0)?;
    loop {
        let (datagram, _) = socket.recv_from_full()?;
        for (kind, body) in messages(&datagram) {
            if kind == ERROR {
                return match error_of(body) {
                    // It ended meanwhile.
                    Err(failure) if failure.kind() == io::ErrorKind::NotFound => Ok(()),
                    other => other,
                };
            }
        }
    }
}

/// `None` for what is no UDP flow.
fn flow(body: &[u8]) -> Option<Flow> {
    let (mut found, mut name) = (None, Vec::new());
    for (kind, value) in attributes(body.get(FAMILY_BYTES..)?) {
        if matches!(kind, CTA_TUPLE_ORIG | CTA_ID | CTA_ZONE) {
            name.extend(attribute(if kind == CTA_TUPLE_ORIG { kind | NESTED } else { kind }, value));
        }
        if kind == CTA_TUPLE_ORIG {
            found = destination(value);
        }
    }
    found.map(|(to, port)| Flow { to, port, name })
}

fn destination(tuple: &[u8]) -> Option<(IpAddr, u16)> {
    let find = |list, wanted| attributes(list).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    let addresses = find(tuple, CTA_TUPLE_IP)?;
    let v4 = || find(addresses, CTA_IP_V4_DST).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).map(IpAddr::from);
    let v6 = || find(addresses, CTA_IP_V6_DST).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok()).map(IpAddr::from);
    let address = v4().or_else(v6)?;
    let protocol = find(tuple, CTA_TUPLE_PROTO)?;
    let port: [u8; 2] = find(protocol, CTA_PROTO_DST_PORT)?.try_into().ok()?;
    (find(protocol, CTA_PROTO_NUM)? == [UDP]).then(|| (address, u16::from_be_bytes(port)))
}

fn message(family: u8, kind: u16, flags: u16, attributes: &[u8]) -> Vec<u8> {
    let bytes = u32::try_from(HEADER_BYTES + FAMILY_BYTES + attributes.len()).unwrap_or(u32::MAX);
    let mut message = bytes.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([0; 8]); // number of the request, and of the sender: one request at a time
    message.extend([family, 0, 0, 0]);
    message.extend(attributes);
    message
}

/// Values here are far shorter than the 65,531 bytes that an attribute holds.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut attribute = u16::try_from(4 + value.len()).unwrap_or(u16::MAX).to_ne_bytes().to_vec();
    attribute.extend(kind.to_ne_bytes());
    attribute.extend(value);
    attribute.resize(attribute.len().next_multiple_of(4), 0);
    attribute
}

/// Kind and body of each message that is whole.
fn messages(datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let bytes = u32::from_ne_bytes(*rest.first_chunk()?) as usize;
        let kind = u16::from_ne_bytes(*rest.get(4..)?.first_chunk()?);
        let body = rest.get(HEADER_BYTES..bytes)?;
        rest = rest.get(bytes.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, body))
    })
}

fn attributes(list: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let bytes = usize::from(u16::from_ne_bytes(*rest.first_chunk()?));
        let kind = u16::from_ne_bytes(*rest.get(2..)?.first_chunk()?) & KIND_MASK;
        let value = rest.get(4..bytes)?;
        rest = rest.get(bytes.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// An error of 0 is the acknowledgement.
fn error_of(body: &[u8]) -> io::Result<()> {
    match body.first_chunk().map(|code| i32::from_ne_bytes(*code)) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(protocol: u8) -> Vec<u8> {
        answer_to(protocol, &attribute(CTA_IP_V4_DST, &[192, 0, 2, 1]))
    }

    fn answer_to(protocol: u8, address: &[u8]) -> Vec<u8> {
        let address = attribute(CTA_TUPLE_IP | NESTED, address);
        let port = [attribute(CTA_PROTO_NUM, &[protocol]), attribute(CTA_PROTO_DST_PORT, &[0, 53])].concat();
        let tuple = [address, attribute(CTA_TUPLE_PROTO | NESTED, &port)].concat();
        let list = [attribute(CTA_TUPLE_ORIG | NESTED, &tuple), attribute(3, &[1; 4]), attribute(CTA_ID, &[7; 4])];
        message(AF_INET, GET, 0, &list.concat())
    }

    #[test]
    fn a_flow_is_named_by_its_tuple_and_its_id() {
        let datagram = [answer(UDP), answer(6), message(AF_INET, DONE, 0, &[])].concat();
        let found: Vec<(u16, Option<Flow>)> = messages(&datagram).map(|(kind, body)| (kind, flow(body))).collect();
        assert_eq!(found.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [GET, GET, DONE]);
        let udp = found[0].1.as_ref().expect("flow");
        assert_eq!((udp.to, udp.port), (IpAddr::from([192, 0, 2, 1]), 53));
        assert!(udp.name.ends_with(&attribute(CTA_ID, &[7; 4])));
        assert_eq!(found[1].1, None, "TCP");
    }

    #[test]
    fn a_flow_of_ipv6_has_its_address() {
        let to = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        let datagram = answer_to(UDP, &attribute(CTA_IP_V6_DST, &to.octets()));
        let (_, body) = messages(&datagram).next().expect("message");
        assert_eq!(flow(body).map(|flow| (flow.to, flow.port)), Some((to.into(), 53)));
    }

    #[test]
    fn what_is_cut_off_is_not_read() {
        let whole = answer(UDP);
        for bytes in 0..whole.len() {
            assert_eq!(messages(&whole[..bytes]).count(), 0, "{bytes} bytes");
        }
        assert_eq!(messages(&[0; 64]).count(), 0, "a length of 0 would go on for ever");
        assert_eq!(attributes(&[0; 64]).count(), 0);
    }
}
