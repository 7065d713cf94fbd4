//! The standard input of a process: what was sent to it waits here until the process reads.

use rustix::io::{Errno, write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// With so much waiting, no more is taken from whoever sends it.
const BUSY_BYTES: usize = 256 * 1024;

pub struct Input {
    pipe: Pipe,
    pending: Vec<u8>,
    is_ending: bool,
}

enum Pipe {
    /// The terminal is not there yet.
    Awaited,
    Open(OwnedFd),
    /// It has ended, or nobody reads any more: what comes is thrown away.
    Closed,
}

impl Input {
    /// @param pipe not blocking: the end of a pipe that is written, or a terminal's own side
    pub fn new(pipe: OwnedFd) -> Self {
        Self { pipe: Pipe::Open(pipe), pending: Vec::new(), is_ending: false }
    }

    /// Of a process whose terminal comes later.
    pub fn awaited() -> Self {
        Self { pipe: Pipe::Awaited, pending: Vec::new(), is_ending: false }
    }

    pub fn open(&mut self, pipe: OwnedFd) {
        self.pipe = Pipe::Open(pipe);
        self.flush();
    }

    pub fn push(&mut self, data: &[u8]) {
        if !matches!(self.pipe, Pipe::Closed) && !self.is_ending {
            self.pending.extend_from_slice(data);
            self.flush();
        }
    }

    /// The process reads what is waiting, then the end.
    pub fn end(&mut self) {
        self.is_ending = true;
        self.flush();
    }

    pub fn flush(&mut self) {
        let Pipe::Open(pipe) = &self.pipe else { return };
        let mut written = 0;
        while written < self.pending.len() {
            match write(pipe, &self.pending[written..]) {
                Ok(bytes) => written += bytes,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => {
                    self.pipe = Pipe::Closed;
                    self.pending = Vec::new();
                    return;
                }
            }
        }
        self.pending.drain(..written);
        if self.pending.is_empty() {
            self.pending = Vec::new();
            if self.is_ending {
                self.pipe = Pipe::Closed;
            }
        }
    }

    pub fn is_busy(&self) -> bool {
        self.pending.len() > BUSY_BYTES
    }

    /// Set while something waits for the process to read.
    pub fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        match &self.pipe {
            Pipe::Open(pipe) if !self.pending.is_empty() => Some(pipe.as_fd()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::{
        fs::{OFlags, fcntl_setfl},
        io::read,
        pipe::pipe,
    };

    fn input() -> (OwnedFd, Input) {
        let (reader, writer) = pipe().expect("pipe");
        fcntl_setfl(&writer, OFlags::NONBLOCK).expect("flags");
        (reader, Input::new(writer))
    }

    fn read_all(reader: &OwnedFd, input: &mut Input) -> usize {
        let (mut bytes, mut buffer) = (0, vec![0; 64 * 1024]);
        loop {
            match read(reader, &mut buffer).expect("read") {
                0 => return bytes,
                more => bytes += more,
            }
            input.flush();
        }
    }

    #[test]
    fn what_does_not_fit_the_pipe_waits_and_the_end_comes_after_it() {
        let (reader, mut input) = input();
        input.push(&vec![b'x'; 1024 * 1024]);
        assert!(input.is_busy() && input.waits_for().is_some());
        input.end();
        assert_eq!(read_all(&reader, &mut input), 1024 * 1024);
        assert!(input.waits_for().is_none());
    }

    #[test]
    fn nothing_is_kept_for_a_process_that_has_closed_its_input() {
        let (reader, mut input) = input();
        drop(reader);
        input.push(&vec![b'x'; 1024 * 1024]);
        assert!(!input.is_busy() && input.waits_for().is_none());
    }
}
