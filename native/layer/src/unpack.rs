//! One tar into one folder.

use crate::{
    LayerError,
    archive::{Archive, Data, Entry},
    opaque::OpaqueFolders,
    path::{EntryPath, find_folder, make_folder, open_folder},
    pax::Time,
    stream::{Bounds, Compression, TOO_DENSE, TarStream},
    write::{self, Buffer, Metadata, ReadOrWrite},
};
use rustix::{
    fs::{AtFlags, FileType, utimensat},
    io::Errno,
};
use std::{
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};
use tar::EntryType;

/// What to expect, and how much to bear.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub compression: Compression,
    pub max_bytes: u64,
    pub max_entries: u64,
    pub max_ratio: u64,
    /// Regular files, folders and links only, all root's: an archive of images, no layer.
    pub plain_archive: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Summary {
    /// "sha256:<hex>" of the tar
    pub diff_id: String,
    pub size_bytes: u64,
    pub inodes: u64,
    /// For [`crate::mark_opaque`]: it takes a right that the reader of an archive should not have.
    pub opaque_folders: Vec<Vec<u8>>,
}

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
// Other names of this form are aufs' own book-keeping, and mean nothing elsewhere.
const AUFS: &[u8] = b".wh..wh.";
const MAX_XATTR_BYTES: usize = 64 * 1024;
const MAX_XATTR_NAME_BYTES: usize = 255;
const MAX_FOLDER_PATH_BYTES: usize = 64 * 1024 * 1024;

/// Unpacks `blob` into `target`, which must be empty. What was made before a failure stays, for the caller to remove.
pub fn unpack(blob: impl Read, target: BorrowedFd, options: &Options) -> Result<Summary, LayerError> {
    let bounds = Bounds { max_bytes: options.max_bytes, max_ratio: options.max_ratio.max(1) };
    let stream = TarStream::new(blob, options.compression, bounds).map_err(|failure| read_error(failure, options))?;
    let mut archive = Archive::new(stream);
    let mut unpacker = Unpacker {
        target,
        options,
        folders: Vec::new(),
        folder_path_bytes: 0,
        opaque_folders: OpaqueFolders::default(),
        last_folder: None,
        buffer: Buffer::default(),
        size_bytes: 0,
        inodes: 0,
    };
    let mut entries = 0;
    while let Some(entry) = archive.next().map_err(|failure| read_error(failure, options))? {
        entries += 1;
        if entries > options.max_entries {
            return Err(LayerError::Bound { what: "the number of entries", limit: options.max_entries });
        }
        unpacker.entry(&entry, archive.data())?;
    }
    unpacker.set_folder_times()?;
    let Unpacker { size_bytes, inodes, opaque_folders, .. } = unpacker;
    let diff_id = archive.into_inner().finish().map_err(|failure| read_error(failure, options))?;
    Ok(Summary { diff_id, size_bytes, inodes, opaque_folders: opaque_folders.into_paths() })
}

struct Unpacker<'a> {
    target: BorrowedFd<'a>,
    options: &'a Options,
    /// Their times are set last: making what is in them changes them.
    folders: Vec<(Box<[u8]>, Metadata)>,
    folder_path_bytes: usize,
    opaque_folders: OpaqueFolders,
    /// Most entries are in the folder of the one before. It is still where its name leads as long as nothing was replaced.
    last_folder: Option<(Vec<Vec<u8>>, OwnedFd)>,
    buffer: Buffer,
    size_bytes: u64,
    inodes: u64,
}

