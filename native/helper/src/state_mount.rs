//! --state is a mount point of its own with private propagation: what a shim mounts there in its own mount namespace
//! must not come back to the node's, and elsewhere propagation has to stay as it is.

use crate::error::HelperError;
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_bind, mount_change, unmount};
use std::{fs, os::unix::fs::MetadataExt, path::Path};

pub fn ensure(state: &Path) -> Result<(), HelperError> {
    if !is_mount_point(state) {
        mount_bind(state, state)
            .map_err(|errno| HelperError::io(format!("make {} a mount point", state.display()), errno))?;
    }
    mount_change(state, MountPropagationFlags::PRIVATE)
        .map_err(|errno| HelperError::io(format!("make {} private", state.display()), errno))
}

/// Undoes it when no pod is left that needs it.
pub fn release(state: &Path) {
    let empty = fs::read_dir(state.join("pods")).map_or(true, |mut entries| entries.next().is_none());
    if empty && is_mount_point(state) && !is_own_file_system(state) {
        // Sockets that others still have open there keep it busy; detached it goes with the last of them.
        let _ = unmount(state, UnmountFlags::DETACH);
    }
}

/// Somebody mounted it there before us, and it is theirs to unmount.
fn is_own_file_system(state: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).ok().map(|metadata| metadata.dev());
    state.parent().is_some_and(|parent| device(state) != device(parent))
}

fn is_mount_point(path: &Path) -> bool {
    let wanted = path.to_string_lossy();
    fs::read_to_string("/proc/self/mountinfo")
        .unwrap_or_default()
        .lines()
        .any(|line| line.split(' ').nth(4) == Some(&*wanted))
}
