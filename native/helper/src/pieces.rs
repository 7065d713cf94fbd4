//! A copy's connection: pieces either way, and the tar in them as a stream of bytes.

use rustix::{io::fcntl_dupfd_cloexec, stdio::stdout};
use std::{
    fs::File,
    io::{self, Read, Write},
    panic,
    process::exit,
};
use wire::{CopyPiece, Decoder, ErrorKind, Failure, copy_piece::Piece};

const PANICKED: i32 = 101;

const PIECE_BYTES: usize = 256 * 1024;

pub struct Pieces {
    /// A socket, as a file: it is read and written by the calls that the filter knows.
    connection: File,
    decoder: Decoder,
    incoming: Vec<u8>,
    read: usize,
    ended: bool,
    outgoing: Vec<u8>,
}

/// What went wrong is then told as any other failure is. It goes to standard output itself: a descriptor more would take a call that
/// the filter refuses.
pub fn tell_of_panics() {
    panic::set_hook(Box::new(|panic| {
        let failure = Failure { kind: ErrorKind::Internal.into(), message: format!("the copier failed: {panic}") };
        let mut output = io::stdout();
        let _ = output.write_all(&wire::encode(&CopyPiece { piece: Some(Piece::Failure(failure)) }));
        let _ = output.flush();
        exit(PANICKED);
    }));
}

impl Pieces {
    pub fn on_standard_output() -> io::Result<Self> {
        Ok(Self {
            connection: File::from(fcntl_dupfd_cloexec(stdout(), 3)?),
            decoder: Decoder::default(),
            incoming: Vec::new(),
            read: 0,
            ended: false,
            outgoing: Vec::with_capacity(PIECE_BYTES),
        })
    }

    pub fn send(&mut self, piece: Piece) -> io::Result<()> {
        self.connection.write_all(&wire::encode(&CopyPiece { piece: Some(piece) }))
    }

    /// Reads and throws away until the caller has ended or gone.
    pub fn drain(&mut self) -> io::Result<()> {
        let mut rest = vec![0; PIECE_BYTES];
        while !self.ended && self.connection.read(&mut rest)? > 0 {}
        Ok(())
    }

    fn next_piece(&mut self) -> io::Result<Piece> {
        let mut buffer = vec![0; PIECE_BYTES];
        loop {
            if let Some(CopyPiece { piece }) = self.decoder.next_message().map_err(io::Error::other)? {
                return piece.ok_or_else(|| io::ErrorKind::InvalidData.into());
            }
            match self.connection.read(&mut buffer)? {
                0 => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the caller has gone away")),
                bytes => self.decoder.push(&buffer[..bytes]),
            }
        }
    }
}

/// The tar that comes in, up to its end.
impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.incoming.len() && !self.ended {
            match self.next_piece()? {
                Piece::Data(data) => (self.incoming, self.read) = (data, 0),
                Piece::End(_) => self.ended = true,
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        let bytes = (&self.incoming[self.read..]).read(buffer)?;
        self.read += bytes;
        Ok(bytes)
    }
}

/// The tar that goes out. What is left at its end goes with a flush.
impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE_BYTES - self.outgoing.len());
        self.outgoing.extend_from_slice(&bytes[..taken]);
        if self.outgoing.len() == PIECE_BYTES {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.outgoing.is_empty() {
            return Ok(());
        }
        let data = std::mem::replace(&mut self.outgoing, Vec::with_capacity(PIECE_BYTES));
        self.send(Piece::Data(data))
    }
}
