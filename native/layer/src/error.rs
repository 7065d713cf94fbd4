use std::{error::Error, fmt, io, time::Duration};
use wire::ErrorKind;

/// Why a layer could not be unpacked, or a folder removed. Names are those of the archive, bounded.
#[derive(Debug)]
pub enum LayerError {
    /// The stream is not what its media type says, or is cut off.
    Stream(io::Error),
    /// An entry that no layer may have.
    Entry { name: String, why: &'static str },
    /// A bound of [`crate::Options`] was passed.
    Bound { what: &'static str, limit: u64 },
    /// A removal took too long; what was removed stays removed.
    Unfinished { doing: &'static str, name: String, seconds: u64 },
    /// What is there, or was asked for, is nothing that can be copied so.
    Refused { path: String, why: &'static str },
    /// Who takes the tar has gone, or has no room.
    Output(io::Error),
    /// The kernel refused something for an entry.
    Io { doing: &'static str, name: String, source: io::Error },
}

impl LayerError {
    pub(crate) fn io(doing: &'static str, name: &[u8], source: impl Into<io::Error>) -> Self {
        Self::Io { doing, name: printable(name), source: source.into() }
    }

    pub(crate) fn entry(name: &[u8], why: &'static str) -> Self {
        Self::Entry { name: printable(name), why }
    }

    pub(crate) fn refused(path: &[u8], why: &'static str) -> Self {
        Self::Refused { path: printable(path), why }
    }

    pub(crate) fn unfinished(doing: &'static str, name: &[u8], after: Duration) -> Self {
        Self::Unfinished { doing, name: printable(name), seconds: after.as_secs() }
    }

    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Stream(_) | Self::Entry { .. } => ErrorKind::InvalidArgument,
            Self::Bound { .. } => ErrorKind::ResourceExhausted,
            Self::Unfinished { .. } => ErrorKind::DeadlineExceeded,
            Self::Refused { .. } => ErrorKind::FailedPrecondition,
            Self::Output(source) => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                    ErrorKind::ResourceExhausted
                }
                _ => ErrorKind::Cancelled,
            },
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::ResourceExhausted,
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::ReadOnlyFilesystem
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::ResourceBusy
                | io::ErrorKind::PermissionDenied => ErrorKind::FailedPrecondition,
                _ => ErrorKind::Internal,
            },
        }
    }
}

fn printable(name: &[u8]) -> String {
    String::from_utf8_lossy(&name[..name.len().min(256)]).escape_debug().to_string()
}

impl fmt::Display for LayerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(source) => write!(f, "read archive: {source}"),
            Self::Entry { name, why } => write!(f, "read archive: entry \"{name}\" {why}"),
            Self::Bound { what, limit } => write!(f, "read archive: {what} is over the bound of {limit}"),
            Self::Unfinished { doing, name, seconds } => {
                write!(f, "{doing} \"{name}\": not done after {seconds} s; another call goes on from here")
            }
            Self::Refused { path, why } => write!(f, "copy \"{path}\": it {why}"),
            Self::Output(source) => write!(f, "write tar: {source}"),
            Self::Io { doing, name, source } => write!(f, "{doing} \"{name}\": {source}"),
        }
    }
}

impl Error for LayerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Stream(source) | Self::Output(source) | Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
