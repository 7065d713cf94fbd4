//! One tar into one folder.

use crate::{
    LayerError,
    opaque::OpaqueFolders,
    path::{EntryPath, make_folder, open_folder},
    stream::{Bounds, Compression, TOO_DENSE, TOO_LARGE, TarStream},
    write::{self, Metadata, ReadOrWrite},
};
use rustix::fs::{AtFlags, FileType, utimensat};
use std::{
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd},
};
use tar::{Archive, Entry, EntryType};

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
const XATTR: &str = "SCHILY.xattr.";
const MAX_XATTR_BYTES: usize = 64 * 1024;
const MAX_LARGEST_ID: u64 = u32::MAX as u64 - 1;

/// Unpacks `blob` into `target`, which must be empty. What was made before a failure stays, for the caller to remove.
pub fn unpack(blob: impl Read, target: BorrowedFd, options: &Options) -> Result<Summary, LayerError> {
    let bounds = Bounds { max_bytes: options.max_bytes, max_ratio: options.max_ratio.max(1) };
    let stream = TarStream::new(blob, options.compression, bounds).map_err(|failure| read_error(failure, options))?;
    let mut archive = Archive::new(stream);
    let mut unpacker = Unpacker {
        target,
        options,
        folders: Vec::new(),
        opaque_folders: OpaqueFolders::default(),
        size_bytes: 0,
        inodes: 0,
    };
    let entries = archive.entries().map_err(|failure| read_error(failure, options))?;
    for (index, entry) in entries.enumerate() {
        if index as u64 >= options.max_entries {
            return Err(LayerError::Bound { what: "the number of entries", limit: options.max_entries });
        }
        unpacker.entry(&mut entry.map_err(|failure| read_error(failure, options))?)?;
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
    folders: Vec<(Vec<Vec<u8>>, Metadata)>,
    opaque_folders: OpaqueFolders,
    size_bytes: u64,
    inodes: u64,
}

impl Unpacker<'_> {
    fn entry<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<(), LayerError> {
        let name = entry.path_bytes().into_owned();
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(());
        }
        let path = EntryPath::parse(&name)?;
        let xattrs = self.extended(entry, &name)?;
        let metadata = self.metadata(entry, &name, &xattrs.1)?;
        let xattrs = xattrs.0;
        let Some((parents, last)) = path.split() else {
            // The root of the layer: only its owner, mode and attributes.
            return if kind.is_dir() {
                write::set_metadata(self.target, b"/", metadata, &xattrs)
            } else {
                Err(LayerError::entry(&name, "has no name"))
            };
        };
        let parent = make_folder(self.target, parents, Some(&mut self.opaque_folders))?;
        let parent = parent.as_fd();
        if !self.options.plain_archive && last.starts_with(WHITEOUT) {
            return self.whiteout(parent, parents, last, &name);
        }
        self.inodes += 1;
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.size_bytes += entry.header().entry_size().unwrap_or(0);
                write::regular(parent, last, entry, metadata, &xattrs).map_err(|failure| match failure {
                    ReadOrWrite::Read(failure) => read_error(failure, self.options),
                    ReadOrWrite::Write(failure) => failure,
                })
            }
            EntryType::Directory => {
                self.folders.push((path.parts().to_vec(), metadata));
                // What it replaces, a whiteout perhaps, hid all that layers below have there.
                if write::folder(parent, last, metadata, &xattrs)? && !self.options.plain_archive {
                    self.opaque_folders.add(self.target, path.parts())?;
                }
                Ok(())
            }
            EntryType::Symlink => {
                let target = entry
                    .link_name_bytes()
                    .ok_or_else(|| LayerError::entry(&name, "is a link to nothing"))?
                    .into_owned();
                write::symlink(parent, last, &target, metadata)
            }
            _ if self.options.plain_archive => {
                Err(LayerError::entry(&name, "is neither a file, a folder nor a symbolic link"))
            }
            EntryType::Link => {
                let from = entry
                    .link_name_bytes()
                    .ok_or_else(|| LayerError::entry(&name, "is a link to nothing"))?
                    .into_owned();
                let from = EntryPath::parse(&from)?;
                let Some((from_parents, from_last)) = from.split() else {
                    return Err(LayerError::entry(&name, "is a hard link to the root"));
                };
                write::hard_link(parent, last, open_folder(self.target, from_parents)?.as_fd(), from_last)
            }
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                let number = |number: io::Result<Option<u32>>| number.ok().flatten().unwrap_or(0);
                let (major, minor) = (number(entry.header().device_major()), number(entry.header().device_minor()));
                let kind = match kind {
                    EntryType::Char => FileType::CharacterDevice,
                    EntryType::Block => FileType::BlockDevice,
                    _ => FileType::Fifo,
                };
                write::node(parent, last, kind, major, minor, metadata)
            }
            _ => Err(LayerError::entry(&name, "is of a kind that no layer has")),
        }
    }

    /// "This was removed" in the words of a layer, said in those of overlayfs. It is about layers below: what this layer has
    /// of the same name, before or after, stays.
    fn whiteout(
        &mut self,
        parent: BorrowedFd,
        parents: &[Vec<u8>],
        last: &[u8],
        name: &[u8],
    ) -> Result<(), LayerError> {
        if last == OPAQUE {
            return self.opaque_folders.add(self.target, parents);
        }
        if last.starts_with(AUFS) {
            return Ok(());
        }
        let hidden = &last[WHITEOUT.len()..];
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(LayerError::entry(name, "is a whiteout of nothing"));
        }
        match write::kind_of(parent, hidden)? {
            Some(FileType::Directory) => self.opaque_folders.add(self.target, &[parents, &[hidden.to_vec()]].concat()),
            Some(_) => Ok(()),
            None => {
                self.inodes += 1;
                let metadata = Metadata { mode: 0, uid: 0, gid: 0, mtime_seconds: 0 };
                write::node(parent, hidden, FileType::CharacterDevice, 0, 0, metadata)
            }
        }
    }

    /// Extended attributes that an image may set, and the numbers that a plain header is too small for.
    fn extended<R: Read>(&self, entry: &mut Entry<'_, R>, name: &[u8]) -> Result<(OwnedXattrs, Overrides), LayerError> {
        let (mut xattrs, mut overrides) = (Vec::new(), Overrides::default());
        let Some(extensions) = entry.pax_extensions().map_err(|failure| read_error(failure, self.options))? else {
            return Ok((xattrs, overrides));
        };
        for extension in extensions {
            let extension = extension.map_err(|failure| read_error(failure, self.options))?;
            let (Ok(key), value) = (extension.key(), extension.value_bytes()) else { continue };
            let number =
                || std::str::from_utf8(value).ok().and_then(|text| text.split('.').next()?.parse::<i64>().ok());
            match key {
                "uid" => overrides.uid = number().map(|value| value as u64),
                "gid" => overrides.gid = number().map(|value| value as u64),
                "mtime" => overrides.mtime = number(),
                _ => {
                    // The others are the node's to set: trusted.overlay.* would let an image rewrite the layers below it.
                    let Some(key) =
                        key.strip_prefix(XATTR).filter(|key| *key == "security.capability" || key.starts_with("user."))
                    else {
                        continue;
                    };
                    if key.len() > 255 || value.len() > MAX_XATTR_BYTES {
                        return Err(LayerError::entry(name, "has an extended attribute that is too large"));
                    }
                    if !self.options.plain_archive {
                        xattrs.push((key.to_owned(), value.to_vec()));
                    }
                }
            }
        }
        Ok((xattrs, overrides))
    }

    fn metadata<R: Read>(
        &self,
        entry: &Entry<'_, R>,
        name: &[u8],
        overrides: &Overrides,
    ) -> Result<Metadata, LayerError> {
        let header = entry.header();
        let id = |number: io::Result<u64>, extended: Option<u64>| {
            let id = extended.or(number.ok()).filter(|id| *id <= MAX_LARGEST_ID);
            id.map(|id| id as u32).ok_or_else(|| LayerError::entry(name, "has an owner that is no user id"))
        };
        let folder = header.entry_type().is_dir();
        if self.options.plain_archive {
            return Ok(Metadata { mode: if folder { 0o700 } else { 0o600 }, uid: 0, gid: 0, mtime_seconds: 0 });
        }
        let mtime_seconds =
            overrides.mtime.unwrap_or_else(|| header.mtime().map_or(0, |seconds| i64::try_from(seconds).unwrap_or(0)));
        Ok(Metadata {
            mode: header.mode().unwrap_or(if folder { 0o755 } else { 0o644 }) & 0o7777,
            uid: id(header.uid(), overrides.uid)?,
            gid: id(header.gid(), overrides.gid)?,
            // Far beyond what file systems hold; a time that can't be stored would fail the whole layer.
            mtime_seconds: mtime_seconds.clamp(0, i64::from(u32::MAX)),
        })
    }

    fn set_folder_times(&self) -> Result<(), LayerError> {
        for (parts, metadata) in self.folders.iter().rev() {
            let Some((last, parents)) = parts.split_last() else { continue };
            let parent = open_folder(self.target, parents)?;
            match utimensat(&parent, last.as_slice(), &metadata.times(), AtFlags::SYMLINK_NOFOLLOW) {
                // A later entry took its place.
                Ok(()) | Err(rustix::io::Errno::NOENT) => {}
                Err(errno) => return Err(LayerError::io("set time of", last, errno)),
            }
        }
        Ok(())
    }
}

type OwnedXattrs = Vec<(String, Vec<u8>)>;

#[derive(Default)]
struct Overrides {
    uid: Option<u64>,
    gid: Option<u64>,
    mtime: Option<i64>,
}

fn read_error(failure: io::Error, options: &Options) -> LayerError {
    // The archive reader wraps our own errors; their kind and words survive.
    let text = failure.to_string();
    if text.contains(TOO_LARGE) {
        return LayerError::Bound { what: "the unpacked size in bytes", limit: options.max_bytes };
    }
    if text.contains(TOO_DENSE) {
        return LayerError::Bound { what: "the ratio of unpacked to packed size", limit: options.max_ratio };
    }
    LayerError::Stream(failure)
}
