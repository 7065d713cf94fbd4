//! What other tables do to the traffic that we forward. They are read, and never written.

use crate::{InterfaceName, NetlinkError, nft};

/// A line for each chain that drops forwarded packets unless one of its rules accepts them.
pub fn forward_warnings(own: &InterfaceName, with_ipv6: bool) -> Result<Vec<String>, NetlinkError> {
    Ok(dropping_chains(&nft::run("list chains\n", "list nftables chains")?, own.as_str(), with_ipv6))
}

fn dropping_chains(text: &str, own: &str, with_ipv6: bool) -> Vec<String> {
    let (mut table, mut chain, mut warnings) = (("", ""), "", Vec::new());
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["table", family, name, ..] => table = (family, name),
            ["chain", name, ..] => chain = name,
            ["type", _, "hook", "forward", .., "policy", "drop;"]
                if (matches!(table.0, "ip" | "inet") || with_ipv6 && table.0 == "ip6") && table.1 != own =>
            {
                let (family, name) = table;
                warnings.push(format!(
                    "chain {chain} of nftables table {family} {name} drops what none of its rules accepts; if none accepts \
                     the pods' traffic, they can't reach other hosts, nor be reached by them"
                ));
            }
            _ => {}
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::dropping_chains;

    const TEXT: &str = "\
table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy drop;
	}
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
	}
	chain DOCKER {
	}
}
table ip6 filter {
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
	}
}
table inet open {
	chain forward {
		type filter hook forward priority filter + 10; policy accept;
	}
}
";

    #[test]
    fn a_chain_that_drops_what_it_forwards_is_named() {
        let warnings = dropping_chains(TEXT, "berth_1", false);
        assert_eq!(warnings.len(), 1);
        assert_eq!(dropping_chains(TEXT, "berth_1", true).len(), 2);
        assert!(warnings[0].starts_with("chain FORWARD of nftables table ip filter drops"), "{warnings:?}");
    }
}
