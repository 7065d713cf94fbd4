use std::{error::Error, fmt, io};

/// Why the proxy could not start, or can't go on.
#[derive(Debug)]
pub enum ProxyError {
    /// An argument that is no port and its target.
    Argument(String),
    /// There are not as many sockets as arguments, or one came without its descriptor.
    MissingSocket,
    /// The kernel refused.
    Io { doing: &'static str, source: io::Error },
}

impl ProxyError {
    /// For `map_err`.
    pub fn io<E: Into<io::Error>>(doing: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Io { doing, source: source.into() }
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(text) => write!(f, "read argument {text:?}: it is not like tcp:127.0.0.1:8080=10.0.0.2:80"),
            Self::MissingSocket => f.write_str("take sockets: one is missing"),
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
        }
    }
}

impl Error for ProxyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Argument(_) | Self::MissingSocket => None,
        }
    }
}
