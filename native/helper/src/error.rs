//! Why a call failed.

use cgroup::CgroupError;
use layer::LayerError;
use netlink::NetlinkError;
use std::{
    error::Error, fmt, io, net::SocketAddr, os::unix::process::ExitStatusExt, path::PathBuf, process::ExitStatus,
};
use wire::{ErrorKind, Failure};

const SIGSYS: i32 = rustix::process::Signal::SYS.as_raw();

#[derive(Debug)]
pub enum HelperError {
    Cgroup(CgroupError),
    Netlink(NetlinkError),
    Layer(LayerError),
    /// A value from outside that no call takes.
    Argument {
        doing: &'static str,
        value: String,
        why: &'static str,
    },
    /// The kernel refused.
    Io {
        doing: String,
        source: io::Error,
    },
    /// The other side of a call of ours (a shim, the unpacker) said no.
    Peer {
        doing: String,
        failure: Failure,
    },
    /// A process of ours that was shut in ended without a word.
    ShutIn {
        doing: String,
        who: &'static str,
        status: ExitStatus,
    },
    /// What a call is about has ended meanwhile, or is not what it would have to be.
    State {
        doing: String,
        why: &'static str,
    },
    /// A program of the node has the port that a pod wants.
    PortInUse {
        protocol: &'static str,
        address: SocketAddr,
    },
    /// A pod wants a port of an address that this node does not have.
    ForeignAddress {
        protocol: &'static str,
        address: SocketAddr,
    },
    /// A volume is on a mount that passes on too little.
    Propagation {
        path: String,
        mount: PathBuf,
        needed: &'static str,
    },
    /// A call that this build does not know.
    UnknownCall,
    /// More calls in flight than we bear.
    Overload,
}

impl HelperError {
    pub fn io(doing: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io { doing: doing.into(), source: source.into() }
    }

    pub fn to_failure(&self) -> Failure {
        Failure { kind: self.kind().into(), message: self.to_string() }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Cgroup(cause) => cause.kind(),
            Self::Netlink(cause) => cause.kind(),
            Self::Layer(cause) => cause.kind(),
            Self::Argument { .. } => ErrorKind::InvalidArgument,
            Self::Peer { failure, .. } => failure.kind(),
            Self::State { .. } | Self::PortInUse { .. } | Self::ForeignAddress { .. } | Self::Propagation { .. } => {
                ErrorKind::FailedPrecondition
            }
            Self::ShutIn { .. } => ErrorKind::Internal,
            Self::UnknownCall => ErrorKind::Unimplemented,
            Self::Overload => ErrorKind::ResourceExhausted,
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::ResourceExhausted,
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => ErrorKind::DeadlineExceeded,
                _ => ErrorKind::Internal,
            },
        }
    }
}

impl fmt::Display for HelperError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cgroup(cause) => cause.fmt(f),
            Self::Netlink(cause) => cause.fmt(f),
            Self::Layer(cause) => cause.fmt(f),
            Self::Argument { doing, value, why } => write!(f, "{doing} {value:?}: {why}"),
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
            Self::Peer { doing, failure } => write!(f, "{doing}: {}", failure.message),
            Self::ShutIn { doing, who, status } => match status.signal() {
                Some(SIGSYS) => {
                    write!(f, "{doing}: the {who} was stopped by its system call filter (signal {SIGSYS}, SIGSYS)")
                }
                _ => write!(f, "{doing}: the {who} ended without an answer ({status})"),
            },
            Self::State { doing, why } => write!(f, "{doing}: {why}"),
            Self::PortInUse { protocol, address } => {
                write!(f, "bind host port {} of {protocol} at {}: ", address.port(), address.ip())?;
                f.write_str("a program of the node has it")
            }
            Self::ForeignAddress { protocol, address } => {
                write!(
                    f,
                    "bind host port {} of {protocol}: {} is no address of this node",
                    address.port(),
                    address.ip()
                )
            }
            Self::Propagation { path, mount, needed } => {
                write!(f, "look at {path}: it is on the mount {}, which is not a {needed} mount", mount.display())
            }
            Self::UnknownCall => f.write_str("read request: this helper does not know the call"),
            Self::Overload => f.write_str("take request: too many are in flight"),
        }
    }
}

impl Error for HelperError {}

impl From<CgroupError> for HelperError {
    fn from(cause: CgroupError) -> Self {
        Self::Cgroup(cause)
    }
}

impl From<NetlinkError> for HelperError {
    fn from(cause: NetlinkError) -> Self {
        Self::Netlink(cause)
    }
}

impl From<LayerError> for HelperError {
    fn from(cause: LayerError) -> Self {
        Self::Layer(cause)
    }
}
