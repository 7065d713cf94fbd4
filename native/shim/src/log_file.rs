//! A container's log file: written, waited for, reopened, and rotated where somebody asked for it.

use crate::{error::ShimError, log_rotation, time};
use rustix::{
    fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, open, openat, openat2},
    io::{Errno, write},
};
use std::{
    fs::File,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::FileExt,
    },
    path::{Component, Path, PathBuf},
};

// With so much unwritten nothing more is read: the container waits, and loses nothing.
const MAX_PENDING_BYTES: usize = 256 * 1024;
const KEPT_BUFFER_BYTES: usize = 16 * 1024;
// Of a file that has lost its name to an older one: seconds of a fast writer.
const MAX_MOVED_BYTES: u64 = 16 * 1024 * 1024;
// A rotation that failed is tried again when so much more was written.
const ROTATION_RETRY_BYTES: u64 = 1024 * 1024;

const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const FILE: OFlags =
    OFlags::WRONLY.union(OFlags::APPEND).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
const BELOW: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

/// When a log becomes another file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// 0 never does
    pub max_bytes: u64,
    /// with the one that is written
    pub max_files: usize,
}

struct Place {
    directory: PathBuf,
    path: PathBuf,
    rotation: Rotation,
    /// wall clock, nanoseconds, of the name that was given last
    last_aside_nanos: i64,
}

pub struct Log {
    /// `None` writes nowhere.
    place: Option<Place>,
    file: Option<OwnedFd>,
    size: u64,
    /// of the file that a reopen has opened
    reopened_at_size: Option<u64>,
    /// the size at which it is rotated
    rotate_at: u64,
    /// whole lines, but for the first when a part of it is in the file
    pending: Vec<u8>,
    is_torn: bool,
    /// of the last write
    failure: Option<Errno>,
}

impl Log {
    pub fn nowhere() -> Self {
        Self {
            place: None,
            file: None,
            size: 0,
            reopened_at_size: None,
            rotate_at: u64::MAX,
            pending: Vec::new(),
            is_torn: false,
            failure: None,
        }
    }

    /// @param directory "" writes no log
    pub fn open(directory: &str, path: &str, rotation: Rotation) -> Result<Self, ShimError> {
        let mut log = Self::nowhere();
        if !directory.is_empty() && !path.is_empty() {
            let place = Place { directory: directory.into(), path: path.into(), rotation, last_aside_nanos: 0 };
            let file = place.open_file(&place.open_folder()?)?;
            log.place = Some(place);
            log.use_file(file);
        }
        Ok(log)
    }

    /// One line or part of one, with its end.
    pub fn add(&mut self, pieces: &[&[u8]]) {
        for piece in pieces {
            self.pending.extend_from_slice(piece);
        }
    }

    /// The file's name may have been given to another file: what is unwritten goes to the old one, what follows to the new.
    pub fn reopen(&mut self) -> Result<(), ShimError> {
        let Some(place) = &self.place else { return Ok(()) };
        let file = place.open_file(&place.open_folder()?)?;
        let doing = format!("reopen log {}", place.directory.join(&place.path).display());
        if let Some(lines) = self.lines_without_name() {
            self.move_to(file, lines);
        } else {
            self.write_pending();
            if self.is_torn {
                // Its rest would be in another file. The caller gives the file its name back, and tries again later.
                return Err(ShimError::io(doing, std::io::Error::from(std::io::ErrorKind::StorageFull)));
            }
            self.use_file(file);
        }
        self.reopened_at_size = Some(self.size);
        Ok(())
    }

    /// Writes what it can. On a full disk the rest stays, and is tried again.
    pub fn flush(&mut self) {
        self.follow_older_file();
        self.write_pending();
        if self.pending.is_empty() && self.size >= self.rotate_at {
            self.rotate();
        }
    }

    pub fn takes_more(&self) -> bool {
        self.failure.is_none() && self.pending.len() < MAX_PENDING_BYTES
    }

    pub fn is_stuck(&self) -> bool {
        self.failure.is_some()
    }

    /// Why it is stuck.
    pub fn failure(&self) -> Option<ShimError> {
        let (errno, place) = (self.failure?, self.place.as_ref()?);
        Some(ShimError::io(format!("write log {}", place.directory.join(&place.path).display()), errno))
    }

    /// Who asked for a reopen and had no answer (berthd was killed) gives the older file its name back, as a kubelet does, over the one
    /// that we write to by then: from there on we write to the older one. A file that was removed stays removed.
    fn follow_older_file(&mut self) {
        let Some(lines) = self.lines_without_name() else { return };
        let Some(older) = self.place.as_ref().and_then(Place::find) else { return };
        self.move_to(older, lines);
    }

