//! Our own nftables table, and nothing but it: the masquerade rule, and the host ports of all pods. Chains and rules are
//! the same for any number of pods; a pod's ports are elements of two maps, so adding one costs the same whatever is there.

use crate::{HostPort, InterfaceName, NetlinkError, Prefix, Protocol, nft};
use std::{
    fmt::Write,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// What differs between the families in the language of nft.
struct Family {
    ip: &'static str,
    address: &'static str,
    /// Ports of every address of the node, and ports of one of its addresses.
    any_address: &'static str,
    one_address: &'static str,
    loopback: &'static str,
    multicast: &'static str,
}

const IPV4: Family = Family {
    ip: "ip",
    address: "ipv4_addr",
    any_address: "host_ports",
    one_address: "host_ip_ports",
    loopback: "127.0.0.0/8",
    multicast: "224.0.0.0/4",
};
const IPV6: Family = Family {
    ip: "ip6",
    address: "ipv6_addr",
    any_address: "host_ports6",
    one_address: "host_ip_ports6",
    loopback: "::1",
    multicast: "ff00::/8",
};

pub struct TableConfig {
    pub name: InterfaceName,
    /// one of each family of pods
    pub subnets: Vec<Prefix>,
    pub masquerade: bool,
}

/// Makes the table, or makes it anew with exactly these ports. One transaction: the table is as told, or as before, and
/// connections that stand go on.
pub fn ensure_table(table: &TableConfig, ports: &[HostPort]) -> Result<(), NetlinkError> {
    nft::run(&table_script(table, ports), &format!("write nftables table {}", table.name)).map(drop)
}

/// A number that changes when somebody changes the table's chains or rules; `None` when it is not there. Ports don't count.
pub fn fingerprint(table: &InterfaceName) -> Result<Option<u64>, NetlinkError> {
    match nft::list_rules(table.as_str(), &format!("list nftables table {table}")) {
        Ok(text) => Ok(Some(fnv1a(text.as_bytes()))),
        Err(failure) if failure.is_missing_from_table() => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
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
    let (key, target) = element.split_once(" : ")?;
    let (address, pod_port) = target.split_once(" . ")?;
    let pod = SocketAddr::new(address.trim().parse().ok()?, pod_port.trim().parse().ok()?);
    let key: Vec<&str> = key.split(" . ").map(str::trim).collect();
    let (host_ip, protocol, port) = match key[..] {
        [protocol, port] if pod.is_ipv6() => (Ipv6Addr::UNSPECIFIED.into(), protocol, port),
        [protocol, port] => (Ipv4Addr::UNSPECIFIED.into(), protocol, port),
        [address, protocol, port] => (address.parse().ok()?, protocol, port),
        _ => return None,
    };
    let protocol = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].into_iter().find(|each| each.name() == protocol)?;
    Some(HostPort { protocol, host_ip, port: port.parse().ok()?, pod })
}

fn family(is_ipv6: bool) -> &'static Family {
    if is_ipv6 { &IPV6 } else { &IPV4 }
}

