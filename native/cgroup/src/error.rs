use std::{error::Error, fmt, io, path::PathBuf};
use wire::ErrorKind;

/// Why a cgroup could not be made, changed, emptied or read.
#[derive(Debug)]
pub enum CgroupError {
    /// The path is not one that may name a cgroup.
    Path(String),
    /// `/proc/self/mountinfo` names no cgroup hierarchy that can be used.
    NotMounted,
    /// The kernel refused an operation on a file or folder.
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    /// The kernel refused a value.
    Write { file: PathBuf, value: String, source: io::Error },
    /// A limit that no kernel takes.
    Limit { name: &'static str, value: i64 },
    /// A name that is no file of a cgroup.
    File(String),
    /// Processes were left when the time was up.
    NotEmpty { path: PathBuf, pids: Vec<i32> },
}

impl CgroupError {
    pub fn io(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { doing, path: path.into(), source }
    }

    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Path(_) | Self::File(_) | Self::Limit { .. } => ErrorKind::InvalidArgument,
            Self::NotMounted => ErrorKind::FailedPrecondition,
            Self::NotEmpty { .. } => ErrorKind::DeadlineExceeded,
            Self::Io { source, .. } | Self::Write { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::InvalidInput => ErrorKind::InvalidArgument,
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::ResourceExhausted,
                // A limit below what is in use already.
                io::ErrorKind::ResourceBusy => ErrorKind::FailedPrecondition,
                _ => ErrorKind::Internal,
            },
        }
    }
}

impl fmt::Display for CgroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => {
                write!(f, "read cgroup path {path:?}: it is not absolute and free of \".\", \"..\" and empty parts")
            }
            Self::File(name) => write!(f, "read cgroup file {name:?}: it is no name of a file and a value of one line"),
            Self::NotMounted => write!(f, "find cgroups: no hierarchy is mounted"),
            Self::Io { doing, path, source } => write!(f, "{doing} {}: {source}", path.display()),
            Self::Write { file, value, source } => write!(f, "write {value:?} to {}: {source}", file.display()),
            Self::Limit { name, value } => write!(f, "apply limit {name} {value}: out of range"),
            Self::NotEmpty { path, pids } => {
                write!(f, "empty cgroup {}: processes {pids:?} are still there", path.display())
            }
        }
    }
}

impl Error for CgroupError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } | Self::Write { source, .. } => Some(source),
            _ => None,
        }
    }
}
