//! Applying limits. The order of writes matters where one limit may not pass another.

use crate::{CgroupError, CgroupPath, Cgroups};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// `None` leaves the kernel's value as it is; -1 takes a limit away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub memory_bytes: Option<i64>,
    /// memory plus swap
    pub memory_swap_bytes: Option<i64>,
    /// 2 to 262144
    pub cpu_shares: Option<u64>,
    pub cpu_quota_micros: Option<i64>,
    pub cpu_period_micros: Option<u64>,
    pub pids: Option<i64>,
    pub cpuset_cpus: Option<String>,
    pub cpuset_mems: Option<String>,
}

impl Cgroups {
    /// Applies what is given. What this host can't limit comes back as warnings.
    pub fn apply(&self, path: &CgroupPath, limits: &Limits) -> Result<Vec<String>, CgroupError> {
        if self.is_v2() { self.apply_v2(path, limits) } else { self.apply_v1(path, limits) }
    }

    fn apply_v1(&self, path: &CgroupPath, limits: &Limits) -> Result<Vec<String>, CgroupError> {
        let mut warnings = Vec::new();
        let mut folder = |controller: &str, wanted: bool| -> Option<PathBuf> {
            let mount = wanted.then(|| self.mount_of(controller))?;
            if mount.is_none() {
                warnings.push(format!("{controller}: this host has no such controller"));
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
        if let Some(folder) = memory {
            memory_v1(&folder, limits, &mut warnings)?;
        }
        if let Some(folder) = cpu {
            write_some(&folder.join("cpu.shares"), limits.cpu_shares.map(|shares| shares.clamp(2, 262_144)))?;
            write_some(&folder.join("cpu.cfs_period_us"), limits.cpu_period_micros)?;
            write_some(&folder.join("cpu.cfs_quota_us"), limits.cpu_quota_micros)?;
        }
        if let Some(folder) = pids {
            write_some(&folder.join("pids.max"), limits.pids.map(or_max))?;
        }
        if let Some(folder) = cpuset {
            write_some(&folder.join("cpuset.cpus"), limits.cpuset_cpus.as_ref())?;
            write_some(&folder.join("cpuset.mems"), limits.cpuset_mems.as_ref())?;
        }
        Ok(warnings)
    }

    fn apply_v2(&self, path: &CgroupPath, limits: &Limits) -> Result<Vec<String>, CgroupError> {
        let Some(hierarchy) = self.hierarchies.first() else { return Err(CgroupError::NotMounted) };
        let folder = path.under(&hierarchy.mount);
        write_some(&folder.join("memory.max"), limits.memory_bytes.map(or_max))?;
        if let Some(both) = limits.memory_swap_bytes {
            // v2 limits swap alone.
            let swap =
                if both < 0 { both } else { both.saturating_sub(limits.memory_bytes.unwrap_or(0).max(0)).max(0) };
            write(&folder.join("memory.swap.max"), &or_max(swap))?;
        }
        write_some(&folder.join("cpu.weight"), limits.cpu_shares.map(weight_of_shares))?;
        if limits.cpu_quota_micros.is_some() || limits.cpu_period_micros.is_some() {
            let period = limits.cpu_period_micros.unwrap_or(100_000);
            write(&folder.join("cpu.max"), &format!("{} {period}", or_max(limits.cpu_quota_micros.unwrap_or(-1))))?;
        }
        write_some(&folder.join("pids.max"), limits.pids.map(or_max))?;
        write_some(&folder.join("cpuset.cpus"), limits.cpuset_cpus.as_ref())?;
        write_some(&folder.join("cpuset.mems"), limits.cpuset_mems.as_ref())?;
        Ok(Vec::new())
    }
}

/// Memory may never pass memory plus swap, so which is written first depends on the direction.
fn memory_v1(folder: &Path, limits: &Limits, warnings: &mut Vec<String>) -> Result<(), CgroupError> {
    let (limit, swap) = (folder.join("memory.limit_in_bytes"), folder.join("memory.memsw.limit_in_bytes"));
    let accounts_swap = swap.exists();
    if limits.memory_swap_bytes.is_some() && !accounts_swap {
        warnings.push("memory plus swap: this kernel does not account swap".into());
    }
    let memory = limits.memory_bytes.map(|bytes| (&limit, bytes));
    let both = limits.memory_swap_bytes.filter(|_| accounts_swap).map(|bytes| (&swap, bytes));
    let current: i64 = fs::read_to_string(&swap).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(i64::MAX);
    let raising = limits.memory_bytes.is_some_and(|bytes| bytes < 0 || bytes > current);
    let order = if raising { [both, memory] } else { [memory, both] };
    for (file, bytes) in order.into_iter().flatten() {
        write(file, &bytes.to_string())?;
    }
    Ok(())
}

/// @source the conversion that systemd, runc and the kubelet share: 2..262144 onto 1..10000
fn weight_of_shares(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142
}

fn or_max(value: i64) -> String {
    if value < 0 { "max".into() } else { value.to_string() }
}

fn write_some(file: &Path, value: Option<impl ToString>) -> Result<(), CgroupError> {
    value.map_or(Ok(()), |value| write(file, &value.to_string()))
}

fn write(file: &Path, value: &str) -> Result<(), CgroupError> {
    fs::write(file, value).map_err(|source| CgroupError::Write { file: file.into(), value: value.into(), source })
}

#[cfg(test)]
mod tests {
    use super::weight_of_shares;

    #[test]
    fn shares_become_the_weights_that_the_kubelet_expects() {
        assert_eq!([2, 1024, 262_144].map(weight_of_shares), [1, 39, 10_000]);
    }
}
