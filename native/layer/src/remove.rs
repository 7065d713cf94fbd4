//! Removing a folder with all that is in it, by descriptors: a link is removed, never followed. How deep a tree goes is its
//! maker's choice, so neither the stack nor the open descriptors grow with it.

use crate::LayerError;
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat2, unlinkat},
    io::Errno,
};
use std::{
    collections::VecDeque,
    os::fd::{BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

// A descriptor and a buffer each. Levels above them are closed, and opened again as ".." on the way back.
const MAX_OPEN_LEVELS: usize = 32;
// What is known of closed levels, 24 bytes each. Those above are found again from the top.
const MAX_KNOWN_LEVELS: usize = 1 << 20;
const LONGEST_REMOVAL: Duration = Duration::from_secs(600);

/// Removes `name` in `parent`, a folder or anything else; one that is not there is fine. Does not cross into another file system.
/// Fails with [`LayerError::Unfinished`] after ten minutes; the next call goes on where this one stopped.
pub fn remove_tree(parent: BorrowedFd, name: &[u8]) -> Result<(), LayerError> {
    remove_within(parent, name, Some(LONGEST_REMOVAL))
}

/// `None` is for a tree that the caller has bounded.
pub(crate) fn remove_within(parent: BorrowedFd, name: &[u8], longest: Option<Duration>) -> Result<(), LayerError> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(errno) => return Err(LayerError::io("remove", name, errno)),
    }
    let deadline = longest.map(|longest| (Instant::now() + longest, longest));
    let mut removal = Removal { parent, name, deadline, removed: 0 };
    loop {
        let before = removal.removed;
        match removal.pass()? {
            Pass::Done => return Ok(()),
            // Each pass leaves less; one that removed nothing would be followed by the same.
            Pass::Again if removal.removed > before => {}
            Pass::Again => return Err(removal.failed(Errno::NOTEMPTY)),
        }
    }
}

enum Pass {
    Done,
    /// Something was in a folder that had been emptied, or a level is not where it was.
    Again,
}

struct Removal<'a> {
    parent: BorrowedFd<'a>,
    name: &'a [u8],
    deadline: Option<(Instant, Duration)>,
    removed: u64,
}

impl Removal<'_> {
    fn pass(&mut self) -> Result<Pass, LayerError> {
        let Some(top) = Level::open(self.parent, self.name).map_err(|errno| self.failed(errno))? else {
            return Ok(Pass::Done);
        };
        let mut open = VecDeque::from([top]);
        let mut closed = VecDeque::new();
        let mut forgotten = false;
        while let Some(level) = open.back_mut() {
            if let Some(child) = self.next_folder(level)? {
                let child = level.fd().and_then(|folder| Level::open(folder, &child));
                open.extend(child.map_err(|errno| self.failed(errno))?);
                if open.len() > MAX_OPEN_LEVELS
                    && let Some(oldest) = open.pop_front()
                {
                    closed.push_back(oldest.close().map_err(|errno| self.failed(errno))?);
                }
                if closed.len() > MAX_KNOWN_LEVELS {
                    closed.pop_front();
                    forgotten = true;
                }
                continue;
            }
            let Some(emptied) = open.pop_back() else { break };
            if let Some(above) = open.back() {
                let above = above.fd().map_err(|errno| self.failed(errno))?;
                if !self.remove_folder(above, &emptied.name)? {
                    return Ok(Pass::Again);
                }
            } else if let Some(above) = closed.pop_back() {
                // It comes upon the emptied folder once more, by name.
                match Level::above(&emptied, &above).map_err(|errno| self.failed(errno))? {
                    Some(level) => open.push_back(level),
                    None => return Ok(Pass::Again),
                }
            } else if forgotten || !self.remove_folder(self.parent, self.name)? {
                return Ok(Pass::Again);
            }
        }
        Ok(Pass::Done)
    }

    /// Removes everything but folders, and gives the next folder.
    fn next_folder(&mut self, level: &mut Level) -> Result<Option<Vec<u8>>, LayerError> {
        while let Some(entry) = level.entries.read() {
            let entry = entry.map_err(|errno| self.failed(errno))?;
            level.before = std::mem::replace(&mut level.after, entry.offset());
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            self.check_time()?;
            if entry.file_type() == FileType::Directory {
                return Ok(Some(name.to_bytes().to_owned()));
            }
            match level.fd().and_then(|folder| unlinkat(folder, name, AtFlags::empty())) {
                Ok(()) => self.removed += 1,
                Err(Errno::NOENT) => {}
                Err(Errno::ISDIR) => return Ok(Some(name.to_bytes().to_owned())),
                Err(errno) => return Err(self.failed(errno)),
            }
        }
        Ok(None)
    }

    /// False when it is not empty.
    fn remove_folder(&mut self, above: BorrowedFd, name: &[u8]) -> Result<bool, LayerError> {
        match unlinkat(above, name, AtFlags::REMOVEDIR) {
            Ok(()) => self.removed += 1,
            Err(Errno::NOENT) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) => return Ok(false),
            Err(errno) => return Err(LayerError::io("remove folder", name, errno)),
        }
        Ok(true)
    }

    fn check_time(&self) -> Result<(), LayerError> {
        match self.deadline {
            Some((deadline, longest)) if Instant::now() > deadline => {
                Err(LayerError::unfinished("remove", self.name, longest))
            }
            _ => Ok(()),
        }
    }

    fn failed(&self, errno: Errno) -> LayerError {
        LayerError::io("remove", self.name, errno)
    }
}

struct Level {
    /// Empty when it was come back to: what is above such a level is closed too, and finds it by reading.
    name: Vec<u8>,
    entries: Dir,
    /// The places in the folder before and after the entry that was read last.
    before: i64,
    after: i64,
}

/// A level that is known but not open.
struct Closed {
    device: u64,
    inode: u64,
    before: i64,
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const HERE: ResolveFlags = ResolveFlags::NO_SYMLINKS.union(ResolveFlags::NO_XDEV);

impl Level {
    /// `None` when it is gone.
    fn open(parent: BorrowedFd, name: &[u8]) -> Result<Option<Self>, Errno> {
        match openat2(parent, name, FOLDER, Mode::empty(), HERE | ResolveFlags::BENEATH) {
            Ok(folder) => Self::of(name.to_owned(), folder).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn of(name: Vec<u8>, folder: OwnedFd) -> Result<Self, Errno> {
        Ok(Self { name, entries: Dir::new(folder)?, before: 0, after: 0 })
    }

    fn close(self) -> Result<Closed, Errno> {
        let stat = fstat(self.fd()?)?;
        Ok(Closed { device: stat.st_dev, inode: stat.st_ino, before: self.before })
    }

    /// The folder that `level` was found in; `None` when somebody has moved it since.
    fn above(level: &Self, closed: &Closed) -> Result<Option<Self>, Errno> {
        let folder = openat2(level.fd()?, "..", FOLDER, Mode::empty(), HERE)?;
        let stat = fstat(&folder)?;
        if (stat.st_dev, stat.st_ino) != (closed.device, closed.inode) {
            return Ok(None);
        }
        let mut above = Self::of(Vec::new(), folder)?;
        // Or a large folder would be read from its start again for each deep one in it.
        above.entries.seek(closed.before)?;
        (above.before, above.after) = (closed.before, closed.before);
        Ok(Some(above))
    }

    fn fd(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.entries.fd()
    }
}
