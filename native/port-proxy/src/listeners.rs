//! TCP: the ports that are listened on, and the connections that came by them.

use crate::{
    connection::Connection,
    watch::{Source, Watch},
};
use rustix::{
    event::epoll::EventFlags,
    io::Errno,
    net::{SocketFlags, accept_with},
};
use std::{
    collections::HashMap,
    net::SocketAddr,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

/// So many of one socket at a time, and then it is another's turn.
const ROUNDS: usize = 64;
const RETRY: Duration = Duration::from_millis(100);

pub struct Listeners {
    /// each with where its connections go
    sockets: Vec<(OwnedFd, SocketAddr)>,
    connections: HashMap<u64, Connection>,
    last_connection: u64,
    most: usize,
    /// False while no more connections can be held: those that come wait with the kernel.
    accepting: bool,
    again_at: Option<Instant>,
}

impl Listeners {
    pub fn new(sockets: Vec<(OwnedFd, SocketAddr)>, most: usize) -> Self {
        Self { sockets, connections: HashMap::new(), last_connection: 0, most, accepting: false, again_at: None }
    }

    /// When to call `resume` though nothing happens.
    pub fn next_look(&self) -> Option<Instant> {
        self.again_at
    }

    /// Takes connections, again where they were too many.
    pub fn resume(&mut self, watch: &Watch, now: Instant) {
        if self.accepting || self.connections.len() >= self.most || self.again_at.is_some_and(|at| at > now) {
            return;
        }
        self.again_at = None;
        self.accepting = true;
        let mut all = (0..).zip(&self.sockets);
        if all.any(|(index, (socket, _))| watch.add(socket, Source::Listener(index), EventFlags::IN).is_err()) {
            self.pause_for_a_moment(watch);
        }
    }

    /// Until a connection ends.
    fn pause(&mut self, watch: &Watch) {
        for (socket, _) in &self.sockets {
            watch.forget(socket);
        }
        self.accepting = false;
    }

    /// It is the node that can't hold more.
    fn pause_for_a_moment(&mut self, watch: &Watch) {
        self.pause(watch);
        self.again_at = Some(Instant::now() + RETRY);
    }

    pub fn accept(&mut self, index: u64, watch: &Watch) {
        for _ in 0..ROUNDS {
            // Paused by another socket of the same round of events.
            if !self.accepting {
                return;
            }
            if self.connections.len() >= self.most {
                return self.pause(watch);
            }
            let Some((socket, pod)) = self.sockets.get(index as usize) else { return };
            let client = match accept_with(socket, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(client) => client,
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                    return self.pause_for_a_moment(watch);
                }
                Err(Errno::AGAIN) => return,
                Err(_) => continue, // this client is gone already
            };
            // One that does not come about is closed by that, which its client sees.
            let Ok(connection) = Connection::open(client, *pod) else { continue };
            self.last_connection += 1;
            self.connections.insert(self.last_connection, connection);
            self.wait_for(self.last_connection, watch);
        }
    }

    /// The connection may have ended by an earlier event of the same round.
    pub fn advance(&mut self, id: u64, watch: &Watch, buffer: &mut [u8]) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.advance(buffer) {
            self.wait_for(id, watch);
        } else {
            self.connections.remove(&id);
        }
    }

    /// Tells the kernel what the connection waits for.
    fn wait_for(&mut self, id: u64, watch: &Watch) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let wanted = connection.wants();
        let [client, pod] = connection.registered;
        let told = watch.change(&connection.client, Source::Client(id), client, wanted[0]).and(watch.change(
            &connection.pod,
            Source::Pod(id),
            pod,
            wanted[1],
        ));
        connection.registered = wanted;
        if told.is_err() {
            self.connections.remove(&id);
        }
    }
}