    /// All that was written since a reopen, when its file has lost its name.
    fn lines_without_name(&self) -> Option<Vec<u8>> {
        let (file, from) = (self.file.as_ref()?, self.reopened_at_size?);
        let status = fstat(file).ok()?;
        let bytes = status.st_size.cast_unsigned().saturating_sub(from);
        if status.st_nlink != 0 || bytes > MAX_MOVED_BYTES {
            return None;
        }
        let mut lines = vec![0; usize::try_from(bytes).ok()?];
        // Ours is for writing, and no other name leads there.
        let readable = File::open(by_descriptor(file)).ok()?;
        readable.read_exact_at(&mut lines, from).ok()?;
        Some(lines)
    }

    /// @param lines that come before all that is not written yet
    fn move_to(&mut self, file: OwnedFd, mut lines: Vec<u8>) {
        lines.append(&mut self.pending);
        self.pending = lines;
        self.is_torn = false;
        self.use_file(file);
    }

    fn write_pending(&mut self) {
        let Some(file) = &self.file else {
            self.pending.clear();
            return;
        };
        let mut written = 0;
        self.failure = None;
        while written < self.pending.len() {
            match write(file, &self.pending[written..]) {
                Ok(bytes) => written += bytes,
                Err(Errno::INTR) => {}
                Err(errno) => {
                    self.failure = Some(errno);
                    break;
                }
            }
        }
        if written > 0 {
            self.is_torn = self.pending[written - 1] != b'\n';
        }
        self.size += written as u64;
        self.pending.drain(..written);
        if self.pending.is_empty() {
            self.pending.shrink_to(KEPT_BUFFER_BYTES);
        }
    }

    /// On a failure the log goes on where it is: a file that is too long loses nothing.
    fn rotate(&mut self) {
        let Some(place) = &mut self.place else { return };
        match place.rotate() {
            Ok(file) => self.use_file(file),
            Err(_) => self.rotate_at = self.size + ROTATION_RETRY_BYTES,
        }
    }

    fn use_file(&mut self, file: OwnedFd) {
        let max_bytes = self.place.as_ref().map_or(0, |place| place.rotation.max_bytes);
        self.size = fstat(&file).map_or(0, |status| status.st_size.cast_unsigned());
        self.rotate_at = if max_bytes == 0 { u64::MAX } else { max_bytes };
        self.reopened_at_size = None;
        self.file = Some(file);
    }

    #[cfg(test)]
    pub fn take_pending(self) -> Vec<u8> {
        self.pending
    }
}

impl Place {
    fn name(&self) -> &Path {
        Path::new(self.path.file_name().unwrap_or_default())
    }

    fn rotate(&mut self) -> Result<OwnedFd, ShimError> {
        let folder = self.open_folder()?;
        let aside = match log_rotation::set_aside(&folder, self.name(), time::now_nanos(), self.last_aside_nanos) {
            Ok(aside) => Some(aside),
            // Somebody else has given it another name, and is about to tell us.
            Err(Errno::NOENT) => None,
            Err(errno) => {
                return Err(ShimError::io(format!("rotate log {}", self.directory.join(&self.path).display()), errno));
            }
        };
        sys::failpoint!("shim: set log aside");
        let file = self.open_file(&folder);
        sys::failpoint!("shim: began new log");
        match (&file, aside) {
            (Ok(_), aside) => {
                log_rotation::remove_excess(&folder, self.name(), self.rotation.max_files);
                self.last_aside_nanos = aside.map_or(self.last_aside_nanos, |aside| aside.at_nanos);
            }
            (Err(_), Some(aside)) => log_rotation::put_back(&folder, self.name(), &aside.name),
            (Err(_), None) => {}
        }
        file
    }

    /// The folder of the file, made if need be. No link is followed below the directory, so that nobody who may write there
    /// turns the shim's pen elsewhere.
    fn open_folder(&self) -> Result<OwnedFd, ShimError> {
        let plain = self.path.components().all(|part| matches!(part, Component::Normal(_)));
        if !self.directory.is_absolute() || !plain {
            return Err(ShimError::Argument {
                doing: self.opening(),
                why: "the directory is not absolute, or the path leaves it",
            });
        }
        let failed = |errno: Errno| ShimError::io(self.opening(), errno);
        std::fs::create_dir_all(&self.directory).map_err(|source| ShimError::io(self.opening(), source))?;
        let mut folder = openat(CWD, &self.directory, FOLDER, Mode::empty()).map_err(failed)?;
        for part in self.path.parent().into_iter().flat_map(Path::components) {
            let name = Path::new(part.as_os_str());
            match mkdirat(&folder, name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(failed(errno)),
            }
            folder = openat2(&folder, name, FOLDER, Mode::empty(), BELOW).map_err(failed)?;
        }
        Ok(folder)
    }

