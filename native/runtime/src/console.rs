//! A terminal for the process: made in the container's own devpts, our side of it sent to whoever started the call.

use crate::{error::RuntimeError, spec::Process};
use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, fstatfs, openat, openat2},
    io::IoSlice,
    net::{
        AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
        connect, sendmsg, socket_with,
    },
    process::ioctl_tiocsctty,
    pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt},
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
};
use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

/// @source include/uapi/linux/magic.h, DEVPTS_SUPER_MAGIC
const DEVPTS_MAGIC: u64 = 0x1cd1;

/// Where our side of the terminal is awaited.
pub struct ConsoleSocket(OwnedFd);

impl ConsoleSocket {
    /// @param name where one was given @returns `None` for a process that is to have no terminal
    pub fn of(process: &Process, name: Option<&Path>) -> Result<Option<Self>, RuntimeError> {
        match name {
            _ if !process.terminal => Ok(None),
            Some(name) => Self::connect(name).map(Some),
            None => Err(RuntimeError::argument("make a terminal", "no --console-socket takes it")),
        }
    }

    /// To be called before a mount namespace is joined: the name is one of the caller's, and may be relative to its folder.
    fn connect(name: &Path) -> Result<Self, RuntimeError> {
        let failed = |errno| RuntimeError::io(format!("connect to the console socket {}", name.display()), errno);
        let address = SocketAddrUnix::new(name).map_err(failed)?;
        let socket =
            socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).map_err(failed)?;
        connect(&socket, &address).map_err(failed)?;
        Ok(Self(socket))
    }

    /// Makes a terminal, and sends our side of it.
    ///
    /// @param root of the container, with its devpts in place
    /// @returns the container's side. Its owner is root in the container until the process's user is set.
    pub fn open_terminal(self, root: &Path) -> Result<OwnedFd, RuntimeError> {
        let terminal = open_multiplexer(root)
            .map_err(|source| RuntimeError::io(format!("open {}", root.join("dev/pts/ptmx").display()), source))?;
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        // By descriptor: what its name leads to is for the container to say.
        let its = unlockpt(&terminal)
            .and_then(|()| ioctl_tiocgptpeer(&terminal, flags))
            .map_err(|errno| RuntimeError::io("make a terminal", errno))?;
        let ours = [terminal.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&ours));
        // Descriptors travel with at least one byte; others send a name, which nobody reads.
        sendmsg(&self.0, &[IoSlice::new(b"ptmx")], &mut control, SendFlags::NOSIGNAL)
            .map_err(|errno| RuntimeError::io("send the terminal to the console socket", errno))?;
        Ok(its)
    }
}

/// What is in the container's place for it may be anything: nothing but a devpts is opened, and nothing that is mounted in that.
fn open_multiplexer(root: &Path) -> io::Result<OwnedFd> {
    let root = openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let folder = openat2(
        &root,
        "dev/pts",
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
    )?;
    if fstatfs(&folder)?.f_type as u64 != DEVPTS_MAGIC {
        return Err(io::Error::other("its folder is no devpts"));
    }
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let alone = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    Ok(openat2(&folder, "ptmx", flags, Mode::empty(), alone)?)
}

/// Makes the terminal that of the caller's new session, and its three standard streams.
pub fn make_controlling(terminal: OwnedFd) -> Result<(), RuntimeError> {
    ioctl_tiocsctty(&terminal)
        .and_then(|()| dup2_stdin(&terminal))
        .and_then(|()| dup2_stdout(&terminal))
        .and_then(|()| dup2_stderr(&terminal))
        .map_err(|errno| RuntimeError::io("take the terminal", errno))
}
