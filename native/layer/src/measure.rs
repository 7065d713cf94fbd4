//! How much of a disk a tree takes, found out in steps: a link is never followed, another file system never entered.

use crate::{
    LayerError,
    level::{Closed, Level, MAX_KNOWN_LEVELS, MAX_OPEN_LEVELS},
};
use rustix::{
    fs::{AtFlags, FileType, Stat, fstat, statat},
    io::Errno,
};
use std::{
    collections::{HashSet, VecDeque},
    os::fd::BorrowedFd,
};

// Inodes with several names, 8 bytes and a little each. Those after them count with each of their names.
const MAX_KNOWN_LINKS: usize = 1 << 18;
const BLOCK_BYTES: u64 = 512;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// of blocks that are allocated: a hole takes nothing
    pub bytes: u64,
    /// each once, however many names it has; the folder itself is one
    pub inodes: u64,
}

/// A walk that goes on with each step.
pub struct Measurement {
    name: Vec<u8>,
    device: u64,
    open: VecDeque<Level>,
    closed: VecDeque<Closed>,
    links: HashSet<u64>,
    size: Size,
}

impl Measurement {
    /// Of the folder `name` in `parent`; `None` when there is none.
    pub fn start(parent: BorrowedFd, name: &[u8]) -> Result<Option<Self>, LayerError> {
        let failed = |errno: Errno| LayerError::io("measure", name, errno);
        let Some(top) = Level::open(parent, name).map_err(failed)? else { return Ok(None) };
        let stat = fstat(top.fd().map_err(failed)?).map_err(failed)?;
        let mut measurement = Self {
            name: name.to_owned(),
            device: stat.st_dev,
            open: VecDeque::from([top]),
            closed: VecDeque::new(),
            links: HashSet::new(),
            size: Size::default(),
        };
        measurement.count(&stat);
        Ok(Some(measurement))
    }

    /// Looks at that many entries at most.
    ///
    /// The size is known when this gives it. What a container moves or makes meanwhile may be in it or not; a tree with a folder
    /// deeper than [`MAX_OPEN_LEVELS`] that is moved meanwhile is measured up to there.
    pub fn step(&mut self, entries: u64) -> Result<Option<Size>, LayerError> {
        for _ in 0..entries {
            let Some(level) = self.open.back_mut() else { return Ok(Some(self.size)) };
            match level.next_entry() {
                Some(entry) => {
                    let entry = entry.map_err(|errno| self.failed(errno))?;
                    self.look_at(entry.file_name().to_bytes()).map_err(|errno| self.failed(errno))?;
                }
                None => self.leave().map_err(|errno| self.failed(errno))?,
            }
        }
        Ok(None)
    }

    fn look_at(&mut self, name: &[u8]) -> Result<(), Errno> {
        let Some(level) = self.open.back() else { return Ok(()) };
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        let stat = match statat(level.fd()?, name, flags) {
            Ok(stat) if stat.st_dev == self.device => stat,
            Ok(_) | Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(errno),
        };
        let below = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Level::open(level.fd()?, name),
            _ => Ok(None),
        };
        self.count(&stat);
        match below {
            Ok(below) => self.open.extend(below),
            // Something else has this name now.
            Err(Errno::XDEV | Errno::NOTDIR | Errno::LOOP) => {}
            Err(errno) => return Err(errno),
        }
        if self.open.len() > MAX_OPEN_LEVELS
            && let Some(oldest) = self.open.pop_front()
        {
            self.closed.push_back(oldest.close_after_last()?);
            if self.closed.len() > MAX_KNOWN_LEVELS {
                self.closed.pop_front();
            }
        }
        Ok(())
    }

    /// Goes back to the folder above one that has been read to its end.
    fn leave(&mut self) -> Result<(), Errno> {
        let Some(below) = self.open.pop_back() else { return Ok(()) };
        if self.open.is_empty()
            && let Some(above) = self.closed.pop_back()
        {
            match Level::above(&below, &above) {
                Ok(above) => self.open.extend(above),
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    fn count(&mut self, stat: &Stat) {
        let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if stat.st_nlink > 1 && !is_folder {
            if self.links.contains(&stat.st_ino) {
                return;
            }
            if self.links.len() < MAX_KNOWN_LINKS {
                self.links.insert(stat.st_ino);
            }
        }
        self.size.inodes += 1;
        self.size.bytes += u64::try_from(stat.st_blocks).unwrap_or(0) * BLOCK_BYTES;
    }

    fn failed(&self, errno: Errno) -> LayerError {
        LayerError::io("measure", &self.name, errno)
    }
}
