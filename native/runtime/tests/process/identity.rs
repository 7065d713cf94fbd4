//! Who the process is, and where.

use crate::{Test, subject::Subject};
use serde_json::json;
use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, Permissions},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink},
};

pub const TESTS: &[Test] = &[
    ("a process has its user, its group and no other groups than its own", ids),
    ("root has the capabilities of its sets, and no program of it will ever have others", capabilities_of_root),
    ("another user has the ambient capabilities and no others", capabilities_of_a_user),
    ("a capability that the set of all is without can't be had", capabilities_out_of_bounds),
    ("new privileges are left or taken as asked", no_new_privileges),
    ("no signal is blocked or ignored, and the umask is 022", signals_and_umask),
    ("the environment is exactly the process's", environment),
    ("a process opens its own streams anew by name", streams),
    ("the session keyring is a new one", keyring),
    ("a working directory that is missing is made, for all to read", missing_working_directory),
    ("a process is put where its user could not go", closed_working_directory),
    ("a working directory that is none is refused", wrong_working_directory),
    ("a working directory outside of the root is refused", working_directory_outside),
    ("a command that is not there, or may not be run, is told apart", wrong_commands),
    ("the first command of the path that can be run is", commands_of_the_path),
    ("an AppArmor profile is not written to an image's own /proc", apparmor_elsewhere),
];

fn ids(subject: &mut Subject) {
    assert_eq!(subject.status("Uid"), "1234 1234 1234 1234");
    assert_eq!(subject.status("Gid"), "2345 2345 2345 2345");
    assert_eq!(subject.status("Groups"), "");
    subject.process["user"]["additionalGids"] = json!([7, 70000]);
    assert_eq!(subject.status("Groups"), "7 70000");
}

const CHOWN_AND_NET_RAW: &str = "0000000000002001";
const NONE: &str = "0000000000000000";

fn capabilities_of_root(subject: &mut Subject) {
    subject.process["user"]["uid"] = json!(0);
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(subject.status(set), CHOWN_AND_NET_RAW, "{set}");
    }
    for set in ["CapInh", "CapAmb"] {
        assert_eq!(subject.status(set), NONE, "{set}");
    }
}

fn capabilities_of_a_user(subject: &mut Subject) {
    assert_eq!(subject.status("CapBnd"), CHOWN_AND_NET_RAW);
    assert_eq!(subject.status("CapPrm"), NONE);
    for set in ["inheritable", "ambient"] {
        subject.process["capabilities"][set] = json!(["CAP_NET_RAW"]);
    }
    for set in ["CapPrm", "CapEff", "CapInh", "CapAmb"] {
        assert_eq!(subject.status(set), "0000000000002000", "{set}");
    }
}

fn capabilities_out_of_bounds(subject: &mut Subject) {
    subject.process["capabilities"]["ambient"] = json!(["CAP_KILL"]);
    assert_eq!(subject.failure(), "make CAP_KILL ambient: Operation not permitted (os error 1)");
}

fn no_new_privileges(subject: &mut Subject) {
    assert_eq!(subject.status("NoNewPrivs"), "1");
    subject.process["noNewPrivileges"] = json!(false);
    assert_eq!(subject.status("NoNewPrivs"), "0");
}

// The program that is started ignores SIGPIPE, as all of its kind, and has another umask.
fn signals_and_umask(subject: &mut Subject) {
    for set in ["SigBlk", "SigIgn"] {
        assert_eq!(subject.status(set), NONE, "{set}");
    }
    assert_eq!(subject.script("umask").output(), "0022");
}

fn environment(subject: &mut Subject) {
    subject.process["args"] = json!(["env"]);
    subject.process["env"] = json!(["A=1", "PATH=/usr/bin", "EMPTY=", "NAME"]);
    assert_eq!(subject.output(), "A=1\nPATH=/usr/bin\nEMPTY=\nNAME");
}

fn streams(subject: &mut Subject) {
    assert_eq!(subject.script("echo said >/proc/self/fd/1").output(), "said");
    let null = fs::metadata("/dev/null").expect("look at /dev/null");
    assert_eq!(null.uid(), 0, "the null device stays root's");
}

