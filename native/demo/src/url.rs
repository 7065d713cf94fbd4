//! `http://HOST[:PORT][/PATH]`, and no more of a URL than that.

use crate::error::DemoError;
use std::fmt;

const DEFAULT_PORT: u16 = 80;

#[derive(Debug, PartialEq)]
pub struct Url {
    /// a name or an address; an IPv6 address without its brackets
    pub host: String,
    pub port: u16,
    /// with the query, from the first slash on
    pub path: String,
}

impl Url {
    pub fn parse(text: &str) -> Result<Self, DemoError> {
        let refused = |why| DemoError::usage(text, why);
        // They would end the line of the request, or a header.
        if text.contains(|each: char| each.is_ascii_control() || each == ' ') {
            return Err(refused("it has a space or a control character"));
        }
        let rest = text.strip_prefix("http://").ok_or_else(|| refused("it does not begin with http://"))?;
        let (place, path) = match rest.find(['/', '?']) {
            Some(at) if rest[at..].starts_with('/') => (&rest[..at], rest[at..].to_owned()),
            Some(at) => (&rest[..at], format!("/{}", &rest[at..])),
            None => (rest, "/".to_owned()),
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(inner) => {
                let (host, after) = inner.split_once(']').ok_or_else(|| refused("its bracket is not closed"))?;
                let port = if after.is_empty() { Some(None) } else { after.strip_prefix(':').map(Some) };
                (host, port.ok_or_else(|| refused("after its bracket comes neither a port nor a path"))?)
            }
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() || host.contains('@') {
            return Err(refused("it names no host"));
        }
        let port = match port {
            None => DEFAULT_PORT,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| refused("its port is not within 1 to 65535"))?,
        };
        Ok(Self { host: host.to_owned(), port, path })
    }

    /// As the Host header has it.
    pub fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::Url;

    fn parts(text: &str) -> (String, u16, String) {
        let Url { host, port, path } = Url::parse(text).expect(text);
        (host, port, path)
    }

    #[test]
    fn a_url_has_a_host_a_port_and_a_path() {
        assert_eq!(parts("http://web:8080/a/b?c=d"), ("web".into(), 8080, "/a/b?c=d".into()));
    }

    #[test]
    fn the_port_is_80_and_the_path_a_slash_where_none_is_named() {
        assert_eq!(parts("http://web"), ("web".into(), 80, "/".into()));
        assert_eq!(parts("http://web?c=d"), ("web".into(), 80, "/?c=d".into()));
    }

    #[test]
    fn an_ipv6_address_stands_in_brackets() {
        assert_eq!(parts("http://[::1]:8080/"), ("::1".into(), 8080, "/".into()));
        assert_eq!(parts("http://[fe80::1]"), ("fe80::1".into(), 80, "/".into()));
        assert_eq!(Url::parse("http://[::1]").expect("URL").to_string(), "http://[::1]:80/");
    }

    #[test]
    fn what_is_no_http_url_is_refused() {
        for bad in [
            "",
            "web:8080",
            "https://web/",
            "http://",
            "http://:8080/",
            "http://user@web/",
            "http://web:0/",
            "http://web:65536/",
            "http://web:/",
            "http://::1/",
            "http://[::1/",
            "http://[::1]8080/",
            "http://web/a b",
            "http://web/\r\nX: y",
        ] {
            assert!(Url::parse(bad).is_err(), "{bad:?}");
        }
    }
}
