//! A process to look at.

use runtime::{
    console::{ConsoleSocket, make_controlling},
    process,
    seccomp::Filter,
    spec::Process,
};
use rustix::{
    fs::{Mode, OFlags, open},
    mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change},
    process::{chroot, setsid, umask},
};
use serde_json::{Value, json};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Output, Stdio},
};
use sys::namespace::{UnshareFlags, unshare};

pub struct Subject {
    /// where it begins
    pub folder: PathBuf,
    /// as in a bundle
    pub process: Value,
    pub seccomp: Option<Value>,
    /// a filter in base64, to be used in place of what would be made of the profile
    pub compiled: Option<String>,
    /// of `folder`, with a procfs and a devpts where there are folders for them; the node's own root without one
    pub root: Option<&'static str>,
    /// a socket in `folder`
    pub console: Option<&'static str>,
}

impl Subject {
    pub fn new(folder: &Path) -> Self {
        let capabilities = json!(["CAP_CHOWN", "CAP_NET_RAW"]);
        Self {
            folder: folder.to_owned(),
            process: json!({
                "user": { "uid": 1234, "gid": 2345, "additionalGids": [] },
                "args": ["/bin/sh", "-c", "true"],
                "env": ["PATH=/usr/bin:/bin"],
                "cwd": "/",
                "capabilities": { "bounding": capabilities, "effective": capabilities, "permitted": capabilities },
                "noNewPrivileges": true,
            }),
            seccomp: None,
            compiled: None,
            root: None,
            console: None,
        }
    }

    pub fn script(&mut self, script: &str) -> &mut Self {
        self.process["args"] = json!(["/bin/sh", "-c", script]);
        self
    }

    pub fn command(&self) -> Command {
        let settings = json!({
            "process": self.process,
            "seccomp": self.seccomp,
            "compiled": self.compiled,
            "root": self.root,
            "console": self.console,
        });
        fs::write(self.folder.join("settings.json"), settings.to_string()).expect("write the settings");
        let mut command = Command::new(env::current_exe().expect("own path"));
        command.arg("inside").current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    pub fn run(&self) -> Output {
        self.command().output().expect("run")
    }

    /// Of a command that has to end well.
    pub fn output(&self) -> String {
        let output = self.run();
        assert!(output.status.success(), "{}: {}", output.status, text(&output.stderr));
        text(&output.stdout)
    }

    /// Of a process that has not come to its command.
    pub fn failure(&self) -> String {
        let output = self.run();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        text(&output.stderr)
    }

    /// A line of /proc/self/status, as the command sees it.
    pub fn status(&mut self, field: &str) -> String {
        let output = self.script("cat /proc/self/status").output();
        let line = output.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {field} in {output}")).trim().replace('\t', " ")
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

/// In the place of the runtime's new process.
pub fn inside() -> ExitCode {
    let settings: Value =
        serde_json::from_slice(&fs::read("settings.json").expect("read")).expect("parse the settings");
    // What it must not hand on.
    umask(Mode::RWXO);
    let outside = open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).expect("open /");
    let run = || {
        let process: Process = serde_json::from_value(settings["process"].clone()).expect("a process");
        let socket = ConsoleSocket::of(&process, settings["console"].as_str().map(Path::new))?;
        let root = settings["root"].as_str().map(|name| Path::new(name).canonicalize().expect("root"));
        if let Some(root) = &root {
            fill(root);
        }
        if let Some(socket) = socket {
            let terminal = socket.open_terminal(root.as_deref().expect("a root for the terminal"))?;
            setsid().expect("setsid");
            make_controlling(terminal)?;
        } else if let Some(root) = &root {
            chroot(root).expect("chroot");
        }
        let filter = match &settings["seccomp"] {
            Value::Null => None,
            profile => {
                let profile = serde_json::from_value(profile.clone()).expect("a profile");
                Some(Filter::make(&profile, settings["compiled"].as_str())?)
            }
        };
        process::run(&process, filter.as_ref())
    };
    let Err(failure) = run();
    drop(outside);
    eprintln!("{failure}");
    ExitCode::FAILURE
}

fn fill(root: &Path) {
    unshare(UnshareFlags::NEWNS).expect("unshare");
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).expect("make private");
    if is_empty_folder(&root.join("proc")) {
        mount_bind("/proc", root.join("proc")).expect("mount /proc");
    }
    let pts = root.join("dev/pts");
    if is_empty_folder(&pts) {
        mount("devpts", &pts, "devpts", MountFlags::NOEXEC, Some(c"newinstance,ptmxmode=0666,mode=0620,gid=5"))
            .expect("mount devpts");
    }
}

/// What has something in it stays as it is.
fn is_empty_folder(path: &Path) -> bool {
    !path.is_symlink() && fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}
