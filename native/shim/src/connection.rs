//! One berthd that talks to us: frames in, frames out, both bounded.

use rustix::{
    io::{Errno, read},
    net::{SendFlags, send},
};
use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Instant,
};
use wire::{Decoder, ShimRequest, ShimResponse};

const READ_BYTES: usize = 64 * 1024;
// A reader that far behind has stopped reading.
const MAX_OUT_BYTES: usize = 8 * 1024 * 1024;
// Above this the pipes of its processes are not read: the writer waits, not we.
const BUSY_OUT_BYTES: usize = 1024 * 1024;
const BUSY_SESSION_BYTES: usize = 256 * 1024;

pub struct Connection {
    socket: OwnedFd,
    decoder: Decoder,
    out: Vec<u8>,
    sent: usize,
    /// Since when nothing of what waits was taken.
    stalled_since: Option<Instant>,
    open: bool,
    /// It is there for the streams of one process, or for one port; events are not for it.
    pub is_session: bool,
}

impl Connection {
    /// @param socket not blocking
    pub fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            decoder: Decoder::default(),
            out: Vec::new(),
            sent: 0,
            stalled_since: None,
            open: true,
            is_session: false,
        }
    }

    /// For what is no longer spoken in messages. @returns also what is still to be sent
    pub fn into_socket(mut self) -> (OwnedFd, Vec<u8>) {
        self.out.drain(..self.sent);
        (self.socket, self.out)
    }

    pub fn is_open(&self) -> bool {
        self.open
    }

    pub fn wants_to_write(&self) -> bool {
        !self.out.is_empty()
    }

    pub fn is_busy(&self) -> bool {
        self.out.len() - self.sent > if self.is_session { BUSY_SESSION_BYTES } else { BUSY_OUT_BYTES }
    }

    /// Since when its reader has taken nothing, although it makes others wait.
    pub fn stalled_since(&self) -> Option<Instant> {
        self.stalled_since.filter(|_| self.is_busy())
    }

    /// The requests that are whole now.
    pub fn receive(&mut self) -> Vec<ShimRequest> {
        let mut buffer = vec![0; READ_BYTES];
        match read(&self.socket, &mut buffer) {
            Ok(0) => self.open = false,
            Ok(bytes) => self.decoder.push(&buffer[..bytes]),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.open = false,
        }
        let mut requests = Vec::new();
        loop {
            match self.decoder.next_message() {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => return requests,
                Err(_) => {
                    self.open = false;
                    return requests;
                }
            }
        }
    }

    pub fn queue(&mut self, response: &ShimResponse) {
        self.out.extend_from_slice(&wire::encode(response));
        self.flush();
        if self.out.len() - self.sent > MAX_OUT_BYTES {
            self.open = false;
        }
    }

    pub fn flush(&mut self) {
        let before = self.sent;
        while self.sent < self.out.len() {
            match send(&self.socket, &self.out[self.sent..], SendFlags::NOSIGNAL) {
                Ok(bytes) => self.sent += bytes,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if self.sent > before || self.stalled_since.is_none() {
                        self.stalled_since = Some(Instant::now());
                    }
                    // Of one who never catches up, what is sent would pile up behind what is not.
                    if self.sent > self.out.len() / 2 {
                        self.out.drain(..self.sent);
                        self.sent = 0;
                    }
                    return;
                }
                Err(_) => {
                    self.open = false;
                    return;
                }
            }
        }
        self.sent = 0;
        self.out = Vec::new();
        self.stalled_since = None;
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use wire::{ShimExecOutput, shim_response::Result as CallResult};

    const CHUNK_BYTES: usize = 64 * 1024;

    #[test]
    fn a_reader_who_never_catches_up_costs_what_waits_for_it_and_not_what_it_has_read() {
        let (ours, its) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::NONBLOCK, None).expect("sockets");
        let mut connection = Connection::new(ours);
        connection.is_session = true;
        let output = ShimExecOutput { data: vec![b'x'; CHUNK_BYTES], ..ShimExecOutput::default() };
        let response = ShimResponse { id: 1, failure: None, result: Some(CallResult::ExecOutput(output)) };
        let (mut sent, mut buffer) = (0, vec![0; CHUNK_BYTES]);
        while sent < 200 {
            // As the loop does: only who is behind is not given more.
            while !connection.is_busy() {
                connection.queue(&response);
                sent += 1;
            }
            assert!(connection.wants_to_write());
            read(&its, &mut buffer).expect("read");
            connection.flush();
        }
        assert!(connection.out.capacity() < 20 * CHUNK_BYTES, "{} bytes are held", connection.out.capacity());
    }
}
