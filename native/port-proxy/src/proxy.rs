//! The loop: waits for whatever happens next, and takes each thing to its place.

use crate::{
    datagrams::Datagrams,
    error::ProxyError,
    listeners::Listeners,
    target::{Protocol, Target},
    watch::{Source, Watch},
};
use rustix::event::epoll::EventFlags;
use std::{net::SocketAddr, os::fd::OwnedFd, time::Instant};

const MAX_CONNECTIONS: usize = 1024;
const MAX_ASSOCIATIONS: usize = 1024;
/// Of each direction of a connection; the largest datagram fits too.
const BUFFER_BYTES: usize = 64 * 1024;

/// What the proxy was given: the process to end with, and sockets that are bound and do not block.
pub struct Ready {
    pub shim: OwnedFd,
    pub sockets: Vec<(OwnedFd, Target)>,
}

pub struct Proxy {
    watch: Watch,
    /// open as long as it is watched
    _shim: OwnedFd,
    listeners: Listeners,
    datagrams: Datagrams,
    buffer: Vec<u8>,
}

impl Proxy {
    pub fn run(ready: Ready) -> Result<(), ProxyError> {
        Self::new(ready, MAX_CONNECTIONS)?.serve()
    }

    fn new(ready: Ready, most_connections: usize) -> Result<Self, ProxyError> {
        let (tcp, udp): (Vec<_>, Vec<_>) =
            ready.sockets.into_iter().partition(|(_, target)| target.protocol == Protocol::Tcp);
        let watch = Watch::new()?;
        let mut listeners = Listeners::new(to_pods(tcp), most_connections);
        let datagrams = Datagrams::new(to_pods(udp), MAX_ASSOCIATIONS);
        let watched = watch.add(&ready.shim, Source::Shim, EventFlags::IN);
        watched.and_then(|()| datagrams.watch(&watch)).map_err(ProxyError::io("wait for clients"))?;
        listeners.resume(&watch, Instant::now());
        Ok(Self { watch, _shim: ready.shim, listeners, datagrams, buffer: vec![0; BUFFER_BYTES] })
    }

    fn serve(mut self) -> Result<(), ProxyError> {
        loop {
            let until = [self.datagrams.next_look(), self.listeners.next_look()].into_iter().flatten().min();
            let events = self.watch.wait(until)?;
            let now = Instant::now();
            for event in events {
                match event {
                    Source::Shim => return Ok(()),
                    Source::Listener(index) => self.listeners.accept(index, &self.watch),
                    Source::Client(id) | Source::Pod(id) => self.listeners.advance(id, &self.watch, &mut self.buffer),
                    Source::Datagrams(index) => self.datagrams.carry(index, &self.watch, &mut self.buffer, now),
                    Source::Association(id) => self.datagrams.answer(id, &mut self.buffer, now),
                }
            }
            self.datagrams.expire(now);
            self.listeners.resume(&self.watch, now);
        }
    }
}

fn to_pods(sockets: Vec<(OwnedFd, Target)>) -> Vec<(OwnedFd, SocketAddr)> {
    sockets.into_iter().map(|(socket, target)| (socket, target.pod)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read, Write},
        net::{Shutdown, TcpListener, TcpStream, UdpSocket},
        thread::{self, JoinHandle},
        time::Duration,
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

    /// The pod's listener, where clients connect, and the proxy between them.
    fn tcp(most_connections: usize) -> (TcpListener, SocketAddr, Running) {
        tcp_at("127.0.0.1:0", most_connections)
    }

    fn tcp_at(loopback: &str, most_connections: usize) -> (TcpListener, SocketAddr, Running) {
        let [pod, front] = [(); 2].map(|()| TcpListener::bind(loopback).expect("listener"));
        front.set_nonblocking(true).expect("nonblocking");
        let target = Target { protocol: Protocol::Tcp, pod: pod.local_addr().expect("address") };
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
    fn connections_of_ipv6_go_to_a_pod_of_ipv6() {
        let (pod, address, _running) = tcp_at("[::1]:0", 8);
        let mut client = connect_to(address);
        let (mut server, _) = pod.accept().expect("accept");
        server.write_all(b"hello").expect("write");
        drop(server);
        let mut heard = String::new();
        client.read_to_string(&mut heard).expect("read");
        assert_eq!(heard, "hello");
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
        for loopback in ["127.0.0.1:0", "[::1]:0"] {
            carry_datagrams(loopback);
        }
    }

    fn carry_datagrams(loopback: &str) {
        let [pod, front] = [(); 2].map(|()| UdpSocket::bind(loopback).expect("socket"));
        let address = front.local_addr().expect("address");
        front.set_nonblocking(true).expect("nonblocking");
        let target = Target { protocol: Protocol::Udp, pod: pod.local_addr().expect("address") };
        let _running = start(front.into(), target, 8);
        let clients = [(); 3].map(|()| UdpSocket::bind(loopback).expect("socket"));
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