fn table_script(table: &TableConfig, ports: &[HostPort]) -> String {
    let (mut maps, mut to_pods, mut to_node, mut leave) = (String::new(), String::new(), String::new(), String::new());
    for subnet in table.subnets.iter().map(|subnet| subnet.network()) {
        let Family { ip, address, any_address, one_address, loopback, multicast } = family(subnet.address.is_ipv6());
        let target = format!("{address} . inet_service");
        line(&mut maps, &format!("  map {any_address} {{ type inet_proto . inet_service : {target}; }}"));
        line(&mut maps, &format!("  map {one_address} {{ type {address} . inet_proto . inet_service : {target}; }}"));
        line(&mut to_pods, &format!("    dnat {ip} to {ip} daddr . meta l4proto . th dport map @{one_address}"));
        line(&mut to_pods, &format!("    dnat {ip} to meta l4proto . th dport map @{any_address}"));
        // A packet for a loopback address that comes from outside is a forgery, and one from the node itself is for the port
        // proxy.
        line(&mut to_node, &format!("    {ip} daddr != {loopback} fib daddr type local jump to_pods"));
        if table.masquerade {
            let beyond = format!("{ip} daddr != {subnet} {ip} daddr != {multicast}");
            line(&mut leave, &format!("    {ip} saddr {subnet} {beyond} masquerade"));
        }
        // A pod that reaches itself or a neighbour through the node has to see the node, or it would answer directly.
        line(&mut leave, &format!("    ct status dnat {ip} saddr {subnet} {ip} daddr {subnet} masquerade"));
    }
    format!(
        "add table inet {name}
delete table inet {name}
table inet {name} {{
{maps}  chain to_pods {{
{to_pods}  }}
  chain prerouting {{
    type nat hook prerouting priority dstnat; policy accept;
{to_node}  }}
  chain output {{
    type nat hook output priority -100; policy accept;
{to_node}  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
{leave}  }}
}}
{elements}",
        name = table.name,
        elements = add_script(&table.name, ports),
    )
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn add_script(table: &InterfaceName, ports: &[HostPort]) -> String {
    by_map(ports).into_iter().map(|(name, elements)| add_elements(table, name, &elements)).collect()
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
fn by_map(ports: &[HostPort]) -> Vec<(&'static str, Vec<(String, String)>)> {
    let mut maps: Vec<(&str, Vec<(String, String)>)> = Vec::new();
    for family in [&IPV4, &IPV6] {
        for (name, any) in [(family.any_address, true), (family.one_address, false)] {
            let belongs = |port: &&HostPort| {
                port.is_forwarded()
                    && port.host_ip.is_ipv6() == (family.ip == IPV6.ip)
                    && port.host_ip.is_unspecified() == any
            };
            let elements: Vec<_> = ports.iter().filter(belongs).map(|port| (key(port), target(port))).collect();
            if !elements.is_empty() {
                maps.push((name, elements));
            }
        }
    }
    maps
}

fn key(port: &HostPort) -> String {
    let key = format!("{} . {}", port.protocol.name(), port.port);
    if port.host_ip.is_unspecified() { key } else { format!("{} . {key}", port.host_ip) }
}

fn target(port: &HostPort) -> String {
    format!("{} . {}", port.pod.ip(), port.pod.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(protocol: Protocol, host_ip: &str, port: u16) -> HostPort {
        let pod = if host_ip.contains(':') { "[fd00:88::5]:80" } else { "10.88.0.5:80" };
        HostPort { protocol, host_ip: host_ip.parse().expect("address"), port, pod: pod.parse().expect("address") }
    }

    fn table() -> InterfaceName {
        InterfaceName::parse("berth_1").expect("name")
    }

    #[test]
    fn ports_become_elements_of_the_map_for_their_address() {
        let ports = [
            port(Protocol::Tcp, "0.0.0.0", 8080),
            port(Protocol::Sctp, "0.0.0.0", 9),
            port(Protocol::Udp, "10.0.0.1", 53),
            port(Protocol::Tcp, "::", 8080),
            port(Protocol::Udp, "2001:db8::1", 53),
        ];
        assert_eq!(
            add_script(&table(), &ports),
            "add element inet berth_1 host_ports { tcp . 8080 : 10.88.0.5 . 80, sctp . 9 : 10.88.0.5 . 80 }\n\
             add element inet berth_1 host_ip_ports { 10.0.0.1 . udp . 53 : 10.88.0.5 . 80 }\n\
             add element inet berth_1 host_ports6 { tcp . 8080 : fd00:88::5 . 80 }\n\
             add element inet berth_1 host_ip_ports6 { 2001:db8::1 . udp . 53 : fd00:88::5 . 80 }\n"
        );
    }

    #[test]
    fn ports_of_loopback_never_come_into_the_table() {
        let ports = [
            port(Protocol::Tcp, "127.0.0.1", 8080),
            port(Protocol::Udp, "127.9.9.9", 53),
            port(Protocol::Udp, "::1", 53),
        ];
        assert_eq!(add_script(&table(), &ports), "");
        assert_eq!(remove_script(&table(), &ports), "");
    }

    #[test]
    fn ports_are_read_as_nft_prints_them() {
        let text = "table inet berth_1 {\n\tmap host_ports {\n\t\ttype inet_proto . inet_service : ipv4_addr . inet_service\n\t\t\
                    elements = { tcp . 8080 : 10.88.0.5 . 80,\n\t\t\t     sctp . 9 : 10.88.0.5 . 80 }\n\t}\n\n\tmap host_ip_ports {\n\t\t\
                    elements = { 10.0.0.1 . udp . 53 : 10.88.0.5 . 80, odd . 1 : x }\n\t}\n\tmap host_ports6 {\n\t\telements = { tcp . 8080 : fd00:88::5 . 80 }\n\t}\n\tmap \
                    host_ip_ports6 {\n\t\telements = { 2001:db8::1 . udp . 53 : fd00:88::5 . 80 }\n\t}\n}\n";
        let ports = [
            port(Protocol::Tcp, "0.0.0.0", 8080),
            port(Protocol::Sctp, "0.0.0.0", 9),
            port(Protocol::Udp, "10.0.0.1", 53),
            port(Protocol::Tcp, "::", 8080),
            port(Protocol::Udp, "2001:db8::1", 53),
        ];
        assert_eq!(parse_ports(text), ports);
    }

    #[test]
    fn ports_can_be_removed_that_are_not_there() {
        assert_eq!(
            remove_script(&table(), &[port(Protocol::Tcp, "0.0.0.0", 8080)]),
            "add element inet berth_1 host_ports { tcp . 8080 : 10.88.0.5 . 80 }\n\
             delete element inet berth_1 host_ports { tcp . 8080 }\n"
        );
    }

    fn config(subnets: &[&str], masquerade: bool) -> TableConfig {
        let subnets = subnets.iter().map(|text| Prefix::parse(text).expect("prefix")).collect();
        TableConfig { name: table(), subnets, masquerade }
    }

    #[test]
    fn the_table_is_made_anew_with_its_ports_in_one_script() {
        let script = table_script(&config(&["10.88.0.1/16"], true), &[port(Protocol::Tcp, "0.0.0.0", 8080)]);
        assert!(script.starts_with("add table inet berth_1\ndelete table inet berth_1\ntable inet berth_1 {\n"));
        assert!(script.contains("ip saddr 10.88.0.0/16 ip daddr != 10.88.0.0/16 ip daddr != 224.0.0.0/4 masquerade\n"));
        assert!(script.contains("ct status dnat ip saddr 10.88.0.0/16 ip daddr 10.88.0.0/16 masquerade\n"));
        assert!(script.ends_with("}\nadd element inet berth_1 host_ports { tcp . 8080 : 10.88.0.5 . 80 }\n"));
        assert!(!script.contains("ip6"), "a kernel without IPv6 takes it");
        assert!(!table_script(&config(&["10.88.0.1/16"], false), &[]).contains("ip daddr != 224.0.0.0/4"));
    }

    #[test]
    fn each_family_has_its_maps_and_its_rules() {
        let script = table_script(&config(&["10.88.0.1/16", "fd00:88::1/64"], true), &[]);
        assert!(script.contains("map host_ports6 { type inet_proto . inet_service : ipv6_addr . inet_service; }"));
        assert!(script.contains("dnat ip to meta l4proto . th dport map @host_ports\n"));
        assert!(script.contains("dnat ip6 to meta l4proto . th dport map @host_ports6\n"));
        assert_eq!(script.matches("ip6 daddr != ::1 fib daddr type local jump to_pods\n").count(), 2);
        assert!(script.contains("ip6 saddr fd00:88::/64 ip6 daddr != fd00:88::/64 ip6 daddr != ff00::/8 masquerade\n"));
    }
}
