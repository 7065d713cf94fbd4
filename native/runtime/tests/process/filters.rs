//! Filters, as the kernel applies them: to getpriority(2), of which 32 bits of each argument count and which changes nothing.

use crate::{
    Test,
    subject::{Subject, text},
};
use runtime::{seccomp::Filter, spec::Seccomp};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{fs, os::unix::process::ExitStatusExt, process::ExitCode};
use sys::probe::{Abi, priority};

pub const TESTS: &[Test] = &[
    ("a call fails with the error of its rule, and with EPERM where that names none", errors_of_rules),
    ("what no rule names fails with the default error", default_error),
    ("a call that is newer than all that a profile names is told not to exist", newer_calls),
    ("a call can be the end of the process", endings),
    ("a rule holds for the values that its operator says", operators),
    ("a masked comparison has the mask in front of the value", masked),
    ("a filter compares 64 bits of an argument", wide_arguments),
    ("all conditions of a rule have to be true, but one of those of the same argument is enough", many_conditions),
    ("a filter is of all architectures of the profile, and others end the process", architectures),
    ("what changes nothing is left out: unknown names, what is done anyway, what is said twice", nothing_new),
    ("a filter is set for another user too, with and without new privileges", other_users),
    ("a filter does not hinder the setting of what the process is", late_filter),
    ("a profile that is not understood is refused", misunderstood),
    ("a filter that the kernel would not take is refused", too_long),
    ("a filter that was made before is taken as it is", compiled),
    ("a file that is no filter is refused", wrong_files),
];

/// "native 0 0": what this program does when it is the command. Prints what the kernel says.
pub fn ask_priority(abi: &str, which: &str, who: &str) -> ExitCode {
    let abi = match abi {
        #[cfg(target_arch = "x86_64")]
        "x32" => Abi::X32,
        #[cfg(target_arch = "x86_64")]
        "i386" => Abi::I386,
        _ => Abi::Native,
    };
    println!("{}", priority(abi, which.parse().expect("which"), who.parse().expect("who")));
    ExitCode::SUCCESS
}

/// What the kernel says to this process, and to those that it starts.
fn allowed() -> String {
    priority(Abi::Native, 0, 0).to_string()
}

fn ask(subject: &mut Subject, abi: &str, which: u64, who: u64) -> String {
    asking(subject, abi, which, who).output()
}

fn asking<'a>(subject: &'a mut Subject, abi: &str, which: u64, who: u64) -> &'a Subject {
    // Of another user nobody knows whether it may run this program.
    subject.process["user"]["uid"] = json!(0);
    subject.process["args"] = json!(["/proc/self/exe", "priority", abi, which.to_string(), who.to_string()]);
    subject
}

/// Allows all that no rule says anything else of.
fn profile(rules: Value) -> Option<Value> {
    Some(json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules }))
}

