use std::net::{Ipv4Addr, SocketAddrV4};

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
    /// `None`: every address of the node.
    pub host_ip: Option<Ipv4Addr>,
    pub port: u16,
    pub pod: SocketAddrV4,
}

impl HostPort {
    /// Whether it belongs into the table: loopback addresses are the port proxy's alone.
    pub fn is_forwarded(&self) -> bool {
        self.host_ip.is_none_or(|address| !address.is_loopback())
    }
}
