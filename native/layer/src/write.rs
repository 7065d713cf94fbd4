//! Making one entry in its folder.

use crate::{LayerError, remove::remove_within};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, chmodat, chownat, fchmod, fchown,
    fsetxattr, ftruncate, futimens, linkat, makedev, mkdirat, mknodat, openat, seek, statat, symlinkat, unlinkat,
    utimensat,
};
use rustix::{
    fs::SeekFrom,
    io::{Errno, write},
};
use std::{
    io::Read,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// Owner, mode and time of an entry.
#[derive(Clone, Copy)]
pub struct Metadata {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime_seconds: i64,
}

impl Metadata {
    pub fn times(self) -> Timestamps {
        let time = Timespec { tv_sec: self.mtime_seconds, tv_nsec: 0 };
        Timestamps { last_access: time, last_modification: time }
    }

    fn owner(self) -> (Option<Uid>, Option<Gid>) {
        (Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)))
    }
}

pub type Xattrs = [(String, Vec<u8>)];

const COPY_BYTES: usize = 128 * 1024;
const HOLE_BYTES: usize = 4096;

/// What an earlier entry of the same name left; a link is not followed.
pub fn kind_of(folder: BorrowedFd, name: &[u8]) -> Result<Option<FileType>, LayerError> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(LayerError::io("look at", name, errno)),
    }
}

fn make_room(folder: BorrowedFd, name: &[u8]) -> Result<(), LayerError> {
    match kind_of(folder, name)? {
        None => Ok(()),
        Some(FileType::Directory) => remove_within(folder, name, None),
        Some(_) => unlinkat(folder, name, AtFlags::empty()).map_err(|errno| LayerError::io("replace", name, errno)),
    }
}

/// Gives whether it took the place of something else.
pub fn folder(parent: BorrowedFd, name: &[u8], metadata: Metadata, xattrs: &Xattrs) -> Result<bool, LayerError> {
    let failed = |errno: Errno| LayerError::io("make folder", name, errno);
    let before = kind_of(parent, name)?;
    if before != Some(FileType::Directory) {
        make_room(parent, name)?;
        mkdirat(parent, name, Mode::from_raw_mode(0o700)).map_err(failed)?;
    }
    let made =
        openat(parent, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
            .map_err(failed)?;
    set_metadata(made.as_fd(), name, metadata, xattrs)?;
    Ok(before.is_some_and(|kind| kind != FileType::Directory))
}

/// Also of the root of the layer itself.
pub fn set_metadata(file: BorrowedFd, name: &[u8], metadata: Metadata, xattrs: &Xattrs) -> Result<(), LayerError> {
    let (uid, gid) = metadata.owner();
    fchown(file, uid, gid).map_err(|errno| LayerError::io("set owner of", name, errno))?;
    // After the owner: a change of owner takes set-user-ID bits and capabilities away.
    fchmod(file, Mode::from_raw_mode(metadata.mode)).map_err(|errno| LayerError::io("set mode of", name, errno))?;
    for (key, value) in xattrs {
        match fsetxattr(file, key.as_str(), value, XattrFlags::empty()) {
            // A file system without them, as with other runtimes, goes without.
            Ok(()) | Err(Errno::NOTSUP) => {}
            Err(errno) => return Err(LayerError::io("set extended attribute of", name, errno)),
        }
    }
    Ok(())
}

/// Pages of zeros become holes.
pub fn regular(
    parent: BorrowedFd,
    name: &[u8],
    content: &mut impl Read,
    metadata: Metadata,
    xattrs: &Xattrs,
) -> Result<(), ReadOrWrite> {
    make_room(parent, name)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let failed = |errno: Errno| LayerError::io("write", name, errno);
    let file = openat(parent, name, flags, Mode::from_raw_mode(0o600)).map_err(failed)?;
    let mut buffer = vec![0; COPY_BYTES];
    let mut size = 0u64;
    let mut ends_in_hole = false;
    loop {
        let filled = fill(content, &mut buffer).map_err(ReadOrWrite::Read)?;
        if filled == 0 {
            break;
        }
        for chunk in buffer[..filled].chunks(HOLE_BYTES) {
            ends_in_hole = chunk.len() == HOLE_BYTES && chunk.iter().all(|byte| *byte == 0);
            if ends_in_hole {
                seek(&file, SeekFrom::Current(chunk.len() as i64)).map_err(failed)?;
            } else {
                write_all(&file, chunk).map_err(failed)?;
            }
        }
        size += filled as u64;
    }
    if ends_in_hole {
        ftruncate(&file, size).map_err(failed)?;
    }
    set_metadata(file.as_fd(), name, metadata, xattrs)?;
    futimens(&file, &metadata.times()).map_err(|errno| LayerError::io("set time of", name, errno))?;
    Ok(())
}

/// Reading the archive failed, or writing the file did.
pub enum ReadOrWrite {
    Read(std::io::Error),
    Write(LayerError),
}

impl From<LayerError> for ReadOrWrite {
    fn from(failure: LayerError) -> Self {
        Self::Write(failure)
    }
}

// Whole buffers, so that holes are found however the archive's bytes are cut.
fn fill(content: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match content.read(&mut buffer[filled..])? {
            0 => break,
            bytes => filled += bytes,
        }
    }
    Ok(filled)
}

fn write_all(file: &OwnedFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let written = write(file, bytes)?;
        bytes = &bytes[written..];
    }
    Ok(())
}

pub fn symlink(parent: BorrowedFd, name: &[u8], target: &[u8], metadata: Metadata) -> Result<(), LayerError> {
    make_room(parent, name)?;
    symlinkat(target, parent, name).map_err(|errno| LayerError::io("make symbolic link", name, errno))?;
    own_without_following(parent, name, metadata)
}

pub fn hard_link(parent: BorrowedFd, name: &[u8], from: BorrowedFd, from_name: &[u8]) -> Result<(), LayerError> {
    make_room(parent, name)?;
    // Without AT_SYMLINK_FOLLOW the link is to the link itself, so it leads nowhere new.
    linkat(from, from_name, parent, name, AtFlags::empty())
        .map_err(|errno| LayerError::io("make hard link", name, errno))
}

pub fn node(
    parent: BorrowedFd,
    name: &[u8],
    kind: FileType,
    major: u32,
    minor: u32,
    metadata: Metadata,
) -> Result<(), LayerError> {
    make_room(parent, name)?;
    mknodat(parent, name, kind, Mode::from_raw_mode(metadata.mode & 0o7777), makedev(major, minor))
        .map_err(|errno| LayerError::io("make node", name, errno))?;
    own_without_following(parent, name, metadata)?;
    // It is no link: nothing else made it, and this process is alone in the folder.
    chmodat(parent, name, Mode::from_raw_mode(metadata.mode), AtFlags::empty())
        .map_err(|errno| LayerError::io("set mode of", name, errno))
}

fn own_without_following(parent: BorrowedFd, name: &[u8], metadata: Metadata) -> Result<(), LayerError> {
    let (uid, gid) = metadata.owner();
    chownat(parent, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|errno| LayerError::io("set owner of", name, errno))?;
    utimensat(parent, name, &metadata.times(), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|errno| LayerError::io("set time of", name, errno))
}
