//! Why a call failed. The caller reads it from the log file, as of any OCI runtime.

use std::{error::Error, fmt, io};

#[derive(Debug)]
pub enum RuntimeError {
    /// A value of the bundle or the command line that can't be taken.
    Argument { doing: String, why: String },
    /// The kernel refused.
    Io { doing: String, source: io::Error },
    /// A cgroup could not be made, limited or removed.
    Cgroup(cgroup::CgroupError),
    /// The command of a container or an exec can't be run; callers tell this apart from all others.
    Command { path: String, source: io::Error },
    /// The new process said why it could not become the container's; already in whole words.
    Child { message: String },
}

impl RuntimeError {
    /// @param doing what was being done, to what: "mount /proc", "join the network namespace"
    pub fn io(doing: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io { doing: doing.into(), source: source.into() }
    }

    pub fn argument(doing: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Argument { doing: doing.into(), why: why.into() }
    }
}

impl fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument { doing, why } => write!(f, "{doing}: {why}"),
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
            Self::Cgroup(source) => write!(f, "{source}"),
            Self::Command { path, source } => write!(f, "exec {path:?}: {source}"),
            Self::Child { message } => f.write_str(message),
        }
    }
}

impl Error for RuntimeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } | Self::Command { source, .. } => Some(source),
            Self::Cgroup(source) => Some(source),
            Self::Argument { .. } | Self::Child { .. } => None,
        }
    }
}

impl From<cgroup::CgroupError> for RuntimeError {
    fn from(source: cgroup::CgroupError) -> Self {
        Self::Cgroup(source)
    }
}
