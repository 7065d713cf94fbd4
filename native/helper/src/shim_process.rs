//! Starting a shim: fork and exec with nothing of ours but one end of a socket pair, over which it hears what to do and
//! says when it listens.

use crate::error::HelperError;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SocketFlags, SocketType, recvmsg,
    socketpair,
    sockopt::{Timeout, set_socket_timeout},
};
use std::{
    io::{self, IoSliceMut, Write},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use wire::{Decoder, ShimConfig, ShimReady};

const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// A shim on its way.
pub struct StartingShim {
    stream: UnixStream,
    child: Child,
    sandbox_id: String,
    decoder: Decoder,
    network_namespace: Option<OwnedFd>,
    /// that came before it was asked for
    ready: Option<ShimReady>,
}

/// Does not wait for it.
pub fn start(program: &Path, config: &ShimConfig) -> Result<StartingShim, HelperError> {
    let failed = |step: &'static str| move |errno: rustix::io::Errno| HelperError::io(step, errno);
    let (ours, its) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(failed("make socket pair"))?;
    set_socket_timeout(&ours, Timeout::Recv, Some(READY_TIMEOUT)).map_err(failed("set timeout"))?;
    let sandbox_id = config.sandbox_id.clone();
    let child = Command::new(program)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(its))
        .stdout(Stdio::null())
        .spawn()
        .map_err(|source| HelperError::io(doing(&sandbox_id, &format!("run {}", program.display())), source))?;
    let stream = UnixStream::from(ours);
    let sent = (&stream).write_all(&wire::encode(config));
    let shim =
        StartingShim { stream, child, sandbox_id, decoder: Decoder::default(), network_namespace: None, ready: None };
    sent.map_err(|source| shim.io("send config", source))?;
    Ok(shim)
}

impl StartingShim {
    /// Waits for its network namespace, which a shim that is asked to passes before it is ready.
    pub fn network_namespace(&mut self) -> Result<BorrowedFd<'_>, HelperError> {
        if self.network_namespace.is_none() {
            let answer = self.receive()?;
            self.ready = Some(answer).filter(|answer| !answer.network_only);
        }
        let missing = || io::Error::from(io::ErrorKind::InvalidData);
        match &self.network_namespace {
            Some(namespace) => Ok(namespace.as_fd()),
            None => Err(self.io("it sent no network namespace", missing())),
        }
    }

    /// Waits until it listens.
    pub fn ready(mut self) -> Result<ShimReady, HelperError> {
        // The shim forks, and the process that we started ends at once: it is nobody's child then but init's.
        self.child.wait().map_err(|source| self.io("wait for fork", source))?;
        loop {
            match self.ready.take() {
                Some(ready) => return Ok(ready),
                None => self.ready = Some(self.receive()?).filter(|answer| !answer.network_only),
            }
        }
    }

    fn receive(&mut self) -> Result<ShimReady, HelperError> {
        loop {
            let answer = self.decoder.next_message::<ShimReady>();
            match answer.map_err(|failure| self.io("read its answer", io::Error::other(failure)))? {
                Some(ShimReady { failure: Some(failure), .. }) => {
                    return Err(HelperError::Peer { doing: format!("start shim of pod {}", self.sandbox_id), failure });
                }
                Some(answer) => return Ok(answer),
                None => self.read()?,
            }
        }
    }

    fn read(&mut self) -> Result<(), HelperError> {
        let mut buffer = [0u8; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received =
            recvmsg(&self.stream, &mut [IoSliceMut::new(&mut buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)
                .map_err(|errno| self.io("wait for it", errno))?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(mut descriptors) = message {
                self.network_namespace = descriptors.next().or(self.network_namespace.take());
            }
        }
        if received.bytes == 0 || received.flags.contains(ReturnFlags::CTRUNC) {
            return Err(self.io("it ended before it was ready", io::Error::from(io::ErrorKind::UnexpectedEof)));
        }
        self.decoder.push(&buffer[..received.bytes]);
        Ok(())
    }

    fn io(&self, step: &str, source: impl Into<io::Error>) -> HelperError {
        HelperError::io(doing(&self.sandbox_id, step), source)
    }
}

fn doing(sandbox_id: &str, step: &str) -> String {
    format!("start shim of pod {sandbox_id}: {step}")
}