/// As far as this process may see.
fn session_keyrings(keys: &str) -> BTreeSet<String> {
    keys.lines()
        .filter(|line| line.contains(" _ses"))
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

fn keyring(subject: &mut Subject) {
    let before = session_keyrings(&fs::read_to_string("/proc/keys").expect("read /proc/keys"));
    let its = session_keyrings(&subject.script("cat /proc/keys").output());
    assert_eq!(its.len(), 1, "{its:?}");
    assert!(its.is_disjoint(&before), "{its:?} {before:?}");
}

fn missing_working_directory(subject: &mut Subject) {
    let folder = subject.folder.join("a/b");
    subject.process["cwd"] = json!(folder);
    assert_eq!(subject.script("pwd").output(), folder.to_str().expect("text"));
    for made in [&folder, &subject.folder.join("a")] {
        let found = fs::metadata(made).expect("made");
        assert_eq!((found.mode() & 0o7777, found.uid()), (0o755, 0));
    }
}

fn closed_working_directory(subject: &mut Subject) {
    let folder = subject.folder.join("closed");
    DirBuilder::new().mode(0o700).create(&folder).expect("make");
    subject.process["cwd"] = json!(folder);
    assert_eq!(subject.script("readlink /proc/self/cwd").output(), folder.to_str().expect("text"));
}

fn wrong_working_directory(subject: &mut Subject) {
    subject.process["cwd"] = json!("/etc/passwd");
    assert_eq!(subject.failure(), "enter working directory \"/etc/passwd\": Not a directory (os error 20)");
    symlink("nowhere", subject.folder.join("link")).expect("link");
    subject.process["cwd"] = json!(subject.folder.join("link"));
    assert!(subject.failure().starts_with("make working directory"));
}

fn working_directory_outside(subject: &mut Subject) {
    fs::create_dir_all(subject.folder.join("root/proc")).expect("make root");
    subject.root = Some("root");
    // The first descriptor that the program opens, which is open while the command's process is made.
    subject.process["cwd"] = json!("/proc/self/fd/3");
    assert_eq!(subject.failure(), "enter working directory \"/proc/self/fd/3\": it is outside of the container's root");
}

fn wrong_commands(subject: &mut Subject) {
    let mut failure = |args: serde_json::Value| {
        subject.process["args"] = args;
        subject.failure()
    };
    assert_eq!(failure(json!(["nope"])), "exec \"nope\": No such file or directory (os error 2)");
    assert_eq!(failure(json!(["/nope"])), "exec \"/nope\": No such file or directory (os error 2)");
    assert_eq!(failure(json!(["/etc/passwd"])), "exec \"/etc/passwd\": Permission denied (os error 13)");
    assert_eq!(failure(json!(["/etc/passwd/sh"])), "exec \"/etc/passwd/sh\": Not a directory (os error 20)");
    assert_eq!(failure(json!(["/usr"])), "exec \"/usr\": Permission denied (os error 13)");
    assert_eq!(failure(json!([""])), "exec \"\": No such file or directory (os error 2)");
    assert_eq!(failure(json!([])), "read the command: there is none");
}

fn commands_of_the_path(subject: &mut Subject) {
    let folder = subject.folder.join("bin");
    fs::create_dir(&folder).expect("make");
    fs::write(folder.join("hostname"), "#!/bin/sh\necho ours\n").expect("write");
    subject.process["args"] = json!(["hostname"]);
    // Relative, for its user need not be able to come to the folder from the root.
    subject.process["cwd"] = json!(subject.folder);
    subject.process["env"] = json!(["PATH=/etc/passwd:/nowhere:bin"]);
    assert_eq!(subject.failure(), "exec \"hostname\": Permission denied (os error 13)");
    fs::set_permissions(folder.join("hostname"), Permissions::from_mode(0o755)).expect("chmod");
    assert_eq!(subject.output(), "ours");
}

fn apparmor_elsewhere(subject: &mut Subject) {
    let attributes = subject.folder.join("root/proc/self/attr");
    fs::create_dir_all(&attributes).expect("make attributes");
    fs::write(attributes.join("exec"), "").expect("write");
    subject.root = Some("root");
    subject.process["apparmorProfile"] = json!("berth-default");
    assert_eq!(subject.failure(), "set AppArmor profile \"berth-default\": /proc is no procfs");
    assert_eq!(fs::read_to_string(attributes.join("exec")).expect("read"), "");
}
