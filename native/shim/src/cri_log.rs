//! CRI log lines: "<time> stdout F text".

use crate::{log_file::Log, time};

// What containerd writes too; readers join parts until one is final.
const MAX_LINE_BYTES: usize = 16 * 1024;

/// One stream's bytes as lines.
pub struct Lines {
    stream: &'static str,
    partial: Vec<u8>,
}

impl Lines {
    pub fn new(stream: &'static str) -> Self {
        Self { stream, partial: Vec::new() }
    }

    pub fn push(&mut self, mut bytes: &[u8], log: &mut Log) {
        let stamp = time::rfc3339(time::now_nanos());
        while !bytes.is_empty() {
            let room = MAX_LINE_BYTES - self.partial.len();
            let end = bytes.iter().take(room).position(|byte| *byte == b'\n');
            let taken = end.unwrap_or_else(|| bytes.len().min(room));
            self.partial.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken + usize::from(end.is_some())..];
            if end.is_some() {
                self.write(&stamp, "F", log);
            } else if self.partial.len() == MAX_LINE_BYTES {
                self.write(&stamp, "P", log);
            }
        }
    }

    /// A last line without its end is written as a part, for no end came.
    pub fn finish(&mut self, log: &mut Log) {
        if !self.partial.is_empty() {
            self.write(&time::rfc3339(time::now_nanos()), "P", log);
        }
    }

    fn write(&mut self, stamp: &str, tag: &str, log: &mut Log) {
        log.add(&[stamp.as_bytes(), b" ", self.stream.as_bytes(), b" ", tag.as_bytes(), b" ", &self.partial, b"\n"]);
        self.partial.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(pieces: &[&[u8]]) -> Vec<String> {
        let (mut log, mut lines) = (Log::nowhere(), Lines::new("stdout"));
        for piece in pieces {
            lines.push(piece, &mut log);
        }
        lines.finish(&mut log);
        // Without the time, which is the first word.
        String::from_utf8(log.take_pending())
            .expect("text")
            .lines()
            .map(|line| line.split_once(' ').expect("time").1.to_owned())
            .collect()
    }

    #[test]
    fn each_line_is_final_and_an_unfinished_one_is_a_part() {
        assert_eq!(
            written(&[b"one\ntw", b"o\n\nthr", b"ee"]),
            ["stdout F one", "stdout F two", "stdout F ", "stdout P three"]
        );
    }

    #[test]
    fn a_long_line_is_written_in_parts_and_nothing_of_it_is_lost() {
        let mut long = vec![b'x'; MAX_LINE_BYTES * 2 + 5];
        long.push(b'\n');
        let lines = written(&[&long]);
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [MAX_LINE_BYTES + 9, MAX_LINE_BYTES + 9, 14]);
        assert_eq!(lines.iter().map(|line| line.as_bytes()[7]).collect::<Vec<_>>(), b"PPF");
    }
}
