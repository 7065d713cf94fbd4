//! Whether layers can be mounted with the ids of a user namespace: found out once, by doing it.

use rustix::{
    fs::CWD,
    mount::{OpenTreeFlags, open_tree},
    system::uname,
};
use std::{io, os::fd::AsFd, path::Path};
use sys::{
    mount::{Change, Propagation, change},
    namespace::UnshareFlags,
    user_namespace::Holder,
};

// Before it, an overlay takes no layers with mapped ids.
const FIRST_KERNEL: (u32, u32) = (5, 19);

/// Only while the program has a single thread.
pub fn is_possible(folder: &Path) -> bool {
    uname().release().to_str().is_ok_and(|release| version(release) >= Some(FIRST_KERNEL)) && map(folder).is_ok()
}

fn map(folder: &Path) -> io::Result<()> {
    let holder = Holder::start(65_536, 65_536, UnshareFlags::empty())?;
    let namespace = holder.namespace("user")?;
    let tree = open_tree(CWD, folder, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    let mapped = Change {
        readonly: true,
        propagation: Propagation::Private,
        id_mapped: Some(namespace.as_fd()),
        recursive: false,
    };
    change(tree.as_fd(), mapped)
}

/// "6.1.0-18-amd64"
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version("6.1.0-18-amd64"), Some((6, 1)));
        assert!(version("5.4.0") < version("5.19.1-rc2") && version("5.19.0") < version("6.0"));
        assert_eq!(version("odd"), None);
    }
}
