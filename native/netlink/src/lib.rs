//! Links, addresses and routes over rtnetlink; the masquerade rule through `nft`.

mod counters;
mod endpoint;
mod error;
mod masquerade;
mod name;
mod socket;

pub use counters::{Counters, read_counters};
pub use endpoint::{EndpointConfig, attach_endpoint, bring_loopback_up};
pub use error::NetlinkError;
pub use masquerade::{delete_table, ensure_masquerade};
pub use name::{InterfaceName, Prefix};
pub use socket::Netlink;
