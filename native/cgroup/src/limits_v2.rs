//! Limits as files of v2.

use crate::{
    CgroupError, CgroupPath, Cgroups,
    limits::{Limits, Plan, or_max, plan_hugepages},
};
use std::path::Path;

impl Cgroups {
    pub(crate) fn plan_v2(&self, path: &CgroupPath, limits: &Limits, plan: &mut Plan) -> Result<(), CgroupError> {
        let Some(hierarchy) = self.hierarchies.first() else { return Err(CgroupError::NotMounted) };
        let folder = path.under(&hierarchy.mount);
        plan.write(folder.join("memory.max"), limits.memory_bytes.map(or_max));
        if let Some(both) = limits.memory_swap_bytes {
            // v2 limits swap alone. Without a limit of memory there is no sum either.
            let present = || plan.present(&folder.join("memory.max")).parse().ok();
            let swap = match limits.memory_bytes.or_else(present) {
                Some(memory) if memory >= 0 && both >= 0 => both.saturating_sub(memory).max(0),
                _ => -1,
            };
            plan.write(folder.join("memory.swap.max"), Some(or_max(swap)));
        }
        plan.write(folder.join("cpu.weight"), limits.cpu_shares.map(weight_of_shares));
        plan.write(folder.join("cpu.max"), cpu_max(&folder, limits, plan));
        plan.write(folder.join("pids.max"), limits.pids.map(or_max));
        plan.write(folder.join("cpuset.cpus"), limits.cpuset_cpus.as_ref());
        plan.write(folder.join("cpuset.mems"), limits.cpuset_mems.as_ref());
        plan_hugepages(&folder, "max", limits, plan)?;
        for (file, value) in &limits.unified {
            if !is_file_name(file) || value.contains(['\n', '\0']) {
                return Err(CgroupError::File(file.chars().take(128).collect()));
            }
            plan.write(folder.join(file), Some(value));
        }
        Ok(())
    }
}

/// Quota and period are one file; the one that is not named stays as it is.
fn cpu_max(folder: &Path, limits: &Limits, plan: &Plan) -> Option<String> {
    let quota = limits.cpu_quota_micros.map(or_max);
    let Some(period) = limits.cpu_period_micros else { return quota };
    let present = || plan.present(&folder.join("cpu.max")).split_whitespace().next().map(str::to_owned);
    let quota = quota.or_else(present);
    Some(format!("{} {period}", quota.as_deref().unwrap_or("max")))
}

/// "memory.high": a controller and a word, nothing that leads out of the folder. The files of "cgroup." move, freeze and kill processes, and
/// limit nothing that a pod may ask for.
fn is_file_name(name: &str) -> bool {
    let mut parts = name.split('.');
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    (2..=4).contains(&name.split('.').count()) && parts.all(plain) && !name.starts_with("cgroup.")
}

/// @source the conversion that systemd, runc and the kubelet share: 2..262144 onto 1..10000
fn weight_of_shares(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142
}

/// The other way; what the steps of a weight leave open is rounded down.
pub fn shares_of_weight(weight: u64) -> u64 {
    2 + (weight.clamp(1, 10_000) - 1) * 262_142 / 9999
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_become_the_weights_that_the_kubelet_expects() {
        assert_eq!([2, 1024, 262_144].map(weight_of_shares), [1, 39, 10_000]);
        assert_eq!([1, 39, 10_000].map(shares_of_weight), [2, 998, 262_144]);
    }

    #[test]
    fn unified_files_stay_in_their_folder() {
        for good in ["memory.high", "memory.swap.max", "hugetlb.2mb.max", "cpu.weight"] {
            assert!(is_file_name(good), "{good}");
        }
        for bad in ["", "memory", "../x.y", "a/b.c", ".x", "memory..max", "Memory.max", "cgroup.procs", "cgroup.kill"] {
            assert!(!is_file_name(bad), "{bad:?}");
        }
    }
}
