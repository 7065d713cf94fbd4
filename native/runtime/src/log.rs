//! Where a call says why it failed: a JSON object a line, as callers of OCI runtimes read it.

use crate::error::RuntimeError;
use serde::Serialize;
use std::{
    fs::OpenOptions,
    io::Write,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

/// `None` is standard error.
pub struct Log(pub Option<PathBuf>);

#[derive(Serialize)]
struct Line<'a> {
    level: &'a str,
    msg: &'a str,
    time: String,
}

impl Log {
    pub fn error(&self, failure: &RuntimeError) {
        self.write("error", failure);
    }

    pub fn warn(&self, failure: &RuntimeError) {
        self.write("warning", failure);
    }

    fn write(&self, level: &str, failure: &RuntimeError) {
        let line = line(level, &failure.to_string(), SystemTime::now());
        let written = self.0.as_ref().map(|path| {
            // At once, so that lines of several calls don't mix.
            OpenOptions::new().append(true).create(true).open(path)?.write_all(line.as_bytes())
        });
        if !matches!(written, Some(Ok(()))) {
            // Where nobody reads there is nobody to tell.
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }
}

fn line(level: &str, msg: &str, now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let time = i64::try_from(seconds).ok().and_then(sys::time::rfc3339).unwrap_or_default();
    // Texts alone can always be written as JSON.
    let mut line = serde_json::to_string(&Line { level, msg, time }).unwrap_or_default();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::line;
    use std::time::UNIX_EPOCH;

    #[test]
    fn an_error_is_one_line_of_json_whatever_is_in_it() {
        let text = "exec \"/no\npe\": No such file or directory";
        let expected =
            r#"{"level":"error","msg":"exec \"/no\npe\": No such file or directory","time":"1970-01-01T00:00:00Z"}"#;
        assert_eq!(line("error", text, UNIX_EPOCH), format!("{expected}\n"));
    }
}
