//! A tar into a tree that is there already: into a folder of a container. Names are resolved as the container would, by
//! descriptors, below its root; what is there is only ever replaced by its like.

use crate::{
    LayerError,
    pack::MAX_ENTRIES,
    path::{EntryPath, make_folder},
    place::{self, Place, kind_of, refuse_kernel_files},
    write::{self, Metadata, ReadOrWrite},
};
use rustix::{
    fs::{AtFlags, FileType, OFlags, statat, utimensat},
    io::Errno,
};
use std::{
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};
use tar::{Archive, Entry, EntryType};

const MAX_LARGEST_ID: u64 = u32::MAX as u64 - 1;

/// What the tar holds, and so what its first names mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Anything: goes into a folder that must be there, with the names that it has.
    Archive,
    /// One file or link.
    File,
    /// One folder, and what is in it.
    Folder,
    /// What is in a folder: its names begin with ".".
    Contents,
}

/// Where the entries go.
pub struct Target<'a> {
    root: BorrowedFd<'a>,
    /// the folder, from the root
    base: Vec<Vec<u8>>,
    /// instead of the first part of each name
    rename: Option<Vec<u8>>,
    keep_owners: bool,
}

/// Decides by what is there: a folder takes the source in under its own name, another path is the source's new name.
pub fn aim<'a>(root: BorrowedFd<'a>, path: &[u8], source: Source, keep_owners: bool) -> Result<Target<'a>, LayerError> {
    let place = Place::parse(path)?;
    let target = |base: &[u8], rename| {
        let parts = base.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
        Target { root, base: parts.map(<[u8]>::to_vec).collect(), rename, keep_owners }
    };
    let kind = match place::open(root, path, OFlags::PATH) {
        Ok(there) => {
            refuse_kernel_files(&there, path)?;
            Some(kind_of(&place::stat(&there, path)?))
        }
        Err(Errno::NOENT) => None,
        Err(errno) => return Err(LayerError::io("open", path, errno)),
    };
    match (kind, place.name()) {
        (Some(FileType::Directory), _) => Ok(target(place.whole(), None)),
        (None, None) => Err(LayerError::io("open", path, Errno::NOENT)),
        (None, Some(_)) if source == Source::Archive || (source == Source::File && place.must_be_folder()) => {
            Err(LayerError::io("open folder", path, Errno::NOENT))
        }
        (Some(_), _) if source != Source::File || place.must_be_folder() => {
            Err(LayerError::refused(path, "is not a folder"))
        }
        (_, name) => {
            // The folder that it is to be in must be there; a mistyped path makes none.
            let folder = place::open(root, place.folder(), OFlags::PATH | OFlags::DIRECTORY)
                .map_err(|errno| LayerError::io("open folder", place.folder(), errno))?;
            refuse_kernel_files(&folder, place.folder())?;
            Ok(match source {
                // Its names begin with ".", so that there is none to change.
                Source::Contents => target(place.whole(), None),
                _ => target(place.folder(), name.map(<[u8]>::to_vec)),
            })
        }
    }
}

/// Unpacks the tar. What was made before a failure stays. Owners are root unless the target keeps those of the tar; folders that are
/// there stay as they are.
pub fn receive(tar: impl Read, target: &Target) -> Result<(), LayerError> {
    let mut archive = Archive::new(tar);
    let mut receiver = Receiver { target, made: Vec::new() };
    for (index, entry) in archive.entries().map_err(LayerError::Stream)?.enumerate() {
        if index as u64 >= MAX_ENTRIES {
            return Err(LayerError::Bound { what: "the number of entries", limit: MAX_ENTRIES });
        }
        receiver.entry(&mut entry.map_err(LayerError::Stream)?)?;
    }
    receiver.set_folder_times()?;
    // What follows the end is padding, which whoever writes would otherwise wait for us to take.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map(drop).map_err(LayerError::Stream)
}

struct Receiver<'a> {
    target: &'a Target<'a>,
    /// Their times are set last: making what is in them changes them.
    made: Vec<(Vec<Vec<u8>>, Metadata)>,
}

