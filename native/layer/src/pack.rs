//! From a file or folder of a container to a tar. The tree is anybody's, and may change while it is read: every step is one name in
//! one open folder, no link is followed below the top, and what is opened is looked at again before it is read.

use crate::{
    LayerError,
    opaque::is_opaque,
    place::{self, Place, is_of_the_kernel, is_same, kind_of, refuse_kernel_files},
};
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat, statat},
    io::Errno,
};
use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::{BorrowedFd, OwnedFd},
};
use tar::{Builder, EntryType, Header};

// A descriptor and a stack frame each.
const MAX_DEPTH: usize = 256;
pub const MAX_ENTRIES: u64 = 2_000_000;
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);
const NAME_BYTES: usize = 100;
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
// Of a character device of an overlay's upper folder: what has this name below is hidden.
const WHITEOUT_DEVICE: u64 = 0;

/// What a copy begins with.
pub struct Found {
    pub kind: FileType,
    /// Names of the tar begin with it; "." where the path has no name of its own.
    pub name: Vec<u8>,
    top: Top,
    stat: Stat,
}

enum Top {
    Folder(OwnedFd),
    File(OwnedFd),
    Link(Vec<u8>),
}

/// Finds what is at `path` below `root`.
///
/// `follow_link`: what a link leads to instead of the link itself; a path that ends in a slash always follows.
pub fn find(root: BorrowedFd, path: &[u8], follow_link: bool) -> Result<Found, LayerError> {
    let place = Place::parse(path)?;
    let failed = |errno: Errno| LayerError::io("open", path, errno);
    let follow = if follow_link || place.must_be_folder() { OFlags::empty() } else { OFlags::NOFOLLOW };
    let named = place::open(root, path, OFlags::PATH | follow).map_err(failed)?;
    let stat = place::stat(&named, path)?;
    let kind = kind_of(&stat);
    if place.must_be_folder() && kind != FileType::Directory {
        return Err(LayerError::refused(path, "is not a folder"));
    }
    let again = |flags: OFlags| {
        let opened = place::open(root, path, flags | follow).map_err(failed)?;
        refuse_kernel_files(&opened, path)?;
        if is_same(&stat, &place::stat(&opened, path)?) {
            Ok(opened)
        } else {
            Err(LayerError::refused(path, "was replaced while it was opened"))
        }
    };
    let top = match kind {
        FileType::Directory => Top::Folder(again(FOLDER)?),
        FileType::RegularFile => Top::File(again(READ)?),
        FileType::Symlink => Top::Link(readlinkat(&named, b"".as_slice(), Vec::new()).map_err(failed)?.into_bytes()),
        _ => return Err(LayerError::refused(path, "is neither a file, a folder nor a link")),
    };
    Ok(Found { kind, name: place.name().unwrap_or(b".").to_vec(), top, stat })
}

/// Writes it and all below it as a tar, folders before what is in them. Sockets, pipes and devices are left out, and so is what is in
/// file systems of the kernel.
///
/// Gives how many were left out.
pub fn pack(found: Found, output: impl Write) -> Result<u64, LayerError> {
    let mut packer = Packer::new(output, false);
    let Found { name, top, stat, .. } = found;
    match top {
        Top::Folder(folder) => packer.folder(&folder, &name, &stat, 1)?,
        Top::File(file) => packer.file(file, &name)?,
        Top::Link(target) => packer.entry(EntryType::Symlink, &name, &stat, &target, 0, io::empty())?,
    }
    packer.archive.finish().map_err(LayerError::Output)?;
    Ok(packer.left_out)
}

/// The same of all that is in a folder, without the folder itself: names begin in it. Of the upper folder of an overlay (`is_upper`)
/// the tar is a layer of an image: what it hides of the layers below is named as there. To read which folders hide all takes
/// `CAP_SYS_ADMIN`.
///
/// @source the image specification, layer.md
pub fn pack_contents(folder: &OwnedFd, is_upper: bool, output: impl Write) -> Result<u64, LayerError> {
    let mut packer = Packer::new(output, is_upper);
    let stat = fstat(folder).map_err(|errno| LayerError::io("look at", b".", errno))?;
    packer.children(folder, b"", &stat, 1)?;
    packer.archive.finish().map_err(LayerError::Output)?;
    Ok(packer.left_out)
}

struct Packer<W: Write> {
    archive: Builder<W>,
    is_upper: bool,
    entries: u64,
    left_out: u64,
}

impl<W: Write> Packer<W> {
    fn new(output: W, is_upper: bool) -> Self {
        Self { archive: Builder::new(output), is_upper, entries: 0, left_out: 0 }
    }

    fn folder(&mut self, folder: &OwnedFd, path: &[u8], stat: &Stat, depth: usize) -> Result<(), LayerError> {
        self.entry(EntryType::Directory, path, stat, b"", 0, io::empty())?;
        if self.is_upper && is_opaque(folder).map_err(|errno| LayerError::io("look at", path, errno))? {
            self.mark(&below(path, OPAQUE), stat)?;
        }
        self.children(folder, path, stat, depth)
    }

    fn children(&mut self, folder: &OwnedFd, path: &[u8], stat: &Stat, depth: usize) -> Result<(), LayerError> {
        if depth > MAX_DEPTH {
            return Err(LayerError::refused(path, "is nested over 256 folders deep"));
        }
        let failed = |errno: Errno| LayerError::io("read folder", path, errno);
        let list = openat(folder, ".", FOLDER | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
        for child in Dir::new(list).map_err(failed)? {
            let child = child.map_err(failed)?;
            let name = child.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                self.child(folder, name, &below(path, name), stat, depth)?;
            }
        }
        Ok(())
    }

