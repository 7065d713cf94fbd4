//! Paths of an image, wherever its links lead: never out of the root.

use rustix::{
    fs::{Mode, OFlags, ResolveFlags, openat2},
    io::Errno,
};
use std::{
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

const MAX_TRIES: usize = 1000;

/// The kernel says "again" when there is a ".." in a link and anything on the node was moved or mounted meanwhile.
pub fn open_in_root(root: impl AsFd, path: impl AsRef<Path>, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let mut tries = 0;
    loop {
        match openat2(&root, path.as_ref(), flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN) if tries < MAX_TRIES => tries += 1,
            opened => return opened,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, RenameFlags, openat, renameat_with};
    use std::{
        fs,
        os::unix::fs::symlink,
        sync::atomic::{AtomicBool, Ordering},
        thread,
    };

    #[test]
    fn a_link_that_goes_up_is_followed_while_others_move_their_files() {
        let folder = std::env::temp_dir().join(format!("berth-open-in-root-{}", std::process::id()));
        let (one, other) = (folder.join("one"), folder.join("other"));
        for made in [&one, &other, &folder.join("root/etc")] {
            fs::create_dir_all(made).expect("make");
        }
        fs::write(folder.join("root/file"), "").expect("write");
        symlink("../../../file", folder.join("root/etc/link")).expect("link");
        let root = openat(CWD, folder.join("root"), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).expect("root");
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).expect("move");
                }
            });
            let opened: Vec<_> = (0..2000).map(|_| open_in_root(&root, "etc/link", OFlags::PATH)).collect();
            is_over.store(true, Ordering::Relaxed);
            assert_eq!(opened.iter().find_map(|each| each.as_ref().err()), None);
        });
        fs::remove_dir_all(&folder).expect("remove");
    }
}
