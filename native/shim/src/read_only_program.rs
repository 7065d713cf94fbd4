//! The runtime's program on a mount that cannot be written to, or a container could overwrite it (CVE-2019-5736). crun wants to be run
//! so: from anywhere else it makes such a mount at each call and starts itself again from there. Ours leaves it to us.
//!
//! The mount has no place. Only one that is nobody's is safe: of one that waits for a place (`open_tree` alone) a container could take
//! the restriction away through `/proc/self/exe`. A shared copy in memory would not do: root in a container could change its mode.

use crate::mounts;
use std::{
    fs::{self, File, Metadata},
    io::{self, Read},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

// The others copy or mount themselves whatever we say, and may look for what is beside them.
const CRUN: &str = "crun";
const OWN: &str = "berth-runtime";
const ELF: [u8; 4] = *b"\x7fELF";

/// Of the program that was used last: pods have one runtime.
static KEPT: Mutex<Option<Kept>> = Mutex::new(None);

struct Kept {
    path: PathBuf,
    version: Version,
    program: OwnedFd,
}

/// What a replaced or changed file does not share with the old one, which the mount keeps from going.
#[derive(PartialEq, Eq)]
struct Version {
    file: (u64, u64),
    bytes: u64,
    changed_at: (i64, i64),
}

impl Version {
    fn new(of: &Metadata) -> Self {
        Self { file: (of.dev(), of.ino()), bytes: of.len(), changed_at: (of.ctime(), of.ctime_nsec()) }
    }
}

pub fn is_own(program: &Path) -> bool {
    program.file_name().is_some_and(|name| name == OWN)
}

/// Where to run the program from, until this is called again; `None`: from its own path.
///
/// @param folder where it is mounted for a moment; seen by nobody else
pub fn find(path: &Path, folder: &Path) -> io::Result<Option<PathBuf>> {
    match path.file_name() {
        Some(name) if name == OWN => find_mounted(path, folder).map(Some),
        // Where the kernel can't, crun sees to it itself.
        Some(name) if name == CRUN => Ok(find_mounted(path, folder).ok()),
        _ => Ok(None),
    }
}

fn find_mounted(path: &Path, folder: &Path) -> io::Result<PathBuf> {
    let version = Version::new(&fs::metadata(path)?);
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let program = match kept.take() {
        Some(same) if same.path == path && same.version == version => same,
        _ => keep(path, version, folder)?,
    };
    let program = kept.insert(program);
    Ok(format!("/proc/self/fd/{}", program.program.as_raw_fd()).into())
}

fn keep(path: &Path, version: Version, folder: &Path) -> io::Result<Kept> {
    let mut start = ELF;
    File::open(path)?.read_exact(&mut start)?;
    // The interpreter of a script is given the script's name, and there is none.
    if start != ELF {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let program = mounts::mount_nowhere(path, &folder.join("runtime-program"))?;
    // It may have been replaced since; the next call finds it.
    let file = File::from(program);
    if Version::new(&file.metadata()?) != version {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(Kept { path: path.to_owned(), version, program: file.into() })
}
