//! Starting a pod's port proxy, as a shim is started: fork and exec with nothing of ours but one end of a socket pair. It
//! hears its targets as arguments, where people can see them, and gets over the pair the shim's process, with the files that it
//! enters its cgroup by, and then the listening sockets in their order.

use crate::{error::HelperError, host_ports::Listener, process::start_ticks};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, sendmsg,
    socketpair,
    sockopt::{Timeout, set_socket_timeout},
};
use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};
use wire::KillProcess;

const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_ANSWER_BYTES: usize = 1024;

/// @param shim the proxy ends with this process
pub fn start(
    program: &Path,
    sandbox_id: &str,
    shim: BorrowedFd,
    listeners: &[Listener],
    cgroup_procs: &[String],
) -> Result<KillProcess, HelperError> {
    let failed = |step: String| {
        let doing = format!("start port proxy of pod {sandbox_id}: {step}");
        move |source: io::Error| HelperError::io(doing, source)
    };
    let (ours, its) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(|errno| failed("make socket pair".into())(errno.into()))?;
    for direction in [Timeout::Recv, Timeout::Send] {
        set_socket_timeout(&ours, direction, Some(TIMEOUT))
            .map_err(|errno| failed("set timeout".into())(errno.into()))?;
    }
    let mut child = Command::new(program)
        .arg(sandbox_id)
        .args(listeners.iter().map(|each| format!("{}:{}={}", each.protocol.name(), each.address, each.pod)))
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(its))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed(format!("run {}", program.display())))?;
    // It enters the cgroup by itself: only its own thread can move without waiting for every CPU.
    let handed_over = hand_over(&ours, shim, format!("{}\n", cgroup_procs.join("\n")).as_bytes())
        .and_then(|()| listeners.iter().try_for_each(|each| hand_over(&ours, each.socket.as_fd(), b"\n")));
    // A proxy that does not take them all ends by itself when our end is closed, and says why before.
    if handed_over.is_err() {
        let _ = rustix::net::shutdown(&ours, rustix::net::Shutdown::Write);
    }
    child.wait().map_err(failed("wait for fork".into()))?;
    let pid =
        answer(&ours).and_then(|pid| handed_over.map(|()| pid)).map_err(failed("hand over its sockets".into()))?;
    let start_ticks =
        start_ticks(pid).ok_or_else(|| failed("it ended at once".into())(io::ErrorKind::NotFound.into()))?;
    Ok(KillProcess { pid, start_ticks, timeout_millis: 0 })
}

/// @param words not empty, for a message of no bytes would be the end
fn hand_over(socket: &OwnedFd, descriptor: BorrowedFd, words: &[u8]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(socket, &[IoSlice::new(words)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Its process id in digits, or what went wrong in words.
fn answer(socket: &OwnedFd) -> io::Result<i32> {
    let mut buffer = [0; MAX_ANSWER_BYTES];
    let (bytes, _) = recv(socket, &mut buffer[..], rustix::net::RecvFlags::empty())?;
    if bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let text = String::from_utf8_lossy(&buffer[..bytes]);
    text.parse().map_err(|_| io::Error::other(text.into_owned()))
}
