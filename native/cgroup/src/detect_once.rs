//! The hierarchies as a program finds them that needs them for a single call. The table of all mounts has a line for each container of the
//! node, so it is read only where hierarchies are not in the place where hosts mount them.

use crate::{CgroupError, Cgroups, Hierarchy, Mode, detect::is_of_v1};
use std::{fs, path::Path};

const USUAL_PLACE: &str = "/sys/fs/cgroup";
// Files that only the root of a hierarchy has, and that all but the root have.
const V1_ROOT: &str = "release_agent";
const V2_NOT_ROOT: &str = "cgroup.type";

impl Cgroups {
    /// What `detect` finds; a hybrid host is one of v1 here. The first hierarchy is the one that tells of processes.
    pub fn detect_once() -> Result<Self, CgroupError> {
        let file = "/proc/self/cgroup";
        let text = fs::read_to_string(file).map_err(|source| CgroupError::io("read", file, source))?;
        let mut found = match in_place(&text, Path::new(USUAL_PLACE)) {
            Some(found) => found,
            None => Self { unified: None, ..Self::detect()? },
        };
        if let Some(first) = found.index_of_processes() {
            found.hierarchies[..=first].rotate_right(1);
        }
        Ok(found)
    }
}

/// `None` when a hierarchy that there is has another place, or none. @param text of /proc/PID/cgroup: a line for each hierarchy, "4:cpu,cpuacct:/path"
fn in_place(text: &str, place: &Path) -> Option<Cgroups> {
    let mut hierarchies = Vec::new();
    for line in text.lines() {
        let controllers: Vec<String> =
            line.split(':').nth(1)?.split(',').filter(|name| is_of_v1(name)).map(str::to_owned).collect();
        if controllers.is_empty() {
            continue;
        }
        let names = controllers.join(",");
        let mount = place.join(names.strip_prefix("name=").unwrap_or(&names));
        if !mount.join(V1_ROOT).exists() {
            return None;
        }
        hierarchies.push(Hierarchy { mount, controllers });
    }
    if !hierarchies.is_empty() {
        return Some(Cgroups { mode: Mode::V1, hierarchies, unified: None });
    }
    let controllers = fs::read_to_string(place.join("cgroup.controllers")).ok()?;
    let controllers = controllers.split_whitespace().map(str::to_owned).collect();
    let is_root = !place.join(V2_NOT_ROOT).exists();
    let hierarchies = vec![Hierarchy { mount: place.to_owned(), controllers }];
    is_root.then_some(Cgroups { mode: Mode::V2, hierarchies, unified: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const V1: &str = "5:name=systemd:/a:b\n4:memory:/\n3:misc:/\n2:cpu,cpuacct:/x\n0::/\n";

    fn folder(name: &str, files: &[&str]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("berth-once-{name}-{}", std::process::id()));
        for file in files.iter().map(|file| folder.join(file)) {
            fs::create_dir_all(file.parent().expect("parent")).expect("folder");
            fs::write(file, "cpu memory\n").expect("write");
        }
        folder
    }

    #[test]
    fn hierarchies_of_v1_are_found_in_folders_of_their_names() {
        let place = folder("v1", &["systemd/release_agent", "memory/release_agent", "cpu,cpuacct/release_agent"]);
        let found = in_place(V1, &place).expect("all in place");
        let mounts: Vec<_> =
            found.hierarchies.iter().map(|each| each.mount.strip_prefix(&place).expect("below")).collect();
        assert_eq!(mounts, ["systemd", "memory", "cpu,cpuacct"].map(Path::new));
        assert_eq!(found.controllers().collect::<Vec<_>>(), ["memory", "cpu", "cpuacct"]);
        assert_eq!(found.mode, Mode::V1);
        fs::remove_dir_all(place).expect("remove");
    }

    #[test]
    fn one_that_is_elsewhere_has_to_be_looked_up() {
        let place = folder("elsewhere", &["systemd/release_agent", "memory/tasks", "cpu,cpuacct/release_agent"]);
        assert!(in_place(V1, &place).is_none(), "the memory controller's folder is no root");
        fs::remove_dir_all(place).expect("remove");
    }

    #[test]
    fn v2_is_one_tree() {
        let place = folder("v2", &["cgroup.controllers"]);
        let found = in_place("0::/system.slice\n", &place).expect("v2");
        assert_eq!((found.mode, found.hierarchies.len()), (Mode::V2, 1));
        assert_eq!(found.controllers().collect::<Vec<_>>(), ["cpu", "memory"]);
        fs::write(place.join("cgroup.type"), "domain\n").expect("write");
        assert!(in_place("0::/\n", &place).is_none(), "a part of the tree");
        fs::remove_dir_all(place).expect("remove");
    }
}
