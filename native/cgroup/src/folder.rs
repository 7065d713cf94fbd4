//! A cgroup's folder, and its files by name.

use crate::Pressure;
use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    io::{Errno, read},
};
use std::{fs, path::PathBuf};

// memory.stat has 1 to 2 KiB.
const FIRST_READ: usize = 4096;
const MOST_BYTES: usize = 256 * 1024;

/// Not opened: most of v1's have one file of interest, and opening that first costs more than longer paths.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// `None` when the file is gone, or this kernel does not have it.
    pub fn text(&self, name: &str) -> Option<String> {
        let file = openat(CWD, self.0.join(name), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let (mut bytes, mut filled) = (vec![0; FIRST_READ], 0);
        while filled < MOST_BYTES {
            if filled == bytes.len() {
                bytes.resize(filled * 2, 0);
            }
            match read(&file, &mut bytes[filled..]) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
        bytes.truncate(filled);
        String::from_utf8(bytes).ok()
    }

    /// The one number of a file; `None` for "max" too.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.trim().parse().ok()
    }

    /// Of all its files.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    pub fn table(&self, name: &str) -> Option<Table> {
        self.text(name).map(Table)
    }

    pub fn pressure(&self, name: &str) -> Option<Pressure> {
        Pressure::parse(&self.text(name)?)
    }
}

/// A file of lines "name value".
pub struct Table(String);

impl Table {
    /// 0 for a name that this kernel does not have.
    pub fn get(&self, name: &str) -> u64 {
        self.find(name).unwrap_or(0)
    }

    pub fn find(&self, name: &str) -> Option<u64> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn a_value_is_found_by_its_whole_name() {
        let table = Table("total_rss_huge 5\ntotal_rss 7\n".into());
        assert_eq!((table.find("total_rss"), table.find("total")), (Some(7), None));
    }
}
