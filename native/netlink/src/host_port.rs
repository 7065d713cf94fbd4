use std::net::{IpAddr, SocketAddr};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Protocol {
    /// In lower case, as nft and people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

/// A port of the node that leads to one of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPort {
    pub protocol: Protocol,
    /// 0.0.0.0 or "::": every address of the node of that family.
    pub host_ip: IpAddr,
    pub port: u16,
    /// of the same family
    pub pod: SocketAddr,
}

impl HostPort {
    /// Whether it belongs into the table: loopback addresses are the port proxy's alone.
    pub fn is_forwarded(&self) -> bool {
        !self.host_ip.is_loopback()
    }
}
