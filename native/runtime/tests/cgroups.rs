//! Cgroups of containers, real ones, below one of this program's own. It forks, so it has a main function. It needs root.

use cgroup::{CgroupPath, Cgroups, Hierarchy};
use runtime::{
    cgroups,
    error::RuntimeError,
    spec::{Linux, Resources},
};
use rustix::{
    fs::{CWD, FileType, Mode, OFlags, makedev, mknodat, open},
    io::{Errno, read},
    pipe::{PipeFlags, pipe_with},
    process::{Pid, Signal, WaitOptions, WaitStatus, geteuid, kill_process, waitpid},
};
use std::{
    fs,
    os::fd::AsFd,
    path::PathBuf,
    process::{Command, ExitCode, exit},
};
use sys::process::{Fork, fork, fork_into};

type Test = (&'static str, fn(&Host));

const TESTS: &[Test] = &[
    ("a new process is in the leaf of every hierarchy, and the runtime in none", all_hierarchies),
    ("limits are those of the spec, and what is not given is the pod's", limits),
    ("a limit that the kernel refuses leaves no leaf", refused_limit),
    ("a container that may use few devices has those that every container has", few_devices),
    ("on v2 a program of the kernel's says which devices those are", filter_of_v2),
    ("a privileged container may use all devices", all_devices),
    ("half a mebibyte is enough to run a program", small_memory),
    ("what is in the cgroup, and below it, is killed with it", kill),
    ("a cgroup that is not there is removed already, and a leaf that was left is made anew", again),
];

fn main() -> ExitCode {
    if !geteuid().is_root() {
        println!("cgroups: skipped: only root can make cgroups");
        return ExitCode::SUCCESS;
    }
    let host = Host::new();
    let status = match fork().expect("fork") {
        Fork::Parent(tests) => end_of(Pid::from_raw(tests).expect("pid")),
        Fork::Child => {
            for (name, test) in TESTS {
                test(&host);
                println!("test {name} ... ok");
            }
            exit(0);
        }
    };
    // However they ended.
    host.remove();
    if status.exit_status() == Some(0) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// This host's cgroups, and one that stands for a pod's.
struct Host {
    cgroups: Cgroups,
    pod: String,
    folder: PathBuf,
}

impl Host {
    fn new() -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("cgroups-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("make folder");
        let pod = format!("/berth-test-{}", std::process::id());
        Self { cgroups: Cgroups::detect_once().expect("cgroups"), pod, folder }
    }

    fn leaf(&self) -> String {
        format!("{}/leaf", self.pod)
    }

    /// @param resources as of config.json
    fn linux(&self, resources: &str) -> Linux {
        let resources: Resources = serde_json::from_str(resources).expect("resources");
        let linux = format!(r#"{{"namespaces":[],"cgroupsPath":"{}","resources":{{}}}}"#, self.leaf());
        Linux { resources, ..serde_json::from_str(&linux).expect("linux") }
    }

    fn leaf_below(&self, hierarchy: &Hierarchy) -> PathBuf {
        CgroupPath::parse(&self.leaf()).expect("path").under(&hierarchy.mount)
    }

    /// A file of the leaf; `None` when this host has no such one.
    fn value(&self, file: &str) -> Option<String> {
        let folders = self.cgroups.hierarchies.iter().map(|each| self.leaf_below(each));
        folders
            .filter_map(|folder| fs::read_to_string(folder.join(file)).ok())
            .next()
            .map(|text| text.trim().to_owned())
    }

    fn is_there(&self) -> bool {
        self.cgroups.hierarchies.iter().any(|each| self.leaf_below(each).exists())
    }

    /// A child at work in a new leaf.
    fn start(&self, resources: &str, work: impl FnOnce() -> i32) -> Pid {
        start(cgroups::make(&self.linux(resources)).expect("make"), work)
    }

    /// Runs it in a new leaf, which is removed. @param work gives an exit code
    fn run(&self, resources: &str, work: impl FnOnce() -> i32) -> WaitStatus {
        let status = end_of(self.start(resources, work));
        cgroups::remove(&self.leaf()).expect("remove");
        status
    }

    fn remove(&self) {
        cgroups::remove(&self.pod).expect("remove");
        fs::remove_dir_all(&self.folder).expect("remove folder");
    }
}

/// Returns when the child is there.
fn start(mut place: cgroups::Place, work: impl FnOnce() -> i32) -> Pid {
    let (entered, has_entered) = pipe_with(PipeFlags::CLOEXEC).expect("pipe");
    match place.fork().expect("fork") {
        Fork::Parent(pid) => {
            drop(has_entered);
            let told = read(&entered, &mut [0]).expect("read");
            assert_eq!(told, 0, "closed");
            Pid::from_raw(pid).expect("pid")
        }
        Fork::Child => {
            place.enter().expect("enter");
            drop(has_entered);
            exit(work())
        }
    }
}

fn end_of(child: Pid) -> WaitStatus {
    waitpid(Some(child), WaitOptions::empty()).expect("wait").expect("status").1
}

fn all_hierarchies(host: &Host) {
    let leaf = host.leaf();
    let own = || fs::read_to_string("/proc/self/cgroup").expect("read");
    let before = own();
    let expected = host.cgroups.hierarchies.len();
    let status = host.run("{}", || {
        let text = own();
        let inside = text.lines().filter(|line| line.ends_with(&leaf)).count();
        i32::from(inside != expected)
    });
    assert_eq!(status.exit_status(), Some(0), "{expected} hierarchies");
    assert_eq!(own(), before);
    assert!(!host.is_there());
}

fn limits(host: &Host) {
    let resources =
        r#"{"memory":{"limit":67108864},"cpu":{"shares":512,"quota":20000,"period":50000},"pids":{"limit":7}}"#;
    let work = || {
        let found = |v1: &str, v2: &str| host.value(if host.cgroups.is_v2() { v2 } else { v1 });
        let cpu = ["cpu.cfs_quota_us", "cpu.cfs_period_us"].map(|file| host.value(file)).into_iter().flatten();
        let bandwidth = host.value("cpu.max").unwrap_or_else(|| cpu.collect::<Vec<_>>().join(" "));
        assert_eq!(found("memory.limit_in_bytes", "memory.max").as_deref(), Some("67108864"));
        assert_eq!(found("cpu.shares", "cpu.weight").as_deref(), Some(if host.cgroups.is_v2() { "20" } else { "512" }));
        assert_eq!(bandwidth, "20000 50000");
        assert_eq!(host.value("pids.max").as_deref(), Some("7"));
        if !host.cgroups.is_v2() {
            let root = host.cgroups.mount_of("cpuset").expect("cpuset").join("cpuset.cpus");
            assert_eq!(host.value("cpuset.cpus").as_deref(), Some(fs::read_to_string(root).expect("read").trim()));
        }
        0
    };
    assert_eq!(host.run(resources, work).exit_status(), Some(0));
    let narrow = r#"{"cpu":{"cpus":"0","mems":"0"}}"#;
    let status = host.run(narrow, || i32::from(host.value("cpuset.cpus").as_deref() != Some("0")));
    assert_eq!(status.exit_status(), Some(0));
}

fn refused_limit(host: &Host) {
    let failure = cgroups::make(&host.linux(r#"{"cpu":{"quota":1,"period":100000}}"#)).err().expect("a quota of 1 µs");
    assert!(matches!(failure, RuntimeError::Cgroup(_)), "{failure}");
    assert!(!host.is_there());
    let unknown = r#"{"devices":[{"allow":true,"type":"p","access":"r"}]}"#;
    assert!(cgroups::make(&host.linux(unknown)).is_err());
    assert!(!host.is_there());
}

/// What opening a device for reading, or for writing, comes to.
fn reach(host: &Host, kind: FileType, (major, minor): (u32, u32), flags: OFlags) -> Option<Errno> {
    let node = host.folder.join("node");
    let _ = fs::remove_file(&node);
    mknodat(CWD, &node, kind, Mode::RUSR, makedev(major, minor)).expect("any device can be made");
    open(&node, flags | OFlags::NONBLOCK, Mode::empty()).err()
}

const READ: OFlags = OFlags::RDONLY;
const BOTH: OFlags = OFlags::RDWR;
const CHARACTER: FileType = FileType::CharacterDevice;
const BLOCK: FileType = FileType::BlockDevice;
/// Of a driver that no kernel has: neither is there to be opened, but whether it may be is asked first.
const NOBODY: (u32, u32) = (511, 77);

const FEW_DEVICES: &str = r#"[{"allow":true,"access":"rwm"},{"allow":false,"access":"rwm"},
    {"allow":true,"type":"b","major":511,"minor":77,"access":"r"},{"allow":true,"type":"c","major":511,"access":"rw"}]"#;

fn few_devices(host: &Host) {
    let status = host.run(&format!(r#"{{"devices":{FEW_DEVICES}}}"#), || reach_few(host));
    assert_eq!(status.exit_status(), Some(0));
}

fn reach_few(host: &Host) -> i32 {
    for (device, name) in
        [((1, 3), "null"), ((1, 5), "zero"), ((1, 7), "full"), ((1, 8), "random"), ((1, 9), "urandom")]
    {
        assert_eq!(reach(host, CHARACTER, device, BOTH), None, "{name}");
    }
    assert_ne!(reach(host, CHARACTER, (136, 9999), BOTH), Some(Errno::PERM), "terminals");
    assert_eq!(reach(host, CHARACTER, (1, 1), READ), Some(Errno::PERM), "memory");
    assert_eq!(reach(host, CHARACTER, (10, 200), BOTH), Some(Errno::PERM), "tun");
    assert_eq!(reach(host, BLOCK, (7, 0), READ), Some(Errno::PERM), "a loop device");
    assert_ne!(reach(host, BLOCK, NOBODY, READ), Some(Errno::PERM));
    assert_eq!(reach(host, BLOCK, NOBODY, BOTH), Some(Errno::PERM), "only reading is allowed");
    assert_eq!(reach(host, BLOCK, (511, 78), READ), Some(Errno::PERM));
    assert_ne!(reach(host, CHARACTER, (511, 78), BOTH), Some(Errno::PERM), "any minor number");
    0
}

/// A hybrid host has a tree of v2 too, whose cgroups have such programs as well.
fn filter_of_v2(host: &Host) {
    let cgroups = Cgroups::detect().expect("cgroups");
    let Some(tree) = cgroups.unified else { return };
    let folder = CgroupPath::parse(&host.pod).expect("path").under(&tree);
    fs::create_dir(&folder).expect("make");
    let opened = open(&folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).expect("open");
    let rules = cgroups::device_rules::of(&serde_json::from_str::<Vec<_>>(FEW_DEVICES).expect("rules")).expect("rules");
    cgroups::devices_v2::apply(opened.as_fd(), &rules).expect("apply");
    let status = match fork_into(opened.as_fd()).expect("fork") {
        Fork::Parent(pid) => end_of(Pid::from_raw(pid).expect("pid")),
        Fork::Child => exit(reach_few(host)),
    };
    fs::remove_dir(&folder).expect("remove");
    assert_eq!(status.exit_status(), Some(0));
}

fn all_devices(host: &Host) {
    let given = r#"{"devices":[{"allow":true,"access":"rwm"}]}"#;
    let work = || {
        assert_ne!(reach(host, CHARACTER, (10, 200), BOTH), Some(Errno::PERM));
        assert_ne!(reach(host, BLOCK, NOBODY, BOTH), Some(Errno::PERM));
        0
    };
    assert_eq!(host.run(given, work).exit_status(), Some(0));
}

fn small_memory(host: &Host) {
    let status = host.run(r#"{"memory":{"limit":524288}}"#, || {
        use std::os::unix::process::CommandExt;
        panic!("{}", Command::new("/bin/true").exec());
    });
    assert_eq!(status.exit_status(), Some(0));
}

fn sleep_for_ever() -> i32 {
    loop {
        std::thread::park();
    }
}

fn kill(host: &Host) {
    let child = host.start("{}", sleep_for_ever);
    let leaf = CgroupPath::parse(&host.leaf()).expect("path");
    let below = CgroupPath::parse(&format!("{leaf}/below/it")).expect("path");
    if host.cgroups.is_v2() {
        // A shim does so: controllers are not handed on from where processes are.
        fs::create_dir_all(below.under(&host.cgroups.hierarchies[0].mount)).expect("below");
    } else {
        host.cgroups.create(&below).expect("below");
    }
    let other = start(cgroups::open(&format!("{leaf}/below"), Some("it")).expect("open"), sleep_for_ever);
    cgroups::remove(&host.leaf()).expect("remove");
    assert!(!host.is_there());
    for child in [child, other] {
        assert_eq!(end_of(child).terminating_signal(), Some(Signal::KILL.as_raw()));
    }
}

fn again(host: &Host) {
    cgroups::remove(&host.leaf()).expect("there is none");
    drop(cgroups::make(&host.linux(r#"{"pids":{"limit":7}}"#)).expect("make"));
    let status = host.run("{}", || i32::from(host.value("pids.max").as_deref() != Some("max")));
    assert_eq!(status.exit_status(), Some(0), "no limit of an earlier attempt is left");
    let child = host.start("{}", sleep_for_ever);
    assert!(cgroups::make(&host.linux("{}")).is_err(), "one that is in use is another's");
    assert!(host.is_there());
    kill_process(child, Signal::KILL).expect("kill");
    end_of(child);
    cgroups::remove(&host.leaf()).expect("remove");
}
