//! What a cgroup uses: a fixed number of file reads, never a walk.

use crate::{CgroupPath, Cgroups};
use std::{fs, path::Path};

/// Bytes and nanoseconds; a limit of 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub cpu_nanos: u64,
    pub throttled_periods: u64,
    pub throttled_nanos: u64,
    pub memory_bytes: u64,
    /// less what could be given back at once: inactive file pages, as the kubelet counts
    pub working_set_bytes: u64,
    pub rss_bytes: u64,
    pub page_faults: u64,
    pub major_page_faults: u64,
    pub memory_limit_bytes: u64,
    pub swap_bytes: u64,
    pub oom_kills: u64,
    pub pids: u64,
    pub pids_limit: u64,
}

// v1 says "no limit" as the largest number of whole pages.
const V1_NO_LIMIT: u64 = 0x7000_0000_0000_0000;

impl Cgroups {
    /// `None` when the cgroup is gone.
    pub fn usage(&self, path: &CgroupPath) -> Option<Usage> {
        if self.is_v2() { self.usage_v2(path) } else { self.usage_v1(path) }
    }

    fn usage_v1(&self, path: &CgroupPath) -> Option<Usage> {
        let cpuacct = path.under(self.mount_of("cpuacct")?);
        let mut usage = Usage { cpu_nanos: number(&cpuacct.join("cpuacct.usage"))?, ..Usage::default() };
        if let Some(cpu) = self.mount_of("cpu") {
            let stat = Table::read(&path.under(cpu).join("cpu.stat"));
            (usage.throttled_periods, usage.throttled_nanos) = (stat.get("nr_throttled"), stat.get("throttled_time"));
        }
        if let Some(memory) = self.mount_of("memory").map(|mount| path.under(mount)) {
            let stat = Table::read(&memory.join("memory.stat"));
            usage.memory_bytes = number(&memory.join("memory.usage_in_bytes"))?;
            usage.working_set_bytes = usage.memory_bytes.saturating_sub(stat.get("total_inactive_file"));
            usage.rss_bytes = stat.get("total_rss");
            usage.page_faults = stat.get("total_pgfault");
            usage.major_page_faults = stat.get("total_pgmajfault");
            usage.swap_bytes = stat.get("total_swap");
            usage.memory_limit_bytes = stat.get("hierarchical_memory_limit");
            if usage.memory_limit_bytes >= V1_NO_LIMIT {
                usage.memory_limit_bytes = 0;
            }
            usage.oom_kills = Table::read(&memory.join("memory.oom_control")).get("oom_kill");
        }
        if let Some(pids) = self.mount_of("pids").map(|mount| path.under(mount)) {
            usage.pids = number(&pids.join("pids.current")).unwrap_or(0);
            usage.pids_limit = number(&pids.join("pids.max")).unwrap_or(0);
        }
        Some(usage)
    }

    fn usage_v2(&self, path: &CgroupPath) -> Option<Usage> {
        let folder = path.under(&self.hierarchies.first()?.mount);
        if !folder.exists() {
            return None;
        }
        let cpu = Table::read(&folder.join("cpu.stat"));
        let stat = Table::read(&folder.join("memory.stat"));
        let memory_bytes = number(&folder.join("memory.current")).unwrap_or(0);
        Some(Usage {
            cpu_nanos: cpu.get("usage_usec") * 1000,
            throttled_periods: cpu.get("nr_throttled"),
            throttled_nanos: cpu.get("throttled_usec") * 1000,
            memory_bytes,
            working_set_bytes: memory_bytes.saturating_sub(stat.get("inactive_file")),
            rss_bytes: stat.get("anon"),
            page_faults: stat.get("pgfault"),
            major_page_faults: stat.get("pgmajfault"),
            memory_limit_bytes: number(&folder.join("memory.max")).unwrap_or(0),
            swap_bytes: number(&folder.join("memory.swap.current")).unwrap_or(0),
            oom_kills: Table::read(&folder.join("memory.events")).get("oom_kill"),
            pids: number(&folder.join("pids.current")).unwrap_or(0),
            pids_limit: number(&folder.join("pids.max")).unwrap_or(0),
        })
    }
}

/// The one number of a file; `None` when the file is gone or says "max".
fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// A file of lines "name value".
struct Table(String);

impl Table {
    fn read(file: &Path) -> Self {
        Self(fs::read_to_string(file).unwrap_or_default())
    }

    /// 0 for a name that this kernel does not have.
    fn get(&self, name: &str) -> u64 {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn a_value_is_found_by_its_whole_name() {
        let table = Table("total_rss_huge 5\ntotal_rss 7\n".into());
        assert_eq!((table.get("total_rss"), table.get("total")), (7, 0));
    }
}
