//! Our own nftables table, and nothing but it. `nft` is told by a script on its input, so nothing is quoted.

use crate::{InterfaceName, NetlinkError, Prefix};
use std::{
    io::Write,
    process::{Command, Stdio},
};

const MAX_MESSAGE_BYTES: usize = 2048;
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Traffic of the subnet that leaves it takes the node's address. One transaction: the table is as told, or as before.
pub fn ensure_masquerade(table: &InterfaceName, subnet: Prefix) -> Result<(), NetlinkError> {
    let subnet = subnet.network();
    let script = format!(
        "add table inet {table}\n\
         flush table inet {table}\n\
         table inet {table} {{\n\
           chain postrouting {{\n\
             type nat hook postrouting priority srcnat; policy accept;\n\
             ip saddr {subnet} ip daddr != {subnet} ip daddr != 224.0.0.0/4 masquerade\n\
           }}\n\
         }}\n"
    );
    run(&script, format!("write nftables table {table}"))
}

/// A table that is not there is fine.
pub fn delete_table(table: &InterfaceName) -> Result<(), NetlinkError> {
    // "add" first, because "delete" refuses a missing one.
    run(&format!("add table inet {table}\ndelete table inet {table}\n"), format!("delete nftables table {table}"))
}

fn run(script: &str, doing: String) -> Result<(), NetlinkError> {
    let mut nft = Command::new("nft")
        .args(["-f", "-"])
        .env_clear()
        .env("PATH", PATH)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| NetlinkError::io(format!("{doing}: start nft"), source))?;
    if let Some(mut input) = nft.stdin.take() {
        input.write_all(script.as_bytes()).map_err(|source| NetlinkError::io(doing.clone(), source))?;
    }
    let output = nft.wait_with_output().map_err(|source| NetlinkError::io(doing.clone(), source))?;
    if output.status.success() {
        return Ok(());
    }
    let message = &output.stderr[..output.stderr.len().min(MAX_MESSAGE_BYTES)];
    Err(NetlinkError::Nft { doing, message: String::from_utf8_lossy(message).trim().replace('\n', " ") })
}
