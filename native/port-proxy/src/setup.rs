//! From a fresh process to one that owns its sockets and little else: no privilege, no other descriptor, an orphan.

use crate::{
    error::ProxyError,
    proxy::Ready,
    target::{self, Target},
};
use rustix::{
    fs::{Mode, OFlags, open},
    io::fcntl_dupfd_cloexec,
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, recvmsg, send},
    process::{
        DumpableBehavior, Gid, Resource, Rlimit, Uid, getpid, getrlimit, set_dumpable_behavior, setrlimit, setsid,
    },
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
    thread::{set_no_new_privs, set_thread_gid, set_thread_groups, set_thread_uid},
};
use std::{
    fs,
    io::IoSliceMut,
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
};
use sys::process::{Fork, fork};

/// Two for each connection, one for each association of UDP, one for each port, and some.
const DESCRIPTORS: u64 = 4096;
/// Of a message: a few paths of files.
const MAX_WORDS_BYTES: usize = 16 * 1024;
/// "nobody": the pod's ports are open by now, and to connect needs no privilege.
const NOBODY: u32 = 65_534;

/// `None` in the parent of the fork, which has nothing more to do.
pub fn from_standard_input() -> Result<Option<Ready>, ProxyError> {
    let peer = fcntl_dupfd_cloexec(std::io::stdin().as_fd(), 3).map_err(ProxyError::io("take standard input"))?;
    match set_up(&peer) {
        Ok(Some(ready)) => {
            let pid = getpid().as_raw_nonzero().to_string();
            // A helper that is gone has told nobody of us, and nobody would end us.
            send(&peer, pid.as_bytes(), SendFlags::NOSIGNAL).map_err(ProxyError::io("say that the proxy is ready"))?;
            Ok(Some(ready))
        }
        Ok(None) => Ok(None),
        Err(failure) => {
            let _ = send(&peer, failure.to_string().as_bytes(), SendFlags::NOSIGNAL);
            Err(failure)
        }
    }
}

fn set_up(peer: &OwnedFd) -> Result<Option<Ready>, ProxyError> {
    let targets = std::env::args_os()
        .skip(2) // the program's name, and the pod's id for people to see
        .map(|word| target::parse(&word.to_string_lossy()))
        .collect::<Result<Vec<Target>, _>>()?;
    let (shim, cgroup_procs) = receive(peer)?;
    let mut sockets = Vec::with_capacity(targets.len());
    for target in targets {
        sockets.push((receive(peer)?.0, target));
    }
    for file in cgroup_procs.lines().filter(|file| !file.is_empty()) {
        // Its own leaf is a matter of accounting; a host that has none to give has host ports all the same.
        let _ = fs::write(file, "0");
    }
    // Whoever started us must not have to wait for us: as an orphan the proxy is init's.
    match fork().map_err(ProxyError::io("fork"))? {
        Fork::Parent(_) => return Ok(None),
        Fork::Child => {}
    }
    setsid().map_err(ProxyError::io("leave session"))?;
    let null =
        open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(ProxyError::io("open /dev/null"))?;
    dup2_stdin(&null)
        .and_then(|()| dup2_stdout(&null))
        .and_then(|()| dup2_stderr(&null))
        .map_err(ProxyError::io("leave standard streams"))?;
    raise_descriptors()?;
    drop_privileges()?;
    Ok(Some(Ready { shim, sockets }))
}

fn raise_descriptors() -> Result<(), ProxyError> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let wanted = Some(maximum.map_or(DESCRIPTORS, |maximum| maximum.max(DESCRIPTORS)));
    setrlimit(Resource::Nofile, Rlimit { current: Some(DESCRIPTORS), maximum: wanted })
        .map_err(ProxyError::io("raise the limit of descriptors"))
}

/// Groups before the user, who may not change them any more.
fn drop_privileges() -> Result<(), ProxyError> {
    let dropped = set_thread_groups(&[])
        .and_then(|()| set_thread_gid(Gid::from_raw(NOBODY)))
        .and_then(|()| set_thread_uid(Uid::from_raw(NOBODY)))
        .and_then(|()| set_no_new_privs(true))
        // A container that shares the node's PIDs may be nobody too.
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    dropped.map_err(ProxyError::io("drop privileges"))
}

/// The next descriptor that comes, and the words beside it.
fn receive(peer: &OwnedFd) -> Result<(OwnedFd, String), ProxyError> {
    let mut words = [0; MAX_WORDS_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(peer, &mut [IoSliceMut::new(&mut words)], &mut control, RecvFlags::CMSG_CLOEXEC)
        .map_err(ProxyError::io("take sockets"))?;
    let descriptor = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let descriptor = descriptor.ok_or(ProxyError::MissingSocket)?;
    Ok((descriptor, String::from_utf8_lossy(&words[..received.bytes]).into_owned()))
}
