//! Frames: a 32-bit big-endian length, then one message.

use prost::Message;
use std::{error::Error, fmt};

/// No frame is longer; a peer that announces more is broken or hostile, and its connection ends.
pub const MAX_FRAME_BYTES: usize = 4 * 1024 * 1024;

const HEADER_BYTES: usize = 4;

/// Why the bytes of a peer are no frame. The connection cannot be used any more.
#[derive(Debug)]
pub enum FrameError {
    /// The announced length, 0 or above [`MAX_FRAME_BYTES`].
    Length(usize),
    Message(prost::DecodeError),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(bytes) => write!(f, "read frame: length {bytes} is not within 1 to {MAX_FRAME_BYTES}"),
            Self::Message(cause) => write!(f, "read frame: {cause}"),
        }
    }
}

impl Error for FrameError {}

/// One message as a frame.
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    let bytes = message.encoded_len();
    let mut frame = Vec::with_capacity(HEADER_BYTES + bytes);
    frame.extend_from_slice(&(bytes as u32).to_be_bytes());
    message.encode_raw(&mut frame);
    frame
}

/// Collects bytes as they come and gives the messages that are whole.
#[derive(Default)]
pub struct Decoder {
    buffer: Vec<u8>,
}

impl Decoder {
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, or `None` until more bytes have come.
    pub fn next_message<M: Message + Default>(&mut self) -> Result<Option<M>, FrameError> {
        let Some(header) = self.buffer.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let bytes = u32::from_be_bytes(*header) as usize;
        if bytes == 0 || bytes > MAX_FRAME_BYTES {
            return Err(FrameError::Length(bytes));
        }
        let end = HEADER_BYTES + bytes;
        if self.buffer.len() < end {
            return Ok(None);
        }
        let message = M::decode(&self.buffer[HEADER_BYTES..end]).map_err(FrameError::Message)?;
        self.buffer.drain(..end);
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HelperHello, HelperRequest, helper_request::Call};

    fn hello(id: u64) -> HelperRequest {
        HelperRequest { id, call: Some(Call::Hello(HelperHello { protocol_version: 1 })) }
    }

    #[test]
    fn messages_come_out_as_they_went_in_however_the_bytes_are_cut() {
        let bytes = [encode(&hello(1)), encode(&hello(2))].concat();
        for cut in 0..=bytes.len() {
            let mut decoder = Decoder::default();
            let mut ids = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                decoder.push(part);
                while let Some(message) = decoder.next_message::<HelperRequest>().expect("whole frames") {
                    ids.push(message.id);
                }
            }
            assert_eq!(ids, [1, 2], "cut at byte {cut}");
        }
    }

    #[test]
    fn a_frame_that_announces_too_much_is_refused_before_its_bytes_are_awaited() {
        let mut decoder = Decoder::default();
        decoder.push(&u32::MAX.to_be_bytes());
        assert!(matches!(decoder.next_message::<HelperRequest>(), Err(FrameError::Length(_))));
    }

    #[test]
    fn an_empty_frame_is_refused() {
        let mut decoder = Decoder::default();
        decoder.push(&[0; 4]);
        assert!(matches!(decoder.next_message::<HelperRequest>(), Err(FrameError::Length(0))));
    }
}
