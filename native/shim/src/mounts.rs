//! The shim's own mount namespace: what it hides there, the pod's shared memory, and the roots of containers.

use crate::{error::ShimError, user_namespace::give_to_root};
use rustix::{
    fs::CWD,
    mount::{
        MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_change,
        move_mount, open_tree, unmount,
    },
    process::chdir,
};
use std::{
    collections::HashMap,
    ffi::{CStr, CString},
    fs, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};
use sys::mount::{Change, Propagation, change};
use wire::UserNamespace;

const CGROUP: &str = "/sys/fs/cgroup";
// The kernel takes one page of options.
const MAX_OPTION_BYTES: usize = 4095;
// Twice what the longest copies of the node's own files take.
const ETC_OPTIONS: &CStr = c"mode=755,size=1m,nr_inodes=16";

/// Hides the v2 half of a hybrid host, which crun takes for the whole when it has a controller. crun makes its folders there
/// all the same, so what stands in for it can be written to.
pub fn hide_unified() -> Result<(), ShimError> {
    let unified = format!("{CGROUP}/unified");
    let failed = |errno| ShimError::io(format!("hide {unified}"), errno);
    // Not before the folder is private: the node's own must stay visible.
    mount_change(CGROUP, MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).map_err(failed)?;
    mount("none", &unified, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC, c"size=1m")
        .map_err(failed)
}

/// crun makes a folder for each container in what stands in for `unified`, with a file in it, and can't remove it again. They would
/// fill it, and then no container of the pod could start any more.
pub fn clear_unified(cgroup_path: &str) {
    let relative = cgroup_path.trim_start_matches('/');
    if !relative.is_empty() {
        // runc makes none.
        let _ = fs::remove_dir_all(Path::new(CGROUP).join("unified").join(relative));
    }
}

/// Everything that the shim mounts is below its state folder; a mount that passes changes on would show it to the node.
pub fn check_private(state_dir: &Path) -> Result<(), ShimError> {
    let table = fs::read_to_string("/proc/self/mountinfo")
        .map_err(|source| ShimError::io("read /proc/self/mountinfo", source))?;
    if is_private(&table, state_dir) {
        return Ok(());
    }
    Err(ShimError::Argument {
        doing: format!("use state folder {}", state_dir.display()),
        why: "it lies on a mount that is shared with the node",
    })
}

fn is_private(table: &str, path: &Path) -> bool {
    let of_path = table.lines().filter_map(|line| {
        let (left, _) = line.split_once(" - ")?;
        let mut fields = left.split(' ').skip(4);
        let place = fields.next()?;
        path.starts_with(place).then(|| (place.len(), fields.any(|field| field.starts_with("shared:"))))
    });
    // The longest place is the nearest mount; of several at one place the last is on top.
    of_path.max_by_key(|(length, _)| *length).is_some_and(|(_, shared)| !shared)
}

pub fn mount_shared_memory(folder: &Path, bytes: u64, owner: u32) -> Result<(), ShimError> {
    let failed = |source: std::io::Error| ShimError::io(format!("mount {}", folder.display()), source);
    fs::create_dir_all(folder).map_err(failed)?;
    let options = CString::new(format!("mode=1777,size={bytes},uid={owner},gid={owner}"))
        .map_err(|_| failed(std::io::ErrorKind::InvalidInput.into()))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("shm", folder, "tmpfs", flags, options.as_c_str()).map_err(|errno| failed(errno.into()))
}

/// Files that containers may write to, and fill: the bound is theirs, and not the node's.
///
/// @param files names and texts
pub fn mount_etc(folder: &Path, files: &HashMap<String, String>) -> Result<(), ShimError> {
    let failed =
        |source: std::io::Error| ShimError::io(format!("make files of the pod in {}", folder.display()), source);
    if files.keys().any(|name| name.contains('/') || name.starts_with('.')) {
        return Err(failed(std::io::ErrorKind::InvalidInput.into()));
    }
    fs::create_dir_all(folder).map_err(failed)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("etc", folder, "tmpfs", flags, ETC_OPTIONS).map_err(|errno| failed(errno.into()))?;
    for (name, text) in files {
        fs::write(folder.join(name), text).map_err(failed)?;
    }
    Ok(())
}

/// The layers that make a container's root.
pub struct Layers<'a> {
    /// what `lower` is relative to
    pub folder: &'a str,
    /// topmost first
    pub lower: &'a [String],
    pub upper: &'a str,
    pub work: &'a str,
    /// whose the root folder is; `None`: the node's root
    pub owner: Option<&'a UserNamespace>,
}

