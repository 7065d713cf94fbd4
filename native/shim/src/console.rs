//! A terminal for a process: the OCI runtime makes it, and passes our side of it over a socket.

use rustix::{
    fs::{Mode, OFlags, fcntl_setfl, open},
    io::{Errno, IoSliceMut},
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg},
    termios::{Winsize, tcgetwinsize, tcsetwinsize},
};
use std::{
    fs, io,
    mem::MaybeUninit,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::net::UnixListener,
    },
    path::{Path, PathBuf},
};

pub struct ConsoleSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ConsoleSocket {
    /// @param name in `folder`, in which the runtime has to be run, so that it can name the socket however deep the folder is
    pub fn bind(folder: &Path, name: &str) -> io::Result<Self> {
        // A socket's address has 107 bytes at most.
        let directory = open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let listener = UnixListener::bind(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path: folder.join(name) })
    }

    /// For a runtime that has ended well: it sent the terminal before.
    pub fn receive(&self) -> io::Result<OwnedFd> {
        let (socket, _) = self.listener.accept()?;
        socket.set_nonblocking(true)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        // With it comes the name of the terminal, which is of no use here.
        let mut name = [0; 4096];
        recvmsg(&socket, &mut [IoSliceMut::new(&mut name)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let terminal = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        let terminal = terminal.ok_or(Errno::NOTTY)?;
        // Whatever the runtime sent: only a terminal has a size.
        tcgetwinsize(&terminal)?;
        fcntl_setfl(&terminal, OFlags::RDWR | OFlags::NONBLOCK)?;
        Ok(terminal)
    }
}

impl Drop for ConsoleSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The terminal of one process, before and after it is there.
pub struct Console {
    /// until the terminal has come by it
    socket: Option<ConsoleSocket>,
    terminal: Option<OwnedFd>,
    size: Option<(u16, u16)>,
}

impl Console {
    pub fn new(socket: ConsoleSocket) -> Self {
        Self { socket: Some(socket), terminal: None, size: None }
    }

    /// For a runtime that has ended well. @returns what its output is read from, and what its input is written to
    pub fn open(&mut self) -> io::Result<(OwnedFd, OwnedFd)> {
        let terminal = self.socket.take().ok_or(Errno::NOTCONN)?.receive()?;
        let sides = (terminal.try_clone()?, terminal.try_clone()?);
        self.terminal = Some(terminal);
        if let Some((width, height)) = self.size {
            self.resize(width, height);
        }
        Ok(sides)
    }

    /// @param width in columns @param height in rows
    pub fn resize(&mut self, width: u16, height: u16) {
        self.size = Some((width, height));
        if let Some(terminal) = &self.terminal {
            // A terminal whose process has ended has no size to keep.
            let _ = tcsetwinsize(terminal, Winsize { ws_col: width, ws_row: height, ws_xpixel: 0, ws_ypixel: 0 });
        }
    }
}
