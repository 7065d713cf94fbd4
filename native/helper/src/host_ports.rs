//! A pod's host ports before the pod is there: read, checked against what the node itself listens on, and bound where the
//! pod's port proxy will listen.

use crate::error::HelperError;
use netlink::{HostPort, Protocol};
use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, socket_with, sockopt::set_socket_reuseaddr},
};
use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket},
    os::fd::OwnedFd,
};
use wire::PortProtocol;

/// More would not fit the descriptors that a process may have open.
const MAX_PORTS: usize = 1000;

/// A socket of the node's loopback whose traffic goes to a pod.
pub struct Listener {
    pub socket: OwnedFd,
    pub protocol: Protocol,
    pub address: SocketAddrV4,
    pub pod: SocketAddrV4,
}

pub fn parse(ports: &[wire::HostPort]) -> Result<Vec<HostPort>, HelperError> {
    let refused = |value: String, why| HelperError::Argument { doing: "read host ports", value, why };
    if ports.len() > MAX_PORTS {
        return Err(refused(ports.len().to_string(), "a pod may have 1000 of them"));
    }
    let address =
        |text: &str| text.parse().map_err(|_| refused(text.chars().take(64).collect(), "it is no IPv4 address"));
    let number = |number: u32| match u16::try_from(number) {
        Ok(0) | Err(_) => Err(refused(number.to_string(), "it is no port")),
        Ok(port) => Ok(port),
    };
    let one = |port: &wire::HostPort| {
        let protocol = match port.protocol() {
            PortProtocol::Tcp => Protocol::Tcp,
            PortProtocol::Udp => Protocol::Udp,
            PortProtocol::Sctp => Protocol::Sctp,
            PortProtocol::Unspecified => return Err(refused(port.protocol.to_string(), "it is no protocol")),
        };
        Ok(HostPort {
            protocol,
            host_ip: if matches!(&*port.host_ip, "" | "0.0.0.0") { None } else { Some(address(&port.host_ip)?) },
            port: number(port.host_port)?,
            pod: SocketAddrV4::new(address(&port.pod_address)?, number(port.pod_port)?),
        })
    };
    ports.iter().map(one).collect()
}

/// Binds the ports that the pod's proxy listens on. A port that a program of the node has is refused, also where no
/// listener is needed: the table would take the program's traffic away.
pub fn listen(ports: &[HostPort]) -> Result<Vec<Listener>, HelperError> {
    let mut listeners = Vec::new();
    for port in ports {
        let listens = match port.host_ip {
            None => {
                check(port.protocol, SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port.port))?;
                Some(Ipv4Addr::LOCALHOST)
            }
            Some(address) if address.is_loopback() => Some(address),
            Some(address) => {
                check(port.protocol, SocketAddrV4::new(address, port.port))?;
                None
            }
        };
        let Some(address) = listens.map(|ip| SocketAddrV4::new(ip, port.port)) else { continue };
        let bound = match port.protocol {
            Protocol::Tcp => TcpListener::bind(address).and_then(|socket| {
                socket.set_nonblocking(true)?;
                Ok(socket.into())
            }),
            Protocol::Udp => UdpSocket::bind(address).and_then(|socket| {
                socket.set_nonblocking(true)?;
                Ok(socket.into())
            }),
            Protocol::Sctp => continue,
        };
        let socket = bound.map_err(|failure| refusal(port.protocol, address, failure))?;
        listeners.push(Listener { socket, protocol: port.protocol, address, pod: port.pod });
    }
    Ok(listeners)
}

/// Binds and lets go. A socket that has listened is never made here, so no client of another program can come to it.
fn check(protocol: Protocol, address: SocketAddrV4) -> Result<(), HelperError> {
    let (kind, number) = match protocol {
        Protocol::Tcp => (SocketType::STREAM, ipproto::TCP),
        Protocol::Udp => (SocketType::DGRAM, ipproto::UDP),
        Protocol::Sctp => return Ok(()),
    };
    let bound = socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, Some(number)).and_then(|socket| {
        if protocol == Protocol::Tcp {
            // Connections of an earlier pod that linger in TIME_WAIT are in nobody's way.
            set_socket_reuseaddr(&socket, true)?;
        }
        bind(&socket, &address)
    });
    bound.map_err(|errno| refusal(protocol, address, errno.into()))
}

fn refusal(protocol: Protocol, address: SocketAddrV4, failure: io::Error) -> HelperError {
    let protocol = protocol.name();
    match Errno::from_io_error(&failure) {
        Some(Errno::ADDRINUSE) => HelperError::PortInUse { protocol, address },
        Some(Errno::ADDRNOTAVAIL) => HelperError::ForeignAddress { protocol, address },
        _ => HelperError::io(format!("bind host port {protocol} {address}"), failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::HelperError;

    fn port(protocol: Protocol, host_ip: Option<Ipv4Addr>, port: u16) -> HostPort {
        HostPort { protocol, host_ip, port, pod: SocketAddrV4::new(Ipv4Addr::new(10, 88, 0, 5), 80) }
    }

    fn taken(ports: &[HostPort]) -> bool {
        matches!(listen(ports), Err(HelperError::PortInUse { .. }))
    }

    #[test]
    fn a_port_that_a_program_listens_on_is_refused_by_any_of_its_addresses() {
        let program = TcpListener::bind("127.0.0.1:0").expect("listener");
        let number = program.local_addr().expect("address").port();
        let other = Ipv4Addr::new(127, 0, 0, 2);
        assert!(taken(&[port(Protocol::Tcp, None, number)]));
        assert!(taken(&[port(Protocol::Tcp, Some(Ipv4Addr::LOCALHOST), number)]));
        assert_eq!(listen(&[port(Protocol::Tcp, Some(other), number)]).expect("another address").len(), 1);
        let program = UdpSocket::bind("127.0.0.3:0").expect("socket");
        let number = program.local_addr().expect("address").port();
        assert!(taken(&[port(Protocol::Udp, None, number)]));
        drop(program);
        assert_eq!(listen(&[port(Protocol::Udp, None, number)]).expect("free again").len(), 1);
    }

    #[test]
    fn an_address_of_another_host_is_refused() {
        let refused = listen(&[port(Protocol::Tcp, Some(Ipv4Addr::new(192, 0, 2, 1)), 8080)]);
        assert!(matches!(refused, Err(HelperError::ForeignAddress { .. })));
    }

    #[test]
    fn numbers_and_addresses_from_outside_are_checked() {
        let good = wire::HostPort {
            protocol: PortProtocol::Udp.into(),
            host_ip: String::new(),
            host_port: 53,
            pod_address: "10.88.0.5".into(),
            pod_port: 5353,
        };
        let parsed = parse(std::slice::from_ref(&good)).expect("port");
        assert_eq!(parsed[0].pod, "10.88.0.5:5353".parse().expect("address"));
        let any = wire::HostPort { host_ip: "0.0.0.0".into(), ..good.clone() };
        assert_eq!(parse(std::slice::from_ref(&any)).expect("port"), parsed);
        for bad in [
            wire::HostPort { host_port: 0, ..good.clone() },
            wire::HostPort { pod_port: 65536, ..good.clone() },
            wire::HostPort { host_ip: "::1".into(), ..good.clone() },
            wire::HostPort { pod_address: "10.88.0.5; flush ruleset".into(), ..good.clone() },
            wire::HostPort { protocol: 0, ..good.clone() },
            wire::HostPort { protocol: 9, ..good.clone() },
        ] {
            assert!(parse(std::slice::from_ref(&bad)).is_err(), "{bad:?}");
        }
    }
}
