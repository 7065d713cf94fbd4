//! The limits of a spec. berthd has left out what this host can't limit, so nothing of them may go unheeded.

use crate::{error::RuntimeError, spec::Resources};
use cgroup::{CgroupPath, Cgroups, Limits};

pub fn apply(cgroups: &Cgroups, path: &CgroupPath, resources: &Resources) -> Result<(), RuntimeError> {
    let warnings = cgroups.apply_to_new(path, &limits(resources))?;
    if warnings.is_empty() { Ok(()) } else { Err(RuntimeError::argument("limit the container", warnings.join("; "))) }
}

fn limits(resources: &Resources) -> Limits {
    let (memory, cpu) = (resources.memory.as_ref(), resources.cpu.as_ref());
    Limits {
        memory_bytes: memory.and_then(|memory| memory.limit),
        memory_swap_bytes: memory.and_then(|memory| memory.swap),
        cpu_shares: cpu.and_then(|cpu| cpu.shares),
        cpu_quota_micros: cpu.and_then(|cpu| cpu.quota),
        cpu_period_micros: cpu.and_then(|cpu| cpu.period),
        pids: resources.pids.as_ref().map(|pids| pids.limit),
        cpuset_cpus: cpu.and_then(|cpu| cpu.cpus.clone()),
        cpuset_mems: cpu.and_then(|cpu| cpu.mems.clone()),
        hugepages: resources.hugepage_limits.iter().map(|each| (each.page_size.clone(), each.limit)).collect(),
        unified: resources.unified.clone(),
    }
}
