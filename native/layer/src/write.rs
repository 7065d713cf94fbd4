//! Making one entry in its folder.

use crate::{
    LayerError,
    archive::{Entry, fill},
    pax::Time,
    remove::remove_within,
};
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
    io::{ErrorKind, Read},
    iter,
    ops::Range,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// Owner, mode and time of an entry.
#[derive(Clone, Copy)]
pub struct Metadata {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Time,
}

impl Metadata {
    pub fn of(entry: &Entry) -> Result<Self, LayerError> {
        let id = |id: Option<u64>| {
            let id = id.filter(|id| *id <= MAX_LARGEST_ID).map(|id| id as u32);
            id.ok_or_else(|| LayerError::entry(&entry.name, "has an owner that is no user id"))
        };
        Ok(Self {
            mode: entry.mode.unwrap_or(if entry.kind.is_dir() { 0o755 } else { 0o644 }) & 0o7777,
            uid: id(entry.uid)?,
            gid: id(entry.gid)?,
            // Far beyond what file systems hold; a time that can't be stored would fail the whole archive.
            mtime: match entry.mtime {
                Time { seconds: ..0, .. } => Time::of_seconds(0),
                Time { seconds, .. } if seconds > u32::MAX.into() => Time::of_seconds(u32::MAX.into()),
                time => time,
            },
        })
    }

    pub fn times(self) -> Timestamps {
        let time = Timespec { tv_sec: self.mtime.seconds, tv_nsec: self.mtime.nanos.into() };
        Timestamps { last_access: time, last_modification: time }
    }

    fn owner(self) -> (Option<Uid>, Option<Gid>) {
        (Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)))
    }
}

pub type Xattrs = [(String, Vec<u8>)];

const MAX_LARGEST_ID: u64 = u32::MAX as u64 - 1;
const COPY_BYTES: usize = 128 * 1024;
const HOLE_BYTES: usize = 4096;
const ZEROS: [u8; HOLE_BYTES] = [0; HOLE_BYTES];

/// What an earlier entry of the same name left; a link is not followed.
pub fn kind_of(folder: BorrowedFd, name: &[u8]) -> Result<Option<FileType>, LayerError> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(LayerError::io("look at", name, errno)),
    }
}

/// What makes an entry gives whether it took the place of something else.
fn make_room(folder: BorrowedFd, name: &[u8]) -> Result<bool, LayerError> {
    match kind_of(folder, name)? {
        None => return Ok(false),
        Some(FileType::Directory) => remove_within(folder, name, None)?,
        Some(_) => unlinkat(folder, name, AtFlags::empty()).map_err(|errno| LayerError::io("replace", name, errno))?,
    }
    Ok(true)
}