impl Receiver<'_> {
    fn entry<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<(), LayerError> {
        let name = entry.path_bytes().into_owned();
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(());
        }
        let metadata = self.metadata(entry, &name)?;
        let parts = self.place(&name)?;
        let Some((last, parents)) = parts.split_last() else {
            // The folder itself, which is there.
            return Ok(());
        };
        let folder = self.open(parents)?;
        let (parent, last) = (folder.as_fd(), last.as_slice());
        let there = there(parent, last)?;
        if kind.is_dir() {
            return self.folder(parent, &parts, there, metadata);
        }
        if there == Some(FileType::Directory) {
            return Err(LayerError::refused(&name, "would replace a folder by what is none"));
        }
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                write::regular(parent, last, entry, metadata, &[]).map_err(|failure| match failure {
                    ReadOrWrite::Read(failure) => LayerError::Stream(failure),
                    ReadOrWrite::Write(failure) => failure,
                })
            }
            EntryType::Symlink | EntryType::Link => {
                let link = entry.link_name_bytes().ok_or_else(|| LayerError::entry(&name, "is a link to nothing"))?;
                if kind.is_symlink() {
                    return write::symlink(parent, last, &link, metadata);
                }
                let from = self.place(&link)?;
                let Some((from_last, from_parents)) = from.split_last() else {
                    return Err(LayerError::entry(&name, "is a hard link to a folder"));
                };
                write::hard_link(parent, last, self.open(from_parents)?.as_fd(), from_last)
            }
            _ => Err(LayerError::entry(&name, "is neither a file, a folder nor a link")),
        }
    }

    fn folder(
        &mut self,
        parent: BorrowedFd,
        parts: &[Vec<u8>],
        there: Option<FileType>,
        metadata: Metadata,
    ) -> Result<(), LayerError> {
        let Some(last) = parts.last() else { return Ok(()) };
        let leads_to_folder = || {
            self.open_there(parts)
                .is_ok_and(|found| place::stat(&found, last).is_ok_and(|stat| kind_of(&stat) == FileType::Directory))
        };
        match there {
            None => {
                self.made.push((parts.to_vec(), metadata));
                write::folder(parent, last, metadata, &[]).map(drop)
            }
            Some(FileType::Directory) => Ok(()),
            Some(FileType::Symlink) if leads_to_folder() => Ok(()),
            Some(_) => Err(LayerError::refused(last, "would be replaced by a folder, and is none")),
        }
    }

    /// Where an entry goes, in parts from the root.
    fn place(&self, name: &[u8]) -> Result<Vec<Vec<u8>>, LayerError> {
        let path = EntryPath::parse(name)?;
        let own = match (&self.target.rename, path.parts()) {
            (Some(rename), [_, rest @ ..]) => [std::slice::from_ref(rename), rest].concat(),
            (_, parts) => parts.to_vec(),
        };
        Ok([self.target.base.as_slice(), own.as_slice()].concat())
    }

    fn open(&self, parts: &[Vec<u8>]) -> Result<OwnedFd, LayerError> {
        let folder = make_folder(self.target.root, parts, None)?;
        refuse_kernel_files(&folder, &parts.join(&b'/'))?;
        Ok(folder)
    }

    fn open_there(&self, parts: &[Vec<u8>]) -> Result<OwnedFd, Errno> {
        place::open(self.target.root, &parts.join(&b'/'), OFlags::PATH)
    }

    fn metadata<R: Read>(&self, entry: &Entry<'_, R>, name: &[u8]) -> Result<Metadata, LayerError> {
        let header = entry.header();
        let id = |number: io::Result<u64>| {
            let id = number.ok().filter(|id| *id <= MAX_LARGEST_ID).map(|id| id as u32);
            id.ok_or_else(|| LayerError::entry(name, "has an owner that is no user id"))
        };
        let (uid, gid) = if self.target.keep_owners { (id(header.uid())?, id(header.gid())?) } else { (0, 0) };
        let mtime_seconds = header.mtime().map_or(0, |seconds| i64::try_from(seconds).unwrap_or(0));
        Ok(Metadata {
            mode: header.mode().unwrap_or(if header.entry_type().is_dir() { 0o755 } else { 0o644 }) & 0o7777,
            uid,
            gid,
            mtime_seconds: mtime_seconds.clamp(0, i64::from(u32::MAX)),
        })
    }

    fn set_folder_times(&self) -> Result<(), LayerError> {
        for (parts, metadata) in self.made.iter().rev() {
            let Some((last, parents)) = parts.split_last() else { continue };
            match utimensat(self.open(parents)?, last.as_slice(), &metadata.times(), AtFlags::SYMLINK_NOFOLLOW) {
                // Somebody in the container has been quick.
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(LayerError::io("set time of", last, errno)),
            }
        }
        Ok(())
    }
}

fn there(folder: BorrowedFd, name: &[u8]) -> Result<Option<FileType>, LayerError> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(kind_of(&stat))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(LayerError::io("look at", name, errno)),
    }
}
