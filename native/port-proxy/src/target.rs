//! Where the traffic of one socket goes.

use crate::error::ProxyError;
use std::net::SocketAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub protocol: Protocol,
    pub pod: SocketAddr,
}

/// "tcp:127.0.0.1:8080=10.88.0.5:80". The part before "=" is for people who look at the process; the socket has it already.
pub fn parse(text: &str) -> Result<Target, ProxyError> {
    let refused = || ProxyError::Argument(text.chars().take(64).collect());
    let (protocol, addresses) = text.split_once(':').ok_or_else(refused)?;
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return Err(refused()),
    };
    let (_, pod) = addresses.split_once('=').ok_or_else(refused)?;
    Ok(Target { protocol, pod: pod.parse().map_err(|_| refused())? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_names_protocol_and_target() {
        let target = parse("udp:127.0.0.1:53=10.88.0.5:5353").expect("target");
        assert_eq!(target, Target { protocol: Protocol::Udp, pod: "10.88.0.5:5353".parse().expect("address") });
        let target = parse("tcp:[::1]:80=[fd00::5]:8080").expect("target");
        assert_eq!(target, Target { protocol: Protocol::Tcp, pod: "[fd00::5]:8080".parse().expect("address") });
        for bad in
            ["", "tcp", "sctp:127.0.0.1:1=10.0.0.1:1", "tcp:127.0.0.1:80", "tcp:127.0.0.1:80=10.0.0.1", "tcp:=[::1]"]
        {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
