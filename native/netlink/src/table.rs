//! Our own nftables table, and nothing but it: the masquerade rule, and the host ports of all pods. Chains and rules are
//! the same for any number of pods; a pod's ports are elements of two maps, so adding one costs the same whatever is there.

use crate::{HostPort, InterfaceName, NetlinkError, Prefix, Protocol, nft};
use std::{fmt::Write, net::SocketAddrV4};

/// Ports of every address of the node, and ports of one of its addresses.
const ANY_ADDRESS: (&str, &str) = ("host_ports", "inet_proto . inet_service : ipv4_addr . inet_service");
const ONE_ADDRESS: (&str, &str) = ("host_ip_ports", "ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service");

/// Makes the table, or makes it anew with exactly these ports. One transaction: the table is as told, or as before, and
/// connections that stand go on.
pub fn ensure_table(
    table: &InterfaceName,
    subnet: Prefix,
    masquerade: bool,
    ports: &[HostPort],
) -> Result<(), NetlinkError> {
    nft::run(&table_script(table, subnet, masquerade, ports), &format!("write nftables table {table}")).map(drop)
}

/// A table that is not there is fine.
pub fn delete_table(table: &InterfaceName) -> Result<(), NetlinkError> {
    // "add" first, because "delete" refuses a missing one.
    let script = format!("add table inet {table}\ndelete table inet {table}\n");
    nft::run(&script, &format!("delete nftables table {table}")).map(drop)
}

/// The ports go to their pod from now on; those that do already stay.
pub fn add_ports(table: &InterfaceName, ports: &[HostPort]) -> Result<(), NetlinkError> {
    match add_script(table, ports) {
        script if script.is_empty() => Ok(()),
        script => nft::run(&script, &format!("add host ports to nftables table {table}")).map(drop),
    }
}

/// Ports that are not there are fine, and so is a table that is not.
pub fn remove_ports(table: &InterfaceName, ports: &[HostPort]) -> Result<(), NetlinkError> {
    match remove_script(table, ports) {
        script if script.is_empty() => Ok(()),
        script => match nft::run(&script, &format!("remove host ports from nftables table {table}")) {
            Err(failure) if failure.is_missing_from_table() => Ok(()),
            other => other.map(drop),
        },
    }
}

