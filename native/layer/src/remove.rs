//! Removing a folder with all that is in it, by descriptors: a link is removed, never followed.

use crate::LayerError;
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, openat2, unlinkat},
    io::Errno,
};
use std::{
    ffi::CString,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// Removes `name` in `parent`, a folder or anything else; one that is not there is fine. Does not cross into another file system.
pub fn remove_tree(parent: BorrowedFd, name: &[u8]) -> Result<(), LayerError> {
    let failed = |errno: Errno| LayerError::io("remove", name, errno);
    match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(errno) => return Err(failed(errno)),
    }
    // One level at a time with the path of open folders on the heap: a tree's depth is its maker's choice.
    let mut open = vec![Level::open(parent, name.to_vec()).map_err(failed)?];
    while let Some(level) = open.last_mut() {
        match level.next_folder().map_err(failed)? {
            Some(child) => {
                let child = Level::open(level.folder.as_fd(), child.into_bytes()).map_err(failed)?;
                open.push(child);
            }
            None => {
                let done = open.pop().map(|level| level.name).unwrap_or_default();
                let above = open.last().map_or(parent, |level| level.folder.as_fd());
                match unlinkat(above, done.as_slice(), AtFlags::REMOVEDIR) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(errno) => return Err(LayerError::io("remove folder", &done, errno)),
                }
            }
        }
    }
    Ok(())
}

struct Level {
    name: Vec<u8>,
    folder: OwnedFd,
    entries: Dir,
}

impl Level {
    fn open(parent: BorrowedFd, name: Vec<u8>) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let folder = openat2(parent, name.as_slice(), flags, Mode::empty(), resolve)?;
        let entries = Dir::read_from(&folder)?;
        Ok(Self { name, folder, entries })
    }

    /// Removes everything but folders, and gives the next folder.
    fn next_folder(&mut self) -> Result<Option<CString>, Errno> {
        for entry in self.entries.by_ref() {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if entry.file_type() == FileType::Directory {
                return Ok(Some(name.to_owned()));
            }
            match unlinkat(&self.folder, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::ISDIR) => return Ok(Some(name.to_owned())),
                Err(errno) => return Err(errno),
            }
        }
        Ok(None)
    }
}
