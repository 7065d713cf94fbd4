//! The loop: waits for whatever happens next, and takes each thing to its place.

use crate::{
    associations::Associations,
    connection::Connection,
    error::ProxyError,
    target::{Protocol, Target},
};
use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, CreateFlags, EventData, EventFlags},
    },
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, accept_with, connect, ipproto, recv, recvfrom,
        send, sendto, socket_with,
    },
};
use std::{
    collections::HashMap,
    net::SocketAddrV4,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

const MAX_CONNECTIONS: usize = 1024;
const MAX_ASSOCIATIONS: usize = 1024;
/// Of each direction of a connection; the largest datagram fits too.
const BUFFER_BYTES: usize = 64 * 1024;
const MAX_EVENTS: usize = 64;
/// So many of one socket at a time, and then it is another's turn.
const ROUNDS: usize = 64;
const RETRY: Duration = Duration::from_millis(100);

/// What the proxy was given: the process to end with, and sockets that are bound and do not block.
pub struct Ready {
    pub shim: OwnedFd,
    pub sockets: Vec<(OwnedFd, Target)>,
}

pub struct Proxy {
    epoll: OwnedFd,
    shim: OwnedFd,
    sockets: Vec<(OwnedFd, Target)>,
    connections: HashMap<u64, Connection>,
    last_connection: u64,
    most_connections: usize,
    associations: Associations<OwnedFd>,
    /// False while no more connections can be held: those that come wait with the kernel.
    accepting: bool,
    accept_again_at: Option<Instant>,
    buffer: Vec<u8>,
}

/// What an event is about.
#[derive(Clone, Copy)]
enum Source {
    Shim,
    Socket(u64),
    Client(u64),
    Pod(u64),
    Association(u64),
}

impl Proxy {
    pub fn run(ready: Ready) -> Result<(), ProxyError> {
        Self::new(ready, MAX_CONNECTIONS)?.serve()
    }

    fn new(ready: Ready, most_connections: usize) -> Result<Self, ProxyError> {
        let mut proxy = Self {
            epoll: epoll::create(CreateFlags::CLOEXEC).map_err(ProxyError::io("make epoll"))?,
            shim: ready.shim,
            sockets: ready.sockets,
            connections: HashMap::new(),
            last_connection: 0,
            most_connections,
            associations: Associations::new(MAX_ASSOCIATIONS),
            accepting: false,
            accept_again_at: None,
            buffer: vec![0; BUFFER_BYTES],
        };
        let watched = proxy.watch(&proxy.shim, Source::Shim, EventFlags::IN);
        watched.and_then(|()| proxy.watch_sockets(Protocol::Udp)).map_err(ProxyError::io("wait for clients"))?;
        proxy.accept_connections();
        Ok(proxy)
    }

    fn serve(mut self) -> Result<(), ProxyError> {
        let mut events = Vec::with_capacity(MAX_EVENTS);
        loop {
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), self.timeout().as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(ProxyError::io("wait for events")(errno)),
            }
            let now = Instant::now();
            for event in &events {
                match Source::of(event.data.u64()) {
                    Source::Shim => return Ok(()),
                    Source::Socket(index) => self.heard(index as usize, now),
                    Source::Client(id) | Source::Pod(id) => self.advance(id),
                    Source::Association(id) => self.answer(id, now),
                }
            }
            self.associations.expire(now);
            if !self.accepting
                && self.connections.len() < self.most_connections
                && self.accept_again_at.is_none_or(|at| at <= now)
            {
                self.accept_connections();
            }
        }
    }

    fn timeout(&self) -> Option<Timespec> {
        let next = [self.associations.next_look(), self.accept_again_at].into_iter().flatten().min()?;
        // A millisecond more, for the kernel counts in whole ones and would wake us before the time.
        let left = next.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        Some(Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() })
    }

    fn watch(&self, descriptor: &OwnedFd, source: Source, flags: EventFlags) -> Result<(), Errno> {
        epoll::add(&self.epoll, descriptor, EventData::new_u64(source.number()), flags)
    }

    fn watch_sockets(&self, protocol: Protocol) -> Result<(), Errno> {
        for (index, (socket, target)) in (0..).zip(&self.sockets) {
            if target.protocol == protocol {
                self.watch(socket, Source::Socket(index), EventFlags::IN)?;
            }
        }
        Ok(())
    }

    fn accept_connections(&mut self) {
        self.accept_again_at = None;
        self.accepting = true;
        if self.watch_sockets(Protocol::Tcp).is_err() {
            self.pause();
        }
    }

    /// Until a connection ends, or for a moment when it is the node that can't hold more.
    fn pause(&mut self) {
        for (socket, target) in &self.sockets {
            if target.protocol == Protocol::Tcp {
                let _ = epoll::delete(&self.epoll, socket);
            }
        }
        self.accepting = false;
    }

    fn heard(&mut self, index: usize, now: Instant) {
        match self.sockets.get(index).map(|(_, target)| *target) {
            Some(Target { protocol: Protocol::Tcp, pod }) => self.accept(index, pod),
            Some(Target { protocol: Protocol::Udp, pod }) => self.carry_datagrams(index, pod, now),
            None => {}
        }
    }

    fn accept(&mut self, index: usize, pod: SocketAddrV4) {
        for _ in 0..ROUNDS {
            // Paused by another socket of the same round of events.
            if !self.accepting {
                return;
            }
            if self.connections.len() >= self.most_connections {
                return self.pause();
            }
            let client = match accept_with(&self.sockets[index].0, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(client) => client,
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                    self.pause();
                    self.accept_again_at = Some(Instant::now() + RETRY);
                    return;
                }
                Err(Errno::AGAIN) => return,
                Err(_) => continue, // this client is gone already
            };
            // One that does not come about is closed by that, which its client sees.
            let Ok(connection) = Connection::open(client, pod) else { continue };
            self.last_connection += 1;
            self.connections.insert(self.last_connection, connection);
            self.wait_for(self.last_connection);
        }
    }

    /// The connection may have ended by an earlier event of the same round.
    fn advance(&mut self, id: u64) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.advance(&mut self.buffer) {
            self.wait_for(id);
        } else {
            self.connections.remove(&id);
        }
    }

    /// Tells the kernel what the connection waits for; what has not changed is not told again.
    fn wait_for(&mut self, id: u64) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let wanted = connection.wants();
        let sides = [(&connection.client, Source::Client(id)), (&connection.pod, Source::Pod(id))];
        let mut told = Ok(());
        for ((side, source), (before, now)) in sides.into_iter().zip(connection.registered.into_iter().zip(wanted)) {
            let data = EventData::new_u64(source.number());
            let change = match (before.is_empty(), now.is_empty()) {
                _ if before == now => Ok(()),
                (true, _) => epoll::add(&self.epoll, side, data, now),
                (false, true) => epoll::delete(&self.epoll, side),
                (false, false) => epoll::modify(&self.epoll, side, data, now),
            };
            told = told.and(change);
        }
        connection.registered = wanted;
        if told.is_err() {
            self.connections.remove(&id);
        }
    }

    fn carry_datagrams(&mut self, index: usize, pod: SocketAddrV4, now: Instant) {
        for _ in 0..ROUNDS {
            let socket = &self.sockets[index].0;
            let (bytes, from) = match recvfrom(socket, self.buffer.as_mut_slice(), RecvFlags::empty()) {
                Ok((bytes, _, Some(from))) => (bytes, from),
                Ok((_, _, None)) => continue,
                Err(Errno::AGAIN) => return,
                Err(_) => continue, // an answer of ours that did not arrive
            };
            let Ok(from) = SocketAddrV4::try_from(from) else { continue };
            let client = (index, from);
            if self.associations.of_client(client, now).is_none() && self.associate(client, pod, now).is_err() {
                continue;
            }
            if let Some(socket) = self.associations.of_client(client, now) {
                let datagram = &self.buffer[..bytes];
                // That nobody listened to an earlier one is told here, and this one is not sent then.
                if send(socket, datagram, SendFlags::NOSIGNAL) == Err(Errno::CONNREFUSED) {
                    let _ = send(socket, datagram, SendFlags::NOSIGNAL);
                }
            }
        }
    }

    fn associate(&mut self, client: (usize, SocketAddrV4), pod: SocketAddrV4, now: Instant) -> Result<(), Errno> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, flags, Some(ipproto::UDP))?;
        connect(&socket, &pod)?;
        self.watch(&socket, Source::Association(self.associations.next_id()), EventFlags::IN)?;
        self.associations.insert(client, socket, now);
        Ok(())
    }

    fn answer(&mut self, id: u64, now: Instant) {
        for _ in 0..ROUNDS {
            let Some((socket, (index, client))) = self.associations.of_socket(id, now) else { return };
            match recv(socket, self.buffer.as_mut_slice(), RecvFlags::empty()) {
                Ok((bytes, _)) => {
                    let _ = sendto(&self.sockets[index].0, &self.buffer[..bytes], SendFlags::NOSIGNAL, &client);
                }
                Err(Errno::AGAIN) => return,
                Err(_) => {} // the pod does not listen; its client hears nothing, as over any network
            }
        }
    }
}

