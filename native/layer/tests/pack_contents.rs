//! The upper folder of an overlay as a layer of an image.

use layer::{Compression, Options, mark_opaque, pack_contents, unpack};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, openat};
use std::{
    fs,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
};

fn open(path: &Path) -> OwnedFd {
    openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).expect("open")
}

fn names(tar: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(tar);
    let entries = archive.entries().expect("entries");
    let mut names: Vec<String> = entries
        .map(|entry| String::from_utf8(entry.expect("entry").path_bytes().into_owned()).expect("name"))
        .collect();
    names.sort();
    names
}

fn folder(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("contents-{name}-{}", std::process::id()));
    fs::create_dir_all(&path).expect("make folder");
    path
}

#[test]
fn names_begin_in_the_folder_and_the_folder_itself_is_not_named() {
    let path = folder("plain");
    fs::create_dir(path.join("sub")).expect("make");
    fs::write(path.join("sub/file"), "text").expect("write");
    fs::write(path.join("top"), "text").expect("write");
    symlink("/etc/passwd", path.join("link")).expect("link");
    let mut tar = Vec::new();
    assert_eq!(pack_contents(&open(&path), false, &mut tar).expect("pack"), 0);
    assert_eq!(names(&tar), ["link", "sub/", "sub/file", "top"]);
    fs::remove_dir_all(path).expect("remove");
}

/// Whiteouts are devices, and marks of an overlay are shown to root alone.
#[test]
fn what_an_upper_folder_hides_is_named_as_in_a_layer_and_comes_back_by_unpacking() {
    if !rustix::process::geteuid().is_root() {
        return println!("skipped: only root makes whiteouts");
    }
    let (path, back) = (folder("upper"), folder("back"));
    let upper = open(&path);
    fs::create_dir_all(path.join("etc/anew")).expect("make");
    fs::write(path.join("etc/file"), "text").expect("write");
    fs::set_permissions(path.join("etc/file"), fs::Permissions::from_mode(0o640)).expect("mode");
    mknodat(&upper, "etc/gone", FileType::CharacterDevice, Mode::empty(), 0).expect("whiteout");
    mknodat(&upper, "null", FileType::CharacterDevice, Mode::empty(), rustix::fs::makedev(1, 3)).expect("device");
    mark_opaque(upper.as_fd(), &[b"etc/anew".to_vec()]).expect("mark");
    let mut tar = Vec::new();
    assert_eq!(pack_contents(&upper, true, &mut tar).expect("pack"), 1);
    assert_eq!(names(&tar), ["etc/", "etc/.wh.gone", "etc/anew/", "etc/anew/.wh..wh..opq", "etc/file"]);
    let options = Options {
        compression: Compression::None,
        max_bytes: 1 << 20,
        max_entries: 100,
        max_ratio: 1000,
        plain_archive: false,
    };
    let summary = unpack(tar.as_slice(), open(&back).as_fd(), &options).expect("unpack");
    assert_eq!(summary.opaque_folders, [b"etc/anew".to_vec()]);
    for path in [path, back] {
        fs::remove_dir_all(path).expect("remove");
    }
}
