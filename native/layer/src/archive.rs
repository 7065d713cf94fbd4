//! The entries of a tar: ustar, GNU and PAX, with the extensions folded into the entry that they are about. What an entry may
//! make us keep in memory is bounded.
//!
//! @source POSIX.1-2017 pax; GNU tar manual, "Tar Internals"; where readers differ, Go's archive/tar, which images are made for

use crate::{
    pax,
    sparse::{self, Piece},
};
use std::io::{self, Read};
use tar::{EntryType, Header};

pub const BLOCK_BYTES: u64 = 512;
const MAX_PAX_BYTES: u64 = 1024 * 1024;
const MAX_NAME_BYTES: u64 = 64 * 1024;

pub struct Archive<R> {
    inner: R,
    /// of the present entry's data, and of the padding after it
    left: u64,
    padding: u64,
}

pub struct Entry {
    pub name: Vec<u8>,
    pub link: Vec<u8>,
    pub kind: EntryType,
    pub mode: Option<u32>,
    /// `None` where the header has no number
    pub uid: Option<u64>,
    pub gid: Option<u64>,
    pub mtime: pax::Time,
    pub device: (u32, u32),
    /// of the file, with its holes
    pub size_bytes: u64,
    /// where the data go, in order
    pub pieces: Vec<Piece>,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<R: Read> Archive<R> {
    pub fn new(inner: R) -> Self {
        Self { inner, left: 0, padding: 0 }
    }

    /// The rest of the present entry's data.
    pub fn data(&mut self) -> Data<'_, R> {
        Data(self)
    }

    /// What follows the last entry is still to be read from it.
    pub fn into_inner(self) -> R {
        self.inner
    }

    pub fn next(&mut self) -> io::Result<Option<Entry>> {
        let (mut records, mut name, mut link) = (pax::Records::default(), None, None);
        loop {
            self.skip_data()?;
            let Some(header) = self.header()? else {
                return if records.is_empty() && name.is_none() && link.is_none() {
                    Ok(None)
                } else {
                    Err(malformed("an extension is about no entry"))
                };
            };
            let size = header.entry_size()?;
            match header.entry_type() {
                EntryType::XHeader => records = pax::Records::parse(&self.take_small(size, MAX_PAX_BYTES)?)?,
                EntryType::GNULongName => name = Some(text(self.take_small(size, MAX_NAME_BYTES)?)),
                EntryType::GNULongLink => link = Some(text(self.take_small(size, MAX_NAME_BYTES)?)),
                // About all entries that follow, which nobody's layers make use of.
                EntryType::XGlobalHeader => self.begin_data(size)?,
                _ => return self.entry(&header, &records, name, link).map(Some),
            }
        }
    }

    fn entry(
        &mut self,
        header: &Header,
        records: &pax::Records,
        name: Option<Vec<u8>>,
        link: Option<Vec<u8>>,
    ) -> io::Result<Entry> {
        let text = |key: &str| records.get(key).map(<[u8]>::to_vec);
        let name =
            text("GNU.sparse.name").or(text("path")).or(name).unwrap_or_else(|| header.path_bytes().into_owned());
        let kind = match header.entry_type() {
            // An old tar has no folders but by their names.
            EntryType::Regular if header.as_bytes()[156] == 0 && name.ends_with(b"/") => EntryType::Directory,
            kind => kind,
        };
        let has_data = matches!(kind, EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse);
        let stored = if has_data { records.number("size")?.map_or_else(|| header.entry_size(), Ok)? } else { 0 };
        let (mut pieces, mut size_bytes) = (Piece::whole(stored), stored);
        if let Some(gnu) = header.as_gnu().filter(|_| kind == EntryType::GNUSparse) {
            // What continues the map is between header and data, and not counted.
            pieces = sparse::of_gnu_header(gnu, &mut self.inner)?;
            size_bytes = gnu.real_size()?;
        }
        self.begin_data(stored)?;
        if let Some(map) = has_data.then(|| sparse::of_pax(records, &mut self.data())).transpose()?.flatten() {
            (pieces, size_bytes) = map;
        }
        sparse::check(&pieces, self.left, size_bytes)?;
        let device = |number: io::Result<Option<u32>>| number.ok().flatten().unwrap_or(0);
        Ok(Entry {
            name,
            link: text("linkpath").or(link).or_else(|| header.link_name_bytes().map(Into::into)).unwrap_or_default(),
            kind,
            mode: header.mode().ok(),
            uid: records.number("uid")?.or_else(|| id(header.uid(), &header.as_bytes()[108..116])),
            gid: records.number("gid")?.or_else(|| id(header.gid(), &header.as_bytes()[116..124])),
            mtime: records.time("mtime").unwrap_or_else(|| pax::Time::of_seconds(header.mtime().unwrap_or(0))),
            device: (device(header.device_major()), device(header.device_minor())),
            size_bytes,
            pieces,
            xattrs: records.xattrs(),
        })
    }

    /// `None` at the end: a block of zeros, or nothing more.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let mut header = Header::new_old();
        let block = header.as_mut_bytes();
        let read = fill(&mut self.inner, block)?;
        if read == 0 || (read == block.len() && block.iter().all(|byte| *byte == 0)) {
            return Ok(None);
        }
        if read < block.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let sum = header.cksum()?;
        let bytes = header.as_bytes();
        let counted = bytes[..148].iter().chain(&bytes[156..]);
        let unsigned: u32 = counted.clone().map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
        // Some old writers took bytes for signed numbers.
        let signed: i32 = counted.map(|byte| i32::from(byte.cast_signed())).sum::<i32>() + 8 * 32;
        if sum == unsigned || i64::from(sum) == i64::from(signed) {
            Ok(Some(header))
        } else {
            Err(malformed("the checksum of a header is wrong"))
        }
    }

    fn begin_data(&mut self, size: u64) -> io::Result<()> {
        size.checked_next_multiple_of(BLOCK_BYTES).ok_or_else(|| malformed("an entry is larger than anything"))?;
        (self.left, self.padding) = (size, size.wrapping_neg() % BLOCK_BYTES);
        Ok(())
    }

    fn skip_data(&mut self) -> io::Result<()> {
        let rest = self.left + self.padding;
        (self.left, self.padding) = (0, 0);
        if io::copy(&mut (&mut self.inner).take(rest), &mut io::sink())? < rest {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn take_small(&mut self, size: u64, most: u64) -> io::Result<Vec<u8>> {
        if size > most {
            return Err(malformed("an extension of an entry is too large"));
        }
        self.begin_data(size)?;
        let mut bytes = Vec::new();
        self.data().read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Reads to the end of an entry. An archive that ends before is an error.
pub struct Data<'a, R>(&'a mut Archive<R>);

impl<R: Read> Read for Data<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.0.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let bytes = self.0.inner.read(&mut buffer[..most])?;
        if bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.0.left -= bytes as u64;
        Ok(bytes)
    }
}

pub fn malformed(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Reads until the buffer is full or the source ends.
pub fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..])? {
            0 => break,
            bytes => filled += bytes,
        }
    }
    Ok(filled)
}

/// Some writers leave out what is 0.
fn id(number: io::Result<u64>, field: &[u8]) -> Option<u64> {
    number.ok().or_else(|| field.iter().all(|byte| matches!(byte, 0 | b' ')).then_some(0))
}

/// GNU's long names end in a NUL byte.
fn text(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.last() == Some(&0) {
        bytes.pop();
    }
    bytes
}
