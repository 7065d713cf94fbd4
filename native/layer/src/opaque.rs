//! Folders that hide what layers below have at their place. The mark is an attribute that takes CAP_SYS_ADMIN to set, so the
//! reader of the archive only says which folders they are, and who started it marks them when the reader has ended.

use crate::{LayerError, path::EntryPath};
use rustix::{
    fs::{Mode, OFlags, ResolveFlags, XattrFlags, fgetxattr, fsetxattr, openat2, readlinkat},
    io::Errno,
};
use std::{
    collections::VecDeque,
    os::fd::{BorrowedFd, OwnedFd},
};

const MARK: &str = "trusted.overlay.opaque";
const MAX_FOLDERS: usize = 65_536;
const MAX_PATH_BYTES: usize = 4 * 1024 * 1024;
// As many as the kernel follows.
const MAX_LINKS: usize = 40;

/// The folders of one layer, as paths from its root that no link is part of.
#[derive(Default)]
pub struct OpaqueFolders {
    paths: Vec<Vec<u8>>,
    bytes: usize,
}

impl OpaqueFolders {
    pub fn add(&mut self, root: BorrowedFd, parts: &[Vec<u8>]) -> Result<(), LayerError> {
        let path = without_links(root, parts)?;
        self.bytes += path.len();
        check_count(self.paths.len() + 1)?;
        if self.bytes > MAX_PATH_BYTES {
            return Err(LayerError::Bound {
                what: "the paths of opaque folders in bytes",
                limit: MAX_PATH_BYTES as u64,
            });
        }
        self.paths.push(path);
        Ok(())
    }

    pub fn into_paths(self) -> Vec<Vec<u8>> {
        self.paths
    }
}

fn check_count(folders: usize) -> Result<(), LayerError> {
    if folders > MAX_FOLDERS {
        return Err(LayerError::Bound { what: "the number of opaque folders", limit: MAX_FOLDERS as u64 });
    }
    Ok(())
}

/// Where a folder is that was opened by these parts just now.
fn without_links(root: BorrowedFd, parts: &[Vec<u8>]) -> Result<Vec<u8>, LayerError> {
    let failed = |errno| LayerError::io("find folder", &parts.join(&b'/'), errno);
    let (mut ahead, mut found) = (VecDeque::from(parts.to_vec()), Vec::new());
    let mut links = 0;
    while let Some(part) = ahead.pop_front() {
        match part.as_slice() {
            b"" | b"." => continue,
            b".." => {
                found.pop();
                continue;
            }
            _ => found.push(part),
        }
        let target = match readlinkat(root, found.join(&b'/'), Vec::new()) {
            Ok(target) => target.into_bytes(),
            Err(Errno::INVAL) => continue,
            Err(errno) => return Err(failed(errno)),
        };
        links += 1;
        if links > MAX_LINKS {
            return Err(failed(Errno::LOOP));
        }
        found.pop();
        if target.starts_with(b"/") {
            found.clear();
        }
        for part in target.split(|byte| *byte == b'/').rev() {
            ahead.push_front(part.to_vec());
        }
    }
    Ok(found.join(&b'/'))
}

/// Marks folders that [`crate::unpack`] named. The paths are the reader's word and so are checked again: one that is no folder
/// of this root, or is one only behind a link, is left alone; a later entry may have taken its place.
pub fn mark_opaque(root: BorrowedFd, folders: &[Vec<u8>]) -> Result<(), LayerError> {
    check_count(folders.len())?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    for folder in folders {
        let failed = |errno| LayerError::io("mark as opaque", folder, errno);
        let path = match EntryPath::parse(folder)?.parts() {
            [] => b".".to_vec(),
            parts => parts.join(&b'/'),
        };
        match openat2(root, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Ok(folder) => fsetxattr(folder, MARK, b"y", XattrFlags::empty()).map_err(failed)?,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            Err(errno) => return Err(failed(errno)),
        }
    }
    Ok(())
}

/// Of a folder in the upper folder of an overlay. It takes CAP_SYS_ADMIN to see.
pub fn is_opaque(folder: &OwnedFd) -> Result<bool, Errno> {
    let mut value = [0; 1];
    match fgetxattr(folder, MARK, &mut value) {
        Ok(bytes) => Ok(bytes == 1 && &value == b"y"),
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::RANGE) => Ok(false),
        Err(errno) => Err(errno),
    }
}
