//! Applying limits. The order of writes matters where one limit may not pass another.

use crate::{CgroupError, CgroupPath, Cgroups};
use std::{
    collections::BTreeMap,
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
    /// files of cgroup v2 and their values; v1 has none of them
    pub unified: BTreeMap<String, String>,
}

impl Cgroups {
    /// Applies what is given, all of it or nothing. What this host can't limit comes back as warnings.
    pub fn apply(&self, path: &CgroupPath, limits: &Limits) -> Result<Vec<String>, CgroupError> {
        let mut plan = Plan::default();
        if self.is_v2() {
            self.plan_v2(path, limits, &mut plan)?;
        } else {
            self.plan_v1(path, limits, &mut plan);
        }
        write_all(&plan.writes)?;
        Ok(plan.warnings)
    }

    fn plan_v1(&self, path: &CgroupPath, limits: &Limits, plan: &mut Plan) {
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
        if let Some(folder) = memory {
            plan_memory_v1(&folder, limits, plan);
        }
        if let Some(folder) = cpu {
            plan.write(folder.join("cpu.shares"), limits.cpu_shares.map(|shares| shares.clamp(2, 262_144)));
            plan.write(folder.join("cpu.cfs_period_us"), limits.cpu_period_micros);
            plan.write(folder.join("cpu.cfs_quota_us"), limits.cpu_quota_micros);
        }
        if let Some(folder) = pids {
            plan.write(folder.join("pids.max"), limits.pids.map(or_max));
        }
        if let Some(folder) = cpuset {
            plan.write(folder.join("cpuset.cpus"), limits.cpuset_cpus.as_ref());
            plan.write(folder.join("cpuset.mems"), limits.cpuset_mems.as_ref());
        }
        if !limits.unified.is_empty() {
            let files = limits.unified.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            plan.warnings.push(format!("unified {files}: this host has cgroup v1"));
        }
    }

    fn plan_v2(&self, path: &CgroupPath, limits: &Limits, plan: &mut Plan) -> Result<(), CgroupError> {
        let Some(hierarchy) = self.hierarchies.first() else { return Err(CgroupError::NotMounted) };
        let folder = path.under(&hierarchy.mount);
        plan.write(folder.join("memory.max"), limits.memory_bytes.map(or_max));
        if let Some(both) = limits.memory_swap_bytes {
            // v2 limits swap alone.
            let swap =
                if both < 0 { both } else { both.saturating_sub(limits.memory_bytes.unwrap_or(0).max(0)).max(0) };
            plan.write(folder.join("memory.swap.max"), Some(or_max(swap)));
        }
        plan.write(folder.join("cpu.weight"), limits.cpu_shares.map(weight_of_shares));
        if limits.cpu_quota_micros.is_some() || limits.cpu_period_micros.is_some() {
            let period = limits.cpu_period_micros.unwrap_or(100_000);
            let max = format!("{} {period}", or_max(limits.cpu_quota_micros.unwrap_or(-1)));
            plan.write(folder.join("cpu.max"), Some(max));
        }
        plan.write(folder.join("pids.max"), limits.pids.map(or_max));
        plan.write(folder.join("cpuset.cpus"), limits.cpuset_cpus.as_ref());
        plan.write(folder.join("cpuset.mems"), limits.cpuset_mems.as_ref());
        for (file, value) in &limits.unified {
            if !is_file_name(file) || value.contains(['\n', '\0']) {
                return Err(CgroupError::File(file.chars().take(128).collect()));
            }
            plan.write(folder.join(file), Some(value));
        }
        Ok(())
    }
}

/// What to write, in order.
#[derive(Default)]
struct Plan {
    writes: Vec<(PathBuf, String)>,
    warnings: Vec<String>,
}

impl Plan {
    fn write(&mut self, file: PathBuf, value: Option<impl ToString>) {
        self.writes.extend(value.map(|value| (file, value.to_string())));
    }
}

/// Memory may never pass memory plus swap, so which is written first depends on the direction.
fn plan_memory_v1(folder: &Path, limits: &Limits, plan: &mut Plan) {
    let (limit, swap) = (folder.join("memory.limit_in_bytes"), folder.join("memory.memsw.limit_in_bytes"));
    let accounts_swap = swap.exists();
    if limits.memory_swap_bytes.is_some() && !accounts_swap {
        plan.warnings.push("memory plus swap: this kernel does not account swap".into());
    }
    let current: i64 = fs::read_to_string(&swap).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(i64::MAX);
    let raising = limits.memory_bytes.is_some_and(|bytes| bytes < 0 || bytes > current);
    let both = limits.memory_swap_bytes.filter(|_| accounts_swap);
    if raising {
        plan.write(swap, both);
        plan.write(limit, limits.memory_bytes);
    } else {
        plan.write(limit, limits.memory_bytes);
        plan.write(swap, both);
    }
}

/// Writes in order; when the kernel refuses one, those before it get their old values back, the last first.
fn write_all(writes: &[(PathBuf, String)]) -> Result<(), CgroupError> {
    let mut done: Vec<(&Path, String)> = Vec::new();
    for (file, value) in writes {
        let before = fs::read_to_string(file).unwrap_or_default();
        if let Err(source) = fs::write(file, value) {
            for (file, before) in done.into_iter().rev() {
                // It was there a moment ago, so the kernel takes it; if not, the first refusal is still what is told.
                let _ = fs::write(file, before);
            }
            return Err(CgroupError::Write { file: file.clone(), value: value.clone(), source });
        }
        done.push((file, before.trim_end().to_owned()));
    }
    Ok(())
}

/// "memory.high": a controller and a word, nothing that leads out of the folder.
fn is_file_name(name: &str) -> bool {
    let mut parts = name.split('.');
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    (2..=4).contains(&name.split('.').count()) && parts.all(plain)
}

/// @source the conversion that systemd, runc and the kubelet share: 2..262144 onto 1..10000
fn weight_of_shares(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142
}

fn or_max(value: i64) -> String {
    if value < 0 { "max".into() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_become_the_weights_that_the_kubelet_expects() {
        assert_eq!([2, 1024, 262_144].map(weight_of_shares), [1, 39, 10_000]);
    }

    #[test]
    fn a_refused_write_takes_back_those_before_it() {
        let folder = std::env::temp_dir().join(format!("berth-limits-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("folder");
        let (first, second) = (folder.join("first"), folder.join("missing/second"));
        fs::write(&first, "old\n").expect("write");
        let writes = [(first.clone(), "new".into()), (second.clone(), "value".into())];
        let failure = write_all(&writes).expect_err("a folder that is not there");
        assert!(matches!(failure, CgroupError::Write { ref file, .. } if *file == second));
        assert_eq!(fs::read_to_string(&first).expect("read"), "old");
        fs::remove_dir_all(&folder).expect("remove");
    }

    #[test]
    fn unified_files_stay_in_their_folder() {
        for good in ["memory.high", "memory.swap.max", "hugetlb.2mb.max", "cpu.weight"] {
            assert!(is_file_name(good), "{good}");
        }
        for bad in ["", "memory", "../x.y", "a/b.c", ".x", "memory..max", "Memory.max"] {
            assert!(!is_file_name(bad), "{bad:?}");
        }
    }
}
