//! Where things are mounted and made: a place below the root, found or made in it. What the image, or whoever shares a volume with the
//! container, puts on the way there is an attacker's, at every moment: nothing outside of the root is ever reached, and what was found
//! is used by its descriptor.

use rustix::{
    fs::{FileType, Mode, OFlags, ResolveFlags, fstat, fstatfs, mkdirat, mknodat, openat2, readlinkat},
    io::Errno,
};
use std::{
    ffi::{OsStr, OsString},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Component, Path, PathBuf},
};

/// @source include/uapi/linux/magic.h
const PROC_MAGIC: i64 = 0x9fa0;

// As of the kernel, for links; for the rest more than any path has.
const MAX_LINKS: usize = 40;
const MAX_STEPS: usize = 4096;

const FOLDER_MODE: Mode = Mode::from_raw_mode(0o755);
const FILE_MODE: Mode = Mode::from_raw_mode(0o644);

/// What is made where there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Folder,
    File,
}

/// A path of the container without "." and "..", relative to its root; empty for the root itself.
pub fn below_root(path: &str) -> PathBuf {
    Path::new(path).components().fold(PathBuf::new(), |mut all, component| {
        match component {
            Component::Normal(name) => all.push(name),
            Component::ParentDir => {
                all.pop();
            }
            _ => {}
        }
        all
    })
}

/// What is there, with links followed in the root.
///
/// @param path relative to the root
pub fn find(root: BorrowedFd, path: &Path) -> Result<OwnedFd, Errno> {
    match open_in_root(root, path) {
        Err(Errno::AGAIN) => Walk::new(root, path, true)?.go(None).map(|(found, _)| found),
        found => found,
    }
}

/// The same with no link on the way.
pub fn find_without_links(folder: impl AsFd, path: impl AsRef<Path>) -> Result<OwnedFd, Errno> {
    // A link at the end would be opened itself with O_NOFOLLOW.
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    openat2(folder, path.as_ref(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// Makes what is missing.
///
/// @returns whether it is new
pub fn find_or_make(root: BorrowedFd, path: &Path, kind: Kind) -> Result<(OwnedFd, bool), Errno> {
    match open_in_root(root, path) {
        // Also where a link leads to nothing: then that is made.
        Err(Errno::NOENT | Errno::AGAIN) => Walk::new(root, path, true)?.go(Some(kind)),
        found => found.map(|found| (found, false)),
    }
}

/// The same with no link on the way.
pub fn find_or_make_without_links(root: BorrowedFd, path: &Path, kind: Kind) -> Result<(OwnedFd, bool), Errno> {
    match find_without_links(root, path) {
        Err(Errno::NOENT) => Walk::new(root, path, false)?.go(Some(kind)),
        found => found.map(|found| (found, false)),
    }
}

/// "Again" is said when there is a ".." in a link and anything on the node was moved or mounted meanwhile.
fn open_in_root(root: BorrowedFd, path: &Path) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// One component at a time, each relative to the descriptor of the one before.
struct Walk {
    /// the root first; ".." goes back in it, and never past the root, wherever folders are moved meanwhile
    way: Vec<OwnedFd>,
    /// the next one last
    rest: Vec<OsString>,
    follows: bool,
    links: usize,
}

impl Walk {
    fn new(root: BorrowedFd, path: &Path, follows: bool) -> Result<Self, Errno> {
        let start =
            root.try_clone_to_owned().map_err(|source| Errno::from_io_error(&source).unwrap_or(Errno::MFILE))?;
        let mut walk = Self { way: vec![start], rest: Vec::new(), follows, links: 0 };
        walk.push(path);
        Ok(walk)
    }

    fn push(&mut self, path: &Path) {
        let names = path.components().rev().filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            _ => None,
        });
        self.rest.extend(names);
    }

    /// @param kind nothing is made without one
    fn go(mut self, kind: Option<Kind>) -> Result<(OwnedFd, bool), Errno> {
        let mut is_new = false;
        for _ in 0..MAX_STEPS {
            let Some(name) = self.rest.pop() else {
                return self.way.pop().map(|last| (last, is_new)).ok_or(Errno::NOENT);
            };
            if name == ".." {
                self.way.truncate((self.way.len() - 1).max(1));
                continue;
            }
            let kind = if self.rest.is_empty() { kind } else { kind.and(Some(Kind::Folder)) };
            let (found, made) = self.step(&name, kind)?;
            let stat = fstat(&found)?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
                self.follow(&found)?;
            } else {
                self.way.push(found);
                is_new = made;
            }
        }
        Err(Errno::NAMETOOLONG)
    }

    fn step(&self, name: &OsStr, kind: Option<Kind>) -> Result<(OwnedFd, bool), Errno> {
        let folder = self.way.last().ok_or(Errno::NOENT)?;
        let open = || {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            openat2(folder, name, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS)
        };
        match open() {
            Err(Errno::NOENT) => {}
            found => return found.map(|found| (found, false)),
        }
        let made = match kind {
            None => Err(Errno::NOENT),
            Some(Kind::Folder) => mkdirat(folder, name, FOLDER_MODE),
            Some(Kind::File) => mknodat(folder, name, FileType::RegularFile, FILE_MODE, 0),
        };
        match made {
            // Somebody was faster; then it is theirs, and looked at as all is.
            Ok(()) | Err(Errno::EXIST) => open().map(|found| (found, made.is_ok())),
            Err(errno) => Err(errno),
        }
    }

    /// The text of a link of a procfs is not what the link leads to.
    fn follow(&mut self, link: &OwnedFd) -> Result<(), Errno> {
        self.links += 1;
        if !self.follows || self.links > MAX_LINKS || is_proc(link)? {
            return Err(Errno::LOOP);
        }
        let text = readlinkat(link, "", Vec::new())?;
        let text = PathBuf::from(OsString::from_vec(text.into_bytes()));
        if text.as_os_str().as_bytes().starts_with(b"/") {
            self.way.truncate(1);
        }
        self.push(&text);
        Ok(())
    }
}

pub fn is_proc(file: impl AsFd) -> Result<bool, Errno> {
    Ok(fstatfs(file)?.f_type == PROC_MAGIC)
}

pub fn is_folder(file: impl AsFd) -> Result<bool, Errno> {
    Ok(FileType::from_raw_mode(fstat(file)?.st_mode) == FileType::Directory)
}
