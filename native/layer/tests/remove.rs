//! A tree that was made to be hard to remove.

use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, linkat, mkdirat, mknodat, openat, symlinkat},
    process::{Resource, Rlimit, setrlimit},
};
use std::{
    fs,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
    time::Instant,
};

const DEPTH: usize = 20_000;
const MAX_OPEN_FILES: u64 = 64;

fn enter(parent: BorrowedFd, name: &str) -> OwnedFd {
    mkdirat(parent, name, Mode::RWXU).expect("make folder");
    openat(parent, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).expect("open folder")
}

fn nest(parent: BorrowedFd, depth: usize, each: impl Fn(BorrowedFd, usize)) {
    let mut folder = enter(parent, "d");
    for level in 1..depth {
        each(folder.as_fd(), level);
        folder = enter(folder.as_fd(), "d");
    }
}

/// One test, for the limit is the whole process's.
#[test]
fn a_tree_of_any_depth_goes_with_few_descriptors_and_its_links_lead_nowhere() {
    // In memory where that can be: a disk that discards freed blocks one by one takes a minute for this.
    let memory = PathBuf::from("/dev/shm");
    let base = if memory.is_dir() { memory } else { PathBuf::from(env!("CARGO_TARGET_TMPDIR")) };
    let base = base.join(format!("berth-remove-{}", std::process::id()));
    fs::create_dir_all(base.join("kept/inner")).expect("make folder");
    fs::write(base.join("kept/inner/file"), "kept").expect("write");
    let few = Rlimit { current: Some(MAX_OPEN_FILES), maximum: Some(MAX_OPEN_FILES) };
    setrlimit(Resource::Nofile, few).expect("limit");
    let parent = openat(CWD, &base, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).expect("open");
    let kept = base.join("kept");

    let top = enter(parent.as_fd(), "tree");
    nest(top.as_fd(), DEPTH, |folder, level| {
        if level % 500 == 0 {
            symlinkat(&kept, folder, "a-link").expect("link");
            symlinkat("../..", folder, "z-up").expect("link");
            linkat(CWD, kept.join("inner/file"), folder, "hard", AtFlags::empty()).expect("hard link");
            mknodat(folder, "fifo", FileType::Fifo, Mode::RWXU, 0).expect("fifo");
        }
        if level % 4000 == 0 {
            for side in 0..5 {
                nest(enter(folder, &format!("side-{side}")).as_fd(), 100, |_, _| ());
            }
        }
    });
    drop(top);

    let started = Instant::now();
    layer::remove_tree(parent.as_fd(), b"tree").expect("remove");
    println!("{DEPTH} nested folders removed in {} ms", started.elapsed().as_millis());
    assert!(!base.join("tree").exists());
    assert_eq!(fs::read_to_string(kept.join("inner/file")).expect("read"), "kept");
    layer::remove_tree(parent.as_fd(), b"tree").expect("what is gone is no failure");

    // A link in place of the tree itself.
    symlinkat(&kept, &parent, "tree").expect("link");
    layer::remove_tree(parent.as_fd(), b"tree").expect("remove");
    assert!(kept.join("inner/file").exists());

    // Many deep folders in a wide one: it is closed, and come back to, for each.
    let wide = enter(parent.as_fd(), "wide");
    for number in 0..200 {
        nest(enter(wide.as_fd(), &format!("folder-{number}")).as_fd(), 60, |_, _| ());
        mknodat(&wide, format!("file-{number}"), FileType::RegularFile, Mode::RWXU, 0).expect("file");
    }
    drop(wide);
    layer::remove_tree(parent.as_fd(), b"wide").expect("remove");
    assert!(!base.join("wide").exists());
    fs::remove_dir_all(base).expect("remove");
}
