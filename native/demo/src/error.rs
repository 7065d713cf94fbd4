//! Why it did not work.

use std::{error::Error, fmt, io, time::Duration};

#[derive(Debug)]
pub enum DemoError {
    /// Words of the command line that can't be taken.
    Usage {
        word: String,
        why: &'static str,
    },
    /// The kernel, or the other side, refused.
    Io {
        doing: String,
        source: io::Error,
    },
    /// What came back is no HTTP.
    Answer {
        from: String,
    },
    TimedOut {
        doing: String,
        after: Duration,
    },
}

impl DemoError {
    pub fn io(doing: impl Into<String>, source: io::Error) -> Self {
        Self::Io { doing: doing.into(), source }
    }

    pub fn usage(word: impl Into<String>, why: &'static str) -> Self {
        Self::Usage { word: word.into(), why }
    }
}

impl fmt::Display for DemoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage { word, why } => write!(f, "{word:?}: {why}"),
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
            Self::Answer { from } => write!(f, "read answer of {from}: it is no HTTP"),
            Self::TimedOut { doing, after } => write!(f, "{doing}: nothing came within {} s", after.as_secs()),
        }
    }
}

impl Error for DemoError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
