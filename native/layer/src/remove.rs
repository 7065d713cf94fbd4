//! Removing a folder with all that is in it, by descriptors: a link is removed, never followed.

use crate::{
    LayerError,
    level::{Level, MAX_KNOWN_LEVELS, MAX_OPEN_LEVELS},
};
use rustix::{
    fs::{AtFlags, FileType, unlinkat},
    io::Errno,
};
use std::{
    collections::VecDeque,
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

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
                    closed.push_back(oldest.close_before_last().map_err(|errno| self.failed(errno))?);
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
        while let Some(entry) = level.next_entry() {
            let entry = entry.map_err(|errno| self.failed(errno))?;
            let name = entry.file_name();
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
