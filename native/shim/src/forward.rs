//! A connection to a port of the pod, for somebody outside it. The shim is in the pod's network namespace, so it has only to
//! connect, and to carry bytes and their ends both ways.

use rustix::{
    io::{Errno, read},
    net::{
        AddressFamily, Ipv4Addr, Ipv6Addr, SendFlags, Shutdown, SocketAddrV4, SocketAddrV6, SocketFlags, SocketType,
        connect, send, shutdown, socket_with, sockopt::socket_error,
    },
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

const BUFFER_BYTES: usize = 64 * 1024;
// A loopback answers at once, unless the queue of the program that listens is full.
pub const CONNECT: Duration = Duration::from_secs(10);

/// A socket of the pod that may not be connected yet.
pub struct Connecting {
    pub socket: OwnedFd,
    pub until: Instant,
    port: u16,
    /// 127.0.0.1 refused
    is_second_try: bool,
}

pub enum Progress {
    Connected(OwnedFd),
    Waiting(Connecting),
    Failed(Errno),
}

/// Begins to connect to 127.0.0.1; what refuses there may listen on ::1.
pub fn connect_to(port: u16) -> Progress {
    begin(port, false, Instant::now() + CONNECT)
}

fn begin(port: u16, is_second_try: bool, until: Instant) -> Progress {
    let family = if is_second_try { AddressFamily::INET6 } else { AddressFamily::INET };
    let socket = match socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None) {
        Ok(socket) => socket,
        Err(errno) => return Progress::Failed(errno),
    };
    let connected = if is_second_try {
        connect(&socket, &SocketAddrV6::new(Ipv6Addr::LOCALHOST, port, 0, 0))
    } else {
        connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
    };
    let connecting = Connecting { socket, until, port, is_second_try };
    match connected {
        Ok(()) => Progress::Connected(connecting.socket),
        Err(Errno::INPROGRESS | Errno::INTR) => Progress::Waiting(connecting),
        Err(errno) => connecting.failed(errno),
    }
}

impl Connecting {
    /// When its socket can be written to, or its time is over.
    pub fn go_on(self, now: Instant) -> Progress {
        match socket_error(&self.socket) {
            _ if now >= self.until => Progress::Failed(Errno::TIMEDOUT),
            Ok(Ok(())) => Progress::Connected(self.socket),
            Ok(Err(errno)) | Err(errno) => self.failed(errno),
        }
    }

    fn failed(self, errno: Errno) -> Progress {
        if self.is_second_try {
            // Of a kernel without IPv6 the first answer says more.
            let why =
                if errno == Errno::AFNOSUPPORT || errno == Errno::ADDRNOTAVAIL { Errno::CONNREFUSED } else { errno };
            Progress::Failed(why)
        } else {
            begin(self.port, true, self.until)
        }
    }
}

/// Bytes of one direction that the other side has not taken yet.
#[derive(Default)]
struct Direction {
    pending: Vec<u8>,
    /// No more will come.
    has_ended: bool,
    /// The other side knows.
    is_told: bool,
}

impl Direction {
    fn wants_to_read(&self) -> bool {
        self.pending.is_empty() && !self.has_ended
    }

    fn is_over(&self) -> bool {
        self.has_ended && self.is_told
    }

    /// Takes what is there of one side and gives it to the other. An error ends both directions.
    fn pass(&mut self, from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
        if self.wants_to_read() {
            let mut buffer = vec![0; BUFFER_BYTES];
            match read(from, &mut buffer) {
                Ok(0) => self.has_ended = true,
                Ok(bytes) => {
                    buffer.truncate(bytes);
                    self.pending = buffer;
                }
                Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
        let mut sent = 0;
        while sent < self.pending.len() {
            match send(to, &self.pending[sent..], SendFlags::NOSIGNAL) {
                Ok(bytes) => sent += bytes,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(errno) => return Err(errno),
            }
        }
        self.pending.drain(..sent);
        if self.pending.is_empty() {
            self.pending = Vec::new();
            if self.has_ended && !self.is_told {
                self.is_told = true;
                return shutdown(to, Shutdown::Write);
            }
        }
        Ok(())
    }
}

pub struct Forward {
    client: OwnedFd,
    port: OwnedFd,
    to_port: Direction,
    to_client: Direction,
}

/// What one side of a forward is to be waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Wants {
    pub to_read: bool,
    pub to_write: bool,
}

impl Forward {
    /// @param client, port not blocking
    /// @param unsent goes to the client first
    pub fn new(client: OwnedFd, port: OwnedFd, unsent: Vec<u8>) -> Self {
        let to_client = Direction { pending: unsent, ..Direction::default() };
        Self { client, port, to_port: Direction::default(), to_client }
    }

    pub fn sides(&self) -> [(BorrowedFd<'_>, Wants); 2] {
        let wants = |from: &Direction, to: &Direction| Wants {
            to_read: from.wants_to_read(),
            to_write: !to.pending.is_empty(),
        };
        [
            (self.client.as_fd(), wants(&self.to_port, &self.to_client)),
            (self.port.as_fd(), wants(&self.to_client, &self.to_port)),
        ]
    }

    /// Carries what can be carried now. False when it is over.
    pub fn carry(&mut self) -> bool {
        let carried =
            self.to_port.pass(&self.client, &self.port).and_then(|()| self.to_client.pass(&self.port, &self.client));
        carried.is_ok() && !(self.to_port.is_over() && self.to_client.is_over())
    }
}
