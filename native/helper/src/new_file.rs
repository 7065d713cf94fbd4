//! A file that is there when all of it is. Until then it has no name, so that nothing is left of it whoever is killed.

use crate::error::HelperError;
use rustix::{
    fs::{
        AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, fsync, linkat, openat, openat2, renameat, statat, unlinkat,
    },
    io::Errno,
};
use std::{
    ffi::OsString,
    fs::File,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Component, Path, PathBuf},
};

const MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Where it is to be, with its folder held open.
pub struct NewFile {
    path: PathBuf,
    folder: OwnedFd,
    name: OsString,
}

impl NewFile {
    /// Refuses what could not be put there when it is whole.
    pub fn aim(text: &str) -> Result<Self, HelperError> {
        let refused = |why| HelperError::Argument { doing: "write file", value: text.chars().take(256).collect(), why };
        let path = PathBuf::from(text);
        if !path.is_absolute() || text.contains('\0') || path.components().any(|part| part == Component::ParentDir) {
            return Err(refused("it is not an absolute path without \"..\""));
        }
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(refused("it has no name"));
        };
        if text.ends_with('/') {
            return Err(refused("it is written as a folder"));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder =
            openat2(CWD, folder, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS).map_err(|errno| match errno {
                Errno::LOOP => unfit("open folder", folder, "a part of its path is a link"),
                Errno::NOTDIR => unfit("open folder", folder, "it is none"),
                errno => HelperError::io(format!("open folder {}", folder.display()), errno),
            })?;
        let file = Self { name: name.to_owned(), folder, path };
        file.refuse_others()?;
        Ok(file)
    }

    /// Without a name yet.
    pub fn begin(&self) -> Result<File, HelperError> {
        let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
        match openat(&self.folder, ".", flags, MODE) {
            Ok(file) => Ok(file.into()),
            Err(Errno::OPNOTSUPP) => Err(unfit("write", &self.path, "its file system can't make files without a name")),
            Err(errno) => Err(self.failed("make", errno)),
        }
    }

    /// On disk first, then under its name.
    pub fn finish(&self, file: &File) -> Result<(), HelperError> {
        fsync(file).map_err(|errno| self.failed("sync", errno))?;
        match linkat(file, "", &self.folder, &self.name, AtFlags::EMPTY_PATH) {
            Ok(()) => {}
            Err(Errno::EXIST) => self.replace(file)?,
            Err(errno) => return Err(self.failed("name", errno)),
        }
        fsync(&self.folder).map_err(|errno| self.failed("sync folder of", errno))
    }

    fn replace(&self, file: &File) -> Result<(), HelperError> {
        self.refuse_others()?;
        // Always the same: what a killed helper has left under it is taken away here.
        let name = OsString::from_iter([".".as_ref(), self.name.as_os_str(), ".partial".as_ref()]);
        let _ = unlinkat(&self.folder, &name, AtFlags::empty());
        let replaced = linkat(file, "", &self.folder, &name, AtFlags::EMPTY_PATH)
            .and_then(|()| renameat(&self.folder, &name, &self.folder, &self.name));
        replaced.map_err(|errno| {
            let _ = unlinkat(&self.folder, &name, AtFlags::empty());
            self.failed("replace", errno)
        })
    }

    fn refuse_others(&self) -> Result<(), HelperError> {
        match statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(()),
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => Ok(()),
            Ok(_) => Err(unfit("write", &self.path, "what is there is no regular file")),
            Err(errno) => Err(self.failed("look at", errno)),
        }
    }

    fn failed(&self, doing: &str, errno: Errno) -> HelperError {
        HelperError::io(format!("{doing} {}", self.path.display()), errno)
    }
}

fn unfit(doing: &str, path: &Path, why: &'static str) -> HelperError {
    let shown = String::from_utf8_lossy(path.as_os_str().as_bytes());
    HelperError::State { doing: format!("{doing} {shown}"), why }
}
