//! Counters of all links in one read.

use crate::NetlinkError;
use std::{collections::HashMap, fs};

/// As the node sees the link: what a pod sends comes in here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub rx_bytes: u64,
    pub rx_errors: u64,
    pub tx_bytes: u64,
    pub tx_errors: u64,
}

/// By name, all links of the caller's network namespace.
pub fn read_counters() -> Result<HashMap<String, Counters>, NetlinkError> {
    let file = "/proc/thread-self/net/dev";
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
                Counters { rx_bytes: at(0)?, rx_errors: at(2)?, tx_bytes: at(8)?, tx_errors: at(10)? },
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
            "Inter-|   Receive |  Transmit\n face |bytes packets errs\n    lo:  10 1 2 0 0 0 0 0  30 1 4 0 0 0 0 0\n";
        assert_eq!(parse(text)["lo"], Counters { rx_bytes: 10, rx_errors: 2, tx_bytes: 30, tx_errors: 4 });
        assert_eq!(parse(text).len(), 1);
    }
}
