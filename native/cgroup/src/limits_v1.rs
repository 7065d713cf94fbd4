//! Limits as files of v1's controllers.

use crate::{
    CgroupError, CgroupPath, Cgroups,
    limits::{Limits, Plan, or_max, plan_hugepages},
};
use std::path::{Path, PathBuf};

impl Cgroups {
    pub(crate) fn plan_v1(&self, path: &CgroupPath, limits: &Limits, plan: &mut Plan) -> Result<(), CgroupError> {
        let mut folder = |controller: &str, wanted: bool| -> Option<PathBuf> {
            let mount = wanted.then(|| self.mount_of(controller))?;
            if mount.is_none() {
                plan.warnings.push(format!("{controller}: this host has no such controller"));
            }
            mount.map(|mount| path.under(mount))
        };
        let memory = folder("memory", limits.memory_bytes.is_some() || limits.memory_swap_bytes.is_some());
        let cpu = folder(
            "cpu",
            limits.cpu_shares.is_some() || limits.cpu_quota_micros.is_some() || limits.cpu_period_micros.is_some(),
        );
        let pids = folder("pids", limits.pids.is_some());
        let cpuset = folder("cpuset", limits.cpuset_cpus.is_some() || limits.cpuset_mems.is_some());
        // Who asks for none is not told that none can be limited.
        let asks_for_pages = limits.hugepages.values().any(|bytes| *bytes > 0);
        let can_limit_pages = !limits.hugepages.is_empty() && self.mount_of("hugetlb").is_some();
        let hugetlb = folder("hugetlb", asks_for_pages || can_limit_pages);
        if let Some(folder) = memory {
            plan_memory_v1(&folder, limits, plan);
        }
        if let Some(folder) = cpu {
            plan_cpu_v1(&folder, limits, plan);
        }
        if let Some(folder) = pids {
            plan.write(folder.join("pids.max"), limits.pids.map(or_max));
        }
        if let Some(folder) = cpuset {
            plan.write(folder.join("cpuset.cpus"), limits.cpuset_cpus.as_ref());
            plan.write(folder.join("cpuset.mems"), limits.cpuset_mems.as_ref());
        }
        if let Some(folder) = hugetlb {
            plan_hugepages(&folder, "limit_in_bytes", limits, plan)?;
        }
        if !limits.unified.is_empty() {
            let files = limits.unified.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            plan.warnings.push(format!("unified {files}: this host has cgroup v1"));
        }
        Ok(())
    }
}

/// Memory may never pass memory plus swap, so which is written first depends on the direction.
fn plan_memory_v1(folder: &Path, limits: &Limits, plan: &mut Plan) {
    let (limit, swap) = (folder.join("memory.limit_in_bytes"), folder.join("memory.memsw.limit_in_bytes"));
    let both = limits.memory_swap_bytes.filter(|_| swap.exists());
    if limits.memory_swap_bytes.is_some() && both.is_none() {
        plan.warnings.push("memory plus swap: this kernel does not account swap".into());
    }
    let current: i64 = plan.present(&swap).parse().unwrap_or(i64::MAX);
    let raising = limits.memory_bytes.is_some_and(|bytes| bytes < 0 || bytes > current);
    if raising {
        plan.write(swap, both);
        plan.write(limit, limits.memory_bytes);
    } else {
        plan.write(limit, limits.memory_bytes);
        plan.write(swap, both);
    }
}

/// The kernel compares quota and period with the pod's at each write, so what lies between may not be more than both ends.
fn plan_cpu_v1(folder: &Path, limits: &Limits, plan: &mut Plan) {
    let (period, quota) = (folder.join("cpu.cfs_period_us"), folder.join("cpu.cfs_quota_us"));
    plan.write(folder.join("cpu.shares"), limits.cpu_shares.map(|shares| shares.clamp(2, 262_144)));
    // A new cgroup has no quota that a period could make too much.
    let current: u64 = plan.present(&period).parse().unwrap_or(0);
    if limits.cpu_period_micros.is_some_and(|micros| micros < current) {
        plan.write(quota, limits.cpu_quota_micros);
        plan.write(period, limits.cpu_period_micros);
    } else {
        plan.write(period, limits.cpu_period_micros);
        plan.write(quota, limits.cpu_quota_micros);
    }
}