fn errors_of_rules(subject: &mut Subject) {
    assert_eq!(ask(subject, "native", 0, 0), allowed());
    subject.seccomp = profile(json!([{ "names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18 }]));
    assert_eq!(ask(subject, "native", 0, 0), "-18");
    subject.seccomp = profile(json!([{ "names": ["getpriority"], "action": "SCMP_ACT_ERRNO" }]));
    assert_eq!(ask(subject, "native", 0, 0), "-1");
    // Nobody traces it.
    subject.seccomp = profile(json!([{ "names": ["getpriority"], "action": "SCMP_ACT_TRACE", "errnoRet": 9 }]));
    assert_eq!(ask(subject, "native", 0, 0), "-38");
    subject.seccomp = profile(json!([{ "names": ["getpriority"], "action": "SCMP_ACT_LOG" }]));
    assert_eq!(ask(subject, "native", 0, 0), allowed());
}

/// What a static program makes between its start and its end.
const OF_EVERY_PROGRAM: &[&str] = &[
    "access",
    "arch_prctl",
    "brk",
    "close",
    "execve",
    "exit",
    "exit_group",
    "fcntl",
    "fstat",
    "getrandom",
    "gettid",
    "ioctl",
    "lseek",
    "madvise",
    "mmap",
    "mprotect",
    "munmap",
    "newfstatat",
    "open",
    "openat",
    "poll",
    "prctl",
    "prlimit64",
    "read",
    "readlink",
    "readlinkat",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "sched_getaffinity",
    "set_robust_list",
    "set_tid_address",
    "sigaltstack",
    "statx",
    "uname",
    "write",
    "writev",
];

fn default_error(subject: &mut Subject) {
    let rules = json!([{ "names": OF_EVERY_PROGRAM, "action": "SCMP_ACT_ALLOW" }]);
    subject.seccomp = Some(json!({ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": rules }));
    assert_eq!(ask(subject, "native", 0, 0), "-38");
    subject.seccomp = Some(json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules }));
    assert_eq!(ask(subject, "native", 0, 0), "-1");
}

fn newer_calls(subject: &mut Subject) {
    let mut answers = |default: &str| {
        let rules = json!([{ "names": OF_EVERY_PROGRAM, "action": "SCMP_ACT_ALLOW" }]);
        subject.seccomp = Some(json!({ "defaultAction": default, "syscalls": rules }));
        subject.process["user"]["uid"] = json!(0);
        subject.process["args"] = json!(["/proc/self/exe", "unknown"]);
        subject.run()
    };
    assert_eq!(text(&answers("SCMP_ACT_ERRNO").stdout), "-38");
    // Whoever wants an end gets it.
    assert_eq!(answers("SCMP_ACT_KILL_PROCESS").status.signal(), Some(Signal::SYS.as_raw()));
}

fn endings(subject: &mut Subject) {
    for action in ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"] {
        subject.seccomp = profile(json!([{ "names": ["getpriority"], "action": action }]));
        let status = asking(subject, "native", 0, 0).run().status;
        assert_eq!(status.signal(), Some(Signal::SYS.as_raw()), "{action}: {status}");
    }
}

/// What comes of the values of the first argument from 0 on, as "x" for refused.
fn refused_of(subject: &mut Subject, args: Value, values: impl IntoIterator<Item = u64>) -> String {
    subject.seccomp =
        profile(json!([{ "names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18, "args": args }]));
    values.into_iter().map(|value| if ask(subject, "native", value, 0) == "-18" { 'x' } else { '.' }).collect()
}

fn operators(subject: &mut Subject) {
    let cases = [
        ("SCMP_CMP_EQ", ".x."),
        ("SCMP_CMP_NE", "x.x"),
        ("SCMP_CMP_LT", "x.."),
        ("SCMP_CMP_LE", "xx."),
        ("SCMP_CMP_GT", "..x"),
        ("SCMP_CMP_GE", ".xx"),
    ];
    for (operator, refused) in cases {
        let args = json!([{ "index": 0, "value": 1, "op": operator }]);
        assert_eq!(refused_of(subject, args, 0..3), refused, "{operator}");
    }
}

fn masked(subject: &mut Subject) {
    let args = json!([{ "index": 0, "value": 6, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ" }]);
    assert_eq!(refused_of(subject, args, 0..8), "..xx....");
}

fn wide_arguments(subject: &mut Subject) {
    const HIGH: u64 = 1 << 32;
    let equal = json!([{ "index": 0, "value": 2, "op": "SCMP_CMP_EQ" }]);
    assert_eq!(refused_of(subject, equal, [2, HIGH | 2]), "x.");
    let masked = json!([{ "index": 0, "value": u32::MAX, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ" }]);
    assert_eq!(refused_of(subject, masked, [2, HIGH | 2]), "xx");
    let greater = json!([{ "index": 0, "value": HIGH, "op": "SCMP_CMP_GE" }]);
    assert_eq!(refused_of(subject, greater, [2, HIGH | 2]), ".x");
}

fn many_conditions(subject: &mut Subject) {
    let equal = |index: u32, value: u32| json!({ "index": index, "value": value, "op": "SCMP_CMP_EQ" });
    assert_eq!(refused_of(subject, json!([equal(0, 1), equal(1, 0)]), 0..3), ".x.");
    assert_eq!(refused_of(subject, json!([equal(0, 1), equal(1, 5)]), 0..3), "...");
    assert_eq!(refused_of(subject, json!([equal(0, 1), equal(0, 2)]), 0..4), ".xx.");
}

#[cfg(target_arch = "x86_64")]
fn architectures(subject: &mut Subject) {
    subject.seccomp = profile(json!([{ "names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18 }]));
    for abi in ["x32", "i386"] {
        let status = asking(subject, abi, 0, 0).run().status;
        assert_eq!(status.signal(), Some(Signal::SYS.as_raw()), "{abi}: {status}");
    }
    subject.seccomp.as_mut().expect("a profile")["architectures"] =
        json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
    for abi in ["native", "x32", "i386"] {
        assert_eq!(ask(subject, abi, 0, 0), "-18", "{abi}");
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn architectures(_: &mut Subject) {}

fn nothing_new(subject: &mut Subject) {
    subject.seccomp = profile(json!([
        { "names": ["berth_nothing", "socketcall", "getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18 },
        { "names": ["getpriority", "getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18 },
        { "names": ["getpriority", "getpid"], "action": "SCMP_ACT_ALLOW" },
    ]));
    assert_eq!(ask(subject, "native", 0, 0), "-18");
}

fn other_users(subject: &mut Subject) {
    subject.seccomp = profile(json!([{ "names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 18 }]));
    for no_new_privileges in [true, false] {
        subject.process["noNewPrivileges"] = json!(no_new_privileges);
        subject.process["user"]["uid"] = json!(1234);
        assert_eq!(subject.status("Seccomp"), "2");
        assert_eq!(subject.status("NoNewPrivs"), if no_new_privileges { "1" } else { "0" });
        assert_eq!(subject.status("CapBnd"), "0000000000002001");
    }
}

// Between the filter and the exec there is no call that a program would not make itself.
fn late_filter(subject: &mut Subject) {
    let rules = json!([{ "names": OF_EVERY_PROGRAM, "action": "SCMP_ACT_ALLOW" }]);
    subject.seccomp = Some(json!({ "defaultAction": "SCMP_ACT_KILL_PROCESS", "syscalls": rules }));
    let output = asking(subject, "native", 0, 0).run();
    assert_eq!(output.status.signal(), Some(Signal::SYS.as_raw()), "{}", text(&output.stderr));
    subject.seccomp.as_mut().expect("a profile")["syscalls"][0]["names"] =
        OF_EVERY_PROGRAM.iter().copied().chain(["getpriority"]).collect();
    assert_eq!(ask(subject, "native", 0, 0), allowed());
}

fn made(profile: Option<Value>) -> Result<Filter, String> {
    let profile: Seccomp = serde_json::from_value(profile.expect("a profile")).expect("the form of a profile");
    Filter::make(&profile, None).map_err(|failure| failure.to_string())
}

fn misunderstood(_: &mut Subject) {
    let refused = |profile| made(profile).expect_err("refused").replace("compile the seccomp profile: ", "");
    let rule = |action: &str, errno: u32, op: &str, index: u32| {
        let args = json!([{ "index": index, "value": 0, "op": op }]);
        profile(json!([{ "names": ["getpriority"], "action": action, "errnoRet": errno, "args": args }]))
    };
    let with = |field: &str, value: &str| {
        let mut whole = profile(json!([]));
        whole.as_mut().expect("a profile")[field] = json!([value]);
        whole
    };
    assert_eq!(refused(rule("SCMP_ACT_ERRNO", 4096, "SCMP_CMP_EQ", 0)), "error 4096 is over 4095");
    assert_eq!(refused(rule("SCMP_ACT_DENY", 1, "SCMP_CMP_EQ", 0)), "action \"SCMP_ACT_DENY\" is not known");
    assert!(refused(rule("SCMP_ACT_NOTIFY", 1, "SCMP_CMP_EQ", 0)).contains("nobody"));
    assert_eq!(refused(rule("SCMP_ACT_ERRNO", 1, "SCMP_CMP_IN", 0)), "operator \"SCMP_CMP_IN\" is not known");
    assert!(refused(rule("SCMP_ACT_ERRNO", 1, "SCMP_CMP_EQ", 6)).starts_with("rule for getpriority: "));
    assert_eq!(refused(with("architectures", "SCMP_ARCH_PDP11")), "architecture \"SCMP_ARCH_PDP11\" is not known");
    assert_eq!(refused(with("flags", "SECCOMP_FILTER_FLAG_NO")), "flag \"SECCOMP_FILTER_FLAG_NO\" is not known");
    let flags = made(with("flags", "SECCOMP_FILTER_FLAG_LOG")).expect("a filter").flags;
    assert_eq!(flags, sys::seccomp::LOG);
}

/// Of as many values as given.
fn long_profile(values: u32) -> Option<Value> {
    let rule = |value: u32| json!({ "names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "args": [{ "index": 0, "value": value, "op": "SCMP_CMP_EQ" }] });
    profile((0..values).map(rule).collect())
}

fn too_long(subject: &mut Subject) {
    let failure = made(long_profile(4200)).expect_err("refused");
    assert!(failure.ends_with("instructions, and the kernel takes 4096"), "{failure}");
    subject.seccomp = long_profile(500);
    assert_eq!(ask(subject, "native", 499, 0), "-1");
}

fn compiled(subject: &mut Subject) {
    let refusing =
        |errno: u32| profile(json!([{ "names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno }]));
    let file = subject.folder.join("seccomp.bpf");
    let filter = made(refusing(18)).expect("a filter");
    filter.write(&file).expect("write");
    assert_eq!(Filter::read(5, &file).map(|read| (read.program, read.flags)).ok(), Some((filter.program.clone(), 5)));
    // Of another profile, so that one sees which of the two it was.
    subject.seccomp = refusing(22);
    subject.compiled = Some(base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &filter.program));
    assert_eq!(ask(subject, "native", 0, 0), "-18");
    for wrong in ["", "!", "AAAA"] {
        subject.compiled = Some(wrong.to_owned());
        assert!(subject.failure().starts_with("read the compiled seccomp filter: "), "{wrong:?}");
    }
}

fn wrong_files(subject: &mut Subject) {
    let file = subject.folder.join("seccomp.bpf");
    for length in [0, 7, 12, 32 * 1024 + 8] {
        fs::write(&file, vec![0; length]).expect("write");
        let failure = Filter::read(0, &file).expect_err("refused").to_string();
        assert!(failure.starts_with(&format!("read {}: ", file.display())), "{failure}");
    }
    fs::write(&file, vec![0; 32 * 1024]).expect("write");
    assert_eq!(Filter::read(0, &file).map(|filter| filter.program.len()).ok(), Some(32 * 1024));
}