impl Unpacker<'_> {
    fn entry<R: Read>(&mut self, entry: &Entry, data: Data<R>) -> Result<(), LayerError> {
        let path = EntryPath::parse(&entry.name)?;
        let Some((parents, last)) = path.split() else {
            // The root of the layer is there already.
            return if entry.kind.is_dir() {
                let metadata = self.metadata(entry)?;
                self.note_folder(&[], metadata)?;
                write::set_metadata(self.target, b"/", metadata, &self.xattrs(entry)?)
            } else {
                Err(LayerError::entry(&entry.name, "has no name"))
            };
        };
        let (at, folder) = match self.last_folder.take() {
            Some((at, folder)) if at == parents => (at, folder),
            _ => (parents.to_vec(), make_folder(self.target, parents, Some(&mut self.opaque_folders))?),
        };
        let parent = folder.as_fd();
        let replaced = if !self.options.plain_archive && last.starts_with(WHITEOUT) {
            self.whiteout(parent, parents, last, &entry.name)?
        } else {
            self.make(entry, data, &path, parent)?
        };
        self.last_folder = Some((at, folder)).filter(|_| !replaced);
        Ok(())
    }

    /// Gives whether it took the place of something else.
    fn make<R: Read>(
        &mut self,
        entry: &Entry,
        mut data: Data<R>,
        path: &EntryPath,
        parent: BorrowedFd,
    ) -> Result<bool, LayerError> {
        let Some((_, last)) = path.split() else { return Ok(false) };
        let (metadata, xattrs) = (self.metadata(entry)?, &self.xattrs(entry)?);
        self.inodes += 1;
        match entry.kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.add_size(entry.size_bytes)?;
                write::regular(parent, last, entry, &mut data, &mut self.buffer, metadata, xattrs).map_err(|failure| {
                    match failure {
                        ReadOrWrite::Read(failure) => read_error(failure, self.options),
                        ReadOrWrite::Write(failure) => failure,
                    }
                })
            }
            EntryType::Directory => {
                self.note_folder(path.parts(), metadata)?;
                let replaced = write::folder(parent, last, metadata, xattrs)?;
                // What it replaced, a whiteout perhaps, hid all that layers below have there.
                if replaced && !self.options.plain_archive {
                    self.opaque_folders.add(self.target, path.parts())?;
                }
                Ok(replaced)
            }
            EntryType::Symlink if entry.link.is_empty() => Err(LayerError::entry(&entry.name, "is a link to nothing")),
            EntryType::Symlink => write::symlink(parent, last, &entry.link, metadata),
            _ if self.options.plain_archive => {
                Err(LayerError::entry(&entry.name, "is neither a file, a folder nor a symbolic link"))
            }
            EntryType::Link => {
                let from = EntryPath::parse(&entry.link)?;
                let Some((from_parents, from_last)) = from.split() else {
                    return Err(LayerError::entry(&entry.name, "is a hard link to the root"));
                };
                let from_folder = open_folder(self.target, from_parents)?;
                write::hard_link(parent, last, from_folder.as_fd(), from_last)
            }
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                let kind = match entry.kind {
                    EntryType::Char => FileType::CharacterDevice,
                    EntryType::Block => FileType::BlockDevice,
                    _ => FileType::Fifo,
                };
                write::node(parent, last, kind, entry.device, metadata)
            }
            _ => Err(LayerError::entry(&entry.name, "is of a kind that no layer has")),
        }
    }

    /// Holes count: who reads the file reads them.
    fn add_size(&mut self, bytes: u64) -> Result<(), LayerError> {
        self.size_bytes = self.size_bytes.saturating_add(bytes);
        if self.size_bytes > self.options.max_bytes {
            return Err(LayerError::Bound { what: "the unpacked size in bytes", limit: self.options.max_bytes });
        }
        Ok(())
    }

    /// "This was removed" in the words of a layer, said in those of overlayfs. It is about layers below: what this layer has
    /// of the same name, before or after, stays.
    fn whiteout(
        &mut self,
        parent: BorrowedFd,
        parents: &[Vec<u8>],
        last: &[u8],
        name: &[u8],
    ) -> Result<bool, LayerError> {
        if last == OPAQUE {
            return self.opaque_folders.add(self.target, parents).map(|()| false);
        }
        if last.starts_with(AUFS) {
            return Ok(false);
        }
        let hidden = &last[WHITEOUT.len()..];
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(LayerError::entry(name, "is a whiteout of nothing"));
        }
        match write::kind_of(parent, hidden)? {
            Some(FileType::Directory) => {
                self.opaque_folders.add(self.target, &[parents, &[hidden.to_vec()]].concat()).map(|()| false)
            }
            Some(_) => Ok(false),
            None => {
                self.inodes += 1;
                let metadata = Metadata { mode: 0, uid: 0, gid: 0, mtime: Time::of_seconds(0) };
                write::node(parent, hidden, FileType::CharacterDevice, (0, 0), metadata)
            }
        }
    }

    /// Those that an image may set. The others are the node's: trusted.overlay.* would let it rewrite the layers below it.
    fn xattrs(&self, entry: &Entry) -> Result<Vec<(String, Vec<u8>)>, LayerError> {
        if self.options.plain_archive {
            return Ok(Vec::new());
        }
        let mut allowed = Vec::new();
        for (key, value) in &entry.xattrs {
            let key = str::from_utf8(key).ok().filter(|key| *key == "security.capability" || key.starts_with("user."));
            let Some(key) = key else { continue };
            if key.len() > MAX_XATTR_NAME_BYTES || key.contains('\0') || value.len() > MAX_XATTR_BYTES {
                return Err(LayerError::entry(&entry.name, "has an extended attribute that is too large"));
            }
            allowed.push((key.to_owned(), value.clone()));
        }
        Ok(allowed)
    }

    fn metadata(&self, entry: &Entry) -> Result<Metadata, LayerError> {
        if self.options.plain_archive {
            let mode = if entry.kind.is_dir() { 0o700 } else { 0o600 };
            return Ok(Metadata { mode, uid: 0, gid: 0, mtime: Time::of_seconds(0) });
        }
        Metadata::of(entry)
    }

    fn note_folder(&mut self, parts: &[Vec<u8>], metadata: Metadata) -> Result<(), LayerError> {
        let path = parts.join(&b'/');
        self.folder_path_bytes += path.len();
        if self.folder_path_bytes > MAX_FOLDER_PATH_BYTES {
            let limit = MAX_FOLDER_PATH_BYTES as u64;
            return Err(LayerError::Bound { what: "the paths of folders in bytes", limit });
        }
        self.folders.push((path.into(), metadata));
        Ok(())
    }

    fn set_folder_times(&self) -> Result<(), LayerError> {
        for (path, metadata) in self.folders.iter().rev() {
            let path = EntryPath::parse(path)?;
            let (parents, last) = path.split().unwrap_or((&[], b"."));
            let set = |folder| utimensat(&folder, last, &metadata.times(), AtFlags::SYMLINK_NOFOLLOW);
            match find_folder(self.target, parents).and_then(set) {
                // A later entry took its place, or that of what it was in.
                Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(errno) => return Err(LayerError::io("set time of", last, errno)),
            }
        }
        Ok(())
    }
}

fn read_error(failure: io::Error, options: &Options) -> LayerError {
    if failure.kind() != io::ErrorKind::FileTooLarge {
        return LayerError::Stream(failure);
    }
    let (what, limit) = if failure.to_string() == TOO_DENSE {
        ("the ratio of unpacked to packed size", options.max_ratio)
    } else {
        ("the unpacked size in bytes", options.max_bytes)
    };
    LayerError::Bound { what, limit }
}
