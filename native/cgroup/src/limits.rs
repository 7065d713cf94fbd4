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
        let plan = self.plan(path, limits, Plan::default())?;
        write_all(&plan.writes)?;
        Ok(plan.warnings)
    }

    /// The same for a cgroup that was made a moment ago, of which there is nothing to read, and which goes when the kernel refuses.
    pub fn apply_to_new(&self, path: &CgroupPath, limits: &Limits) -> Result<Vec<String>, CgroupError> {
        let plan = self.plan(path, limits, Plan { is_new: true, ..Plan::default() })?;
        for (file, value) in plan.writes {
            if let Err(source) = fs::write(&file, &value) {
                return Err(CgroupError::Write { file, value, source });
            }
        }
        Ok(plan.warnings)
    }

    fn plan(&self, path: &CgroupPath, limits: &Limits, mut plan: Plan) -> Result<Plan, CgroupError> {
        if self.is_v2() {
            self.plan_v2(path, limits, &mut plan)?;
        } else {
            self.plan_v1(path, limits, &mut plan)?;
        }
        Ok(plan)
    }
}

/// What to write, in order.
#[derive(Default)]
pub(crate) struct Plan {
    /// the cgroup has the kernel's own values still
    pub is_new: bool,
    pub writes: Vec<(PathBuf, String)>,
    pub warnings: Vec<String>,
}

impl Plan {
    /// What a file has now; nothing where that is what the kernel gives to a new cgroup, or where there is no such file.
    pub fn present(&self, file: &Path) -> String {
        let text = if self.is_new { String::new() } else { fs::read_to_string(file).unwrap_or_default() };
        text.trim_end().to_owned()
    }

    pub fn write(&mut self, file: PathBuf, value: Option<impl ToString>) {
        self.writes.extend(value.map(|value| (file, value.to_string())));
    }
}

pub(crate) fn plan_hugepages(folder: &Path, file: &str, limits: &Limits, plan: &mut Plan) -> Result<(), CgroupError> {
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
                // Nothing, as an inherited cpuset, is written as a line, too: no byte would be no write.
                // It was there a moment ago, so the kernel takes it; if not, the first refusal is still what is told.
                let _ = fs::write(file, format!("{before}\n"));
            }
            return Err(CgroupError::Write { file: file.clone(), value: value.clone(), source });
        }
        done.push((file, before.trim_end().to_owned()));
    }
    Ok(())
}

pub(crate) fn or_max(value: i64) -> String {
    if value < 0 { "max".into() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hierarchy, Mode};

    #[test]
    fn a_refused_write_takes_back_those_before_it() {
        let folder = std::env::temp_dir().join(format!("berth-limits-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("folder");
        let (first, second) = (folder.join("first"), folder.join("missing/second"));
        fs::write(&first, "old\n").expect("write");
        let writes = [(first.clone(), "new".into()), (second.clone(), "value".into())];
        let failure = write_all(&writes).expect_err("a folder that is not there");
        assert!(matches!(failure, CgroupError::Write { ref file, .. } if *file == second));
        assert_eq!(fs::read_to_string(&first).expect("read"), "old\n");
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
        let cgroups =
            Cgroups { mode, hierarchies: vec![Hierarchy { mount: mount.clone(), controllers }], unified: None };
        let outcome = cgroups.plan(&CgroupPath::parse("/pod").expect("path"), limits, Plan::default());
        fs::remove_dir_all(&mount).expect("remove");
        outcome.map(|plan| {
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
    fn v2_keeps_what_is_not_named_of_a_pair() {
        let files = [("cpu.max", "20000 100000\n"), ("memory.max", "100\n")];
        let limits = |quota, period| Limits { cpu_quota_micros: quota, cpu_period_micros: period, ..Limits::default() };
        assert_eq!(
            plan("period", Mode::V2, &files, &limits(None, Some(50_000))).expect("plan"),
            ["cpu.max 20000 50000"]
        );
        assert_eq!(plan("quota", Mode::V2, &files, &limits(Some(10_000), None)).expect("plan"), ["cpu.max 10000"]);
        let both = |memory_bytes| Limits { memory_swap_bytes: Some(150), memory_bytes, ..Limits::default() };
        assert_eq!(plan("swap", Mode::V2, &files, &both(None)).expect("plan"), ["memory.swap.max 50"]);
        let unlimited = plan("unlimited", Mode::V2, &files, &both(Some(-1))).expect("plan");
        assert_eq!(unlimited, ["memory.max max", "memory.swap.max max"]);
    }

    #[test]
    fn page_sizes_are_no_paths() {
        for (name, size, good) in [("size", "2MB", true), ("path", "../x/2MB", false), ("none", "MB", false)] {
            let limits = Limits { hugepages: [(size.to_owned(), 4 << 20)].into(), ..Limits::default() };
            assert_eq!(plan(name, Mode::V1, &[], &limits).is_ok(), good, "{size}");
        }
    }
}
