//! With the kernel's own mounts, each test in a mount namespace of its own, which ends with its thread.

use super::{Place, Sources, enter, prepare};
use crate::spec::Spec;
use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    process::geteuid,
};
use serde_json::{Value, json};
use std::{
    fs, io,
    os::{
        fd::AsFd,
        unix::fs::{FileTypeExt, MetadataExt, symlink},
    },
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};
use sys::namespace::{UnshareFlags, unshare};

mod hostile;

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// A root of its own, and a folder that no container may reach.
pub struct Folders {
    pub root: PathBuf,
    outside: PathBuf,
}

/// Only root has mounts.
pub fn in_namespace(work: impl FnOnce(&Folders) + Send + 'static) {
    if !geteuid().is_root() {
        return;
    }
    let name = format!("berth-rootfs-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let place = std::env::temp_dir().join(name);
    fs::create_dir(&place).expect("make a folder");
    let inner = place.clone();
    let done = thread::spawn(move || {
        unshare(UnshareFlags::NEWNS).expect("unshare");
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).expect("make private");
        mount("test", &inner, "tmpfs", MountFlags::empty(), None).expect("mount");
        let folders = Folders { root: inner.join("root"), outside: inner.join("outside") };
        for folder in [&folders.root, &folders.outside] {
            fs::create_dir(folder).expect("make a folder");
        }
        mount("root", &folders.root, "tmpfs", MountFlags::empty(), None).expect("mount the root");
        work(&folders);
    })
    .join();
    fs::remove_dir(&place).expect("nothing was left in the folder");
    if let Err(panic) = done {
        std::panic::resume_unwind(panic);
    }
}

pub fn spec(mounts: Value, more: Value) -> Spec {
    let mut spec = json!({
        "ociVersion": "1.0.2",
        "process": { "user": { "uid": 0, "gid": 0 }, "args": ["/x"], "cwd": "/" },
        "root": { "path": "rootfs" },
        "mounts": mounts,
        "linux": { "namespaces": [{ "type": "mount" }], "cgroupsPath": "/x", "resources": {} },
    });
    for (path, value) in more.as_object().expect("an object") {
        let (parent, name) = path.rsplit_once('/').expect("a path");
        spec.pointer_mut(parent).expect("a part of the spec")[name] = value.clone();
    }
    serde_json::from_value(spec).expect("a spec")
}

fn proc() -> Value {
    json!({ "destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"] })
}

fn dev() -> Value {
    json!({ "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"] })
}

fn bind(source: &Path, destination: &str, options: &[&str]) -> Value {
    json!({ "destination": destination, "type": "bind", "source": source, "options": options })
}

fn prepare_in(root: &Path, spec: &Spec) -> Result<(), String> {
    prepare(&place(root, spec)).map_err(|failure| failure.to_string())
}

fn place<'a>(root: &'a Path, spec: &'a Spec) -> Place<'a> {
    static NONE: std::sync::LazyLock<Sources> = std::sync::LazyLock::new(Sources::default);
    Place { spec, root, sources: &NONE, terminal: None }
}

fn prepare_and_enter(root: &Path, spec: &Spec) {
    let place = place(root, spec);
    prepare(&place).expect("prepare");
    enter(&place).expect("enter");
}

fn is_readonly(result: io::Result<()>) -> bool {
    result.is_err_and(|failure| failure.kind() == io::ErrorKind::ReadOnlyFilesystem)
}

fn names(folder: impl AsRef<Path>) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("list");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("entry").file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

