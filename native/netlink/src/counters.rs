//! Counters of all links in one read.

use crate::NetlinkError;
use std::{collections::HashMap, fs};

/// As the namespace that they were read in sees the link: what a pod sends comes in at the node's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub rx_bytes: u64,
    pub rx_packets: u64,
    pub rx_errors: u64,
    pub rx_dropped: u64,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
    pub tx_dropped: u64,
}

/// By name, all links of the caller's network namespace.
pub fn read_counters() -> Result<HashMap<String, Counters>, NetlinkError> {
    read("/proc/thread-self/net/dev")
}

/// By name, all links of a process's network namespace.
pub fn read_counters_of(pid: i32) -> Result<HashMap<String, Counters>, NetlinkError> {
    read(&format!("/proc/{pid}/net/dev"))
}

fn read(file: &str) -> Result<HashMap<String, Counters>, NetlinkError> {
    let text = fs::read_to_string(file).map_err(|source| NetlinkError::io(format!("read {file}"), source))?;
    Ok(parse(&text))
}

fn parse(text: &str) -> HashMap<String, Counters> {
    text.lines()
        .filter_map(|line| {
            let (name, numbers) = line.split_once(':')?;
            let numbers: Vec<u64> = numbers.split_whitespace().map_while(|number| number.parse().ok()).collect();
            let at = |index: usize| numbers.get(index).copied();
            Some((
                name.trim().to_owned(),
                Counters {
                    rx_bytes: at(0)?,
                    rx_packets: at(1)?,
                    rx_errors: at(2)?,
                    rx_dropped: at(3)?,
                    tx_bytes: at(8)?,
                    tx_packets: at(9)?,
                    tx_errors: at(10)?,
                    tx_dropped: at(11)?,
                },
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_link_has_its_own_figures() {
        let text =
            "Inter-|   Receive |  Transmit\n face |bytes packets errs\n    lo:  10 1 2 3 0 0 0 0  30 4 5 6 0 0 0 0\n";
        let received = Counters { rx_bytes: 10, rx_packets: 1, rx_errors: 2, rx_dropped: 3, ..Counters::default() };
        let both = Counters { tx_bytes: 30, tx_packets: 4, tx_errors: 5, tx_dropped: 6, ..received };
        assert_eq!(parse(text)["lo"], both);
        assert_eq!(parse(text).len(), 1);
    }
}