/// The host ports that the table has; `None` when there is no table. A line that is no port of ours is left out.
pub fn list_ports(table: &InterfaceName) -> Result<Option<Vec<HostPort>>, NetlinkError> {
    let doing = format!("list nftables table {table}");
    match nft::run(&format!("list table inet {table}\n"), &doing) {
        Ok(text) => Ok(Some(parse_ports(&text))),
        Err(failure) if failure.is_missing_from_table() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Elements as nft prints them: "tcp . 8080 : 10.88.0.5 . 80", with an address of the node before them in the other map.
fn parse_ports(text: &str) -> Vec<HostPort> {
    let mut ports = Vec::new();
    for list in text.split("elements = {").skip(1) {
        let list = list.split_once('}').map_or(list, |(list, _)| list);
        ports.extend(list.split(',').filter_map(parse_port));
    }
    ports
}

fn parse_port(element: &str) -> Option<HostPort> {
    let (key, target) = element.split_once(':')?;
    let key: Vec<&str> = key.split(" . ").map(str::trim).collect();
    let (host_ip, protocol, port) = match key[..] {
        [protocol, port] => (None, protocol, port),
        [address, protocol, port] => (Some(address.parse().ok()?), protocol, port),
        _ => return None,
    };
    let protocol = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].into_iter().find(|each| each.name() == protocol)?;
    let (address, pod_port) = target.split_once(" . ")?;
    let pod = SocketAddrV4::new(address.trim().parse().ok()?, pod_port.trim().parse().ok()?);
    Some(HostPort { protocol, host_ip, port: port.parse().ok()?, pod })
}

fn table_script(table: &InterfaceName, subnet: Prefix, masquerade: bool, ports: &[HostPort]) -> String {
    let subnet = subnet.network();
    let leave = if masquerade {
        format!("ip saddr {subnet} ip daddr != {subnet} ip daddr != 224.0.0.0/4 masquerade\n    ")
    } else {
        String::new()
    };
    let [any, one] = [ANY_ADDRESS, ONE_ADDRESS].map(|(name, types)| format!("map {name} {{ type {types}; }}"));
    // A packet for a loopback address that comes from outside is a forgery, and one from the node itself is for the port
    // proxy. A pod that reaches itself or a neighbour through the node has to see the node, or it would answer directly.
    format!(
        "add table inet {table}
delete table inet {table}
table inet {table} {{
  {any}
  {one}
  chain to_pods {{
    dnat ip to ip daddr . meta l4proto . th dport map @{ONE}
    dnat ip to meta l4proto . th dport map @{ANY}
  }}
  chain prerouting {{
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr != 127.0.0.0/8 fib daddr type local jump to_pods
  }}
  chain output {{
    type nat hook output priority -100; policy accept;
    ip daddr != 127.0.0.0/8 fib daddr type local jump to_pods
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    {leave}ct status dnat ip saddr {subnet} ip daddr {subnet} masquerade
  }}
}}
{elements}",
        ONE = ONE_ADDRESS.0,
        ANY = ANY_ADDRESS.0,
        elements = add_script(table, ports),
    )
}

fn add_script(table: &InterfaceName, ports: &[HostPort]) -> String {
    by_map(ports).map(|(name, elements)| add_elements(table, name, &elements)).collect()
}

fn add_elements(table: &InterfaceName, map: &str, elements: &[(String, String)]) -> String {
    let list: Vec<String> = elements.iter().map(|(key, target)| format!("{key} : {target}")).collect();
    format!("add element inet {table} {map} {{ {} }}\n", list.join(", "))
}

/// "delete" refuses what is not there, so all is added before: what is there already stays as it is by that. Neither makes
/// a map or a table that is missing.
fn remove_script(table: &InterfaceName, ports: &[HostPort]) -> String {
    let mut script = String::new();
    for (name, elements) in by_map(ports) {
        let keys: Vec<&str> = elements.iter().map(|(key, _)| key.as_str()).collect();
        script.push_str(&add_elements(table, name, &elements));
        let _ = writeln!(script, "delete element inet {table} {name} {{ {} }}", keys.join(", "));
    }
    script
}

/// The maps that something is for, with their elements.
fn by_map(ports: &[HostPort]) -> impl Iterator<Item = (&'static str, Vec<(String, String)>)> {
    let forwarded = || ports.iter().filter(|port| port.is_forwarded());
    let any = forwarded().filter(|port| port.host_ip.is_none()).map(|port| (key(port), target(port))).collect();
    let one = forwarded()
        .filter_map(|port| port.host_ip.map(|address| (format!("{address} . {}", key(port)), target(port))))
        .collect();
    [(ANY_ADDRESS.0, any), (ONE_ADDRESS.0, one)].into_iter().filter(|(_, elements): &(_, Vec<_>)| !elements.is_empty())
}

fn key(port: &HostPort) -> String {
    format!("{} . {}", port.protocol.name(), port.port)
}

fn target(port: &HostPort) -> String {
    format!("{} . {}", port.pod.ip(), port.pod.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn port(protocol: Protocol, host_ip: Option<[u8; 4]>, port: u16) -> HostPort {
        let pod = SocketAddrV4::new(Ipv4Addr::new(10, 88, 0, 5), 80);
        HostPort { protocol, host_ip: host_ip.map(Ipv4Addr::from), port, pod }
    }

    fn table() -> InterfaceName {
        InterfaceName::parse("berth_1").expect("name")
    }

    #[test]
    fn ports_become_elements_of_the_map_for_their_address() {
        let ports = [
            port(Protocol::Tcp, None, 8080),
            port(Protocol::Sctp, None, 9),
            port(Protocol::Udp, Some([10, 0, 0, 1]), 53),
        ];
        assert_eq!(
            add_script(&table(), &ports),
            "add element inet berth_1 host_ports { tcp . 8080 : 10.88.0.5 . 80, sctp . 9 : 10.88.0.5 . 80 }\n\
             add element inet berth_1 host_ip_ports { 10.0.0.1 . udp . 53 : 10.88.0.5 . 80 }\n"
        );
    }

    #[test]
    fn ports_of_loopback_never_come_into_the_table() {
        let ports = [port(Protocol::Tcp, Some([127, 0, 0, 1]), 8080), port(Protocol::Udp, Some([127, 9, 9, 9]), 53)];
        assert_eq!(add_script(&table(), &ports), "");
        assert_eq!(remove_script(&table(), &ports), "");
    }

    #[test]
    fn ports_are_read_as_nft_prints_them() {
        let text = "table inet berth_1 {\n\tmap host_ports {\n\t\ttype inet_proto . inet_service : ipv4_addr . inet_service\n\t\t\
                    elements = { tcp . 8080 : 10.88.0.5 . 80,\n\t\t\t     sctp . 9 : 10.88.0.5 . 80 }\n\t}\n\n\tmap host_ip_ports {\n\t\t\
                    elements = { 10.0.0.1 . udp . 53 : 10.88.0.5 . 80, odd . 1 : x }\n\t}\n}\n";
        let ports = [
            port(Protocol::Tcp, None, 8080),
            port(Protocol::Sctp, None, 9),
            port(Protocol::Udp, Some([10, 0, 0, 1]), 53),
        ];
        assert_eq!(parse_ports(text), ports);
    }

    #[test]
    fn ports_can_be_removed_that_are_not_there() {
        assert_eq!(
            remove_script(&table(), &[port(Protocol::Tcp, None, 8080)]),
            "add element inet berth_1 host_ports { tcp . 8080 : 10.88.0.5 . 80 }\n\
             delete element inet berth_1 host_ports { tcp . 8080 }\n"
        );
    }

    #[test]
    fn the_table_is_made_anew_with_its_ports_in_one_script() {
        let subnet = Prefix::parse("10.88.0.1/16").expect("prefix");
        let script = table_script(&table(), subnet, true, &[port(Protocol::Tcp, None, 8080)]);
        assert!(script.starts_with("add table inet berth_1\ndelete table inet berth_1\ntable inet berth_1 {\n"));
        assert!(script.contains("ip saddr 10.88.0.0/16 ip daddr != 10.88.0.0/16 ip daddr != 224.0.0.0/4 masquerade\n"));
        assert!(script.contains("ct status dnat ip saddr 10.88.0.0/16 ip daddr 10.88.0.0/16 masquerade\n"));
        assert!(script.ends_with("}\nadd element inet berth_1 host_ports { tcp . 8080 : 10.88.0.5 . 80 }\n"));
        assert!(!table_script(&table(), subnet, false, &[]).contains("ip daddr != 224.0.0.0/4"));
    }
}
