//! Older files of a log, named as the kubelet names them: "<name>.20060102-150405". Sorted by name they are sorted by age.

use crate::time;
use rustix::{
    fs::{AtFlags, Dir, Mode, OFlags, RenameFlags, openat, renameat, renameat_with, unlinkat},
    io::Errno,
};
use std::{
    ffi::OsString,
    os::{
        fd::OwnedFd,
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
};

// A folder of logs with more names than that is somebody else's; its old files are left.
const MAX_ENTRIES: usize = 65_536;
const STAMP_BYTES: usize = "20060102-150405".len();
const NANOS: i64 = 1_000_000_000;
// Names that somebody else has given already.
const MAX_TAKEN: i64 = 16;

pub struct Aside {
    pub name: PathBuf,
    /// that the name tells
    pub at_nanos: i64,
}

/// Gives the file an older one's name, and says which.
///
/// @param last_nanos of the name that was given before; the new one comes after it, also when the clock has gone back, and when all
/// files of this second were removed
pub fn set_aside(folder: &OwnedFd, name: &Path, now_nanos: i64, last_nanos: i64) -> Result<Aside, Errno> {
    let nanos = now_nanos.max(last_nanos + 1);
    let second = nanos - nanos.rem_euclid(NANOS);
    // Of one second only the first has the kubelet's own form; the others follow it by name.
    let of_kubelet = (second > last_nanos).then(|| (second, time::compact(second)[..STAMP_BYTES].to_owned()));
    let exact = (nanos..nanos + MAX_TAKEN).map(|nanos| (nanos, time::compact(nanos)));
    for (at_nanos, suffix) in of_kubelet.into_iter().chain(exact) {
        let aside = with_suffix(name, &suffix);
        match renameat_with(folder, name, folder, &aside, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
            Ok(()) => return Ok(Aside { name: aside, at_nanos }),
        }
    }
    Err(Errno::EXIST)
}

pub fn put_back(folder: &OwnedFd, name: &Path, aside: &Path) {
    // Where even that fails the log goes on under the older name.
    let _ = renameat(folder, aside, folder, name);
}

/// The oldest go first. What can't be removed now is tried again with the next rotation.
pub fn remove_excess(folder: &OwnedFd, name: &Path, max_files: usize) {
    let Ok(mut older) = older_files(folder, name) else { return };
    older.sort();
    let excess = older.len().saturating_sub(max_files.saturating_sub(1));
    for file in &older[..excess] {
        let _ = unlinkat(folder, file, AtFlags::empty());
    }
}

fn older_files(folder: &OwnedFd, name: &Path) -> Result<Vec<OsString>, Errno> {
    // The folder is held by a descriptor that can't be read from.
    let readable = openat(folder, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let mut found = Vec::new();
    for entry in Dir::new(readable)?.take(MAX_ENTRIES) {
        let entry = entry?;
        let bytes = entry.file_name().to_bytes();
        if is_older_file(bytes, name.as_os_str().as_bytes()) {
            found.push(OsString::from_vec(bytes.to_vec()));
        }
    }
    Ok(found)
}

/// The kubelet packs older ones, which then end in ".gz".
fn is_older_file(file: &[u8], name: &[u8]) -> bool {
    let Some(suffix) = file.strip_prefix(name).and_then(|rest| rest.strip_prefix(b".")) else { return false };
    let Some((stamp, rest)) = suffix.split_at_checked(STAMP_BYTES) else { return false };
    let is_stamp =
        stamp.iter().enumerate().all(|(index, byte)| if index == 8 { *byte == b'-' } else { byte.is_ascii_digit() });
    let rest = rest.strip_suffix(b".gz").unwrap_or(rest);
    is_stamp
        && rest
            .strip_prefix(b".")
            .map_or(rest.is_empty(), |more| !more.is_empty() && more.iter().all(u8::is_ascii_digit))
}

fn with_suffix(name: &Path, suffix: &str) -> PathBuf {
    let mut aside = name.as_os_str().to_owned();
    aside.push(".");
    aside.push(suffix);
    aside.into()
}

#[cfg(test)]
mod tests {
    use super::{is_older_file, set_aside};
    use rustix::fs::{CWD, Mode, OFlags, openat};
    use std::path::Path;

    /// Names, without their log's, of a log that is rotated at these moments.
    fn names_at(test: &str, moments: &[i64]) -> Vec<String> {
        let path = std::env::temp_dir().join(format!("berth-rotation-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("folder");
        let folder = openat(CWD, &path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).expect("open");
        let mut last = 0;
        let names = moments.iter().map(|now| {
            std::fs::write(path.join("0.log"), "").expect("log");
            let aside = set_aside(&folder, Path::new("0.log"), *now, last).expect("rotate");
            last = aside.at_nanos;
            aside.name.to_string_lossy().trim_start_matches("0.log.").to_owned()
        });
        let names = names.collect();
        std::fs::remove_dir_all(&path).expect("remove");
        names
    }

    const MOMENT: i64 = 1_475_713_029_669_794_202;

    #[test]
    fn the_first_of_a_second_is_named_as_the_kubelet_names_it_and_the_others_follow() {
        assert_eq!(
            names_at("seconds", &[MOMENT, MOMENT + 5, MOMENT + 1_000_000_000]),
            ["20161006-001709", "20161006-001709.669794207", "20161006-001710"]
        );
    }

    #[test]
    fn when_the_clock_goes_back_or_stands_names_still_follow_one_another() {
        let hour = 3_600_000_000_000;
        let names =
            names_at("back", &[MOMENT, MOMENT - hour, MOMENT - hour, MOMENT - hour + 1, MOMENT + 1, MOMENT + 1]);
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }

    #[test]
    fn older_files_are_known_by_the_kubelets_form_of_their_names() {
        for good in ["0.log.20300102-030405", "0.log.20300102-030405.123456789", "0.log.20300102-030405.gz"] {
            assert!(is_older_file(good.as_bytes(), b"0.log"), "{good}");
        }
        for bad in [
            "0.log",
            "0.log.1",
            "0.log.20300102-030405.tmp",
            "0.log.20300102-030405.",
            "10.log.20300102-030405",
            "0.log.20300102x030405",
        ] {
            assert!(!is_older_file(bad.as_bytes(), b"0.log"), "{bad}");
        }
    }
}
