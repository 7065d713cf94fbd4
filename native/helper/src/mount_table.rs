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

pub struct Mount {
    pub path: PathBuf,
    pub is_shared: bool,
    pub is_slave: bool,
}

/// The mount of this number.
pub fn find(table: &str, number: &str) -> Option<Mount> {
    table.lines().find_map(|line| {
        let mut fields = line.split(' ');
        if fields.next() != Some(number) {
            return None;
        }
        let path = unescape(fields.nth(3)?);
        // The optional fields end with a hyphen.
        let tags: Vec<&str> = fields.skip(1).take_while(|field| *field != "-").collect();
        let has = |tag: &str| tags.iter().any(|field| field.starts_with(tag));
        Some(Mount { path, is_shared: has("shared:"), is_slave: has("master:") })
    })
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
    use super::{find, paths};
    use std::path::PathBuf;

    #[test]
    fn a_mount_is_found_by_its_number_with_what_it_passes_on() {
        let table = "12 1 0:1 / /a rw,shared:9 - tmpfs none rw\n2 1 0:2 / /b\\040c rw shared:1 master:3 - tmpfs none rw\n\
                     3 1 0:3 / /d rw master:1 - ext4 shared:1 rw\n";
        let told = |number| find(table, number).map(|mount| (mount.path, mount.is_shared, mount.is_slave));
        assert_eq!(told("12"), Some((PathBuf::from("/a"), false, false)));
        assert_eq!(told("2"), Some((PathBuf::from("/b c"), true, true)));
        assert_eq!(told("3"), Some((PathBuf::from("/d"), false, true)));
        assert_eq!(told("1"), None);
    }

    #[test]
    fn places_are_read_with_what_the_kernel_escapes() {
        let table = "1 0 0:1 / /run/a\\040b rw - tmpfs none rw\n2 1 0:2 / /c\\134d rw shared:1 - tmpfs none rw\nodd\n";
        assert_eq!(paths(table).collect::<Vec<_>>(), [PathBuf::from("/run/a b"), PathBuf::from("/c\\d")]);
    }
}
