//! The folders from the top of a tree down to where a walk is. How deep a tree goes is its maker's choice, so neither the stack
//! nor the open descriptors grow with it: levels far above are closed, and opened again as ".." on the way back.

use rustix::{
    fs::{Dir, DirEntry, Mode, OFlags, ResolveFlags, fstat, openat2},
    io::Errno,
};
use std::os::fd::{BorrowedFd, OwnedFd};

// A descriptor and a buffer each.
pub const MAX_OPEN_LEVELS: usize = 32;
// What is known of closed levels, 24 bytes each.
pub const MAX_KNOWN_LEVELS: usize = 1 << 20;

pub struct Level {
    /// Empty when it was come back to: what is above such a level is closed too, and finds it by reading.
    pub name: Vec<u8>,
    entries: Dir,
    /// The places in the folder before and after the entry that was read last.
    before: i64,
    after: i64,
}

/// A level that is known but not open.
pub struct Closed {
    device: u64,
    inode: u64,
    /// in the folder, from where reading goes on
    place: i64,
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const HERE: ResolveFlags = ResolveFlags::NO_SYMLINKS.union(ResolveFlags::NO_XDEV);

impl Level {
    /// `None` when it is gone.
    pub fn open(parent: BorrowedFd, name: &[u8]) -> Result<Option<Self>, Errno> {
        match openat2(parent, name, FOLDER, Mode::empty(), HERE | ResolveFlags::BENEATH) {
            Ok(folder) => Self::of(name.to_owned(), folder).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn of(name: Vec<u8>, folder: OwnedFd) -> Result<Self, Errno> {
        Ok(Self { name, entries: Dir::new(folder)?, before: 0, after: 0 })
    }

    /// The next entry other than "." and "..".
    pub fn next_entry(&mut self) -> Option<Result<DirEntry, Errno>> {
        loop {
            let entry = match self.entries.read()? {
                Ok(entry) => entry,
                Err(errno) => return Some(Err(errno)),
            };
            self.before = std::mem::replace(&mut self.after, entry.offset());
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                return Some(Ok(entry));
            }
        }
    }

    /// Who comes back reads the last entry once more.
    pub fn close_before_last(self) -> Result<Closed, Errno> {
        self.close(self.before)
    }

    /// Who comes back goes on with the entry after the last.
    pub fn close_after_last(self) -> Result<Closed, Errno> {
        self.close(self.after)
    }

    fn close(&self, place: i64) -> Result<Closed, Errno> {
        let stat = fstat(self.fd()?)?;
        Ok(Closed { device: stat.st_dev, inode: stat.st_ino, place })
    }

    /// The folder that `level` was found in; `None` when somebody has moved it since.
    pub fn above(level: &Self, closed: &Closed) -> Result<Option<Self>, Errno> {
        let folder = openat2(level.fd()?, "..", FOLDER, Mode::empty(), HERE)?;
        let stat = fstat(&folder)?;
        if (stat.st_dev, stat.st_ino) != (closed.device, closed.inode) {
            return Ok(None);
        }
        let mut above = Self::of(Vec::new(), folder)?;
        // Or a large folder would be read from its start again for each deep one in it.
        above.entries.seek(closed.place)?;
        (above.before, above.after) = (closed.place, closed.place);
        Ok(Some(above))
    }

    pub fn fd(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.entries.fd()
    }
}
