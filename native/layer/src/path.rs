//! Names of an archive as places below a folder's descriptor.

use crate::{LayerError, opaque::OpaqueFolders};
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, mkdirat, openat2, statat, unlinkat},
    io::Errno,
};
use std::os::fd::{BorrowedFd, OwnedFd};

const MAX_PATH_BYTES: usize = 4096;
const MAX_DEPTH: usize = 256;

/// An entry's name in its parts; "a/./b/" and "/a/b" are both a, b.
pub struct EntryPath {
    parts: Vec<Vec<u8>>,
}

impl EntryPath {
    pub fn parse(name: &[u8]) -> Result<Self, LayerError> {
        if name.len() > MAX_PATH_BYTES {
            return Err(LayerError::entry(name, "has a name of over 4096 bytes"));
        }
        if name.contains(&0) {
            return Err(LayerError::entry(name, "has a NUL byte in its name"));
        }
        let parts: Vec<Vec<u8>> =
            name.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")).map(<[u8]>::to_vec).collect();
        if parts.iter().any(|part| part == b"..") {
            return Err(LayerError::entry(name, "has \"..\" in its name"));
        }
        if parts.len() > MAX_DEPTH {
            return Err(LayerError::entry(name, "is nested over 256 folders deep"));
        }
        Ok(Self { parts })
    }

    /// The last part and what is before it; `None` for the root itself.
    pub fn split(&self) -> Option<(&[Vec<u8>], &[u8])> {
        self.parts.split_last().map(|(last, parents)| (parents, last.as_slice()))
    }

    pub fn parts(&self) -> &[Vec<u8>] {
        &self.parts
    }
}

/// Opens a folder below `root`; links on the way are followed, but never out of `root`.
pub fn find_folder(root: BorrowedFd, parts: &[Vec<u8>]) -> Result<OwnedFd, Errno> {
    open_existing(root, &parts.join(&b'/'))
}

pub fn open_folder(root: BorrowedFd, parts: &[Vec<u8>]) -> Result<OwnedFd, LayerError> {
    find_folder(root, parts).map_err(|errno| LayerError::io("open folder", &parts.join(&b'/'), errno))
}

/// Makes what is missing of it. In a layer, its whiteouts give way: one hides what is below the layer, and so does the folder
/// that takes its place.
pub fn make_folder(
    root: BorrowedFd,
    parts: &[Vec<u8>],
    mut of_layer: Option<&mut OpaqueFolders>,
) -> Result<OwnedFd, LayerError> {
    let name = parts.join(&b'/');
    let failed = |errno| LayerError::io("make folder", &name, errno);
    match open_existing(root, &name) {
        Err(Errno::NOENT | Errno::NOTDIR) => {}
        other => return other.map_err(failed),
    }
    let mut folder = open_existing(root, b"").map_err(failed)?;
    for depth in 1..=parts.len() {
        let part = parts[depth - 1].as_slice();
        let make = || mkdirat(&folder, part, Mode::from_raw_mode(0o755));
        match (make(), &mut of_layer) {
            (Err(Errno::EXIST), Some(opaque)) if is_whiteout(&folder, part) => {
                unlinkat(&folder, part, AtFlags::empty()).and_then(|()| make()).map_err(failed)?;
                opaque.add(root, &parts[..depth])?;
            }
            (Ok(()) | Err(Errno::EXIST), _) => {}
            (Err(errno), _) => return Err(failed(errno)),
        }
        folder = open_existing(root, &parts[..depth].join(&b'/')).map_err(failed)?;
    }
    Ok(folder)
}

fn is_whiteout(folder: &OwnedFd, name: &[u8]) -> bool {
    statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0)
}

fn open_existing(root: BorrowedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    let name = if name.is_empty() { b"." } else { name };
    openat2(
        root,
        name,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
    )
}

#[cfg(test)]
mod tests {
    use super::EntryPath;

    #[test]
    fn names_are_taken_apart_and_never_lead_up() {
        let parts = |name: &[u8]| EntryPath::parse(name).map(|path| path.parts().len());
        assert_eq!(parts(b"./a//b/").expect("good"), 2);
        assert_eq!(parts(b"/etc/passwd").expect("good"), 2);
        assert_eq!(parts(b"./").expect("good"), 0);
        for bad in [b"../a".as_slice(), b"a/../../b", b"a/..", b"a\0b"] {
            assert!(parts(bad).is_err());
        }
        assert!(parts("x/".repeat(300).as_bytes()).is_err());
    }
}
