//! Links, addresses and routes over rtnetlink; flows over ctnetlink; our own firewall table through `nft`.

mod address;
mod bridge;
mod conntrack;
mod counters;
mod endpoint;
mod error;
mod firewall;
mod host_port;
mod link;
mod links;
mod name;
mod nft;
mod route;
mod setting;
mod socket;
mod table;

pub use bridge::{BridgeConfig, Difference};
pub use conntrack::forget_udp_flows;
pub use counters::{Counters, read_counters, read_counters_of};
pub use endpoint::{EndpointAddress, EndpointConfig, attach_endpoint, bring_loopback_up};
pub use error::NetlinkError;
pub use firewall::forward_warnings;
pub use host_port::{HostPort, Protocol};
pub use links::{FoundLink, own_links};
pub use name::{InterfaceName, Prefix};
pub use socket::Netlink;
pub use table::{TableConfig, add_ports, delete_table, ensure_table, fingerprint, list_ports, remove_ports};