    /// For appending, made if need be.
    fn open_file(&self, folder: &OwnedFd) -> Result<OwnedFd, ShimError> {
        let made = FILE.union(OFlags::CREATE).union(OFlags::EXCL);
        match openat2(folder, self.name(), made, Mode::from_raw_mode(0o640), BELOW) {
            Err(Errno::EXIST) => self.open_present(folder),
            file => file.map_err(|errno| ShimError::io(self.opening(), errno)),
        }
    }

    /// Who may write there may have put a device in its place, which does things when it is opened.
    fn open_present(&self, folder: &OwnedFd) -> Result<OwnedFd, ShimError> {
        let failed = |errno: Errno| ShimError::io(self.opening(), errno);
        let place = OFlags::PATH.union(OFlags::CLOEXEC);
        let found = openat2(folder, self.name(), place, Mode::empty(), BELOW).map_err(failed)?;
        let stat = fstat(&found).map_err(failed)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(ShimError::Argument { doing: self.opening(), why: "it is no regular file" });
        }
        open(by_descriptor(&found), FILE, Mode::empty()).map_err(failed)
    }

    /// The same, where its folder is there too. Nothing is made.
    fn find(&self) -> Option<OwnedFd> {
        self.directory.join(&self.path).symlink_metadata().ok()?;
        self.open_present(&self.open_folder().ok()?).ok()
    }

    fn opening(&self) -> String {
        format!("open log {}", self.directory.join(&self.path).display())
    }
}

fn by_descriptor(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::mknodat;

    const WHOLE: Rotation = Rotation { max_bytes: 0, max_files: 0 };

    #[test]
    fn a_pipe_or_device_in_a_logs_place_is_refused_without_being_opened() {
        let folder = std::env::temp_dir().join(format!("berth-log-pipe-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("folder");
        let pipe = folder.join("0.log");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("pipe");
        let open = || Log::open(&folder.to_string_lossy(), "0.log", WHOLE);
        // Opening one that nobody reads fails in another way.
        assert!(matches!(open(), Err(ShimError::Argument { .. })));
        let reader = openat(CWD, &pipe, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).expect("reader");
        assert!(matches!(open(), Err(ShimError::Argument { .. })));
        drop(reader);
        std::fs::remove_dir_all(&folder).expect("remove");
    }

    fn log_in(test: &str) -> (Log, PathBuf) {
        let folder = std::env::temp_dir().join(format!("berth-log-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("folder");
        let log = Log::open(&folder.to_string_lossy(), "0.log", WHOLE).expect("log");
        (log, folder)
    }

    fn write(log: &mut Log, line: &str) {
        log.add(&[line.as_bytes()]);
        log.flush();
    }

    #[test]
    fn lines_follow_an_older_file_that_is_given_its_name_back_after_a_reopen() {
        let (mut log, folder) = log_in("back");
        let (path, older) = (folder.join("0.log"), folder.join("0.log.1"));
        write(&mut log, "one\n");
        std::fs::rename(&path, &older).expect("rename");
        log.reopen().expect("reopen");
        write(&mut log, "two\n");
        std::fs::rename(&older, &path).expect("rename back");
        write(&mut log, "three\n");
        assert_eq!(std::fs::read_to_string(&path).expect("log"), "one\ntwo\nthree\n");

        // A container that is silent until the next try: what it wrote between is not lost.
        std::fs::rename(&path, &older).expect("rename");
        log.reopen().expect("reopen");
        write(&mut log, "four\n");
        std::fs::rename(&older, &path).expect("rename back");
        std::fs::rename(&path, &older).expect("rename");
        log.reopen().expect("reopen");
        write(&mut log, "five\n");
        assert_eq!(std::fs::read_to_string(&path).expect("log"), "four\nfive\n");
        std::fs::remove_dir_all(&folder).expect("remove");
    }

    #[test]
    fn a_log_that_was_removed_with_its_folder_is_not_made_again() {
        let (mut log, folder) = log_in("removed");
        log.reopen().expect("reopen");
        write(&mut log, "one\n");
        std::fs::remove_dir_all(&folder).expect("remove");
        write(&mut log, "two\n");
        assert!(!folder.exists());
    }

    #[test]
    fn a_path_that_leaves_its_directory_is_refused() {
        for bad in ["../a", "/etc/a", "a/../../b"] {
            let opened = Log::open("/tmp", bad, WHOLE);
            assert!(matches!(opened, Err(ShimError::Argument { .. })), "{bad}");
        }
    }
}
