use crate::Prefix;
use rustix::io::Errno;
use std::{error::Error, fmt, io};
use wire::ErrorKind;

/// Why a link, address, route or rule could not be made or taken away.
#[derive(Debug)]
pub enum NetlinkError {
    /// A name from outside that the kernel or our own paths can't take.
    Name(String),
    /// No address with a prefix length.
    Address(String),
    /// A link has the bridge's name that is not this node's.
    Foreign { name: String, problem: String },
    /// The node has another use for addresses of the pods' subnet.
    Overlap { subnet: Prefix, route: String },
    /// Pods should have addresses of IPv6, and the kernel has none.
    NoIpv6,
    /// The kernel refused, or the socket failed.
    Io { doing: String, source: io::Error },
    /// The kernel's answer is no answer to what was asked.
    Answer { doing: String },
    /// `nft` ended with an error; its own words, bounded.
    Nft { doing: String, message: String },
    /// A thread for another network namespace could not be used.
    Namespace { doing: String, source: io::Error },
}

impl NetlinkError {
    pub fn io(doing: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io { doing: doing.into(), source: source.into() }
    }

    /// `nft` did not find the table, or what should be in it. Without a locale in its environment it speaks English.
    pub fn is_missing_from_table(&self) -> bool {
        matches!(self, Self::Nft { message, .. } if message.contains("No such file or directory"))
    }

    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Name(_) | Self::Address(_) => ErrorKind::InvalidArgument,
            Self::Foreign { .. } | Self::Overlap { .. } | Self::NoIpv6 => ErrorKind::FailedPrecondition,
            // What the kernel says of a bridge that has 1023 ports.
            Self::Io { source, .. } if source.raw_os_error() == Some(Errno::XFULL.raw_os_error()) => {
                ErrorKind::ResourceExhausted
            }
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                _ => ErrorKind::Internal,
            },
            Self::Nft { .. } if self.is_missing_from_table() => ErrorKind::NotFound,
            Self::Answer { .. } | Self::Nft { .. } | Self::Namespace { .. } => ErrorKind::Internal,
        }
    }
}

impl fmt::Display for NetlinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(
                f,
                "read interface name {name:?}: it is not 1 to 15 bytes of letters, digits, \"_\", \".\" and \"-\""
            ),
            Self::Address(text) => write!(f, "read address {text:?}: it is no address with a prefix length"),
            Self::Foreign { name, problem } => {
                write!(f, "make bridge {name}: the link of that name {problem}; choose another name for the bridge")
            }
            Self::Overlap { subnet, route } => {
                write!(f, "use subnet {subnet} for pods: this node has the route {route}; choose another subnet")
            }
            Self::NoIpv6 => f.write_str("give pods addresses of IPv6: the kernel is without IPv6"),
            Self::Io { doing, source } | Self::Namespace { doing, source } => write!(f, "{doing}: {source}"),
            Self::Answer { doing } => write!(f, "{doing}: the kernel's answer can't be read"),
            Self::Nft { doing, message } => write!(f, "{doing}: nft: {message}"),
        }
    }
}

impl Error for NetlinkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } | Self::Namespace { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_without_a_free_port_is_exhausted_and_no_failure_of_ours() {
        assert_eq!(NetlinkError::io("put veth1 on its bridge", Errno::XFULL).kind(), ErrorKind::ResourceExhausted);
        assert_eq!(NetlinkError::io("put veth1 on its bridge", Errno::NOMEM).kind(), ErrorKind::Internal);
    }
}
