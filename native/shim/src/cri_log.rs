//! CRI log lines: "<time> stdout F text". Output becomes lines here; the file is written, reopened and waited for.

use crate::{error::ShimError, time};
use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2},
    io::{Errno, write},
};
use std::{
    os::fd::OwnedFd,
    path::{Component, Path, PathBuf},
};

// What containerd writes too; readers join parts until one is final.
const MAX_LINE_BYTES: usize = 16 * 1024;
// With so much unwritten nothing more is read: the container waits, and loses nothing.
const MAX_PENDING_BYTES: usize = 256 * 1024;

/// One stream's bytes as lines.
pub struct Lines {
    stream: &'static str,
    partial: Vec<u8>,
}

impl Lines {
    pub fn new(stream: &'static str) -> Self {
        Self { stream, partial: Vec::new() }
    }

    pub fn push(&mut self, mut bytes: &[u8], log: &mut Log) {
        let stamp = time::rfc3339(time::now_nanos());
        while !bytes.is_empty() {
            let room = MAX_LINE_BYTES - self.partial.len();
            let end = bytes.iter().take(room).position(|byte| *byte == b'\n');
            let taken = end.unwrap_or_else(|| bytes.len().min(room));
            self.partial.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken + usize::from(end.is_some())..];
            if end.is_some() {
                self.write(&stamp, "F", log);
            } else if self.partial.len() == MAX_LINE_BYTES {
                self.write(&stamp, "P", log);
            }
        }
    }

    /// A last line without its end is written as a part, for no end came.
    pub fn finish(&mut self, log: &mut Log) {
        if !self.partial.is_empty() {
            self.write(&time::rfc3339(time::now_nanos()), "P", log);
        }
    }

    fn write(&mut self, stamp: &str, tag: &str, log: &mut Log) {
        for part in [stamp, " ", self.stream, " ", tag, " "] {
            log.pending.extend_from_slice(part.as_bytes());
        }
        log.pending.append(&mut self.partial);
        log.pending.push(b'\n');
    }
}

/// A container's log file.
pub struct Log {
    /// `None` writes nowhere.
    place: Option<(PathBuf, PathBuf)>,
    file: Option<OwnedFd>,
    pending: Vec<u8>,
    stuck: bool,
}

impl Log {
    /// @param directory "" writes no log
    pub fn open(directory: &str, path: &str) -> Result<Self, ShimError> {
        if directory.is_empty() || path.is_empty() {
            return Ok(Self { place: None, file: None, pending: Vec::new(), stuck: false });
        }
        let place = (PathBuf::from(directory), PathBuf::from(path));
        let file = open_below(&place.0, &place.1)?;
        Ok(Self { place: Some(place), file: Some(file), pending: Vec::new(), stuck: false })
    }

    /// The file's name may have been given to another file: what is unwritten goes to the old one, what follows to the new.
    pub fn reopen(&mut self) -> Result<(), ShimError> {
        let Some((directory, path)) = &self.place else { return Ok(()) };
        let file = open_below(directory, path)?;
        self.flush();
        self.file = Some(file);
        Ok(())
    }

    /// Writes what it can. On a full disk the rest stays, and is tried again.
    pub fn flush(&mut self) {
        let Some(file) = &self.file else {
            self.pending.clear();
            return;
        };
        let mut written = 0;
        self.stuck = false;
        while written < self.pending.len() {
            match write(file, &self.pending[written..]) {
                Ok(bytes) => written += bytes,
                Err(Errno::INTR) => {}
                Err(_) => {
                    self.stuck = true;
                    break;
                }
            }
        }
        self.pending.drain(..written);
        if self.pending.is_empty() {
            self.pending.shrink_to(MAX_LINE_BYTES);
        }
    }

    pub fn takes_more(&self) -> bool {
        !self.stuck && self.pending.len() < MAX_PENDING_BYTES
    }

    pub fn is_stuck(&self) -> bool {
        self.stuck
    }
}

/// Opens for appending, making folders on the way. No link is followed below the directory, so that nobody who may write
/// there turns the shim's pen elsewhere.
fn open_below(directory: &Path, path: &Path) -> Result<OwnedFd, ShimError> {
    let doing = || format!("open log {}", directory.join(path).display());
    let failed = |errno: Errno| ShimError::io(doing(), errno);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if !directory.is_absolute() || !plain {
        return Err(ShimError::Argument {
            doing: doing(),
            why: "the directory is not absolute, or the path leaves it",
        });
    }
    std::fs::create_dir_all(directory).map_err(|source| ShimError::io(doing(), source))?;
    let mut folder =
        openat(CWD, directory, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    for part in path.parent().into_iter().flat_map(Path::components) {
        let name = Path::new(part.as_os_str());
        match mkdirat(&folder, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(failed(errno)),
        }
        folder = openat2(&folder, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), resolve)
            .map_err(failed)?;
    }
    let name = Path::new(path.file_name().unwrap_or_default());
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    openat2(&folder, name, flags, Mode::from_raw_mode(0o640), resolve).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nowhere() -> Log {
        Log { place: None, file: None, pending: Vec::new(), stuck: false }
    }

    fn written(pieces: &[&[u8]]) -> Vec<String> {
        let (mut log, mut lines) = (nowhere(), Lines::new("stdout"));
        for piece in pieces {
            lines.push(piece, &mut log);
        }
        lines.finish(&mut log);
        // Without the time, which is the first word.
        String::from_utf8(log.pending)
            .expect("text")
            .lines()
            .map(|line| line.split_once(' ').expect("time").1.to_owned())
            .collect()
    }

    #[test]
    fn each_line_is_final_and_an_unfinished_one_is_a_part() {
        assert_eq!(
            written(&[b"one\ntw", b"o\n\nthr", b"ee"]),
            ["stdout F one", "stdout F two", "stdout F ", "stdout P three"]
        );
    }

    #[test]
    fn a_long_line_is_written_in_parts_and_nothing_of_it_is_lost() {
        let mut long = vec![b'x'; MAX_LINE_BYTES * 2 + 5];
        long.push(b'\n');
        let lines = written(&[&long]);
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [MAX_LINE_BYTES + 9, MAX_LINE_BYTES + 9, 14]);
        assert_eq!(lines.iter().map(|line| line.as_bytes()[7]).collect::<Vec<_>>(), b"PPF");
    }

    #[test]
    fn a_path_that_leaves_its_directory_is_refused() {
        for bad in ["../a", "/etc/a", "a/../../b"] {
            assert!(matches!(open_below(Path::new("/tmp"), Path::new(bad)), Err(ShimError::Argument { .. })), "{bad}");
        }
    }
}
