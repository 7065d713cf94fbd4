//! Mounts that nobody has on record: seen in the kernel's table, and taken away, in this mount namespace or in a shim's.

use crate::{error::HelperError, node::Node, process};
use rustix::{
    io::Errno,
    mount::{UnmountFlags, unmount},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};
use std::{
    ffi::OsString,
    fs, io,
    os::{fd::AsFd, unix::ffi::OsStringExt},
    path::{Path, PathBuf},
    thread,
};
use sys::namespace::{UnshareFlags, unshare};
use wire::ReleaseMount;

// One place may have several mounts on top of each other.
const MOST_LAYERS: usize = 64;

/// Where something is mounted, by a table in the form of /proc/<pid>/mountinfo.
pub fn paths(table: &str) -> impl Iterator<Item = PathBuf> {
    table.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape)
}

/// The kernel writes spaces, tabs, line breaks and backslashes as three octal digits.
fn unescape(text: &str) -> PathBuf {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [byte, after @ ..] = rest {
        let escaped = (*byte == b'\\').then(|| after.get(..3)).flatten();
        let escaped = escaped.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(escaped.unwrap_or(*byte));
        rest = if escaped.is_some() { &after[3..] } else { after };
    }
    OsString::from_vec(bytes).into()
}

pub fn release(node: &Node, request: &ReleaseMount) -> Result<(), HelperError> {
    let path = node.owned_path("release mount", &request.path, &[&node.options.root, &node.options.state])?;
    if request.shim_pid == 0 {
        return unmount_all(&path);
    }
    // Without its process the namespace is gone, and the mount with it.
    let Some(held) = process::hold(request.shim_pid, request.shim_start_ticks) else { return Ok(()) };
    let failed =
        |source: io::Error| HelperError::io(format!("enter mount namespace of shim {}", request.shim_pid), source);
    let namespace = fs::File::open(format!("/proc/{}/ns/mnt", request.shim_pid)).map_err(failed)?;
    let enter = || {
        // A thread that shares its root with others may not go into another mount namespace.
        unshare(UnshareFlags::FS).map_err(failed)?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))
            .map_err(|errno| failed(errno.into()))?;
        unmount_all(&path)
    };
    let released = thread::scope(|scope| match thread::Builder::new().spawn_scoped(scope, enter) {
        Ok(thread) => thread.join().unwrap_or_else(|_| Err(failed(io::Error::other("its thread failed")))),
        Err(source) => Err(failed(source)),
    });
    drop(held);
    released
}

fn unmount_all(path: &Path) -> Result<(), HelperError> {
    for _ in 0..MOST_LAYERS {
        // Detached, because a process may be in it; it goes with that process.
        match unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            Ok(()) => {}
            Err(Errno::INVAL | Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(HelperError::io(format!("unmount {}", path.display()), errno)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::paths;
    use std::path::PathBuf;

    #[test]
    fn places_are_read_with_what_the_kernel_escapes() {
        let table = "1 0 0:1 / /run/a\\040b rw - tmpfs none rw\n2 1 0:2 / /c\\134d rw shared:1 - tmpfs none rw\nodd\n";
        assert_eq!(paths(table).collect::<Vec<_>>(), [PathBuf::from("/run/a b"), PathBuf::from("/c\\d")]);
    }
}
