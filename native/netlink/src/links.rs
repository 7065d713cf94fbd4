//! The node's own links among all that are there.

use crate::{Netlink, NetlinkError};
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use std::collections::HashSet;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLink {
    pub name: String,
    /// "" for none
    pub alias: String,
}

/// Links whose alias begins with `alias`, and those of the names; at most so many.
pub fn own_links(alias: &str, names: &HashSet<String>, most: usize) -> Result<Vec<FoundLink>, NetlinkError> {
    let links = Netlink::open()?.list_links()?;
    Ok(links.iter().map(found).filter(|link| is_own(link, alias, names)).take(most).collect())
}

fn is_own(link: &FoundLink, alias: &str, names: &HashSet<String>) -> bool {
    // An empty beginning would be that of every link.
    !alias.is_empty() && link.alias.starts_with(alias) || names.contains(&link.name)
}

fn found(link: &LinkMessage) -> FoundLink {
    let mut found = FoundLink { name: String::new(), alias: String::new() };
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(name) => found.name.clone_from(name),
            LinkAttribute::IfAlias(alias) => found.alias.clone_from(alias),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(name: &str, alias: &str) -> FoundLink {
        FoundLink { name: name.into(), alias: alias.into() }
    }

    #[test]
    fn a_link_is_ours_by_its_alias_or_because_it_was_asked_for_by_name() {
        let asked = HashSet::from(["veth1".to_owned()]);
        assert!(is_own(&link("veth0", "berth:1a2b3c4d:ab"), "berth:1a2b3c4d:", &asked));
        assert!(is_own(&link("veth1", ""), "berth:1a2b3c4d:", &asked));
        assert!(!is_own(&link("veth2", "berth:ffffffff:ab"), "berth:1a2b3c4d:", &asked));
        assert!(!is_own(&link("eth0", ""), "", &asked));
    }

    #[test]
    fn loopback_is_among_the_links_of_every_namespace() {
        let found = own_links("", &HashSet::from(["lo".to_owned()]), 1024).expect("links");
        assert_eq!(found, [link("lo", "")]);
    }
}
