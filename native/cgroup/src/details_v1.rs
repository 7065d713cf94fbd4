//! Details as the controllers of v1 say them.

use crate::{
    CgroupPath, Cgroups,
    details::{Details, MemoryDetails, Spec, hugepages},
    folder::{Folder, Table},
    usage_v1::NO_LIMIT,
};

// USER_HZ is 100 on every machine that Linux counts v1's cpu time on.
const NANOS_OF_A_TICK: u64 = 10_000_000;

impl Cgroups {
    pub(crate) fn details_v1(&self, path: &CgroupPath, memory_stat: Option<&Table>) -> Details {
        let folder = |controller| self.folder_of(controller, path);
        let cpu = folder("cpuacct").and_then(|folder| folder.table("cpuacct.stat"));
        let nanos = |name| Some(cpu.as_ref()?.find(name)? * NANOS_OF_A_TICK);
        let (cpu_user_nanos, cpu_system_nanos) = (nanos("user"), nanos("system"));
        let memory_folder = folder("memory");
        Details {
            cpu_user_nanos,
            cpu_system_nanos,
            memory: memory_folder
                .as_ref()
                .zip(memory_stat)
                .map(|(folder, stat)| memory(folder, stat))
                .unwrap_or_default(),
            hugepages: folder("hugetlb")
                .map(|folder| hugepages(&folder, "usage_in_bytes", "max_usage_in_bytes"))
                .unwrap_or_default(),
            spec: spec(folder("cpu").as_ref(), memory_folder.as_ref()),
        }
    }
}

fn memory(folder: &Folder, stat: &Table) -> MemoryDetails {
    MemoryDetails {
        cache: stat.find("total_cache"),
        mapped_file: stat.find("total_mapped_file"),
        kernel: folder.number("memory.kmem.usage_in_bytes"),
        most: folder.number("memory.max_usage_in_bytes"),
        limit_hits: folder.number("memory.failcnt"),
        own_page_faults: stat.find("pgfault"),
        own_major_page_faults: stat.find("pgmajfault"),
    }
}

fn spec(cpu: Option<&Folder>, memory: Option<&Folder>) -> Spec {
    // A quota of -1 is no number here, and none is what it means.
    let cpu = |name| cpu.and_then(|folder| folder.number(name));
    let memory = |name| Some(memory?.number(name)?).map(|bytes| if bytes < NO_LIMIT { bytes } else { 0 });
    Spec {
        cpu_shares: cpu("cpu.shares"),
        cpu_period_micros: cpu("cpu.cfs_period_us"),
        cpu_quota_micros: cpu("cpu.cfs_quota_us"),
        memory_limit: memory("memory.limit_in_bytes"),
        memory_reservation: memory("memory.soft_limit_in_bytes"),
        memory_swap_limit: memory("memory.memsw.limit_in_bytes"),
    }
}