/// Three bits say what it is, the others which one.
impl Source {
    fn number(self) -> u64 {
        match self {
            Self::Shim => 0,
            Self::Socket(index) => index << 3 | 1,
            Self::Client(id) => id << 3 | 2,
            Self::Pod(id) => id << 3 | 3,
            Self::Association(id) => id << 3 | 4,
        }
    }

    fn of(number: u64) -> Self {
        let which = number >> 3;
        match number & 7 {
            1 => Self::Socket(which),
            2 => Self::Client(which),
            3 => Self::Pod(which),
            4 => Self::Association(which),
            _ => Self::Shim,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
        thread::{self, JoinHandle},
    };

    const PATIENCE: Duration = Duration::from_secs(10);

    /// A proxy in a thread; it ends when `shim` is dropped.
    struct Running {
        shim: Option<OwnedFd>,
        thread: Option<JoinHandle<()>>,
    }

    impl Drop for Running {
        fn drop(&mut self) {
            drop(self.shim.take());
            self.thread.take().expect("thread").join().expect("the proxy ends with its shim");
        }
    }

    fn start(socket: OwnedFd, target: Target, most_connections: usize) -> Running {
        let (ends, shim) = rustix::pipe::pipe().expect("pipe");
        let ready = Ready { shim: ends, sockets: vec![(socket, target)] };
        let proxy = Proxy::new(ready, most_connections).expect("proxy");
        Running { shim: Some(shim), thread: Some(thread::spawn(move || proxy.serve().expect("serve"))) }
    }

    fn v4(address: SocketAddr) -> SocketAddrV4 {
        match address {
            SocketAddr::V4(address) => address,
            SocketAddr::V6(_) => panic!("{address}"),
        }
    }

    /// The pod's listener, where clients connect, and the proxy between them.
    fn tcp(most_connections: usize) -> (TcpListener, SocketAddr, Running) {
        let [pod, front] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("listener"));
        front.set_nonblocking(true).expect("nonblocking");
        let target = Target { protocol: Protocol::Tcp, pod: v4(pod.local_addr().expect("address")) };
        let address = front.local_addr().expect("address");
        (pod, address, start(front.into(), target, most_connections))
    }

