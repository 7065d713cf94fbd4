//! Pipes that processes write to.

use rustix::{
    fs::{OFlags, fcntl_setfl},
    io::{Errno, read},
    pipe::{PipeFlags, pipe_with},
};
use std::os::fd::OwnedFd;

/// Our end does not block; the other is as a program expects it.
pub fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (ours, its) = pipe_with(PipeFlags::CLOEXEC)?;
    fcntl_setfl(&ours, OFlags::NONBLOCK)?;
    Ok((ours, its))
}

pub enum Chunk {
    Bytes(Vec<u8>),
    /// Nothing now.
    Later,
    End,
}

pub fn read_chunk(pipe: &OwnedFd, most: usize) -> Chunk {
    let mut buffer = vec![0; most];
    match read(pipe, &mut buffer) {
        Ok(0) => Chunk::End,
        Ok(bytes) => {
            buffer.truncate(bytes);
            Chunk::Bytes(buffer)
        }
        Err(Errno::AGAIN | Errno::INTR) => Chunk::Later,
        Err(_) => Chunk::End,
    }
}
