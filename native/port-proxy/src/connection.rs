//! One TCP connection of a client, and its other half to the pod. What one side sends the other gets, its end too: a side may
//! go on to send when the other has ended. A reset of one side is a reset of the other.

use rustix::{
    event::epoll::EventFlags,
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, connect, ipproto, recv, send, shutdown,
        socket_with,
        sockopt::{set_socket_linger, set_tcp_nodelay, socket_error},
    },
};
use std::{net::SocketAddr, os::fd::OwnedFd, time::Duration};

/// So many reads at a time, and then it is another connection's turn.
const ROUNDS: usize = 16;

pub struct Connection {
    pub client: OwnedFd,
    pub pod: OwnedFd,
    connecting: bool,
    to_pod: Pipe,
    to_client: Pipe,
    /// what is waited for at present, of client and pod
    pub registered: [EventFlags; 2],
}

/// One direction.
#[derive(Default)]
struct Pipe {
    /// read, but not taken by the other side yet; while there is some, no more is read
    held: Vec<u8>,
    /// The sender has sent all, the receiver has got it and was told.
    ended: bool,
}

impl Connection {
    pub fn open(client: OwnedFd, target: SocketAddr) -> Result<Self, Errno> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let family = if target.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
        let pod = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        for side in [&client, &pod] {
            // What comes in small pieces goes on in small pieces.
            set_tcp_nodelay(side, true)?;
        }
        let connecting = match connect(&pod, &target) {
            Ok(()) => false,
            Err(Errno::INPROGRESS) => true,
            Err(errno) => {
                reset(&client);
                return Err(errno);
            }
        };
        let (to_pod, to_client) = (Pipe::default(), Pipe::default());
        Ok(Self { client, pod, connecting, to_pod, to_client, registered: [EventFlags::empty(); 2] })
    }

    /// Carries what can be carried now. False when the connection is over.
    ///
    /// @param buffer its size bounds what is held of each direction
    pub fn advance(&mut self, buffer: &mut [u8]) -> bool {
        match self.carry(buffer) {
            Ok(()) => !(self.to_pod.ended && self.to_client.ended),
            Err(_) => {
                reset(&self.client);
                reset(&self.pod);
                false
            }
        }
    }

    /// What to wait for, of client and pod. A side of which nothing is awaited must not be asked at all: its end would be told
    /// again and again.
    pub fn wants(&self) -> [EventFlags; 2] {
        let reads = |pipe: &Pipe| flag(EventFlags::IN, !self.connecting && pipe.held.is_empty() && !pipe.ended);
        let writes = |pipe: &Pipe| flag(EventFlags::OUT, !pipe.held.is_empty());
        [
            reads(&self.to_pod) | writes(&self.to_client),
            reads(&self.to_client) | writes(&self.to_pod) | flag(EventFlags::OUT, self.connecting),
        ]
    }

    fn carry(&mut self, buffer: &mut [u8]) -> Result<(), Errno> {
        if self.connecting {
            // Only the pod's side is waited for until now, so this is news of it.
            socket_error(&self.pod)??;
            self.connecting = false;
        }
        self.to_pod.carry(&self.client, &self.pod, buffer)?;
        self.to_client.carry(&self.pod, &self.client, buffer)
    }
}

impl Pipe {
    fn carry(&mut self, from: &OwnedFd, to: &OwnedFd, buffer: &mut [u8]) -> Result<(), Errno> {
        if self.ended {
            return Ok(());
        }
        for _ in 0..ROUNDS {
            if !self.held.is_empty() {
                let taken = sent(to, &self.held)?;
                self.held.drain(..taken);
                if !self.held.is_empty() {
                    return Ok(());
                }
                self.held = Vec::new(); // gives its memory back
            }
            match recv(from, &mut *buffer, RecvFlags::empty()) {
                // Nothing is held here, so the end is passed on at once: no event would come for it later.
                Ok((0, _)) => {
                    self.ended = true;
                    return shutdown(to, Shutdown::Write);
                }
                Ok((bytes, _)) => {
                    let taken = sent(to, &buffer[..bytes])?;
                    self.held.extend_from_slice(&buffer[taken..bytes]);
                }
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

/// How much the other side takes now, perhaps nothing.
fn sent(to: &OwnedFd, bytes: &[u8]) -> Result<usize, Errno> {
    match send(to, bytes, SendFlags::NOSIGNAL) {
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        other => other,
    }
}

/// Closing it then says that something went wrong, and not that all was sent.
fn reset(side: &OwnedFd) {
    let _ = set_socket_linger(side, Some(Duration::ZERO));
}

fn flag(flag: EventFlags, on: bool) -> EventFlags {
    if on { flag } else { EventFlags::empty() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::socketpair;

    fn pair() -> (OwnedFd, OwnedFd) {
        // Messages, so that each read takes one and the number of reads is known.
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::NONBLOCK, None).expect("sockets")
    }

    #[test]
    fn the_end_is_passed_on_in_whichever_round_it_comes() {
        for messages in 0..=2 * ROUNDS + 1 {
            let ((sender, from), (to, receiver)) = (pair(), pair());
            for _ in 0..messages {
                send(&sender, b"x", SendFlags::empty()).expect("send");
            }
            drop(sender);
            let (mut pipe, mut buffer) = (Pipe::default(), [0; 8]);
            while !pipe.ended {
                pipe.carry(&from, &to, &mut buffer).expect("carry");
            }
            let mut sizes = Vec::new();
            while sizes.last() != Some(&0) {
                sizes.push(recv(&receiver, &mut buffer, RecvFlags::empty()).expect("message or end").0);
            }
            assert_eq!(sizes.len(), messages + 1, "{messages} messages");
        }
    }
}
