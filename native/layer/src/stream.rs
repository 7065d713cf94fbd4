//! The bytes of a layer: unpacked, counted, hashed.

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};
use std::io::{self, BufRead, BufReader, Read};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

const BUFFER_BYTES: usize = 256 * 1024;
// Small archives of zeros pack very well, and harm nobody.
const RATIO_FREE_BYTES: u64 = 64 * 1024 * 1024;

/// How much a stream may give; what it gave so far.
pub struct Bounds {
    pub max_bytes: u64,
    pub max_ratio: u64,
}

/// What an error of kind `FileTooLarge` says when the ratio was passed, and not the size.
pub const TOO_DENSE: &str = "too dense";
const TOO_LARGE: &str = "too large";

/// The tar inside the blob. Reading past a bound is an error of kind `FileTooLarge`.
pub struct TarStream<R: Read> {
    inner: Decoder<R>,
    bounds: Bounds,
    unpacked_bytes: u64,
    hash: Sha256,
}

enum Decoder<R: Read> {
    Plain(Counted<BufReader<R>>),
    Gzip(Box<MultiGzDecoder<Counted<BufReader<R>>>>),
    Zstd(Box<zstd::Decoder<'static, Counted<BufReader<R>>>>),
}

impl<R: Read> TarStream<R> {
    /// Fails at once when the first bytes are not of the compression that was declared.
    pub fn new(blob: R, compression: Compression, bounds: Bounds) -> io::Result<Self> {
        let mut source = Counted { inner: BufReader::with_capacity(BUFFER_BYTES, blob), bytes: 0 };
        let magic: &[u8] = match compression {
            Compression::None => &[],
            Compression::Gzip => &[0x1f, 0x8b],
            Compression::Zstd => &[0x28, 0xb5, 0x2f, 0xfd],
        };
        if !source.fill_buf()?.starts_with(magic) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("it is not {compression:?} data, as its media type says").to_lowercase(),
            ));
        }
        let inner = match compression {
            Compression::None => Decoder::Plain(source),
            Compression::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(source))),
            Compression::Zstd => Decoder::Zstd(Box::new(zstd::Decoder::with_buffer(source)?)),
        };
        Ok(Self { inner, bounds, unpacked_bytes: 0, hash: Sha256::new() })
    }

    /// Reads to the end and gives "sha256:<hex>" of all that was read.
    pub fn finish(mut self) -> io::Result<String> {
        let mut rest = vec![0; 64 * 1024];
        while self.read(&mut rest)? > 0 {}
        let hex: String = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("sha256:{hex}"))
    }

    fn packed_bytes(&self) -> u64 {
        match &self.inner {
            Decoder::Plain(source) => source.bytes,
            Decoder::Gzip(decoder) => decoder.get_ref().bytes,
            Decoder::Zstd(decoder) => decoder.get_ref().bytes,
        }
    }
}

impl<R: Read> Read for TarStream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = match &mut self.inner {
            Decoder::Plain(source) => source.read(buffer),
            Decoder::Gzip(decoder) => decoder.read(buffer),
            Decoder::Zstd(decoder) => decoder.read(buffer),
        }?;
        self.hash.update(&buffer[..bytes]);
        self.unpacked_bytes += bytes as u64;
        if self.unpacked_bytes > self.bounds.max_bytes {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, TOO_LARGE));
        }
        let dense = self.unpacked_bytes / self.bounds.max_ratio > self.packed_bytes();
        if dense && self.unpacked_bytes > RATIO_FREE_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, TOO_DENSE));
        }
        Ok(bytes)
    }
}

/// Counts what is taken from it.
struct Counted<R> {
    inner: R,
    bytes: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        self.bytes += bytes as u64;
        Ok(bytes)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.inner.consume(bytes);
    }
}
