//! A pod's end of a network, made from the node's side and finished inside the pod's namespace.

use crate::{InterfaceName, Netlink, NetlinkError, Prefix, setting};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    io,
    net::IpAddr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    thread,
};

pub struct EndpointConfig {
    pub host: InterfaceName,
    pub container: InterfaceName,
    pub bridge: InterfaceName,
    pub addresses: Vec<EndpointAddress>,
    pub mtu: u32,
    /// of the node's end: says whose it is; "" sets none
    pub alias: String,
}

/// At most one of each family.
pub struct EndpointAddress {
    pub prefix: Prefix,
    /// the default route; `None` for none
    pub gateway: Option<IpAddr>,
}

/// Makes the endpoint; a part that was made before a failure is taken away again.
pub fn attach_endpoint(config: &EndpointConfig, namespace: BorrowedFd) -> Result<(), NetlinkError> {
    let mut netlink = Netlink::open()?;
    // A pair of this name is what an earlier attempt for the same pod left.
    netlink.delete_link(&config.host)?;
    let made = netlink
        .create_veth(&config.host, &config.container, namespace, &config.bridge, config.mtu, &config.alias)
        .and_then(|()| inside(namespace, |netlink| finish(config, netlink)));
    if made.is_err() {
        // The first failure is the one to tell.
        let _ = netlink.delete_link(&config.host);
    }
    made
}

/// Loopback is down in a new namespace.
pub fn bring_loopback_up(namespace: BorrowedFd) -> Result<(), NetlinkError> {
    inside(namespace, |netlink| netlink.set_up(1, None, "bring loopback up"))
}

fn finish(config: &EndpointConfig, netlink: &mut Netlink) -> Result<(), NetlinkError> {
    netlink.set_up(1, None, "bring loopback up")?;
    let name = &config.container;
    // A neighbour's router advertisement must not give the pod addresses and routes, and nobody else has our addresses. Before the
    // link is up, or it comes too late.
    for file in ["accept_ra", "autoconf", "accept_dad"] {
        setting::write_ipv6(name, file, "0")?;
    }
    if config.addresses.iter().any(|address| address.prefix.address.is_ipv6()) {
        // Where the node has it off by default.
        setting::write_ipv6(name, "disable_ipv6", "0")?;
    }
    let index = netlink.link_index(name)?;
    for address in &config.addresses {
        netlink.add_address(index, address.prefix)?;
    }
    netlink.set_up(index, None, &format!("bring {name} up"))?;
    let gateways = config.addresses.iter().filter_map(|address| address.gateway);
    gateways.into_iter().try_for_each(|gateway| netlink.add_default_route(index, gateway))
}

/// Runs `work` in a thread of its own that enters the namespace and ends with it: no thread of ours has to come back.
fn inside<T: Send>(
    namespace: BorrowedFd,
    work: impl FnOnce(&mut Netlink) -> Result<T, NetlinkError> + Send,
) -> Result<T, NetlinkError> {
    let failed = |source| NetlinkError::Namespace { doing: "enter network namespace".into(), source };
    let namespace: OwnedFd = namespace.try_clone_to_owned().map_err(failed)?;
    thread::scope(|scope| {
        let run = move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .map_err(|errno| failed(errno.into()))?;
            work(&mut Netlink::open()?)
        };
        let thread = thread::Builder::new().spawn_scoped(scope, run).map_err(failed)?;
        thread.join().unwrap_or_else(|_| Err(failed(io::Error::other("its thread failed"))))
    })
}