pub fn mount_root(root: &Path, layers: &Layers) -> Result<(), ShimError> {
    let all = layers.lower.iter().map(String::as_str).chain([layers.upper, layers.work]);
    check_layer_paths(root, all)?;
    if layers.lower.is_empty() {
        return Err(refused(root, "there is no layer"));
    }
    for folder in [layers.upper, layers.work] {
        fs::create_dir_all(folder).map_err(|source| ShimError::io(format!("make {folder}"), source))?;
    }
    if let Some(ids) = layers.owner {
        give_to_root(Path::new(layers.upper), ids)?;
    }
    let options = format!("lowerdir={},upperdir={},workdir={}", layers.lower.join(":"), layers.upper, layers.work);
    mount_overlay(root, layers.folder, MountFlags::empty(), options)
}

/// Layers that nobody writes to, at an empty folder. That folder is the lowest of them, for the kernel wants two.
pub fn mount_image(target: &Path, folder: &str, lower: &[String]) -> Result<(), ShimError> {
    let empty = target.to_str().ok_or_else(|| refused(target, "its path is no text"))?;
    check_layer_paths(target, lower.iter().map(String::as_str).chain([empty]))?;
    let options = lower.iter().map(String::as_str).chain([empty]).collect::<Vec<_>>().join(":");
    mount_overlay(target, folder, MountFlags::RDONLY, format!("lowerdir={options}"))
}

/// The layers with the ids of a user namespace, at a folder of their own. Overlays keep what they are made of, so it can go then.
pub fn map_layers(target: &Path, folder: &str, namespace: BorrowedFd) -> Result<(), ShimError> {
    let failed = |source: io::Error| ShimError::io(format!("map the ids of layers in {folder}"), source);
    fs::create_dir(target).map_err(failed)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, folder, flags).map_err(|errno| failed(errno.into()))?;
    let mapped =
        Change { readonly: true, propagation: Propagation::Private, id_mapped: Some(namespace), recursive: false };
    change(tree.as_fd(), mapped).map_err(failed)?;
    move_mount(&tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).map_err(|errno| failed(errno.into()))
}

/// The file on a mount that nobody can write to, and that is in no namespace: nobody can change it. It goes with the descriptor.
///
/// @param place is made, and removed again
pub fn mount_nowhere(file: &Path, place: &Path) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mounted = open_tree(CWD, file, flags)?;
    let read_only = Change { readonly: true, propagation: Propagation::Private, id_mapped: None, recursive: false };
    change(mounted.as_fd(), read_only)?;
    fs::write(place, "")?;
    let placed = move_mount(&mounted, "", CWD, place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .and_then(|()| unmount(place, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW));
    fs::remove_file(place)?;
    placed?;
    Ok(mounted)
}

fn refused(target: &Path, why: &'static str) -> ShimError {
    ShimError::Argument { doing: format!("mount layers at {}", target.display()), why }
}

fn check_layer_paths<'a>(target: &Path, mut all: impl Iterator<Item = &'a str>) -> Result<(), ShimError> {
    if all.any(|path| path.is_empty() || path.contains([':', ',', '\\', '\0'])) {
        return Err(refused(
            target,
            "a path of a layer is empty or has a character that stands for something else in mount options",
        ));
    }
    Ok(())
}

fn mount_overlay(target: &Path, folder: &str, flags: MountFlags, options: String) -> Result<(), ShimError> {
    if options.len() > MAX_OPTION_BYTES {
        return Err(refused(target, "there are too many layers for the kernel's mount options"));
    }
    let options = CString::new(options).map_err(|_| refused(target, "a path holds a NUL byte"))?;
    // Relative names keep the options short; the shim has one thread, so the folder is its own for the moment.
    chdir(folder).map_err(|errno| ShimError::io(format!("enter {folder}"), errno))?;
    let mounted = mount("overlay", target, "overlay", flags, options.as_c_str())
        .map_err(|errno| ShimError::io(format!("mount layers at {}", target.display()), errno));
    chdir("/").map_err(|errno| ShimError::io("enter /", errno))?;
    mounted
}

/// What was not mounted is fine.
pub fn unmount_if_mounted(folder: &Path) -> Result<(), ShimError> {
    match unmount(folder, UnmountFlags::NOFOLLOW) {
        Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => Ok(()),
        // A process that is just ending may still be in it; then it goes with that process.
        Err(rustix::io::Errno::BUSY) => unmount(folder, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH)
            .map_err(|errno| ShimError::io(format!("detach {}", folder.display()), errno)),
        Err(errno) => Err(ShimError::io(format!("unmount {}", folder.display()), errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::is_private;
    use std::path::Path;

    const TABLE: &str =
        "1 0 0:1 / / rw shared:1 - ext4 /dev/vda rw\n2 1 0:1 /run/berth /run/berth rw - ext4 /dev/vda rw\n";

    #[test]
    fn the_nearest_mount_decides_whether_a_folder_is_private() {
        assert!(is_private(TABLE, Path::new("/run/berth/pods/a")));
        assert!(!is_private(TABLE, Path::new("/run/berther")));
    }
}
