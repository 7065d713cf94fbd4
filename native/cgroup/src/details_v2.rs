//! Details as v2 says them.

use crate::{
    details::{Details, MemoryDetails, Spec, hugepages},
    folder::{Folder, Table},
    limits_v2::shares_of_weight,
};

pub fn details_v2(folder: &Folder, cpu_stat: &Table, memory_stat: Option<&Table>) -> Details {
    let nanos = |name| cpu_stat.find(name).map(|micros| micros * 1000);
    let max = folder.text("cpu.max");
    let mut max = max.iter().flat_map(|text| text.split_whitespace()).map(|number| number.parse().ok());
    Details {
        cpu_user_nanos: nanos("user_usec"),
        cpu_system_nanos: nanos("system_usec"),
        memory: memory_stat.map(|stat| memory(folder, stat)).unwrap_or_default(),
        hugepages: hugepages(folder, "current", "max_usage"),
        spec: Spec {
            cpu_shares: folder.number("cpu.weight").map(shares_of_weight),
            cpu_quota_micros: max.next().flatten(),
            cpu_period_micros: max.next().flatten(),
            memory_limit: limit(folder, "memory.max"),
            memory_reservation: limit(folder, "memory.low"),
            memory_swap_limit: limit(folder, "memory.swap.max"),
        },
    }
}

/// Kernels before 5.18 do not say what of it is their own, those before 5.19 not what was the most.
fn memory(folder: &Folder, stat: &Table) -> MemoryDetails {
    MemoryDetails {
        cache: stat.find("file"),
        mapped_file: stat.find("file_mapped"),
        kernel: stat.find("kernel"),
        most: folder.number("memory.peak"),
        limit_hits: folder.table("memory.events").and_then(|events| events.find("max")),
        own_page_faults: None,
        own_major_page_faults: None,
    }
}

fn limit(folder: &Folder, name: &str) -> Option<u64> {
    let text = folder.text(name)?;
    if text.trim() == "max" { Some(0) } else { text.trim().parse().ok() }
}
