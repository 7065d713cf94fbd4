//! What is kept of a container between calls: a folder below the root, gone with the container.

use crate::{container_id::ContainerId, error::RuntimeError, json_file, spec::Hook, spec::NamespaceKind};
use rustix::{
    fs::{Mode, OFlags},
    process::{Pid, PidfdFlags, pidfd_open},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File},
    io::{self, Read},
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, FileExt},
    },
    path::{Path, PathBuf},
};

#[derive(Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct State {
    /// 0 until the process is there
    pub pid: i32,
    /// of the process, in clock ticks since the boot: a number alone may have passed to another one
    pub start_ticks: u64,
    pub cgroups_path: String,
    /// that the process was given or has joined
    pub namespaces: Vec<NamespaceKind>,
    /// of the system call filter, where there is one; it is in a file of its own
    pub filter_flags: Option<u64>,
    pub poststop: Option<Poststop>,
}

/// Hooks of the deletion, and what else they are told. The bundle may be gone by then.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Poststop {
    pub hooks: Vec<Hook>,
    pub oci_version: String,
    pub bundle: PathBuf,
    pub annotations: BTreeMap<String, String>,
}

impl State {
    /// The container's process, whoever has its number now. `None` when it is gone.
    pub fn hold_process(&self) -> Option<OwnedFd> {
        let pid = Pid::from_raw(self.pid)?;
        let held = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        // From here on the number can't pass on.
        (start_ticks(self.pid).ok()? == self.start_ticks).then_some(held)
    }
}

pub fn start_ticks(pid: i32) -> io::Result<u64> {
    stat_field(pid, 22)
}

/// PF_FORKNOEXEC is taken away by the first exec that succeeds, before descriptors are closed on exec. @source linux/sched.h
pub fn has_executed(pid: i32) -> io::Result<bool> {
    const PF_FORKNOEXEC: u64 = 0x40;
    Ok(stat_field(pid, 9)? & PF_FORKNOEXEC == 0)
}

/// @param number of those of /proc/<pid>/stat, from 4 on; the second field may hold spaces
fn stat_field(pid: i32, number: usize) -> io::Result<u64> {
    // The kernel gives the line at once, with a name of 64 bytes at most.
    let mut line = [0; 1024];
    let bytes = File::open(format!("/proc/{pid}/stat"))?.read(&mut line)?;
    let line = String::from_utf8_lossy(&line[..bytes]);
    let field = line.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(number - 3)?.parse().ok());
    field.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

pub struct StateFolder {
    id: ContainerId,
    root: PathBuf,
    path: PathBuf,
}

/// Open for the second writing.
#[derive(Debug)]
pub struct StateFile(File);

impl StateFolder {
    pub fn new(root: &Path, id: &ContainerId) -> Self {
        Self { id: id.clone(), root: root.to_owned(), path: root.join(id) }
    }

    /// Before anything of the container is made, so that a later deletion finds all of it.
    pub fn create(&self, state: &State) -> Result<StateFile, RuntimeError> {
        let folder = |path: &Path| DirBuilder::new().mode(0o700).create(path);
        let made = match folder(&self.path) {
            Err(failure) if failure.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(0o700).create(&self.root).and_then(|()| folder(&self.path))
            }
            made => made,
        };
        made.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => {
                RuntimeError::argument(format!("make container {}", self.id), "it is there already")
            }
            _ => self.failed("make", &self.path, source),
        })?;
        self.create_file(state).inspect_err(|_| {
            let _ = fs::remove_dir_all(&self.path);
        })
    }

    fn create_file(&self, state: &State) -> Result<StateFile, RuntimeError> {
        let path = self.file();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::open(&path, flags, Mode::from_raw_mode(0o600))
            .map_err(|errno| self.failed("make", &path, errno))?;
        let file = StateFile(file.into());
        file.write(state)?;
        Ok(file)
    }

    /// `None` of a container that is not there, or of which nothing was made: what can't be read was being written for the first time.
    pub fn read(&self) -> Option<State> {
        json_file::read(&self.file()).ok()
    }

    pub fn filter(&self) -> PathBuf {
        self.path.join("seccomp.bpf")
    }

    /// Idempotent.
    pub fn remove(&self) -> Result<(), RuntimeError> {
        match fs::remove_dir_all(&self.path) {
            Err(failure) if failure.kind() != io::ErrorKind::NotFound => {
                Err(self.failed("remove", &self.path, failure))
            }
            _ => Ok(()),
        }
    }

    fn file(&self) -> PathBuf {
        self.path.join("state.json")
    }

    fn failed(&self, verb: &str, path: &Path, source: impl Into<io::Error>) -> RuntimeError {
        RuntimeError::io(format!("{verb} {}", path.display()), source)
    }
}

impl StateFile {
    /// What is written later is never shorter: numbers only come to be known.
    pub fn write(&self, state: &State) -> Result<(), RuntimeError> {
        serde_json::to_vec(state)
            .map_err(Into::into)
            .and_then(|text| self.0.write_all_at(&text, 0))
            .map_err(|source: io::Error| RuntimeError::io("write the container's state", source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    fn state() -> State {
        State {
            pid: 0,
            start_ticks: 0,
            cgroups_path: "/pods/c1".into(),
            namespaces: vec![NamespaceKind::Mount, NamespaceKind::Pid],
            filter_flags: Some(2),
            poststop: None,
        }
    }

    fn folder(name: &str) -> StateFolder {
        let root = std::env::temp_dir().join(format!("berth-state-{}-{name}", std::process::id()));
        StateFolder::new(&root, &ContainerId::parse(OsStr::new("c1")).expect("an id"))
    }

    #[test]
    fn a_state_is_read_as_it_was_written_last() {
        let folder = folder("twice");
        let file = folder.create(&state()).expect("create");
        let pid = std::process::id().cast_signed();
        let later = State { pid, start_ticks: start_ticks(pid).expect("ticks"), ..state() };
        file.write(&later).expect("write");
        assert_eq!(folder.read(), Some(later));
        folder.remove().expect("remove");
        folder.remove().expect("remove again");
        assert_eq!(folder.read(), None);
        fs::remove_dir(&folder.root).expect("remove root");
    }

    #[test]
    fn a_container_that_is_there_is_left_as_it_is() {
        let folder = folder("exists");
        folder.create(&state()).expect("create");
        let failure = folder.create(&State { filter_flags: None, ..state() }).expect_err("exists");
        assert_eq!(failure.to_string(), "make container c1: it is there already");
        assert_eq!(folder.read(), Some(state()));
        fs::remove_dir_all(&folder.root).expect("remove root");
    }

    #[test]
    fn a_number_that_has_passed_to_another_process_holds_nothing() {
        let pid = std::process::id().cast_signed();
        let ticks = start_ticks(pid).expect("ticks");
        let its = |start_ticks| State { pid, start_ticks, ..state() };
        assert!(its(ticks).hold_process().is_some());
        assert!(its(ticks + 1).hold_process().is_none());
        assert!(state().hold_process().is_none());
    }
}
