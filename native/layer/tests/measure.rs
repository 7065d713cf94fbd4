//! A tree is measured as `du` does it, whatever its maker has thought of.

use layer::{Measurement, Size};
use rustix::{
    fs::{CWD, Mode, OFlags, mkdirat, openat},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use std::{
    fs,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{MetadataExt, symlink},
    },
    path::{Path, PathBuf},
};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("measure-{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("tree")).expect("make folder");
        Self(folder)
    }

    fn tree(&self) -> PathBuf {
        self.0.join("tree")
    }

    fn start(&self) -> Measurement {
        Measurement::start(folder(&self.0).as_fd(), b"tree").expect("start").expect("a folder")
    }

    fn measure(&self) -> Size {
        let mut measurement = self.start();
        loop {
            if let Some(size) = measurement.step(7).expect("step") {
                return size;
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = layer::remove_tree(
            folder(self.0.parent().expect("parent")).as_fd(),
            self.0.file_name().expect("name").as_encoded_bytes(),
        );
    }
}

fn folder(path: &Path) -> OwnedFd {
    openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).expect("open")
}

fn blocks(path: &Path) -> u64 {
    fs::symlink_metadata(path).expect("stat").blocks() * 512
}

#[test]
fn blocks_are_counted_once_for_each_inode_and_holes_not_at_all() {
    let made = Folder::new("links");
    let tree = made.tree();
    fs::write(tree.join("file"), vec![1; 100_000]).expect("write");
    fs::create_dir(tree.join("inner")).expect("make folder");
    fs::hard_link(tree.join("file"), tree.join("inner/same")).expect("link");
    fs::File::create(tree.join("inner/sparse")).expect("create").set_len(1 << 40).expect("grow");
    let expected: u64 = ["", "file", "inner", "inner/sparse"].iter().map(|name| blocks(&tree.join(name))).sum();
    assert!(expected > 100_000 && expected < 1 << 20, "{expected}");
    assert_eq!(made.measure(), Size { bytes: expected, inodes: 4 });
}

#[test]
fn a_link_counts_as_itself() {
    let made = Folder::new("symlink");
    fs::create_dir(made.0.join("other")).expect("make folder");
    fs::write(made.0.join("other/large"), vec![1; 1 << 20]).expect("write");
    symlink("../other", made.tree().join("folder")).expect("link");
    symlink("/", made.tree().join("root")).expect("link");
    assert_eq!(made.measure().inodes, 3);
    assert!(made.measure().bytes < 1 << 20);
    symlink("other", made.0.join("link")).expect("link");
    assert!(Measurement::start(folder(&made.0).as_fd(), b"link").is_err(), "nor is the tree itself found through one");
}

#[test]
fn a_folder_that_is_not_there_has_no_size() {
    let made = Folder::new("none");
    assert!(Measurement::start(folder(&made.0).as_fd(), b"gone").expect("start").is_none());
}

#[test]
fn what_goes_while_it_is_looked_at_is_no_failure() {
    let made = Folder::new("vanish");
    for number in 0..500 {
        fs::create_dir(made.tree().join(format!("folder-{number}"))).expect("make folder");
        fs::write(made.tree().join(format!("folder-{number}/file")), "x").expect("write");
    }
    let mut measurement = made.start();
    assert_eq!(measurement.step(20).expect("step"), None);
    fs::remove_dir_all(made.tree()).expect("remove");
    let size = measurement.step(u64::MAX).expect("step").expect("size");
    assert!(size.inodes >= 10 && size.inodes < 1001, "{}", size.inodes);
}

#[test]
fn depth_takes_neither_stack_nor_descriptors() {
    const DEPTH: u64 = 3000;
    let made = Folder::new("deep");
    let mut at = folder(&made.tree());
    for _ in 0..DEPTH {
        for name in ["a", "d", "z"] {
            mkdirat(&at, name, Mode::RWXU).expect("make folder");
        }
        at = openat(&at, "d", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).expect("open");
    }
    drop(at);
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(128), ..before }).expect("limit");
    let size = made.measure();
    setrlimit(Resource::Nofile, before).expect("limit");
    assert_eq!(size.inodes, 3 * DEPTH + 1);
}
