//! UDP: the ports that datagrams come to, and a socket to the pod for each client that sends some.

use crate::{
    associations::{Associations, Client},
    watch::{Source, Watch},
};
use rustix::{
    event::epoll::EventFlags,
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, ipproto, recv, recvfrom, send, sendto,
        socket_with,
    },
};
use std::{net::SocketAddr, os::fd::OwnedFd, time::Instant};

/// So many of one socket at a time, and then it is another's turn.
const ROUNDS: usize = 64;

pub struct Datagrams {
    /// each with where its datagrams go
    sockets: Vec<(OwnedFd, SocketAddr)>,
    associations: Associations<OwnedFd>,
}

impl Datagrams {
    pub fn new(sockets: Vec<(OwnedFd, SocketAddr)>, most: usize) -> Self {
        Self { sockets, associations: Associations::new(most) }
    }

    pub fn watch(&self, watch: &Watch) -> Result<(), Errno> {
        (0..)
            .zip(&self.sockets)
            .try_for_each(|(index, (socket, _))| watch.add(socket, Source::Datagrams(index), EventFlags::IN))
    }

    /// When to call `expire`.
    pub fn next_look(&self) -> Option<Instant> {
        self.associations.next_look()
    }

    pub fn expire(&mut self, now: Instant) {
        self.associations.expire(now);
    }

    /// From clients to the pod.
    pub fn carry(&mut self, index: u64, watch: &Watch, buffer: &mut [u8], now: Instant) {
        for _ in 0..ROUNDS {
            let Some((socket, pod)) = self.sockets.get(index as usize) else { return };
            let (bytes, from) = match recvfrom(socket, &mut *buffer, RecvFlags::empty()) {
                Ok((bytes, _, Some(from))) => (bytes, from),
                Ok((_, _, None)) => continue,
                Err(Errno::AGAIN) => return,
                Err(_) => continue, // an answer of ours that did not arrive
            };
            let (pod, Ok(from)) = (*pod, SocketAddr::try_from(from)) else { continue };
            let client = (index, from);
            if self.associations.of_client(client, now).is_none() && self.associate(client, pod, watch, now).is_err() {
                continue;
            }
            if let Some(socket) = self.associations.of_client(client, now) {
                let datagram = &buffer[..bytes];
                // That nobody listened to an earlier one is told here, and this one is not sent then.
                if send(socket, datagram, SendFlags::NOSIGNAL) == Err(Errno::CONNREFUSED) {
                    let _ = send(socket, datagram, SendFlags::NOSIGNAL);
                }
            }
        }
    }

    fn associate(&mut self, client: Client, pod: SocketAddr, watch: &Watch, now: Instant) -> Result<(), Errno> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let family = if pod.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
        let socket = socket_with(family, SocketType::DGRAM, flags, Some(ipproto::UDP))?;
        connect(&socket, &pod)?;
        watch.add(&socket, Source::Association(self.associations.next_id()), EventFlags::IN)?;
        self.associations.insert(client, socket, now);
        Ok(())
    }

    /// From the pod to a client.
    pub fn answer(&mut self, id: u64, buffer: &mut [u8], now: Instant) {
        for _ in 0..ROUNDS {
            let Some((socket, (index, client))) = self.associations.of_socket(id, now) else { return };
            match recv(socket, &mut *buffer, RecvFlags::empty()) {
                Ok((bytes, _)) => {
                    if let Some((socket, _)) = self.sockets.get(index as usize) {
                        let _ = sendto(socket, &buffer[..bytes], SendFlags::NOSIGNAL, &client);
                    }
                }
                Err(Errno::AGAIN) => return,
                Err(_) => {} // the pod does not listen; its client hears nothing, as over any network
            }
        }
    }
}