#[test]
fn a_container_has_its_mounts_and_devices_and_nothing_of_the_node() {
    in_namespace(|folders| {
        let outside = folders.outside.clone();
        let mounts = json!([
            proc(),
            dev(),
            { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"] },
            { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
              "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
            { "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid"] },
            { "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "ro"] },
            { "destination": "/run", "type": "tmpfs", "source": "run", "options": ["ro"] },
            bind(&outside, "/run/volume", &["rbind", "rprivate", "rw"]),
        ]);
        let device = json!({ "path": "/dev/net/own", "type": "c", "major": 10, "minor": 200, "fileMode": 0o640, "uid": 7, "gid": 8 });
        let more = json!({ "/root/readonly": true, "/process/terminal": true, "/process/cwd": "/made/cwd", "/linux/devices": [device] });
        let spec = spec(mounts, more);
        prepare_and_enter(&folders.root, &spec);

        assert_eq!(names("/"), ["dev", "made", "proc", "run", "sys"]);
        let devices =
            [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];
        for (name, major, minor) in devices {
            let found = fs::symlink_metadata(format!("/dev/{name}")).expect(name);
            assert!(found.file_type().is_char_device(), "{name}");
            assert_eq!((found.rdev(), found.mode() & 0o7777), (rustix::fs::makedev(major, minor), 0o666), "{name}");
        }
        let own = fs::symlink_metadata("/dev/net/own").expect("the device");
        assert_eq!((own.rdev(), own.mode() & 0o7777), (rustix::fs::makedev(10, 200), 0o640));
        assert_eq!((own.uid(), own.gid()), (7, 8));
        assert_eq!(fs::read_link("/dev/stdin").expect("a link").to_str(), Some("/proc/self/fd/0"));
        assert_eq!(fs::read_link("/dev/ptmx").expect("a link").to_str(), Some("pts/ptmx"));
        assert!(
            Path::new("/dev/console").is_file()
                && Path::new("/dev/pts/ptmx").exists()
                && Path::new("/made/cwd").is_dir()
        );
        assert!(is_readonly(fs::write("/file", "")) && is_readonly(fs::write("/run/file", "")));
        assert!(is_readonly(fs::write("/sys/fs/file", "")) && is_readonly(fs::create_dir("/sys/fs/cgroup/folder")));
        fs::write("/run/volume/file", "").expect("the volume can be written to");
        assert!(!outside.exists(), "nothing of the old root is left");
        // Of threads the kernel's own file is of the first one, which has not moved.
        let table = fs::read_to_string("/proc/thread-self/mountinfo").expect("mountinfo");
        assert!(table.lines().all(|line| !line.contains("shared:") && !line.contains("master:")), "{table}");
    });
}

#[test]
fn masked_paths_show_nothing_and_read_only_paths_can_not_be_written_to() {
    in_namespace(|folders| {
        fs::create_dir_all(folders.root.join("etc/secret")).expect("make");
        fs::write(folders.root.join("etc/secret/file"), "text").expect("write");
        fs::write(folders.root.join("etc/key"), "text").expect("write");
        let hidden = json!({
            "/linux/maskedPaths": ["/proc/uptime", "/etc/secret", "/etc/key", "/proc/fs", "/not/there", "/etc/key/below"],
            "/linux/readonlyPaths": ["/proc/sys", "/not/there"],
        });
        let spec = spec(json!([proc(), dev()]), hidden);
        prepare_and_enter(&folders.root, &spec);

        for file in ["/proc/uptime", "/etc/key"] {
            assert!(fs::metadata(file).expect(file).file_type().is_char_device(), "{file}");
            assert_eq!(fs::read_to_string(file).expect(file), "");
        }
        for folder in ["/etc/secret", "/proc/fs"] {
            assert_eq!(names(folder), [""; 0], "{folder}");
            assert!(is_readonly(fs::write(Path::new(folder).join("file"), "")), "{folder}");
        }
        assert!(is_readonly(fs::write("/proc/sys/kernel/domainname", "x")));
    });
}

#[test]
fn a_read_only_bind_is_so_and_with_all_that_is_mounted_in_it_where_that_is_asked() {
    in_namespace(|folders| {
        let inner = folders.outside.join("inner");
        fs::create_dir(&inner).expect("make");
        mount("inner", &inner, "tmpfs", MountFlags::NOEXEC, None).expect("mount");
        let mounts = json!([
            bind(&folders.outside, "/one", &["rbind", "ro"]),
            bind(&folders.outside, "/all", &["rbind", "ro", "rro"]),
            bind(&folders.outside, "/alone", &["bind", "ro", "noexec"]),
            bind(&inner, "/as-it-is", &["rbind"]),
            bind(&inner, "/other", &["rbind", "nosuid"]),
            proc(),
        ]);
        prepare_and_enter(&folders.root, &spec(mounts, json!({})));

        for folder in ["/one", "/all", "/all/inner", "/alone", "/alone/inner"] {
            assert!(is_readonly(fs::write(Path::new(folder).join("file"), "")), "{folder}");
        }
        fs::write("/one/inner/file", "").expect("only the top was asked for");
        let table = fs::read_to_string("/proc/thread-self/mountinfo").expect("mountinfo");
        let options = |place: &str| {
            let line = table.lines().find(|line| line.split(' ').nth(4) == Some(place)).expect(place);
            line.split(' ').nth(5).expect("options").to_owned()
        };
        assert_eq!(options("/alone"), "ro,noexec,relatime");
        assert_eq!(options("/as-it-is"), "rw,noexec,relatime", "nothing was said");
        assert_eq!(options("/other"), "rw,nosuid,relatime", "that was said, and no more");
    });
}

#[test]
fn a_mount_of_the_node_comes_into_volumes_that_follow_it_and_one_of_the_container_goes_back_from_shared_ones() {
    in_namespace(|folders| {
        let node = folders.outside.clone();
        mount("shared", &node, "tmpfs", MountFlags::empty(), None).expect("mount");
        mount_change(&node, MountPropagationFlags::SHARED).expect("share");
        for folder in ["late", "back", "kept"] {
            fs::create_dir(node.join(folder)).expect("make");
        }
        let words = [("shared", "rshared"), ("slave", "rslave"), ("private", "rprivate")];
        let mounts: Vec<_> =
            words.iter().map(|(name, word)| bind(&node, &format!("/{name}"), &["rbind", word, "rw"])).collect();
        let spec = spec(json!(mounts), json!({ "/linux/rootfsPropagation": "rshared" }));
        let (ready, is_ready) = mpsc::channel();
        let (mounted, is_mounted) = mpsc::channel();
        let (root, outside, spec) = (&folders.root, &node, &spec);
        // Each side has its ends, and lets them go when it fails.
        thread::scope(move |scope| {
            let container = scope.spawn(move || {
                unshare(UnshareFlags::NEWNS).expect("unshare");
                prepare_and_enter(root, spec);
                ready.send(()).expect("the node waits");
                is_mounted.recv().expect("the node mounts");
                let seen = |name: &str| Path::new("/").join(name).join("late/file").exists();
                assert_eq!(words.map(|(name, _)| seen(name)), [true, true, false]);
                mount("back", "/shared/back", "tmpfs", MountFlags::empty(), None).expect("mount");
                fs::write("/shared/back/file", "").expect("write");
                mount("kept", "/slave/kept", "tmpfs", MountFlags::empty(), None).expect("mount");
                fs::write("/slave/kept/file", "").expect("write");
            });
            is_ready.recv().expect("the container is ready");
            mount("late", outside.join("late"), "tmpfs", MountFlags::empty(), None).expect("mount");
            fs::write(outside.join("late/file"), "").expect("write");
            mounted.send(()).expect("the container waits");
            container.join().expect("the container");
        });
        assert!(node.join("back/file").exists() && !node.join("kept/file").exists());
        let table = fs::read_to_string("/proc/thread-self/mountinfo").expect("mountinfo");
        let root = folders.root.to_str().expect("text");
        let below = table.lines().filter(|line| line.split(' ').nth(4).is_some_and(|at| at.starts_with(root)));
        assert_eq!(below.count(), 1, "nothing of what the container has mounted is seen: {table}");
    });
}

#[test]
fn the_terminal_of_the_containers_own_devpts_is_its_console_and_nothing_else_is() {
    in_namespace(|folders| {
        let devpts = json!({ "destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666"] });
        let spec = spec(json!([proc(), dev(), devpts]), json!({ "/process/terminal": true }));
        let without = place(&folders.root, &spec);
        prepare(&without).expect("prepare");
        let null = fs::File::open(folders.root.join("dev/null")).expect("open");
        let refused = enter(&Place { terminal: Some(null.as_fd()), ..without }).expect_err("no terminal");
        assert!(refused.to_string().contains("/dev/console: the terminal is none"), "{refused}");

        let master = fs::File::options().read(true).write(true).open(folders.root.join("dev/pts/ptmx")).expect("open");
        rustix::pty::unlockpt(&master).expect("unlock");
        let flags = rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY;
        let terminal = rustix::pty::ioctl_tiocgptpeer(&master, flags).expect("a terminal");
        enter(&Place { terminal: Some(terminal.as_fd()), ..place(&folders.root, &spec) }).expect("enter");
        let (own, console) = (fs::metadata("/dev/pts/0").expect("own"), fs::metadata("/dev/console").expect("console"));
        assert_eq!((own.rdev(), own.dev(), own.ino()), (console.rdev(), console.dev(), console.ino()));
    });
}
