//! Why a request failed.

use crate::exit::Stuck;
use rustix::io::Errno;
use std::{error::Error, fmt, io, time::Duration};
use wire::{ErrorKind, Failure};

#[derive(Debug)]
pub enum ShimError {
    /// A value from outside that can't be taken.
    Argument {
        doing: String,
        why: &'static str,
    },
    NotFound {
        what: &'static str,
        id: String,
    },
    Exists {
        id: String,
    },
    /// The container is not in the state that the call needs.
    State {
        doing: &'static str,
        id: String,
        state: &'static str,
    },
    /// The kernel refused.
    Io {
        doing: String,
        source: io::Error,
    },
    /// The OCI runtime said no, in its own words.
    Runtime {
        doing: String,
        message: String,
    },
    /// The OCI runtime said nothing for too long.
    Stuck {
        doing: String,
        stuck: Stuck,
    },
    /// CRIU could not write the container down.
    Checkpoint {
        id: String,
        message: String,
    },
    /// Who is attached does not read.
    Stalled {
        id: String,
        patience: Duration,
    },
    /// What a start failed of.
    Start {
        id: String,
        source: Box<ShimError>,
    },
    Cancelled {
        doing: String,
    },
    /// The new process said why it could not become PID 1 of the pod.
    PodInit {
        message: String,
    },
    /// A port of the pod that can't be connected to.
    Port {
        port: u16,
        errno: Errno,
    },
    UnknownCall,
    Busy {
        containers: usize,
    },
}

impl ShimError {
    pub fn io(doing: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io { doing: doing.into(), source: source.into() }
    }

    pub fn to_failure(&self) -> Failure {
        Failure { kind: self.kind().into(), message: self.to_string() }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument { .. } => ErrorKind::InvalidArgument,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Exists { .. } => ErrorKind::AlreadyExists,
            Self::State { .. } | Self::Busy { .. } | Self::Checkpoint { .. } => ErrorKind::FailedPrecondition,
            Self::UnknownCall => ErrorKind::Unimplemented,
            Self::Port { .. } => ErrorKind::Unavailable,
            Self::PodInit { .. } => ErrorKind::Internal,
            Self::Runtime { message, .. } => runtime_kind(message),
            Self::Stuck { .. } | Self::Stalled { .. } => ErrorKind::DeadlineExceeded,
            Self::Start { source, .. } => source.kind(),
            Self::Cancelled { .. } => ErrorKind::Cancelled,
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::ResourceExhausted,
                _ => ErrorKind::Internal,
            },
        }
    }
}

/// A command that can't be run is the caller's to mend; everything else is the node's.
fn runtime_kind(message: &str) -> ErrorKind {
    let of_the_command = [
        "executable file",
        "open executable",
        "no such file or directory",
        "permission denied",
        "not a directory",
        "exec format error",
    ];
    let lower = message.to_lowercase();
    if of_the_command.iter().any(|words| lower.contains(words)) {
        ErrorKind::InvalidArgument
    } else {
        ErrorKind::Internal
    }
}

impl fmt::Display for ShimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument { doing, why } => write!(f, "{doing}: {why}"),
            Self::NotFound { what, id } => write!(f, "find {what} {id}: it is not there"),
            Self::Exists { id } => write!(f, "create container {id}: it is there already"),
            Self::State { doing, id, state } => write!(f, "{doing} {id}: it is {state}"),
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
            Self::Checkpoint { id, message } => write!(f, "checkpoint container {id}: {message}"),
            Self::Runtime { doing, message } => write!(f, "{doing}: {message}"),
            Self::Stuck { doing, stuck } => {
                write!(f, "{doing}: the OCI runtime did not end within {:?} and was killed", stuck.limit)
            }
            Self::Stalled { id, patience } => {
                write!(
                    f,
                    "give output of container {id}: its reader has taken nothing for {patience:?} and is attached no more"
                )
            }
            Self::Start { id, source } => write!(f, "start container {id}: {source}"),
            Self::Cancelled { doing } => write!(f, "{doing}: it was cancelled"),
            Self::PodInit { message } => f.write_str(message),
            Self::Port { port, errno } => write!(f, "connect to port {port}: {errno}"),
            Self::UnknownCall => f.write_str("read request: this shim does not know the call"),
            Self::Busy { containers } => write!(f, "end shim: it has {containers} containers"),
        }
    }
}

impl Error for ShimError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Start { source, .. } => Some(source.as_ref()),
            _ => None,
        }
    }
}
