//! Where the data of a file with holes go: GNU's own headers, and its three ways to say it in PAX records.
//!
//! @source GNU tar manual, "Storing Sparse Files"

use crate::{
    archive::{BLOCK_BYTES, malformed},
    pax::{Records, number},
};
use std::io::{self, Read};
use tar::{GnuExtSparseHeader, GnuHeader, GnuSparseHeader};

/// 16 MiB of them.
const MAX_PIECES: usize = 1 << 20;
const MAX_DIGITS: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub offset: u64,
    pub bytes: u64,
}

impl Piece {
    pub fn whole(bytes: u64) -> Vec<Self> {
        vec![Self { offset: 0, bytes }]
    }
}

/// The header has room for four; blocks that follow it have more.
pub fn of_gnu_header(gnu: &GnuHeader, rest: &mut impl Read) -> io::Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut add = |headers: &[GnuSparseHeader]| -> io::Result<()> {
        for header in headers.iter().filter(|header| !header.is_empty()) {
            push(&mut pieces, header.offset()?, header.length()?)?;
        }
        Ok(())
    };
    add(&gnu.sparse)?;
    let mut more = gnu.is_extended();
    while more {
        let mut block = GnuExtSparseHeader::new();
        rest.read_exact(block.as_mut_bytes())?;
        add(block.sparse())?;
        more = block.is_extended();
    }
    Ok(pieces)
}

/// The pieces and the file's size, for a file whose records say that it has holes. Version 1.0 has its map before the data.
pub fn of_pax(records: &Records, data: &mut impl Read) -> io::Result<Option<(Vec<Piece>, u64)>> {
    let mut pieces = Vec::new();
    let size = if records.get("GNU.sparse.major") == Some(b"1") {
        let mut lines = Lines { data, block: [0; BLOCK_BYTES as usize], at: BLOCK_BYTES as usize };
        for _ in 0..lines.number()? {
            push(&mut pieces, lines.number()?, lines.number()?)?;
        }
        records.number("GNU.sparse.realsize")?
    } else if let Some(map) = records.get("GNU.sparse.map") {
        let numbers = map.split(|byte| *byte == b',').map(number).collect::<io::Result<Vec<u64>>>()?;
        add_pairs(&mut pieces, &numbers)?;
        records.number("GNU.sparse.size")?
    } else if records.get("GNU.sparse.numblocks").is_some() {
        let offsets = records.each("GNU.sparse.offset");
        let pairs = offsets.zip(records.each("GNU.sparse.numbytes")).flat_map(|(offset, bytes)| [offset, bytes]);
        add_pairs(&mut pieces, &pairs.map(number).collect::<io::Result<Vec<u64>>>()?)?;
        records.number("GNU.sparse.size")?
    } else {
        return Ok(None);
    };
    size.map(|size| Some((pieces, size))).ok_or_else(|| malformed("a file with holes has no size"))
}

/// Pieces are in order, do not overlap, end with the file, and take all the data.
pub fn check(pieces: &[Piece], data_bytes: u64, size_bytes: u64) -> io::Result<()> {
    let (mut end, mut data) = (0, 0u64);
    for piece in pieces {
        if piece.offset < end {
            return Err(malformed("the pieces of a file with holes overlap"));
        }
        end = piece.offset.checked_add(piece.bytes).ok_or_else(|| malformed("a piece of a file ends nowhere"))?;
        // No overflow: they do not overlap, and the last one ended below 2^64.
        data += piece.bytes;
    }
    if end > size_bytes || data != data_bytes {
        return Err(malformed("the pieces of a file with holes are not its data"));
    }
    Ok(())
}

fn add_pairs(pieces: &mut Vec<Piece>, numbers: &[u64]) -> io::Result<()> {
    numbers.chunks(2).try_for_each(|pair| match pair {
        [offset, bytes] => push(pieces, *offset, *bytes),
        _ => Err(malformed("the map of a file with holes ends in the middle")),
    })
}

fn push(pieces: &mut Vec<Piece>, offset: u64, bytes: u64) -> io::Result<()> {
    if pieces.len() == MAX_PIECES {
        return Err(malformed("a file has too many holes"));
    }
    pieces.push(Piece { offset, bytes });
    Ok(())
}

/// Decimal numbers, each on a line, in whole blocks.
struct Lines<'a, R> {
    data: &'a mut R,
    block: [u8; BLOCK_BYTES as usize],
    at: usize,
}

impl<R: Read> Lines<'_, R> {
    fn number(&mut self) -> io::Result<u64> {
        let mut digits = Vec::new();
        loop {
            if self.at == self.block.len() {
                self.data.read_exact(&mut self.block)?;
                self.at = 0;
            }
            let byte = self.block[self.at];
            self.at += 1;
            match byte {
                b'\n' if !digits.is_empty() => return number(&digits),
                _ if digits.len() == MAX_DIGITS => return Err(malformed("the map of a file with holes is malformed")),
                _ => digits.push(byte),
            }
        }
    }
}
