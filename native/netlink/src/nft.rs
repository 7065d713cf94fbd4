//! Running `nft`. It is told by a script on its input, so nothing is quoted.

use crate::NetlinkError;
use std::{
    io::Write,
    process::{Command, Stdio},
};

const MAX_MESSAGE_BYTES: usize = 2048;
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// One transaction: all of the script is done, or nothing. Gives what nft prints.
pub fn run(script: &str, doing: &str) -> Result<String, NetlinkError> {
    run_with(&["-f", "-"], script, doing)
}

/// What nft prints of a table, without the elements of its maps.
pub fn list_rules(table: &str, doing: &str) -> Result<String, NetlinkError> {
    run_with(&["-t", "list", "table", "inet", table], "", doing)
}

fn run_with(arguments: &[&str], script: &str, doing: &str) -> Result<String, NetlinkError> {
    let failed = |source| NetlinkError::io(doing, source);
    let mut nft = Command::new("nft")
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| NetlinkError::io(format!("{doing}: start nft"), source))?;
    // It reads its whole input before it prints, so neither waits for the other.
    let written = nft.stdin.take().map_or(Ok(()), |mut input| input.write_all(script.as_bytes()));
    let ended = nft.wait_with_output().map_err(failed)?;
    if !ended.status.success() {
        let message = &ended.stderr[..ended.stderr.len().min(MAX_MESSAGE_BYTES)];
        let message = String::from_utf8_lossy(message).trim().replace('\n', " ");
        return Err(NetlinkError::Nft { doing: doing.into(), message });
    }
    written.map_err(failed)?;
    Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
}