pub fn folder(parent: BorrowedFd, name: &[u8], metadata: Metadata, xattrs: &Xattrs) -> Result<bool, LayerError> {
    let failed = |errno: Errno| LayerError::io("make folder", name, errno);
    let mut replaced = false;
    if kind_of(parent, name)? != Some(FileType::Directory) {
        replaced = make_room(parent, name)?;
        mkdirat(parent, name, Mode::from_raw_mode(0o700)).map_err(failed)?;
    }
    let made =
        openat(parent, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
            .map_err(failed)?;
    set_metadata(made.as_fd(), name, metadata, xattrs)?;
    Ok(replaced)
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

/// Where a file's bytes pass through; one for a whole archive.
pub struct Buffer(Vec<u8>);

impl Default for Buffer {
    fn default() -> Self {
        Self(vec![0; COPY_BYTES])
    }
}

/// Pages of zeros become holes.
pub fn regular(
    parent: BorrowedFd,
    name: &[u8],
    Entry { pieces, size_bytes, .. }: &Entry,
    content: &mut impl Read,
    buffer: &mut Buffer,
    metadata: Metadata,
    xattrs: &Xattrs,
) -> Result<bool, ReadOrWrite> {
    let replaced = make_room(parent, name)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let failed = |errno: Errno| LayerError::io("write", name, errno);
    let file = openat(parent, name, flags, Mode::from_raw_mode(0o600)).map_err(failed)?;
    let mut written = 0;
    for piece in pieces {
        let mut at = piece.offset;
        let end = piece.offset + piece.bytes;
        while at < end {
            let most = usize::try_from(end - at).unwrap_or(usize::MAX).min(COPY_BYTES);
            let bytes = fill(content, &mut buffer.0[..most]).map_err(ReadOrWrite::Read)?;
            if bytes == 0 {
                return Err(ReadOrWrite::Read(ErrorKind::UnexpectedEof.into()));
            }
            for part in without_holes(&buffer.0[..bytes]) {
                let start = at + part.start as u64;
                if start != written {
                    seek(&file, SeekFrom::Start(start)).map_err(failed)?;
                }
                write_all(&file, &buffer.0[part.clone()]).map_err(failed)?;
                written = at + part.end as u64;
            }
            at += bytes as u64;
        }
    }
    if written != *size_bytes {
        ftruncate(&file, *size_bytes).map_err(failed)?;
    }
    set_metadata(file.as_fd(), name, metadata, xattrs)?;
    futimens(&file, &metadata.times()).map_err(|errno| LayerError::io("set time of", name, errno))?;
    Ok(replaced)
}

/// The parts to write, as long as can be. A page that is cut by the end of the buffer is written.
fn without_holes(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let is_hole = |from: &usize| bytes.get(*from..from + HOLE_BYTES) == Some(&ZEROS);
    let mut next = 0;
    iter::from_fn(move || {
        let start = (next..bytes.len()).step_by(HOLE_BYTES).find(|from| !is_hole(from))?;
        next = (start..bytes.len()).step_by(HOLE_BYTES).find(is_hole).unwrap_or(bytes.len());
        Some(start..next)
    })
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

fn write_all(file: &OwnedFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let written = write(file, bytes)?;
        bytes = &bytes[written..];
    }
    Ok(())
}

pub fn symlink(parent: BorrowedFd, name: &[u8], target: &[u8], metadata: Metadata) -> Result<bool, LayerError> {
    let replaced = make_room(parent, name)?;
    symlinkat(target, parent, name).map_err(|errno| LayerError::io("make symbolic link", name, errno))?;
    own_without_following(parent, name, metadata)?;
    Ok(replaced)
}

pub fn hard_link(parent: BorrowedFd, name: &[u8], from: BorrowedFd, from_name: &[u8]) -> Result<bool, LayerError> {
    let replaced = make_room(parent, name)?;
    // Without AT_SYMLINK_FOLLOW the link is to the link itself, so it leads nowhere new.
    linkat(from, from_name, parent, name, AtFlags::empty())
        .map_err(|errno| LayerError::io("make hard link", name, errno))?;
    Ok(replaced)
}

pub fn node(
    parent: BorrowedFd,
    name: &[u8],
    kind: FileType,
    (major, minor): (u32, u32),
    metadata: Metadata,
) -> Result<bool, LayerError> {
    let replaced = make_room(parent, name)?;
    mknodat(parent, name, kind, Mode::from_raw_mode(metadata.mode & 0o7777), makedev(major, minor))
        .map_err(|errno| LayerError::io("make node", name, errno))?;
    own_without_following(parent, name, metadata)?;
    // It is no link: nothing else made it, and this process is alone in the folder.
    chmodat(parent, name, Mode::from_raw_mode(metadata.mode), AtFlags::empty())
        .map_err(|errno| LayerError::io("set mode of", name, errno))?;
    Ok(replaced)
}

fn own_without_following(parent: BorrowedFd, name: &[u8], metadata: Metadata) -> Result<(), LayerError> {
    let (uid, gid) = metadata.owner();
    chownat(parent, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|errno| LayerError::io("set owner of", name, errno))?;
    utimensat(parent, name, &metadata.times(), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|errno| LayerError::io("set time of", name, errno))
}
