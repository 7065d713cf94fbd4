//! Starting a shim: fork and exec with nothing of ours but one end of a socket pair, over which it hears what to do and
//! says when it listens.

use crate::error::HelperError;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SocketFlags, SocketType, recvmsg,
    socketpair,
    sockopt::{Timeout, set_socket_timeout},
};
use std::{
    io::{IoSliceMut, Write},
    mem::MaybeUninit,
    os::fd::OwnedFd,
    os::unix::net::UnixStream,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};
use wire::{Decoder, ShimConfig, ShimReady};

const READY_TIMEOUT: Duration = Duration::from_secs(10);

pub struct StartedShim {
    pub ready: ShimReady,
    pub network_namespace: OwnedFd,
}

pub fn start(program: &Path, config: &ShimConfig) -> Result<StartedShim, HelperError> {
    let doing = |step: &str| format!("start shim of pod {}: {step}", config.sandbox_id);
    let failed = |step: &'static str| move |errno: rustix::io::Errno| HelperError::io(step, errno);
    let (ours, its) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(failed("make socket pair"))?;
    set_socket_timeout(&ours, Timeout::Recv, Some(READY_TIMEOUT)).map_err(failed("set timeout"))?;
    let mut child = Command::new(program)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(its))
        .stdout(Stdio::null())
        .spawn()
        .map_err(|source| HelperError::io(doing(&format!("run {}", program.display())), source))?;
    let stream = UnixStream::from(ours);
    (&stream).write_all(&wire::encode(config)).map_err(|source| HelperError::io(doing("send config"), source))?;
    // The shim forks, and the process that we started ends at once: it is nobody's child then but init's.
    child.wait().map_err(|source| HelperError::io(doing("wait for fork"), source))?;
    let (ready, descriptor) = receive(&stream, &doing)?;
    if let Some(failure) = ready.failure {
        return Err(HelperError::Peer { doing: format!("start shim of pod {}", config.sandbox_id), failure });
    }
    let missing = || {
        HelperError::io(doing("it sent no network namespace"), std::io::Error::from(std::io::ErrorKind::InvalidData))
    };
    Ok(StartedShim { ready, network_namespace: descriptor.ok_or_else(missing)? })
}

fn receive(stream: &UnixStream, doing: &dyn Fn(&str) -> String) -> Result<(ShimReady, Option<OwnedFd>), HelperError> {
    let (mut decoder, mut descriptor, mut buffer) = (Decoder::default(), None, [0u8; 4096]);
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(stream, &mut [IoSliceMut::new(&mut buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)
            .map_err(|errno| HelperError::io(doing("wait for it"), errno))?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(mut descriptors) = message {
                descriptor = descriptors.next().or(descriptor);
            }
        }
        if received.bytes == 0 || received.flags.contains(ReturnFlags::CTRUNC) {
            return Err(HelperError::io(
                doing("it ended before it was ready"),
                std::io::Error::from(std::io::ErrorKind::UnexpectedEof),
            ));
        }
        decoder.push(&buffer[..received.bytes]);
        match decoder.next_message::<ShimReady>() {
            Ok(Some(ready)) => return Ok((ready, descriptor)),
            Ok(None) => {}
            Err(failure) => return Err(HelperError::io(doing("read its answer"), std::io::Error::other(failure))),
        }
    }
}
