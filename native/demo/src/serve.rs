//! A web server for the demo: HTTP/1.0, one thread for each connection, and a bound on everything a client may use.

use crate::{error::DemoError, printable, say};
use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const MAX_REQUEST_BYTES: usize = 8 * 1024;
/// of a request from its first byte to its last, and of each write of the answer
const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_CONNECTIONS: usize = 16;
// The process may be out of descriptors or memory; to try again at once would only burn its CPU.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_SHOWN_PATH: usize = 80;

pub fn serve(port: u16) -> Result<(), DemoError> {
    // Of both families, where the kernel has both.
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
        .or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))
        .map_err(|source| DemoError::io(format!("listen on port {port}"), source))?;
    let host = fs::read_to_string("/proc/sys/kernel/hostname")
        .map_err(|source| DemoError::io("read /proc/sys/kernel/hostname", source))?;
    let server = Arc::new(Server { host: host.trim().to_owned(), requests: AtomicU64::new(0) });
    let slots = Arc::new(Slots { free: Mutex::new(MAX_CONNECTIONS), freed: Condvar::new() });
    say(&format!("listening on port {port}"));
    loop {
        // Further clients wait in the kernel's queue.
        let slot = Slots::take(&slots);
        let (stream, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(failure) => {
                eprintln!("berth-demo: accept connection: {failure}");
                thread::sleep(ACCEPT_PAUSE);
                continue;
            }
        };
        let server = Arc::clone(&server);
        let work = move || {
            let _slot = slot;
            server.handle(stream, SocketAddr::new(peer.ip().to_canonical(), peer.port()));
        };
        if let Err(failure) = thread::Builder::new().spawn(work) {
            eprintln!("berth-demo: start thread for {peer}: {failure}");
        }
    }
}

struct Server {
    host: String,
    requests: AtomicU64,
}

impl Server {
    fn handle(&self, mut stream: TcpStream, peer: SocketAddr) {
        let (status, what) = match read_request(&mut stream) {
            Ok(request) => match request_line(&request) {
                Some(line) => ("200 OK", line),
                None => ("400 Bad Request", "no HTTP request".into()),
            },
            Err(failure) if failure.kind() == io::ErrorKind::InvalidData => {
                ("431 Request Header Fields Too Large", "a request over 8 KiB".into())
            }
            // It went away or was too slow: nobody waits for an answer.
            Err(failure) => return say(&format!("{peer} sent no request: {failure}")),
        };
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        say(&format!("request {number} from {peer}: {what}"));
        let answer = self.answer(status, number, what.starts_with("HEAD "));
        // The client's loss, if it has gone away.
        let _ = stream.set_write_timeout(Some(TIMEOUT)).and_then(|()| stream.write_all(answer.as_bytes()));
    }

    fn answer(&self, status: &str, number: u64, head_only: bool) -> String {
        let body = if status.starts_with("200") {
            format!("hello from {}, request {number}\n", self.host)
        } else {
            format!("{status}\n")
        };
        let length = body.len();
        format!(
            "HTTP/1.0 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{}",
            if head_only { "" } else { &body }
        )
    }
}

/// All up to the empty line; a body is not waited for. `InvalidData`: it is longer than we take.
fn read_request(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + TIMEOUT;
    let (mut request, mut buffer) = (Vec::new(), [0; 1024]);
    while !has_ended(&request) {
        // A timeout for each read alone would let a client that sends a byte now and then stay for hours.
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer) {
            Ok(0) if request.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(0) => break,
            Ok(length) => request.extend_from_slice(&buffer[..length]),
            Err(failure) if failure.kind() == io::ErrorKind::Interrupted => {}
            // What the kernel calls a receive timeout.
            Err(failure) if failure.kind() == io::ErrorKind::WouldBlock => return Err(io::ErrorKind::TimedOut.into()),
            Err(failure) => return Err(failure),
        }
        if request.len() > MAX_REQUEST_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(request)
}

fn has_ended(request: &[u8]) -> bool {
    let ends = |mark: &[u8]| request.windows(mark.len()).any(|window| window == mark);
    ends(b"\r\n\r\n") || ends(b"\n\n")
}

/// "GET /path", fit to be printed; `None` for what is no request.
fn request_line(request: &[u8]) -> Option<String> {
    let line = request.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    // A request without a version is HTTP/0.9.
    let known_version = words.next().is_none_or(|version| version.starts_with("HTTP/1."));
    let plain = (1..=16).contains(&method.len()) && method.bytes().all(|byte| byte.is_ascii_uppercase());
    if !plain || !known_version || path.is_empty() || words.next().is_some() {
        return None;
    }
    Some(format!("{method} {}", printable(path, LONGEST_SHOWN_PATH)))
}

struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
}

/// The right to have a connection; given back when dropped.
struct Slot(Arc<Slots>);

impl Slots {
    fn take(slots: &Arc<Self>) -> Slot {
        let free = slots.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = slots.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Slot(Arc::clone(slots))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_REQUEST_BYTES, Server, has_ended, read_request, request_line};
    use std::{
        io::{ErrorKind, Read, Write},
        net::{Shutdown, TcpListener, TcpStream},
        sync::atomic::AtomicU64,
        thread,
    };

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let client = TcpStream::connect(listener.local_addr().expect("address")).expect("connect");
        (client, listener.accept().expect("accept").0)
    }

    #[test]
    fn a_request_ends_at_the_empty_line() {
        assert!(has_ended(b"GET / HTTP/1.0\r\n\r\n"));
        assert!(has_ended(b"GET / HTTP/1.0\n\n"));
        assert!(!has_ended(b"GET / HTTP/1.0\r\nHost: web\r\n"));
    }

    #[test]
    fn the_line_of_a_request_is_its_method_and_its_path() {
        assert_eq!(request_line(b"GET /a?b HTTP/1.1\r\nHost: web\r\n\r\n").as_deref(), Some("GET /a?b"));
        assert_eq!(request_line(b"GET /\n\n").as_deref(), Some("GET /"));
    }

    #[test]
    fn what_a_client_sends_can_t_steer_a_terminal() {
        assert_eq!(request_line(b"GET /\x1b[2J HTTP/1.0\r\n\r\n").as_deref(), Some("GET /\u{fffd}[2J"));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for bad in ["", "GET", "get / HTTP/1.0", "GET / SPDY", "GET / HTTP/1.0 x", "GET  HTTP/1.0", "\u{16}\u{3}\u{1}"]
        {
            assert_eq!(request_line(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn an_endless_request_is_not_read_to_its_end() {
        let (mut client, mut server) = pair();
        let writer = thread::spawn(move || client.write_all(&[b'a'; 2 * MAX_REQUEST_BYTES]));
        assert_eq!(read_request(&mut server).expect_err("too long").kind(), ErrorKind::InvalidData);
        drop(server);
        let _ = writer.join();
    }

    #[test]
    fn each_answer_names_the_host_and_counts_the_requests() {
        let server = Server { host: "web-1".into(), requests: AtomicU64::new(0) };
        for number in [1, 2] {
            let (mut client, accepted) = pair();
            client.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("send");
            client.shutdown(Shutdown::Write).expect("shutdown");
            let peer = accepted.peer_addr().expect("address");
            server.handle(accepted, peer);
            let mut answer = String::new();
            client.read_to_string(&mut answer).expect("read");
            assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
            assert!(answer.ends_with(&format!("\r\n\r\nhello from web-1, request {number}\n")), "{answer}");
        }
    }
}
