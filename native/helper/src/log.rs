//! One JSON object a line on standard error.

use std::{
    fmt::Write,
    io::Write as _,
    time::{SystemTime, UNIX_EPOCH},
};

#[derive(Clone, Copy)]
pub enum Level {
    Info,
    Warn,
    Error,
}

pub fn write(level: Level, message: &str, fields: &[(&str, &str)]) {
    let level = match level {
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let mut line =
        format!("{{\"level\":\"{level}\",\"timeMillis\":{millis},\"part\":\"helper\",\"msg\":{}", quoted(message));
    for (name, value) in fields {
        let _ = write!(line, ",\"{name}\":{}", quoted(value));
    }
    line.push_str("}\n");
    // One write a line, so that lines of threads don't mix. Where nobody reads there is nobody to tell.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            letter if u32::from(letter) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}
