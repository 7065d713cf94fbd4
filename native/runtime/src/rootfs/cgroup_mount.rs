//! The container's view of its cgroup. Under v2 that is a mount of its cgroup namespace; under v1 a folder with the container's own
//! group of each hierarchy.

use super::{
    bind,
    filesystem::FileSystem,
    mount::place,
    options::{Attributes, Options},
    sources::failed,
};
use crate::{
    error::RuntimeError,
    spec::{Linux, Mount, NamespaceKind},
};
use rustix::{
    fs::{CWD, Mode, mkdirat, statfs, symlinkat},
    io::Errno,
    mount::{MoveMountFlags, move_mount},
};
use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
};
use sys::mount::{MountAttrFlags as Attribute, MountPropagationFlags as Propagation, set_mount_attributes};

const FOLDER: &str = "/sys/fs/cgroup";
/// @source include/uapi/linux/magic.h
const CGROUP2_MAGIC: i64 = 0x6367_7270;
// A hierarchy of several controllers has a folder of one name, and lists them in an order of its own.
const JOINED: [(&str, &str); 2] = [("cpuacct,cpu", "cpu,cpuacct"), ("net_prio,net_cls", "net_cls,net_prio")];

pub fn mount(target: &OwnedFd, mount: &Mount, options: &Options, linux: &Linux) -> Result<(), RuntimeError> {
    let mounted = match statfs(FOLDER) {
        Ok(found) if found.f_type == CGROUP2_MAGIC => mount_v2(target, mount, options, linux),
        Ok(_) => mount_v1(target, options),
        Err(errno) => Err(errno.into()),
    };
    mounted.map_err(|source| failed(mount, source))
}

fn mount_v2(target: &OwnedFd, mount: &Mount, options: &Options, linux: &Linux) -> io::Result<()> {
    let system = FileSystem {
        kind: "cgroup2",
        source: &mount.source,
        data: &options.data,
        label: None,
        attributes: options.own.set,
    };
    let tree = match system.make() {
        // A user namespace that has no cgroup namespace of its own.
        Err(Errno::PERM | Errno::BUSY) => {
            let is_own = linux.namespaces.iter().any(|each| each.kind == NamespaceKind::Cgroup && each.path.is_none());
            let group = if is_own { linux.cgroups_path.as_str() } else { "" };
            bound(&format!("{FOLDER}{group}"), options.own)?
        }
        made => made?,
    };
    place(&tree, target).map_err(Into::into)
}

fn mount_v1(target: &OwnedFd, options: &Options) -> io::Result<()> {
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let writable = options.own.set - Attribute::MOUNT_ATTR_RDONLY;
    let data = [("size".to_owned(), Some("1m".to_owned())), ("mode".to_owned(), Some("755".to_owned()))];
    let folder =
        FileSystem { kind: "tmpfs", source: "cgroup", data: &data, label: None, attributes: writable }.make()?;
    place(&folder, target)?;
    for (controllers, path) in own.lines().filter_map(hierarchy) {
        let name = folder_name(controllers);
        // Groups that are not seen from here: then what is seen of the hierarchy.
        let tree = match bound(&format!("{FOLDER}/{name}{path}"), options.own) {
            Err(failure) if failure.kind() == io::ErrorKind::NotFound => {
                bound(&format!("{FOLDER}/{name}"), options.own)
            }
            tree => tree,
        };
        let tree = match tree {
            Err(failure) if failure.kind() == io::ErrorKind::NotFound => continue,
            tree => tree?,
        };
        mkdirat(&folder, name, Mode::from_raw_mode(0o755))?;
        // Nobody but us is in this folder yet.
        move_mount(&tree, "", &folder, name, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
        for each in name.split(',').filter(|each| *each != name) {
            symlinkat(name, &folder, each)?;
        }
    }
    if options.own.set != writable {
        let set = Attribute::MOUNT_ATTR_RDONLY;
        set_mount_attributes(folder.as_fd(), false, set, Attribute::empty(), Propagation::empty())?;
    }
    Ok(())
}

/// @returns the controllers, or the name, of a hierarchy of v1, and our group in it
fn hierarchy(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    (!controllers.is_empty()).then_some((controllers, path))
}

fn folder_name(controllers: &str) -> &str {
    let name = controllers.strip_prefix("name=").unwrap_or(controllers);
    JOINED.iter().find(|(listed, _)| *listed == name).map_or(name, |(_, folder)| folder)
}

fn bound(path: &str, named: Attributes) -> io::Result<OwnedFd> {
    let tree = bind::clone(CWD, path, false)?;
    let clear = named.clear & Attribute::MOUNT_ATTR__ATIME;
    set_mount_attributes(tree.as_fd(), false, named.set, clear, Propagation::PRIVATE)?;
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{in_namespace, spec},
        *,
    };
    use serde_json::json;
    use std::fs::File;

    #[test]
    fn a_hierarchy_has_its_folders_name_and_our_group() {
        assert_eq!(hierarchy("4:memory:/a/b:c"), Some(("memory", "/a/b:c")));
        assert_eq!(hierarchy("0::/a"), None, "v2 is none of these");
        let names = ["memory", "name=systemd", "cpuacct,cpu", "cpu,cpuacct", "net_prio,net_cls"].map(folder_name);
        assert_eq!(names, ["memory", "systemd", "cpu,cpuacct", "cpu,cpuacct", "net_cls,net_prio"]);
    }

    #[test]
    fn under_v2_it_is_a_mount_of_the_cgroup_namespace() {
        in_namespace(|folders| {
            let mount =
                json!({ "destination": "/x", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "ro"] });
            let spec = spec(json!([mount]), json!({}));
            let options = Options::read("cgroup", &spec.mounts[0].options).expect("options");
            let target = File::open(&folders.root).expect("open").into();
            mount_v2(&target, &spec.mounts[0], &options, &spec.linux).expect("mount");
            assert_eq!(statfs(&folders.root).expect("statfs").f_type, CGROUP2_MAGIC);
            let failure = fs::create_dir(folders.root.join("made")).expect_err("read-only");
            assert_eq!(failure.kind(), io::ErrorKind::ReadOnlyFilesystem);
        });
    }
}
