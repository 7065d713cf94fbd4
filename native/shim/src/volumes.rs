//! Volumes that not every OCI runtime can make: images, and trees that can't be written down to their last mount. Each is mounted in
//! the container's folder, in the shim's mount namespace, and the spec binds it from there.

use crate::{error::ShimError, mounts, open_in_root::open_in_root};
use rustix::{
    fs::{CWD, FileType, Mode, OFlags, fstat, openat},
    io::Errno,
    mount::{MoveMountFlags, OpenTreeFlags, UnmountFlags, move_mount, open_tree, unmount},
};
use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};
use sys::mount::{Change, Propagation, change};
use wire::{ShimVolume, shim_volume::Source};

const FOLDER: &str = "volumes";

pub fn mount_volume(
    folder: &Path,
    layers_dir: &str,
    volume: &ShimVolume,
    namespace: Option<BorrowedFd>,
) -> Result<(), ShimError> {
    let all = folder.join(FOLDER);
    fs::create_dir_all(&all).map_err(|source| ShimError::io(format!("make {}", all.display()), source))?;
    let target = all.join(volume.index.to_string());
    match &volume.source {
        Some(Source::HostPath(path)) => bind(&target, path, volume, namespace),
        Some(Source::Image(image)) => mount_image(&target, layers_dir, &image.lower_dirs, &image.sub_path),
        None => Err(ShimError::Argument { doing: format!("mount volume {}", volume.index), why: "it has no source" }),
    }
}

/// A bind that nothing of passes back to where it comes from: what is done to it here stays here.
fn bind(target: &Path, path: &str, volume: &ShimVolume, namespace: Option<BorrowedFd>) -> Result<(), ShimError> {
    let failed = |source: io::Error| ShimError::io(format!("mount volume {path}"), source);
    let tree = clone_tree(CWD, path, OpenTreeFlags::AT_RECURSIVE).map_err(|errno| failed(errno.into()))?;
    let propagation = if volume.follows_node { Propagation::Slave } else { Propagation::Private };
    if volume.id_mapped {
        // What is mounted below keeps its ids, as with runc: a file system there may not know how.
        let mapped = Change { readonly: false, propagation, id_mapped: namespace, recursive: false };
        change(tree.as_fd(), mapped)
            .map_err(|source| ShimError::io(format!("map the ids of volume {path}"), source))?;
    }
    let restricted = Change { readonly: volume.recursive_read_only, propagation, id_mapped: None, recursive: true };
    change(tree.as_fd(), restricted).map_err(failed)?;
    let is_folder = fstat(&tree).map(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory);
    if is_folder.map_err(|errno| failed(errno.into()))? {
        fs::create_dir(target).map_err(failed)?;
    } else {
        File::create_new(target).map_err(failed)?;
    }
    place(&tree, target).map_err(|errno| failed(errno.into()))
}

/// The word that a failure begins with is the CRI's, for the kubelet.
fn mount_image(target: &Path, layers_dir: &str, lower: &[String], sub_path: &str) -> Result<(), ShimError> {
    let doing = || match sub_path {
        "" => "ImageVolumeMountFailed: mount the image".to_owned(),
        path => format!("ImageVolumeMountFailed: find {path:?} in the image"),
    };
    let failed = |errno: Errno| match errno {
        Errno::NOENT => ShimError::Argument { doing: doing(), why: "it is not there" },
        Errno::NOTDIR => ShimError::Argument { doing: doing(), why: "it is no folder" },
        Errno::LOOP => ShimError::Argument { doing: doing(), why: "its links lead in a circle" },
        errno => ShimError::io(doing(), errno),
    };
    fs::create_dir(target).map_err(|source| ShimError::io(format!("make {}", target.display()), source))?;
    mounts::mount_image(target, layers_dir, lower)?;
    if sub_path.is_empty() {
        return Ok(());
    }
    // The path leads through what the image's maker has put there, and never out of it.
    let root =
        openat(CWD, target, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
    let part = open_in_root(&root, sub_path, OFlags::PATH | OFlags::DIRECTORY).map_err(failed)?;
    let tree = clone_tree(&part, "", OpenTreeFlags::AT_EMPTY_PATH).map_err(failed)?;
    drop((root, part));
    unmount(target, UnmountFlags::NOFOLLOW).map_err(failed)?;
    place(&tree, target).map_err(failed)
}

fn clone_tree(folder: impl AsFd, path: &str, flags: OpenTreeFlags) -> Result<OwnedFd, Errno> {
    open_tree(folder, path, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | flags)
}

fn place(tree: &OwnedFd, target: &Path) -> Result<(), Errno> {
    move_mount(tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Of a container's folder. Nothing below a volume is ever removed: what stands in for it here is an empty folder, or an empty file.
pub fn unmount_all(folder: &Path) -> Result<(), ShimError> {
    let all = folder.join(FOLDER);
    for target in entries(&all)? {
        mounts::unmount_if_mounted(&target)?;
        let removed = match fs::remove_dir(&target) {
            Err(failure) if failure.kind() == io::ErrorKind::NotADirectory => fs::remove_file(&target),
            other => other,
        };
        removed.map_err(|source| ShimError::io(format!("remove {}", target.display()), source))?;
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, ShimError> {
    match fs::read_dir(folder).and_then(|found| found.map(|entry| Ok(entry?.path())).collect()) {
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        found => found.map_err(|source: io::Error| ShimError::io(format!("list {}", folder.display()), source)),
    }
}
