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
    /// bytes by page size, "2MB"
    pub hugepages: BTreeMap<String, u64>,
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
            self.plan_v1(path, limits, &mut plan)?;
        }
        write_all(&plan.writes)?;
        Ok(plan.warnings)
    }

    fn plan_v1(&self, path: &CgroupPath, limits: &Limits, plan: &mut Plan) -> Result<(), CgroupError> {
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

/// The kernel compares quota and period with the pod's at each write, so what lies between may not be more than both ends.
fn plan_cpu_v1(folder: &Path, limits: &Limits, plan: &mut Plan) {
    let (period, quota) = (folder.join("cpu.cfs_period_us"), folder.join("cpu.cfs_quota_us"));
    plan.write(folder.join("cpu.shares"), limits.cpu_shares.map(|shares| shares.clamp(2, 262_144)));
    let current: u64 = fs::read_to_string(&period).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    if limits.cpu_period_micros.is_some_and(|micros| micros < current) {
        plan.write(quota, limits.cpu_quota_micros);
        plan.write(period, limits.cpu_period_micros);
    } else {
        plan.write(period, limits.cpu_period_micros);
        plan.write(quota, limits.cpu_quota_micros);
    }
}

fn plan_hugepages(folder: &Path, file: &str, limits: &Limits, plan: &mut Plan) -> Result<(), CgroupError> {
    for (size, bytes) in &limits.hugepages {
        let digits = size.strip_suffix("KB").or_else(|| size.strip_suffix("MB")).or_else(|| size.strip_suffix("GB"));
        if !digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(CgroupError::File(size.chars().take(128).collect()));
        }
        plan.write(folder.join(format!("hugetlb.{size}.{file}")), Some(bytes));
    }
    Ok(())
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
    use crate::{Hierarchy, Mode};

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

    /// A cgroup "/pod" of v1 or v2 with the files that are given, and what is planned for it.
    fn plan(name: &str, mode: Mode, files: &[(&str, &str)], limits: &Limits) -> Result<Vec<String>, CgroupError> {
        let mount = std::env::temp_dir().join(format!("berth-plan-{name}-{}", std::process::id()));
        fs::create_dir_all(mount.join("pod")).expect("folder");
        for (file, text) in files {
            fs::write(mount.join("pod").join(file), text).expect("write");
        }
        let controllers = ["cpu", "memory", "pids", "cpuset", "hugetlb"].map(str::to_owned).to_vec();
        let cgroups = Cgroups { mode, hierarchies: vec![Hierarchy { mount: mount.clone(), controllers }] };
        let (mut plan, path) = (Plan::default(), CgroupPath::parse("/pod").expect("path"));
        let outcome = match mode {
            Mode::V2 => cgroups.plan_v2(&path, limits, &mut plan),
            Mode::V1 | Mode::Hybrid => cgroups.plan_v1(&path, limits, &mut plan),
        };
        fs::remove_dir_all(&mount).expect("remove");
        outcome.map(|()| {
            let file =
                |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            plan.writes.iter().map(|(path, value)| format!("{} {value}", file(path))).collect()
        })
    }

    #[test]
    fn quota_and_period_are_written_so_that_nothing_between_is_more_than_both() {
        let limits = |period, quota| Limits {
            cpu_period_micros: Some(period),
            cpu_quota_micros: Some(quota),
            ..Limits::default()
        };
        let files = [("cpu.cfs_period_us", "100000\n")];
        let shorter = plan("shorter", Mode::V1, &files, &limits(50_000, 10_000)).expect("plan");
        assert_eq!(shorter, ["cpu.cfs_quota_us 10000", "cpu.cfs_period_us 50000"]);
        let longer = plan("longer", Mode::V1, &files, &limits(200_000, 10_000)).expect("plan");
        assert_eq!(longer, ["cpu.cfs_period_us 200000", "cpu.cfs_quota_us 10000"]);
    }

    #[test]
    fn v2_has_its_own_files_for_the_same_limits() {
        let limits = Limits {
            memory_bytes: Some(100),
            memory_swap_bytes: Some(150),
            cpu_shares: Some(1024),
            cpu_quota_micros: Some(-1),
            cpu_period_micros: Some(50_000),
            pids: Some(-1),
            cpuset_cpus: Some("0".into()),
            cpuset_mems: None,
            hugepages: [("2MB".into(), 0)].into(),
            unified: [("memory.high".into(), "90".into())].into(),
        };
        assert_eq!(
            plan("v2", Mode::V2, &[], &limits).expect("plan"),
            [
                "memory.max 100",
                "memory.swap.max 50",
                "cpu.weight 39",
                "cpu.max max 50000",
                "pids.max max",
                "cpuset.cpus 0",
                "hugetlb.2MB.max 0",
                "memory.high 90"
            ]
        );
    }

    #[test]
    fn page_sizes_are_no_paths() {
        for (name, size, good) in [("size", "2MB", true), ("path", "../x/2MB", false), ("none", "MB", false)] {
            let limits = Limits { hugepages: [(size.to_owned(), 4 << 20)].into(), ..Limits::default() };
            assert_eq!(plan(name, Mode::V1, &[], &limits).is_ok(), good, "{size}");
        }
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
