//! Links, addresses and routes over rtnetlink; flows over ctnetlink; our own firewall table through `nft`.

mod conntrack;
mod counters;
mod endpoint;
mod error;
mod firewall;
mod host_port;
mod links;
mod name;
mod nft;
mod socket;
mod table;

pub use conntrack::forget_udp_flows;
pub use counters::{Counters, read_counters};
pub use endpoint::{EndpointConfig, attach_endpoint, bring_loopback_up};
pub use error::NetlinkError;
pub use firewall::forward_warnings;
pub use host_port::{HostPort, Protocol};
pub use links::{FoundLink, own_links};
pub use name::{InterfaceName, Prefix};
pub use socket::Netlink;
pub use table::{add_ports, delete_table, ensure_table, list_ports, remove_ports};
