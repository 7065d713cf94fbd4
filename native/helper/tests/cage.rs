//! That the unpacker is shut in, tried from inside: this program runs itself as the one that is to be shut in, and the real
//! helper. It needs root.

#![allow(dead_code)]

#[path = "../src/confine.rs"]
mod confine;
#[path = "../src/error.rs"]
mod error;
#[path = "../src/filter.rs"]
mod filter;
#[path = "../src/pieces.rs"]
mod pieces;

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, makedev, mknodat, openat},
    io::Errno,
    process::{Pid, Signal, geteuid, getpid, kill_process},
};
use std::{
    collections::HashMap,
    env, fs, hint,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, ExitStatus, Stdio, abort},
    thread,
    time::{Duration, Instant},
};
use wire::copy_piece::Piece;

const SURVIVED: u8 = 77;
const SIGSYS: i32 = Signal::SYS.as_raw();
/// CHOWN, DAC_OVERRIDE, FOWNER, FSETID, MKNOD and SETFCAP
const CAPABILITIES: u64 = 1 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 27 | 1 << 31;

type Test = (&'static str, fn(&Path));

const TESTS: &[Test] = &[
    ("each call that reading an archive does not take ends the process", forbidden_calls_kill),
    ("memory of all sizes can be had, and a device of the layer can't be opened", allowed_work_is_done),
    ("a panic of the copier is told to who asked for the copy", a_panic_is_told),
    ("a status is passed on, and so is a signal", endings_are_passed_on),
    ("the real unpacker has a PID namespace, few capabilities and a filter before it reads", real_unpacker_is_shut_in),
    ("the reader ends with its parent, and that with the thread that started it", nobody_outlives_the_other),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["inside", what] => return inside(what),
        ["inside", "call", number] => {
            return confine::run(|folder| {
                folder.expect("shut in");
                let _ = sys::probe::calls()[number.parse::<usize>().expect("number")].make();
                ExitCode::from(SURVIVED)
            });
        }
        _ => {}
    }
    if !geteuid().is_root() {
        println!("cage: skipped: only root can be shut in");
        return ExitCode::SUCCESS;
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("cage-{}", std::process::id()));
    for (name, test) in TESTS {
        fs::create_dir_all(&folder).expect("make folder");
        test(&folder);
        fs::remove_dir_all(&folder).expect("remove folder");
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

/// Runs this program with these arguments in the folder.
fn run_inside(folder: &Path, arguments: &[&str]) -> ExitStatus {
    Command::new(env::current_exe().expect("own path"))
        .arg("inside")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("run")
}

fn inside(what: &str) -> ExitCode {
    confine::run(|folder| {
        let folder = folder.expect("shut in");
        match what {
            "abort" => abort(),
            "status" => ExitCode::from(42),
            "panic" => {
                pieces::tell_of_panics();
                panic!("as it was told to");
            }
            _ => work(folder),
        }
    })
}

fn work(folder: std::os::fd::OwnedFd) -> ExitCode {
    // Small and large, grown and given back; and what asks for random numbers.
    let mut bytes = Vec::new();
    for size in (0..26).map(|power| 1usize << power) {
        bytes.resize(size, 1u8);
        hint::black_box(&bytes);
    }
    bytes.shrink_to(100);
    let map: HashMap<usize, Vec<u8>> = (0..1000).map(|number| (number, vec![0; number * 10])).collect();
    hint::black_box(map);
    mknodat(&folder, "null", FileType::CharacterDevice, Mode::RUSR, makedev(1, 3)).expect("make device");
    let open = |name| openat(CWD, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map(|_| ());
    assert_eq!(open("/null"), Err(Errno::ACCESS));
    assert_eq!(open("/proc"), Err(Errno::NOENT));
    assert_eq!(open("/../../../../etc"), Err(Errno::NOENT));
    assert_eq!(getpid(), Pid::from_raw(1).expect("pid"));
    ExitCode::SUCCESS
}

fn forbidden_calls_kill(folder: &Path) {
    let mut survived = Vec::new();
    for (number, call) in sys::probe::calls().iter().enumerate() {
        let status = run_inside(folder, &["call", &number.to_string()]);
        if status.signal() != Some(SIGSYS) {
            survived.push((call.name, status));
        }
    }
    assert!(survived.is_empty(), "not refused: {survived:?}");
    println!("{} calls were tried", sys::probe::calls().len());
}

fn allowed_work_is_done(folder: &Path) {
    let status = run_inside(folder, &["work"]);
    assert!(status.success(), "{status}");
}

fn a_panic_is_told(folder: &Path) {
    let ended = Command::new(env::current_exe().expect("own path"))
        .args(["inside", "panic"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("run");
    let mut decoder = wire::Decoder::default();
    decoder.push(&ended.stdout);
    let told: Option<wire::CopyPiece> = decoder.next_message().expect("a piece");
    let Some(Piece::Failure(failure)) = told.and_then(|told| told.piece) else { panic!("{ended:?}") };
    assert!(failure.message.contains("the copier failed") && failure.message.contains("as it was told to"));
}

fn endings_are_passed_on(folder: &Path) {
    assert_eq!(run_inside(folder, &["status"]).code(), Some(42));
    // The first process of a namespace does not hear its own SIGABRT, and falls on the instruction after it.
    let aborted = run_inside(folder, &["abort"]);
    assert!(matches!(aborted.signal(), Some(libc::SIGABRT | libc::SIGSEGV)), "{aborted}");
}

/// The real helper's verb, which waits for the first byte of an archive that never comes.
fn start_unpacker(folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_berth-helper"))
        .args(["unpack-layer", "none", "1000", "1000", "1000", "layer"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the unpacker")
}

fn real_unpacker_is_shut_in(folder: &Path) {
    let mut parent = start_unpacker(folder);
    let reader = reader_of(parent.id());
    let status = fs::read_to_string(format!("/proc/{reader}/status")).expect("read status");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.expect("field").split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    for name in ["CapEff", "CapPrm"] {
        assert_eq!(u64::from_str_radix(&field(name)[0], 16), Ok(CAPABILITIES), "{name}");
    }
    for name in ["CapInh", "CapAmb"] {
        assert_eq!(u64::from_str_radix(&field(name)[0], 16), Ok(0), "{name}");
    }
    assert_eq!(field("NSpid").last().map(String::as_str), Some("1"));
    assert_eq!(
        (field("NoNewPrivs"), field("Seccomp"), field("Threads")),
        (vec!["1".into()], vec!["2".into()], vec!["1".into()])
    );
    for namespace in ["mnt", "net", "ipc", "uts", "pid"] {
        let of = |process: &str| fs::read_link(format!("/proc/{process}/ns/{namespace}")).expect("read namespace");
        assert_ne!(of(&reader.to_string()), of("self"), "{namespace}");
    }
    let mounts = fs::read_to_string(format!("/proc/{reader}/mountinfo")).expect("read mounts");
    let options = mounts.split(' ').nth(5).expect("options");
    assert_eq!(mounts.lines().count(), 1);
    assert!(
        ["nosuid", "nodev", "noexec"].iter().all(|option| options.split(',').any(|has| has == *option)),
        "{mounts}"
    );
    drop(parent.stdin.take());
    assert!(parent.wait().expect("wait").success());
}

fn nobody_outlives_the_other(folder: &Path) {
    let mut parent = start_unpacker(folder);
    let reader = reader_of(parent.id());
    parent.kill().expect("kill");
    parent.wait().expect("wait");
    wait_until("the reader has ended", || has_ended(reader));

    let starter = folder.to_owned();
    let (mut parent, reader) = thread::spawn(move || {
        let parent = start_unpacker(&starter);
        let reader = reader_of(parent.id());
        (parent, reader)
    })
    .join()
    .expect("thread");
    assert_eq!(parent.wait().expect("wait").signal(), Some(libc::SIGKILL));
    wait_until("the reader has ended", || has_ended(reader));

    // And the parent with the reader.
    let mut parent = start_unpacker(folder);
    kill_process(Pid::from_raw(reader_of(parent.id())).expect("pid"), Signal::KILL).expect("kill");
    assert_eq!(parent.wait().expect("wait").signal(), Some(libc::SIGKILL));
}

/// The child of the process, once it reads.
fn reader_of(parent: u32) -> i32 {
    let mut reader = None;
    wait_until("there is a reader that is shut in", || {
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        reader = children.split_whitespace().next().and_then(|pid| pid.parse::<i32>().ok());
        let status = reader.and_then(|reader| fs::read_to_string(format!("/proc/{reader}/status")).ok());
        status.is_some_and(|status| status.contains("Seccomp:\t2"))
    });
    reader.expect("reader")
}

fn has_ended(process: i32) -> bool {
    // One that nobody has reaped yet has ended too.
    fs::read_to_string(format!("/proc/{process}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !happened() {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