    fn connect_to(address: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(address).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
        stream
    }

    #[test]
    fn either_side_may_end_first_and_still_gets_what_the_other_sends() {
        let (pod, address, _running) = tcp(8);
        let mut client = connect_to(address);
        let (mut server, _) = pod.accept().expect("accept");
        client.write_all(b"question").expect("write");
        client.shutdown(Shutdown::Write).expect("shutdown");
        let mut heard = String::new();
        server.read_to_string(&mut heard).expect("read");
        assert_eq!(heard, "question");
        server.write_all(b"answer").expect("write");
        drop(server);
        heard.clear();
        client.read_to_string(&mut heard).expect("read");
        assert_eq!(heard, "answer");
    }

    #[test]
    fn a_slow_reader_gets_everything_and_the_sender_waits() {
        let (pod, address, _running) = tcp(8);
        let mut client = connect_to(address);
        let (mut server, _) = pod.accept().expect("accept");
        let sent: Vec<u8> = (0..20_000_000u32).map(|number| (number % 251) as u8).collect();
        let expected = sent.clone();
        let sender = thread::spawn(move || {
            client.write_all(&sent).expect("write");
            client.shutdown(Shutdown::Write).expect("shutdown");
            client
        });
        thread::sleep(Duration::from_millis(200));
        assert!(!sender.is_finished(), "all of it is held somewhere");
        let mut heard = Vec::new();
        server.read_to_end(&mut heard).expect("read");
        assert!(heard == expected);
        drop(sender.join().expect("sender"));
    }

    #[test]
    fn a_port_that_the_pod_does_not_listen_on_resets_its_client() {
        let (pod, address, _running) = tcp(8);
        drop(pod);
        let mut client = connect_to(address);
        let failure = client.read(&mut [0]).expect_err("reset");
        assert_eq!(failure.kind(), std::io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn a_connection_too_many_waits_until_another_ends() {
        let (pod, address, _running) = tcp(1);
        let first = connect_to(address);
        let (_server, _) = pod.accept().expect("accept");
        let mut second = connect_to(address);
        second.write_all(b"here").expect("write");
        pod.set_nonblocking(true).expect("nonblocking");
        thread::sleep(Duration::from_millis(100));
        assert!(pod.accept().is_err(), "it is let through");
        pod.set_nonblocking(false).expect("blocking");
        drop((first, _server));
        let (mut server, _) = pod.accept().expect("accept");
        let mut heard = [0; 4];
        server.read_exact(&mut heard).expect("read");
        assert_eq!(&heard, b"here");
    }

    #[test]
    fn datagrams_go_both_ways_and_to_whom_they_belong() {
        let [pod, front] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("socket"));
        let address = front.local_addr().expect("address");
        front.set_nonblocking(true).expect("nonblocking");
        let target = Target { protocol: Protocol::Udp, pod: v4(pod.local_addr().expect("address")) };
        let _running = start(front.into(), target, 8);
        let clients = [(); 3].map(|()| UdpSocket::bind("127.0.0.1:0").expect("socket"));
        for (number, client) in clients.iter().enumerate() {
            client.set_read_timeout(Some(PATIENCE)).expect("timeout");
            client.connect(address).expect("connect");
            client.send(&[number as u8]).expect("send");
        }
        let mut buffer = [0; 16];
        for _ in &clients {
            let (bytes, from) = pod.recv_from(&mut buffer).expect("receive");
            pod.send_to(&[&buffer[..bytes], b"!"].concat(), from).expect("answer");
        }
        for (number, client) in clients.iter().enumerate() {
            let bytes = client.recv(&mut buffer).expect("an answer");
            assert_eq!(&buffer[..bytes], [number as u8, b'!']);
        }
    }
}
