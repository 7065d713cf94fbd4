//! Trees of a container out of it and into it, by descriptors below a root.

use layer::{Source, aim, find, pack, receive};
use rustix::fs::{CWD, Mode, OFlags, openat};
use std::{
    fs,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
};

struct Root {
    path: PathBuf,
    descriptor: OwnedFd,
}

impl Root {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("copy-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("make root");
        let descriptor = openat(CWD, &path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        Self { descriptor: descriptor.expect("open root"), path }
    }

    fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn pack(&self, path: &str) -> Result<Vec<u8>, String> {
        let mut tar = Vec::new();
        let found = find(self.descriptor.as_fd(), path.as_bytes(), false).map_err(|failure| failure.to_string())?;
        pack(found, &mut tar).map_err(|failure| failure.to_string())?;
        Ok(tar)
    }

    fn receive(&self, tar: &[u8], path: &str, source: Source) -> Result<(), String> {
        let target = aim(self.descriptor.as_fd(), path.as_bytes(), source, false);
        // Owners are root's, so that only root gets further than this.
        receive(tar, &target.map_err(|failure| failure.to_string())?).map_err(|failure| failure.to_string())
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.path).expect("remove root");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("list")
        .map(|entry| entry.expect("entry").file_name().into_string().expect("name"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_source_goes_into_a_folder_or_takes_the_name_of_the_target() {
    let root = Root::new("rules");
    fs::create_dir_all(root.join("src/sub")).expect("make");
    fs::write(root.join("src/sub/file"), "x").expect("write");
    fs::create_dir(root.join("dst")).expect("make");
    let tar = root.pack("/src").expect("pack");
    root.receive(&tar, "/dst", Source::Folder).expect("into");
    root.receive(&tar, "/dst/new", Source::Folder).expect("as");
    let contents = root.pack("/src/.").expect("pack");
    root.receive(&contents, "/dst", Source::Contents).expect("contents");
    root.receive(&contents, "/dst/made", Source::Contents).expect("contents of a new folder");
    assert_eq!(names(&root.join("dst")), ["made", "new", "src", "sub"]);
    for folder in ["dst/sub", "dst/src/sub", "dst/new/sub", "dst/made/sub"] {
        assert_eq!(names(&root.join(folder)), ["file"], "{folder}");
    }
}

#[test]
fn what_is_there_is_replaced_by_its_like_only() {
    let root = Root::new("likes");
    fs::create_dir_all(root.join("a/x")).expect("make");
    fs::create_dir_all(root.join("b")).expect("make");
    fs::set_permissions(root.join("b"), fs::Permissions::from_mode(0o700)).expect("mode");
    fs::write(root.join("b/x"), "file").expect("write");
    let (folder, file) = (root.pack("/a/.").expect("pack"), root.pack("/b/.").expect("pack"));
    let refused = root.receive(&folder, "/b", Source::Contents).expect_err("a folder over a file");
    assert_eq!(refused, "copy \"x\": it would be replaced by a folder, and is none");
    let refused = root.receive(&file, "/a", Source::Contents).expect_err("a file over a folder");
    assert_eq!(refused, "copy \"./x\": it would replace a folder by what is none");
    assert_eq!(
        fs::metadata(root.join("b")).expect("stat").permissions().mode() & 0o777,
        0o700,
        "a folder stays as it is"
    );
}

#[test]
fn links_lead_where_they_would_inside_of_the_root() {
    let root = Root::new("links");
    fs::create_dir_all(root.join("etc")).expect("make");
    fs::write(root.join("etc/hostname"), "inside").expect("write");
    symlink("/etc", root.join("absolute")).expect("link");
    symlink("../../../../../etc", root.join("up")).expect("link");
    fs::write(root.join("file"), "new").expect("write");
    let tar = root.pack("/file").expect("pack");
    for link in ["absolute", "up"] {
        assert!(root.pack(&format!("/{link}/hostname")).expect("pack").windows(6).any(|bytes| bytes == b"inside"));
        root.receive(&tar, &format!("/{link}/{link}"), Source::File).expect("receive");
    }
    assert_eq!(names(&root.join("etc")), ["absolute", "hostname", "up"]);
}

#[test]
fn a_tree_may_be_deep_but_not_without_end() {
    let root = Root::new("deep");
    let mut folder = root.join("top");
    for _ in 0..300 {
        folder.push("d");
    }
    fs::create_dir_all(&folder).expect("make");
    assert!(root.pack("/top").expect_err("too deep").ends_with("it is nested over 256 folders deep"));
}
