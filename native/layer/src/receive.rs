//! A tar into a tree that is there already: into a folder of a container. Names are resolved as the container would, by
//! descriptors, below its root; what is there is only ever replaced by its like.

use crate::{
    LayerError,
    archive::{Archive, Data, Entry},
    pack::MAX_ENTRIES,
    path::{EntryPath, make_folder},
    place::{self, Place, kind_of, refuse_kernel_files},
    write::{self, Buffer, Metadata, ReadOrWrite},
};
use rustix::{
    fs::{AtFlags, FileType, OFlags, statat, utimensat},
    io::Errno,
};
use std::{
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};
use tar::EntryType;

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
    let mut receiver = Receiver { target, made: Vec::new(), buffer: Buffer::default() };
    let mut entries = 0;
    while let Some(entry) = archive.next().map_err(LayerError::Stream)? {
        entries += 1;
        if entries > MAX_ENTRIES {
            return Err(LayerError::Bound { what: "the number of entries", limit: MAX_ENTRIES });
        }
        receiver.entry(&entry, archive.data())?;
    }
    receiver.set_folder_times()?;
    // What follows the end is padding, which whoever writes would otherwise wait for us to take.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map(drop).map_err(LayerError::Stream)
}

struct Receiver<'a> {
    target: &'a Target<'a>,
    /// Their times are set last: making what is in them changes them.
    made: Vec<(Vec<Vec<u8>>, Metadata)>,
    buffer: Buffer,
}

impl Receiver<'_> {
    fn entry<R: Read>(&mut self, entry: &Entry, mut data: Data<R>) -> Result<(), LayerError> {
        let (name, kind) = (&entry.name, entry.kind);
        let metadata = self.metadata(entry)?;
        let parts = self.place(name)?;
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
            return Err(LayerError::refused(name, "would replace a folder by what is none"));
        }
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                write::regular(parent, last, entry, &mut data, &mut self.buffer, metadata, &[]).map_err(|failure| {
                    match failure {
                        ReadOrWrite::Read(failure) => LayerError::Stream(failure),
                        ReadOrWrite::Write(failure) => failure,
                    }
                })
            }
            EntryType::Symlink if entry.link.is_empty() => Err(LayerError::entry(name, "is a link to nothing")),
            EntryType::Symlink => write::symlink(parent, last, &entry.link, metadata),
            EntryType::Link => {
                let from = self.place(&entry.link)?;
                let Some((from_last, from_parents)) = from.split_last() else {
                    return Err(LayerError::entry(name, "is a hard link to a folder"));
                };
                write::hard_link(parent, last, self.open(from_parents)?.as_fd(), from_last)
            }
            _ => Err(LayerError::entry(name, "is neither a file, a folder nor a link")),
        }
        .map(drop)
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

    fn metadata(&self, entry: &Entry) -> Result<Metadata, LayerError> {
        let metadata = Metadata::of(entry)?;
        Ok(if self.target.keep_owners { metadata } else { Metadata { uid: 0, gid: 0, ..metadata } })
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
