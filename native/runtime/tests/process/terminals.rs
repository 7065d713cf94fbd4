//! The terminal of a process, and our side of it.

use crate::{
    Test,
    subject::{Subject, text},
};
use rustix::{
    fs::OFlags,
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg},
};
use serde_json::json;
use std::{
    fs::{self, File},
    io::{IoSliceMut, Read},
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::fs::symlink, unix::net::UnixListener},
};

pub const TESTS: &[Test] = &[
    ("a process has the terminal whose other side was sent, as its user's own and in control of it", terminal),
    ("what is no devpts gives no terminal", no_devpts),
    ("a socket that nobody listens at, or none, is told", no_socket),
];

fn terminal(subject: &mut Subject) {
    fs::create_dir_all(subject.folder.join("root/dev/pts")).expect("make root");
    let listener = UnixListener::bind(subject.folder.join("console")).expect("bind");
    (subject.root, subject.console) = (Some("root"), Some("console"));
    subject.process["terminal"] = json!(true);
    subject.script("tty -s && stat -L -c '%u %g %a' /proc/self/fd/0 && echo of the session >/dev/tty && echo last >&2");
    let output = subject.run();
    assert!(
        output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(),
        "{}",
        text(&output.stderr)
    );
    let mut said = Vec::new();
    // A terminal that nobody has open any more gives EIO, after all that was written to it.
    let _ = File::from(received(&listener)).read_to_end(&mut said);
    assert_eq!(text(&said), "1234 5 620\r\nof the session\r\nlast");
}

fn received(listener: &UnixListener) -> OwnedFd {
    let (socket, _) = listener.accept().expect("accept");
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    recvmsg(&socket, &mut [IoSliceMut::new(&mut [0; 64])], &mut control, RecvFlags::CMSG_CLOEXEC).expect("receive");
    let terminal = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let terminal = terminal.expect("a terminal");
    assert!(rustix::fs::fcntl_getfl(&terminal).expect("flags").contains(OFlags::RDWR));
    terminal
}

fn no_devpts(subject: &mut Subject) {
    let dev = subject.folder.join("root/dev");
    fs::create_dir_all(&dev).expect("make root");
    let _listener = UnixListener::bind(subject.folder.join("console")).expect("bind");
    (subject.root, subject.console) = (Some("root"), Some("console"));
    subject.process["terminal"] = json!(true);
    let failed = format!("open {}", dev.join("pts/ptmx").display());
    assert_eq!(subject.failure(), format!("{failed}: No such file or directory (os error 2)"));
    symlink("/dev/pts", dev.join("pts")).expect("link");
    assert_eq!(subject.failure(), format!("{failed}: Too many levels of symbolic links (os error 40)"));
    fs::remove_file(dev.join("pts")).expect("remove");
    fs::create_dir(dev.join("pts")).expect("make");
    fs::write(dev.join("pts/ptmx"), "").expect("write");
    assert_eq!(subject.failure(), format!("{failed}: its folder is no devpts"));
}

fn no_socket(subject: &mut Subject) {
    subject.process["terminal"] = json!(true);
    assert_eq!(subject.failure(), "make a terminal: no --console-socket takes it");
    subject.console = Some("nobody");
    assert_eq!(subject.failure(), "connect to the console socket nobody: No such file or directory (os error 2)");
}
