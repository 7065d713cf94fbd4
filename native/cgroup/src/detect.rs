use crate::CgroupError;
use std::{
    fs,
    path::{Path, PathBuf},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    V1,
    /// v1 controllers, and a v2 tree without controllers that pods use
    Hybrid,
    V2,
}

/// One mounted hierarchy: of v1 with its controllers, or the one of v2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    pub mount: PathBuf,
    /// "cpu", "memory", …; "name=systemd" for one without controller
    pub controllers: Vec<String>,
}

impl Hierarchy {
    pub(crate) fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|name| name == controller)
    }
}

/// The hierarchies of this host that pods use.
#[derive(Clone, Debug)]
pub struct Cgroups {
    pub mode: Mode,
    pub hierarchies: Vec<Hierarchy>,
    /// The v2 tree of a hybrid host. It limits nothing; shims have cgroups in it, to find all that a command has started.
    pub unified: Option<PathBuf>,
}

const V1_CONTROLLERS: [&str; 13] = [
    "cpu",
    "cpuacct",
    "cpuset",
    "memory",
    "devices",
    "freezer",
    "blkio",
    "pids",
    "hugetlb",
    "net_cls",
    "net_prio",
    "perf_event",
    "rdma",
];

/// A name of a hierarchy that pods use, as its mount options and /proc/PID/cgroup have it.
pub(crate) fn is_of_v1(name: &str) -> bool {
    V1_CONTROLLERS.contains(&name) || name.starts_with("name=")
}

impl Cgroups {
    pub fn detect() -> Result<Self, CgroupError> {
        let file = "/proc/self/mountinfo";
        let text = fs::read_to_string(file).map_err(|source| CgroupError::io("read", file, source))?;
        Self::from_mountinfo(&text)
    }

    fn from_mountinfo(text: &str) -> Result<Self, CgroupError> {
        let mut v1: Vec<Hierarchy> = Vec::new();
        let mut v2 = None;
        for line in text.lines() {
            let Some((left, right)) = line.split_once(" - ") else { continue };
            let left: Vec<&str> = left.split(' ').collect();
            let right: Vec<&str> = right.split(' ').collect();
            let (Some(root), Some(mount), Some(kind)) = (left.get(3), left.get(4), right.first()) else { continue };
            // A part of a hierarchy that is mounted elsewhere, as in a container, is not the hierarchy.
            if *root != "/" {
                continue;
            }
            if *kind == "cgroup2" {
                v2.get_or_insert_with(|| PathBuf::from(mount));
            } else if *kind == "cgroup" {
                let controllers: Vec<String> = right
                    .last()
                    .unwrap_or(&"")
                    .split(',')
                    .filter(|option| is_of_v1(option))
                    .map(str::to_owned)
                    .collect();
                if !controllers.is_empty() && !v1.iter().any(|known| known.controllers == controllers) {
                    v1.push(Hierarchy { mount: PathBuf::from(mount), controllers });
                }
            }
        }
        match (v1.is_empty(), v2) {
            (true, None) => Err(CgroupError::NotMounted),
            (true, Some(mount)) => {
                let controllers = fs::read_to_string(mount.join("cgroup.controllers")).unwrap_or_default();
                let controllers = controllers.split_whitespace().map(str::to_owned).collect();
                Ok(Self { mode: Mode::V2, hierarchies: vec![Hierarchy { mount, controllers }], unified: None })
            }
            (false, None) => Ok(Self { mode: Mode::V1, hierarchies: v1, unified: None }),
            (false, unified) => Ok(Self { mode: Mode::Hybrid, hierarchies: v1, unified }),
        }
    }

    pub fn is_v2(&self) -> bool {
        self.mode == Mode::V2
    }

    /// Wherever something of a pod may be.
    pub(crate) fn mounts(&self) -> impl DoubleEndedIterator<Item = &Path> {
        self.hierarchies.iter().map(|each| each.mount.as_path()).chain(self.unified.as_deref())
    }

    /// The controllers that limit and measure pods.
    pub fn controllers(&self) -> impl Iterator<Item = &str> {
        self.hierarchies
            .iter()
            .flat_map(|each| &each.controllers)
            .map(String::as_str)
            .filter(|name| !name.contains('='))
    }

    /// Where the controller is mounted.
    pub fn mount_of(&self, controller: &str) -> Option<&Path> {
        self.index_of(controller).map(|index| self.hierarchies[index].mount.as_path())
    }

    fn index_of(&self, controller: &str) -> Option<usize> {
        self.hierarchies.iter().position(|each| each.has(controller))
    }

    /// The hierarchy whose word on what is in a cgroup is taken: v1 has the same processes in each.
    pub(crate) fn index_of_processes(&self) -> Option<usize> {
        let first = || (!self.hierarchies.is_empty()).then_some(0);
        self.index_of("freezer").or_else(|| self.index_of("pids")).or_else(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hybrid_host_is_used_through_its_v1_controllers() {
        let found = Cgroups::from_mountinfo(
            "33 32 0:28 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n\
             34 32 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
             35 32 0:30 /part /mnt rw - cgroup cgroup rw,memory\n\
             36 32 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
        )
        .expect("hierarchies");
        assert_eq!(found.mode, Mode::Hybrid);
        assert_eq!(found.controllers().collect::<Vec<_>>(), ["cpu", "cpuacct"]);
        assert_eq!(found.hierarchies.len(), 2);
        assert_eq!(found.unified, Some(PathBuf::from("/sys/fs/cgroup/unified")));
        assert_eq!(found.mount_of("cpuacct"), Some(Path::new("/sys/fs/cgroup/cpu")));
        assert_eq!(found.mount_of("memory"), None);
    }

    #[test]
    fn a_host_without_cgroups_is_an_error() {
        assert!(matches!(Cgroups::from_mountinfo("1 2 0:3 / / rw - ext4 /dev/vda rw"), Err(CgroupError::NotMounted)));
    }
}
