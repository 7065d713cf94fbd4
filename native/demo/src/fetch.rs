//! A web client for the demo: asks, prints what came back and how long it took, and asks again.

use crate::{arguments::FetchOptions, error::DemoError, printable, say, url::Url};
use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    thread,
    time::{Duration, Instant},
};

/// of connecting, and of one answer as a whole
const TIMEOUT: Duration = Duration::from_secs(5);
/// how long a server may take to come up
const PATIENCE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_millis(50);
const MAX_ANSWER_BYTES: u64 = 64 * 1024;
const LONGEST_SHOWN_LINE: usize = 200;

pub fn fetch(options: &FetchOptions) -> Result<(), DemoError> {
    let mut answers = 0;
    loop {
        let (mut stream, started) = connect(&options.url)?;
        let bytes = ask(&mut stream, &options.url, started)?;
        let line = first_line(&bytes).ok_or_else(|| DemoError::Answer { from: options.url.to_string() })?;
        say(&format!("{:.1} ms  {line}", started.elapsed().as_secs_f64() * 1000.0));
        answers += 1;
        if options.count.is_some_and(|count| answers >= count) {
            return Ok(());
        }
        thread::sleep(options.every);
    }
}

/// With the time when the attempt that succeeded began.
fn connect(url: &Url) -> Result<(TcpStream, Instant), DemoError> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let started = Instant::now();
        match connect_once(url) {
            Ok(stream) => return Ok((stream, started)),
            Err(failure) if failure.kind() == io::ErrorKind::ConnectionRefused && started < give_up => {
                thread::sleep(RETRY);
            }
            Err(failure) => return Err(DemoError::io(format!("connect to {}", url.authority()), failure)),
        }
    }
}

fn connect_once(url: &Url) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (url.host.as_str(), url.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

fn ask(stream: &mut TcpStream, url: &Url, started: Instant) -> Result<Vec<u8>, DemoError> {
    let failed = |source| DemoError::io(format!("ask {url}"), source);
    let request = format!("GET {} HTTP/1.0\r\nHost: {}\r\nUser-Agent: berth-demo\r\n\r\n", url.path, url.authority());
    stream.set_write_timeout(Some(TIMEOUT)).and_then(|()| stream.write_all(request.as_bytes())).map_err(failed)?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let left = TIMEOUT.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(DemoError::TimedOut { doing: format!("ask {url}"), after: TIMEOUT });
        }
        stream.set_read_timeout(Some(left)).map_err(failed)?;
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(answer),
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            // The kernel's word for a timeout; the next round says so.
            Err(failure) if matches!(failure.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(failure) => return Err(failed(failure)),
        }
        // Only the first line is shown; a server that never stops is not waited for.
        if answer.len() as u64 >= MAX_ANSWER_BYTES {
            return Ok(answer);
        }
    }
}

/// Of the body, fit to be printed, after the status where it is not 200. `None` for what is no HTTP answer.
fn first_line(answer: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").or_else(|| text.split_once("\n\n"))?;
    let status_line = head.lines().next()?;
    let (version, status) = status_line.split_once(' ')?;
    if !version.starts_with("HTTP/1.") {
        return None;
    }
    let line = body.lines().next().unwrap_or("");
    let shown = if status.split(' ').next() == Some("200") { line.to_owned() } else { format!("[{status}] {line}") };
    Some(printable(&shown, LONGEST_SHOWN_LINE))
}

#[cfg(test)]
mod tests {
    use super::{fetch, first_line};
    use crate::{arguments::FetchOptions, url::Url};
    use std::{
        io::{Read, Write},
        net::TcpListener,
        thread,
        time::Duration,
    };

    #[test]
    fn of_an_answer_the_first_line_of_its_body_is_shown() {
        let answer = b"HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\nhello\nyou\n";
        assert_eq!(first_line(answer).as_deref(), Some("hello"));
        assert_eq!(first_line(b"HTTP/1.0 200 OK\r\n\r\n").as_deref(), Some(""));
    }

    #[test]
    fn an_answer_that_is_no_success_says_so() {
        let answer = b"HTTP/1.1 404 Not Found\r\n\r\nnothing here\n";
        assert_eq!(first_line(answer).as_deref(), Some("[404 Not Found] nothing here"));
    }

    #[test]
    fn what_a_server_sends_can_t_steer_a_terminal() {
        assert_eq!(first_line(b"HTTP/1.0 200 OK\r\n\r\n\x1b[2J").as_deref(), Some("\u{fffd}[2J"));
    }

    #[test]
    fn what_is_no_http_is_refused() {
        for bad in ["", "hello\n", "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.0 200 OK\r\n"] {
            assert_eq!(first_line(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn it_ends_after_as_many_answers_as_were_asked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let port = listener.local_addr().expect("address").port();
        let server = thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().expect("accept");
                let mut buffer = [0; 1024];
                let length = stream.read(&mut buffer).expect("read");
                assert!(buffer[..length].starts_with(b"GET /x HTTP/1.0\r\n"));
                stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nhello\n").expect("answer");
            }
        });
        let url = Url::parse(&format!("http://127.0.0.1:{port}/x")).expect("URL");
        fetch(&FetchOptions { url, every: Duration::ZERO, count: Some(2) }).expect("fetch");
        server.join().expect("server");
    }
}