    fn child(
        &mut self,
        folder: &OwnedFd,
        name: &[u8],
        path: &[u8],
        parent: &Stat,
        depth: usize,
    ) -> Result<(), LayerError> {
        let failed = |errno: Errno| LayerError::io("open", path, errno);
        let looked = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // Removed since the folder was read, as happens in a tree that is used.
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(failed(errno)),
        };
        let flags = match kind_of(&looked) {
            FileType::Directory => FOLDER,
            FileType::RegularFile => READ,
            FileType::Symlink => return self.link(folder, name, path, &looked),
            FileType::CharacterDevice if self.is_upper && looked.st_rdev == WHITEOUT_DEVICE => {
                let place = &path[..path.len() - name.len()];
                return self.mark(&[place, WHITEOUT, name].concat(), &looked);
            }
            _ => {
                self.left_out += 1;
                return Ok(());
            }
        };
        let opened = match openat(folder, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
            Ok(opened) => opened,
            // The same, or something else has its name by now.
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::NXIO) => return Ok(()),
            Err(errno) => return Err(failed(errno)),
        };
        let stat = place::stat(&opened, path)?;
        match kind_of(&stat) {
            FileType::Directory if stat.st_dev != parent.st_dev && is_of_the_kernel(&opened, path)? => {
                self.left_out += 1;
                self.entry(EntryType::Directory, path, &stat, b"", 0, io::empty())
            }
            FileType::Directory => self.folder(&opened, path, &stat, depth + 1),
            // Files are mounted one by one, too: what hides a file of proc is itself one.
            FileType::RegularFile if stat.st_dev != parent.st_dev && is_of_the_kernel(&opened, path)? => {
                self.left_out += 1;
                Ok(())
            }
            FileType::RegularFile => self.file(opened, path),
            _ => {
                self.left_out += 1;
                Ok(())
            }
        }
    }

    fn link(&mut self, folder: &OwnedFd, name: &[u8], path: &[u8], stat: &Stat) -> Result<(), LayerError> {
        match readlinkat(folder, name, Vec::new()) {
            Ok(target) => self.entry(EntryType::Symlink, path, stat, target.as_bytes(), 0, io::empty()),
            Err(Errno::NOENT | Errno::INVAL) => Ok(()),
            Err(errno) => Err(LayerError::io("read link", path, errno)),
        }
    }

    /// An empty file whose name is what it says.
    fn mark(&mut self, path: &[u8], stat: &Stat) -> Result<(), LayerError> {
        let mut stat = *stat;
        stat.st_mode = 0;
        self.entry(EntryType::Regular, path, &stat, b"", 0, io::empty())
    }

    fn file(&mut self, file: OwnedFd, path: &[u8]) -> Result<(), LayerError> {
        let stat = place::stat(&file, path)?;
        let bytes = u64::try_from(stat.st_size).unwrap_or(0);
        let mut content = Exactly { file: File::from(file), left: bytes, failure: None };
        let written = self.entry(EntryType::Regular, path, &stat, b"", bytes, &mut content);
        match content.failure {
            Some(failure) => Err(LayerError::io("read", path, failure)),
            None => written,
        }
    }

    fn entry(
        &mut self,
        kind: EntryType,
        path: &[u8],
        stat: &Stat,
        target: &[u8],
        bytes: u64,
        content: impl Read,
    ) -> Result<(), LayerError> {
        self.entries += 1;
        if self.entries > MAX_ENTRIES {
            return Err(LayerError::Bound { what: "the number of files and folders", limit: MAX_ENTRIES });
        }
        let name = if kind == EntryType::Directory { [path, b"/"].concat() } else { path.to_vec() };
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(stat.st_mode & 0o7777);
        header.set_uid(stat.st_uid.into());
        header.set_gid(stat.st_gid.into());
        header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
        header.set_size(bytes);
        self.name(EntryType::GNULongName, &name, &mut header.as_old_mut().name)?;
        self.name(EntryType::GNULongLink, target, &mut header.as_old_mut().linkname)?;
        header.set_cksum();
        self.archive.append(&header, content).map_err(LayerError::Output)
    }

    /// Names are bytes, and go as they are: what would be read as parts of a path elsewhere is looked at by whoever unpacks it.
    fn name(&mut self, kind: EntryType, name: &[u8], field: &mut [u8; NAME_BYTES]) -> Result<(), LayerError> {
        if let Some(field) = field.get_mut(..name.len()) {
            field.copy_from_slice(name);
            return Ok(());
        }
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.as_old_mut().name[..13].copy_from_slice(b"././@LongLink");
        header.set_size(name.len() as u64 + 1);
        header.set_cksum();
        self.archive.append(&header, [name, b"\0"].concat().as_slice()).map_err(LayerError::Output)
    }
}

fn below(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, name].join(&b'/') }
}

/// As many bytes as the header says, whatever becomes of the file meanwhile: what it has lost is zeros, what it has gained is left.
struct Exactly {
    file: File,
    left: u64,
    failure: Option<io::Error>,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = &mut buffer[..wanted];
        let mut bytes = self.file.read(buffer).inspect_err(|failure| {
            self.failure =
                Some(failure.raw_os_error().map_or_else(|| failure.kind().into(), io::Error::from_raw_os_error));
        })?;
        if bytes == 0 {
            buffer.fill(0);
            bytes = wanted;
        }
        self.left -= bytes as u64;
        Ok(bytes)
    }
}
