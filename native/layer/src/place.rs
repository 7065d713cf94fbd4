//! Paths of a container as people write them: resolved as the container would, so ".." and links are fine, and nothing leads out.

use crate::LayerError;
use rustix::{
    fs::{FileType, Mode, OFlags, ResolveFlags, Stat, fstat, fstatfs, openat2},
    io::Errno,
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

const MAX_PATH_BYTES: usize = 4096;

// Of linux/magic.h and of the file systems' own sources: files of these are switches and windows of the kernel, not content.
const KERNEL_FILE_SYSTEMS: &[u32] = &[
    0x0000_9fa0, // proc
    0x6265_6572, // sysfs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0x6265_6570, // configfs
    0x6165_676c, // pstore
    0xcafe_4a11, // bpf
    0xde5e_81e4, // efivarfs
    0x4249_4e4d, // binfmt_misc
    0xf97c_ff8c, // selinuxfs
    0x5346_414f, // afs' own control files
    0x1980_0202, // mqueue
    0x0000_1cd1, // devpts
    0x6573_5543, // fusectl
    0x0765_5821, // resctrl
    0x4341_5d53, // smackfs
    0x6759_6969, // rpc_pipefs
    0x6e66_7364, // nfsd
];

/// A path, and the one name in it that a copy is about.
pub struct Place<'a> {
    whole: &'a [u8],
    folder: &'a [u8],
    name: Option<&'a [u8]>,
    must_be_folder: bool,
}

impl<'a> Place<'a> {
    pub fn parse(path: &'a [u8]) -> Result<Self, LayerError> {
        if path.is_empty() {
            return Err(LayerError::refused(path, "is empty"));
        }
        if path.len() > MAX_PATH_BYTES || path.contains(&0) {
            return Err(LayerError::refused(path, "is over 4096 bytes long, or has a NUL byte"));
        }
        let trimmed = path.trim_ascii_end_matches(b'/');
        let (folder, last) = match trimmed.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&trimmed[..slash], &trimmed[slash + 1..]),
            None => (&trimmed[..0], trimmed),
        };
        let name = (!matches!(last, b"" | b"." | b"..")).then_some(last);
        Ok(Self { whole: path, folder, name, must_be_folder: name.is_none() || trimmed.len() < path.len() })
    }

    /// `None` for the root, and for paths that end in "." or "..": then it is about what the folder holds.
    pub fn name(&self) -> Option<&'a [u8]> {
        self.name
    }

    /// Written so that it can only be one: "data/", "data/.".
    pub fn must_be_folder(&self) -> bool {
        self.must_be_folder
    }

    /// All of it, from the root.
    pub fn whole(&self) -> &'a [u8] {
        self.whole
    }

    /// What is before the name.
    pub fn folder(&self) -> &'a [u8] {
        self.folder
    }
}

trait TrimEnd {
    fn trim_ascii_end_matches(&self, byte: u8) -> &[u8];
}

impl TrimEnd for [u8] {
    fn trim_ascii_end_matches(&self, byte: u8) -> &[u8] {
        let end = self.iter().rposition(|each| *each != byte).map_or(0, |last| last + 1);
        &self[..end]
    }
}

/// Opens what is at `path` below `root`. Nothing is opened that is not meant to be read: a name for it is enough at first.
pub fn open(root: BorrowedFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { b"." } else { path };
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
}

pub fn kind_of(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Whether it is the same file that was looked at before, and not what somebody has put in its place.
pub fn is_same(before: &Stat, after: &Stat) -> bool {
    (before.st_dev, before.st_ino, kind_of(before)) == (after.st_dev, after.st_ino, kind_of(after))
}

/// Refuses switches of the kernel: a link in the container may lead a copy to them.
pub fn refuse_kernel_files(file: impl AsFd, name: &[u8]) -> Result<(), LayerError> {
    if is_of_the_kernel(&file, name)? {
        return Err(LayerError::refused(name, "is in a file system of the kernel, such as proc or sysfs"));
    }
    Ok(())
}

pub fn is_of_the_kernel(file: impl AsFd, name: &[u8]) -> Result<bool, LayerError> {
    let system = fstatfs(file).map_err(|errno| LayerError::io("look at file system of", name, errno))?;
    Ok(KERNEL_FILE_SYSTEMS.contains(&(system.f_type as u32)))
}

pub fn stat(file: impl AsFd, name: &[u8]) -> Result<Stat, LayerError> {
    fstat(file).map_err(|errno| LayerError::io("look at", name, errno))
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_path_has_a_name_unless_it_is_about_what_a_folder_holds() {
        let taken = |path: &'static [u8]| {
            let place = Place::parse(path).expect("good");
            (place.folder(), place.name(), place.must_be_folder())
        };
        assert_eq!(taken(b"/etc/passwd"), (b"/etc".as_slice(), Some(b"passwd".as_slice()), false));
        assert_eq!(taken(b"etc"), (b"".as_slice(), Some(b"etc".as_slice()), false));
        assert_eq!(taken(b"/etc//"), (b"".as_slice(), Some(b"etc".as_slice()), true));
        for whole in [b"/".as_slice(), b"/etc/.", b"/etc/..", b"."] {
            let place = Place::parse(whole).expect("good");
            assert_eq!((place.name(), place.must_be_folder()), (None, true), "{whole:?}");
        }
    }

    #[test]
    fn what_the_kernel_would_cut_short_is_refused() {
        for bad in [b"".as_slice(), b"a\0b", &[b'a'; 4097]] {
            assert!(Place::parse(bad).is_err());
        }
    }
}
