//! A pod's host ports before the pod is there: read, checked against what the node itself listens on, and bound where the
//! pod's port proxy will listen.

use crate::error::HelperError;
use netlink::{HostPort, Protocol};
use rustix::{
    io::Errno,
    net::{
        AddressFamily, SocketFlags, SocketType, bind, ipproto, socket_with,
        sockopt::{set_ipv6_v6only, set_socket_reuseaddr},
    },
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket},
    os::fd::OwnedFd,
};
use wire::PortProtocol;

/// More would not fit the descriptors that a process may have open.
const MAX_PORTS: usize = 1000;

const UNSPECIFIED: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

/// A socket of the node's loopback whose traffic goes to a pod.
pub struct Listener {
    pub socket: OwnedFd,
    pub protocol: Protocol,
    pub address: SocketAddr,
    pub pod: SocketAddr,
}

pub fn parse(ports: &[wire::HostPort]) -> Result<Vec<HostPort>, HelperError> {
    let refused = |value: String, why| HelperError::Argument { doing: "read host ports", value, why };
    if ports.len() > MAX_PORTS {
        return Err(refused(ports.len().to_string(), "a pod may have 1000 of them"));
    }
    let address = |text: &str| -> Result<IpAddr, HelperError> {
        text.parse().map_err(|_| refused(text.chars().take(64).collect(), "it is no address"))
    };
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
        let host_ip = if port.host_ip.is_empty() { UNSPECIFIED.into() } else { address(&port.host_ip)? };
        let pod = SocketAddr::new(address(&port.pod_address)?, number(port.pod_port)?);
        if host_ip.is_ipv6() != pod.is_ipv6() {
            return Err(refused(host_ip.to_string(), "it is of another family than the pod's address"));
        }
        Ok(HostPort { protocol, host_ip, port: number(port.host_port)?, pod })
    };
    ports.iter().map(one).collect()
}

/// Binds the ports that the pod's proxy listens on. A port that a program of the node has is refused, also where no
/// listener is needed: the table would take the program's traffic away.
pub fn listen(ports: &[HostPort]) -> Result<Vec<Listener>, HelperError> {
    let mut listeners = Vec::new();
    for port in ports {
        let every = port.host_ip.is_unspecified();
        let loopback = match port.host_ip {
            IpAddr::V4(_) if every => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) if every => Ipv6Addr::LOCALHOST.into(),
            address => address,
        };
        if !port.host_ip.is_loopback() {
            check(port.protocol, SocketAddr::new(port.host_ip, port.port))?;
            if !every {
                continue;
            }
        }
        let address = SocketAddr::new(loopback, port.port);
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
        let socket = match bound.map_err(|failure| refusal(port.protocol, address, failure)) {
            // A node without ::1, though it has IPv6: nobody can come by it.
            Err(HelperError::ForeignAddress { .. }) if every => continue,
            other => other?,
        };
        listeners.push(Listener { socket, protocol: port.protocol, address, pod: port.pod });
    }
    Ok(listeners)
}

/// Binds and lets go. A socket that has listened is never made here, so no client of another program can come to it.
fn check(protocol: Protocol, address: SocketAddr) -> Result<(), HelperError> {
    let (kind, number) = match protocol {
        Protocol::Tcp => (SocketType::STREAM, ipproto::TCP),
        Protocol::Udp => (SocketType::DGRAM, ipproto::UDP),
        Protocol::Sctp => return Ok(()),
    };
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let bound = socket_with(family, kind, SocketFlags::CLOEXEC, Some(number)).and_then(|socket| {
        if address.is_ipv6() {
            // IPv4 is looked at for itself.
            set_ipv6_v6only(&socket, true)?;
        }
        if protocol == Protocol::Tcp {
            // Connections of an earlier pod that linger in TIME_WAIT are in nobody's way.
            set_socket_reuseaddr(&socket, true)?;
        }
        bind(&socket, &address)
    });
    bound.map_err(|errno| refusal(protocol, address, errno.into()))
}

fn refusal(protocol: Protocol, address: SocketAddr, failure: io::Error) -> HelperError {
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

    fn port(protocol: Protocol, host_ip: &str, port: u16) -> HostPort {
        let pod = if host_ip.contains(':') { "[fd00:88::5]:80" } else { "10.88.0.5:80" };
        HostPort { protocol, host_ip: host_ip.parse().expect("address"), port, pod: pod.parse().expect("address") }
    }

    fn taken(ports: &[HostPort]) -> bool {
        matches!(listen(ports), Err(HelperError::PortInUse { .. }))
    }

    #[test]
    fn a_port_that_a_program_listens_on_is_refused_by_any_of_its_addresses() {
        let program = TcpListener::bind("127.0.0.1:0").expect("listener");
        let number = program.local_addr().expect("address").port();
        assert!(taken(&[port(Protocol::Tcp, "0.0.0.0", number)]));
        assert!(taken(&[port(Protocol::Tcp, "127.0.0.1", number)]));
        assert_eq!(listen(&[port(Protocol::Tcp, "127.0.0.2", number)]).expect("another address").len(), 1);
        let program = UdpSocket::bind("127.0.0.3:0").expect("socket");
        let number = program.local_addr().expect("address").port();
        assert!(taken(&[port(Protocol::Udp, "0.0.0.0", number)]));
        drop(program);
        assert_eq!(listen(&[port(Protocol::Udp, "0.0.0.0", number)]).expect("free again").len(), 1);
    }

    #[test]
    fn the_families_have_ports_of_their_own() {
        let program = TcpListener::bind("[::1]:0").expect("listener");
        let number = program.local_addr().expect("address").port();
        assert!(taken(&[port(Protocol::Tcp, "::", number)]));
        assert!(taken(&[port(Protocol::Tcp, "::1", number)]));
        assert_eq!(listen(&[port(Protocol::Tcp, "0.0.0.0", number)]).expect("IPv4").len(), 1);
        drop(program);
        let both = listen(&[port(Protocol::Tcp, "::", number), port(Protocol::Tcp, "0.0.0.0", number)]).expect("both");
        assert_eq!(both.iter().map(|each| each.address.ip().to_string()).collect::<Vec<_>>(), ["::1", "127.0.0.1"]);
    }

    #[test]
    fn an_address_of_another_host_is_refused() {
        let refused = listen(&[port(Protocol::Tcp, "192.0.2.1", 8080)]);
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
            wire::HostPort { pod_address: "fd00::5".into(), ..good.clone() },
            wire::HostPort { pod_address: "10.88.0.5; flush ruleset".into(), ..good.clone() },
            wire::HostPort { protocol: 0, ..good.clone() },
            wire::HostPort { protocol: 9, ..good.clone() },
        ] {
            assert!(parse(std::slice::from_ref(&bad)).is_err(), "{bad:?}");
        }
    }
}
