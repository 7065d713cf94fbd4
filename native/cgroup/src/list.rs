//! What is there of the cgroups of pods.

use crate::{CgroupPath, Cgroups};
use std::{collections::BTreeMap, fs, path::Path};

impl Cgroups {
    /// In how many hierarchies the cgroup is.
    pub fn presence(&self, path: &CgroupPath) -> usize {
        self.hierarchies.iter().filter(|each| path.under(&each.mount).is_dir()).count()
    }

    /// The cgroups below one, two deep (pods and their containers), each with the number of hierarchies that it is in.
    pub fn list_below(&self, parent: &CgroupPath, most: usize) -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        for hierarchy in &self.hierarchies {
            let top = parent.under(&hierarchy.mount);
            for pod in folders(&top) {
                let containers = folders(&top.join(&pod)).into_iter().map(|container| format!("{pod}/{container}"));
                for name in containers.chain([pod.clone()]) {
                    let path = format!("{parent}/{name}");
                    if found.len() < most || found.contains_key(&path) {
                        *found.entry(path).or_default() += 1;
                    }
                }
            }
        }
        // What is there alone limits nothing, and is there all the same.
        for pod in self.unified.iter().flat_map(|mount| folders(&parent.under(mount))) {
            if found.len() < most {
                found.entry(format!("{parent}/{pod}")).or_default();
            }
        }
        found
    }
}

/// One that is not there, or goes while it is read, has none.
fn folders(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::{CgroupPath, Cgroups, Hierarchy, Mode};
    use std::fs;

    #[test]
    fn pods_and_containers_are_counted_over_all_hierarchies() {
        let base = std::env::temp_dir().join(format!("berth-cgroup-list-{}", std::process::id()));
        let hierarchy = |name: &str| Hierarchy { mount: base.join(name), controllers: vec![name.into()] };
        let cgroups = Cgroups {
            mode: Mode::V1,
            hierarchies: vec![hierarchy("cpu"), hierarchy("memory")],
            unified: Some(base.join("unified")),
        };
        for folder in ["cpu/berth/pod/container/deeper", "memory/berth/pod", "unified/berth/old/exec-1"] {
            fs::create_dir_all(base.join(folder)).expect("folder");
        }
        let path = |text| CgroupPath::parse(text).expect("path");
        let found = cgroups.list_below(&path("/berth"), 100);
        let all: Vec<_> = found.iter().map(|(path, count)| (path.as_str(), *count)).collect();
        assert_eq!(all, [("/berth/old", 0), ("/berth/pod", 2), ("/berth/pod/container", 1)]);
        assert_eq!(cgroups.list_below(&path("/berth"), 1).len(), 1);
        assert_eq!(cgroups.presence(&path("/berth/pod/container")), 1);
        assert!(cgroups.list_below(&path("/other"), 100).is_empty());
        fs::remove_dir_all(base).expect("removed");
    }
}
