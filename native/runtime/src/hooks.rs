//! Programs of others that are run at a step of a container's life, as the OCI runtime specification says.

use crate::{container_id::ContainerId, error::RuntimeError, spec::Hook};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{MemfdFlags, memfd_create},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open},
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Seek, Write},
    os::unix::{fs::FileExt, process::CommandExt},
    path::Path,
    process::{Child, Command, ExitStatus},
};

const MAX_WORDS_BYTES: u64 = 1024;

/// When they are run.
#[derive(Clone, Copy)]
pub struct Step {
    pub name: &'static str,
    /// of the container, as the hooks are told
    status: &'static str,
}

impl Step {
    pub const PRESTART: Self = Self { name: "prestart", status: "creating" };
    pub const CREATE_RUNTIME: Self = Self { name: "createRuntime", status: "creating" };
    pub const CREATE_CONTAINER: Self = Self { name: "createContainer", status: "creating" };
    pub const START_CONTAINER: Self = Self { name: "startContainer", status: "created" };
    pub const POSTSTART: Self = Self { name: "poststart", status: "running" };
    pub const POSTSTOP: Self = Self { name: "poststop", status: "stopped" };
}

/// The container that they are told of.
pub struct Subject<'a> {
    pub id: &'a ContainerId,
    pub oci_version: &'a str,
    pub bundle: &'a Path,
    pub annotations: &'a BTreeMap<String, String>,
}

/// The OCI state of a container.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    oci_version: &'a str,
    id: String,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<i32>,
    bundle: &'a Path,
    annotations: &'a BTreeMap<String, String>,
}

/// In their order, where the caller is; the first that fails ends it.
///
/// @param pid of the container, where it has one
pub fn run(step: Step, hooks: &[Hook], subject: &Subject, pid: Option<i32>) -> Result<(), RuntimeError> {
    if hooks.is_empty() {
        return Ok(());
    }
    let told = Told {
        oci_version: subject.oci_version,
        id: subject.id.to_string(),
        status: step.status,
        pid,
        bundle: subject.bundle,
        annotations: subject.annotations,
    };
    let told = serde_json::to_vec(&told).map_err(|failure| RuntimeError::io("tell hooks of the container", failure))?;
    hooks.iter().try_for_each(|hook| run_one(step, hook, &told))
}

fn run_one(step: Step, hook: &Hook, told: &[u8]) -> Result<(), RuntimeError> {
    let doing = || format!("run {} hook {}", step.name, hook.path);
    if !Path::new(&hook.path).is_absolute() {
        return Err(RuntimeError::argument(doing(), "its path is not absolute"));
    }
    let failed = |source: io::Error| RuntimeError::io(doing(), source);
    let words = memory("words").map_err(failed)?;
    let child = spawn(hook, told, &words).map_err(failed)?;
    let status = wait(child, hook.timeout).map_err(failed)?;
    let why = match status {
        Some(status) if status.success() => return Ok(()),
        Some(status) => status.to_string(),
        None => format!("it did not end within {} s", hook.timeout.unwrap_or(0)),
    };
    let last = last_words(&words);
    Err(RuntimeError::argument(doing(), if last.is_empty() { why } else { format!("{why}: {last}") }))
}

/// Files in memory for its streams: whatever it reads or leaves unread, and whoever keeps them open, nothing waits.
fn spawn(hook: &Hook, told: &[u8], words: &File) -> io::Result<Child> {
    let mut input = memory("state")?;
    input.write_all(told)?;
    input.rewind()?;
    let (name, arguments) = hook.args.split_first().map_or((&hook.path, [].as_slice()), |(name, rest)| (name, rest));
    Command::new(&hook.path)
        .arg0(name)
        .args(arguments)
        .env_clear()
        .envs(hook.env.iter().filter_map(|variable| variable.split_once('=')))
        .stdin(input)
        .stdout(words.try_clone()?)
        .stderr(words.try_clone()?)
        // Of its own, to be killed with all that it has started.
        .process_group(0)
        .spawn()
}

/// @returns `None` when it was killed for its time was over
fn wait(mut child: Child, timeout_seconds: Option<u64>) -> io::Result<Option<ExitStatus>> {
    let Some(seconds) = timeout_seconds else { return child.wait().map(Some) };
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
    let held = pidfd_open(pid, PidfdFlags::empty())?;
    let timeout = Timespec { tv_sec: i64::try_from(seconds).unwrap_or(i64::MAX), tv_nsec: 0 };
    // Interrupted it may wait again for the whole time, which harms nobody.
    let ready = loop {
        match poll(&mut [PollFd::new(&held, PollFlags::IN)], Some(&timeout)) {
            Err(Errno::INTR) => {}
            ready => break ready?,
        }
    };
    if ready == 0 {
        // Ended just now is what we want.
        let _ = kill_process_group(pid, Signal::KILL);
    }
    let status = child.wait()?;
    Ok((ready > 0).then_some(status))
}

fn memory(name: &str) -> io::Result<File> {
    Ok(File::from(memfd_create(name, MemfdFlags::CLOEXEC)?))
}

fn last_words(words: &File) -> String {
    let length = words.metadata().map_or(0, |metadata| metadata.len());
    let mut text = vec![0; length.min(MAX_WORDS_BYTES) as usize];
    let bytes = words.read_at(&mut text, length.saturating_sub(MAX_WORDS_BYTES)).unwrap_or(0);
    String::from_utf8_lossy(&text[..bytes]).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(step: Step, script: &str, timeout: Option<u64>) -> Result<(), String> {
        let args = ["sh", "-c", script].map(str::to_owned).to_vec();
        let hook = Hook { path: "/bin/sh".into(), args, env: vec!["WORD=a=b".into()], timeout };
        let id = ContainerId::parse("c1".as_ref()).expect("an id");
        let annotations = BTreeMap::from([("key".to_owned(), "x".repeat(100_000))]);
        let subject = Subject { id: &id, oci_version: "1.0.2", bundle: Path::new("/b"), annotations: &annotations };
        super::run(step, &[hook], &subject, Some(4711)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_hook_is_told_the_state_on_its_standard_input() {
        let script = r#"grep -q '"ociVersion":"1.0.2","id":"c1","status":"creating","pid":4711,"bundle":"/b"' && test "$WORD" = a=b"#;
        assert_eq!(run(Step::CREATE_RUNTIME, script, None), Ok(()));
    }

    #[test]
    fn one_that_reads_nothing_holds_nobody_up() {
        assert_eq!(run(Step::PRESTART, "exit 0", Some(60)), Ok(()));
    }

    #[test]
    fn one_that_fails_is_named_with_its_code_and_its_last_words() {
        let failure = run(Step::POSTSTART, "echo no device >&2; exit 3", Some(60));
        assert_eq!(failure, Err("run poststart hook /bin/sh: exit status: 3: no device".into()));
    }

    #[test]
    fn one_that_takes_too_long_is_killed() {
        let failure = run(Step::START_CONTAINER, "sleep 1000", Some(0));
        assert_eq!(failure, Err("run startContainer hook /bin/sh: it did not end within 0 s".into()));
    }

    #[test]
    fn one_without_an_absolute_path_is_refused() {
        let hook = Hook { path: "sh".into(), args: Vec::new(), env: Vec::new(), timeout: None };
        assert!(run_one(Step::POSTSTOP, &hook, b"{}").is_err());
    }
}
