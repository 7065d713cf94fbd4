//! What an image has put where an OCI runtime works by path while the root is not yet the container's: a runtime that follows a
//! link there makes devices, links and folders wherever it leads, on the node.

use crate::error::ShimError;
use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat},
    io::Errno,
};
use std::path::Path;

/// Nobody needs them to be anything but folders: the runtime mounts over them.
const FOLDERS: [&str; 3] = ["dev", "proc", "sys"];

/// A folder that is not there is made by the runtime.
pub fn check_root(root: &Path) -> Result<(), ShimError> {
    let failed = |errno| ShimError::io(format!("look at {}", root.display()), errno);
    let root = openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
    for name in FOLDERS {
        match statat(&root, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {}
            Err(Errno::NOENT) => {}
            Ok(_) => {
                let doing = format!("mount over /{name} of the image");
                return Err(ShimError::Argument { doing, why: "it is no folder" });
            }
            Err(errno) => return Err(failed(errno)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_root;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn a_link_or_a_file_where_a_runtime_mounts_is_refused() {
        let root = std::env::temp_dir().join(format!("berth-root-check-{}", std::process::id()));
        fs::create_dir_all(root.join("proc")).expect("make");
        assert!(check_root(&root).is_ok());
        fs::write(root.join("sys"), "").expect("write");
        assert_eq!(
            check_root(&root).expect_err("a file").to_failure().message,
            "mount over /sys of the image: it is no folder"
        );
        fs::remove_file(root.join("sys")).expect("remove");
        // Also one that leads to a folder.
        symlink("proc", root.join("dev")).expect("link");
        assert!(check_root(&root).is_err());
        fs::remove_dir_all(&root).expect("remove");
    }
}
