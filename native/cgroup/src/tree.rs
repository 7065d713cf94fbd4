//! Making and removing cgroups.

use crate::{CgroupError, CgroupPath, Cgroups};
use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

// The kernel frees a cgroup a moment after its last process has gone.
const BUSY_RETRY: Duration = Duration::from_millis(2);
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
const CPUSET: [&str; 2] = ["cpuset.cpus", "cpuset.mems"];

impl Cgroups {
    /// Makes the cgroup in every hierarchy, its ancestors too. True when it was not there before.
    pub fn create(&self, path: &CgroupPath) -> Result<bool, CgroupError> {
        let mut created = false;
        for hierarchy in &self.hierarchies {
            let mut folder = hierarchy.mount.clone();
            for part in path.parts() {
                if self.is_v2() {
                    enable_controllers(&folder)?;
                }
                folder.push(part);
                match create_dir(&folder) {
                    Ok(()) => created |= folder == path.under(&hierarchy.mount),
                    Err(failure) if failure.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(failure) => return Err(CgroupError::io("make cgroup", folder, failure)),
                }
                if !self.is_v2() && hierarchy.has("cpuset") {
                    inherit_cpuset(&folder)?;
                }
            }
        }
        Ok(created)
    }

    /// Makes a cgroup that has neither processes nor limits yet. Those above it are there already in most cases.
    pub fn create_new(&self, path: &CgroupPath) -> Result<(), CgroupError> {
        let above = path.parent();
        for hierarchy in &self.hierarchies {
            let folder = path.under(&hierarchy.mount);
            let made = match (create_dir(&folder), &above) {
                (Err(failure), Some(above)) if is_gone(&failure) => {
                    self.create(above)?;
                    create_dir(&folder)
                }
                // Whoever began to make it has ended in the middle. One that is in use stays.
                (Err(failure), _) if failure.kind() == io::ErrorKind::AlreadyExists => {
                    fs::remove_dir(&folder).and_then(|()| create_dir(&folder))
                }
                (made, _) => made,
            };
            made.map_err(|failure| CgroupError::io("make cgroup", &folder, failure))?;
            if self.is_v2() {
                enable_controllers(folder.parent().unwrap_or(&hierarchy.mount))?;
            } else if hierarchy.has("cpuset") {
                CPUSET.iter().try_for_each(|file| copy_from_above(&folder, file))?;
            }
        }
        Ok(())
    }

    /// Removes the cgroup and all below it; one that is not there is fine.
    pub fn remove(&self, path: &CgroupPath) -> Result<(), CgroupError> {
        for mount in self.mounts() {
            remove_tree(&path.under(mount), Instant::now() + BUSY_TIMEOUT)?;
        }
        Ok(())
    }

    /// Removes the cgroup where nothing is in it any more. False when there was something, anywhere.
    pub fn remove_if_empty(&self, path: &CgroupPath) -> Result<bool, CgroupError> {
        let mut gone = true;
        // Of `detect_once`, the hierarchy by which `kill` finds processes is the last to go.
        for mount in self.mounts().rev() {
            let folder = path.under(mount);
            match fs::remove_dir(&folder) {
                Ok(()) => {}
                Err(failure) if is_gone(&failure) => {}
                Err(failure) if is_busy(&failure) => gone = false,
                Err(failure) => return Err(CgroupError::io("remove cgroup", folder, failure)),
            }
        }
        Ok(gone)
    }
}

/// Whatever the caller's umask is, nobody else may change its files.
fn create_dir(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().mode(0o755).create(folder)
}

/// v1 gives a new cpuset neither cpus nor memory nodes, and no process can enter such a one.
fn inherit_cpuset(folder: &Path) -> Result<(), CgroupError> {
    for file in CPUSET {
        let own = folder.join(file);
        let text = fs::read_to_string(&own).map_err(|source| CgroupError::io("read", &own, source))?;
        if text.trim().is_empty() {
            copy_from_above(folder, file)?;
        }
    }
    Ok(())
}

fn copy_from_above(folder: &Path, file: &str) -> Result<(), CgroupError> {
    let (own, above) = (folder.join(file), folder.parent().unwrap_or(folder).join(file));
    let value = fs::read_to_string(&above).map_err(|source| CgroupError::io("read", above, source))?;
    let value = value.trim().to_owned();
    fs::write(&own, &value).map_err(|source| CgroupError::Write { file: own, value, source })
}

/// v2: what is not enabled in a folder can't be limited below it. A controller that can't be handed on is left out.
fn enable_controllers(folder: &Path) -> Result<(), CgroupError> {
    let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
    let (available, enabled) = (read("cgroup.controllers"), read("cgroup.subtree_control"));
    for controller in
        available.split_whitespace().filter(|name| !enabled.split_whitespace().any(|other| other == *name))
    {
        let file = folder.join("cgroup.subtree_control");
        match fs::write(&file, format!("+{controller}")) {
            Ok(()) => {}
            // Real-time processes or a device policy stand in the way: pods go without this controller.
            Err(failure)
                if matches!(
                    failure.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::ResourceBusy | io::ErrorKind::NotFound
                ) => {}
            Err(source) => return Err(CgroupError::Write { file, value: format!("+{controller}"), source }),
        }
    }
    Ok(())
}

fn remove_tree(folder: &Path, deadline: Instant) -> Result<(), CgroupError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(failure) if is_gone(&failure) => return Ok(()),
        Err(failure) => return Err(CgroupError::io("list cgroup", folder, failure)),
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path(), deadline)?;
        }
    }
    loop {
        match fs::remove_dir(folder) {
            Ok(()) => return Ok(()),
            Err(failure) if is_gone(&failure) => return Ok(()),
            Err(failure) if is_busy(&failure) && Instant::now() < deadline => thread::sleep(BUSY_RETRY),
            Err(failure) => return Err(CgroupError::io("remove cgroup", folder, failure)),
        }
    }
}

fn is_gone(failure: &io::Error) -> bool {
    failure.kind() == io::ErrorKind::NotFound
}

fn is_busy(failure: &io::Error) -> bool {
    matches!(failure.kind(), io::ErrorKind::ResourceBusy | io::ErrorKind::DirectoryNotEmpty)
}
