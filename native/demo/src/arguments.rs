//! The command line.

use crate::{error::DemoError, url::Url};
use std::{ffi::OsString, time::Duration};

#[derive(Debug, PartialEq)]
pub enum Arguments {
    Serve { port: u16 },
    Fetch(FetchOptions),
    Text(String),
}

#[derive(Debug, PartialEq)]
pub struct FetchOptions {
    pub url: Url,
    /// the pause after each answer
    pub every: Duration,
    /// `None`: for ever
    pub count: Option<u64>,
}

const HELP: &str = "\
berth-demo serve [--port PORT]
berth-demo fetch [--every SECONDS] [--count N] URL

The program of Berth's demo image.
  serve            answer every HTTP request with the name of the host and a number
    --port PORT      where to listen [8080]
  fetch URL        ask http://HOST:PORT/PATH again and again, and print each answer
    --every SECONDS  the pause between two questions [1]
    --count N        end after so many answers [never]
  --version        print the version
";

const DEFAULT_PORT: u16 = 8080;
const DEFAULT_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE_SECONDS: f64 = 86_400.0;

pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Arguments, DemoError> {
    let mut words = words.into_iter().map(text);
    let verb = words.next().unwrap_or_else(|| Ok("--help".into()))?;
    match verb.as_str() {
        "serve" => serve(words),
        "fetch" => fetch(words),
        "--help" | "-h" => Ok(Arguments::Text(HELP.into())),
        "--version" => Ok(Arguments::Text(format!("{}\n", env!("CARGO_PKG_VERSION")))),
        _ => Err(DemoError::usage(verb, "it is neither serve nor fetch")),
    }
}

type Word = Result<String, DemoError>;

fn text(word: OsString) -> Word {
    word.into_string().map_err(|word| DemoError::usage(word.to_string_lossy(), "it is no UTF-8"))
}

fn serve(mut words: impl Iterator<Item = Word>) -> Result<Arguments, DemoError> {
    let mut port = DEFAULT_PORT;
    while let Some(word) = words.next().transpose()? {
        match word.as_str() {
            "--port" => port = whole(value(&word, &mut words)?, 1, "it is no port within 1 to 65535")?,
            _ => return Err(unexpected(word)),
        }
    }
    Ok(Arguments::Serve { port })
}

fn fetch(mut words: impl Iterator<Item = Word>) -> Result<Arguments, DemoError> {
    let (mut url, mut every, mut count) = (None, DEFAULT_PAUSE, None);
    while let Some(word) = words.next().transpose()? {
        match word.as_str() {
            "--every" => every = seconds(value(&word, &mut words)?)?,
            "--count" => count = Some(whole(value(&word, &mut words)?, 1, "it is no number from 1 on")?),
            _ if word.starts_with('-') || url.is_some() => return Err(unexpected(word)),
            _ => url = Some(Url::parse(&word)?),
        }
    }
    let url = url.ok_or_else(|| DemoError::usage("fetch", "it needs a URL"))?;
    Ok(Arguments::Fetch(FetchOptions { url, every, count }))
}

fn value(name: &str, words: &mut impl Iterator<Item = Word>) -> Word {
    words.next().unwrap_or_else(|| Err(DemoError::usage(name, "it needs a value")))
}

fn unexpected(word: String) -> DemoError {
    DemoError::usage(word, "it is not expected here")
}

fn whole<T: std::str::FromStr + PartialOrd>(word: String, least: T, why: &'static str) -> Result<T, DemoError> {
    word.parse().ok().filter(|number| *number >= least).ok_or_else(|| DemoError::usage(word, why))
}

fn seconds(word: String) -> Result<Duration, DemoError> {
    let number = word.parse().ok().filter(|number| (0.0..=LONGEST_PAUSE_SECONDS).contains(number));
    number.map(Duration::from_secs_f64).ok_or_else(|| DemoError::usage(word, "it is no number of seconds up to 86400"))
}

#[cfg(test)]
mod tests {
    use super::{Arguments, FetchOptions, parse};
    use crate::{error::DemoError, url::Url};
    use std::time::Duration;

    fn parsed(line: &str) -> Result<Arguments, DemoError> {
        parse(line.split_whitespace().map(Into::into))
    }

    #[test]
    fn serve_listens_on_8080_unless_told_otherwise() {
        assert_eq!(parsed("serve").expect("serve"), Arguments::Serve { port: 8080 });
        assert_eq!(parsed("serve --port 80").expect("serve"), Arguments::Serve { port: 80 });
    }

    #[test]
    fn fetch_asks_every_second_for_ever_unless_told_otherwise() {
        let url = || Url::parse("http://web/").expect("URL");
        let options = FetchOptions { url: url(), every: Duration::from_secs(1), count: None };
        assert_eq!(parsed("fetch http://web/").expect("fetch"), Arguments::Fetch(options));
        let options = FetchOptions { url: url(), every: Duration::from_millis(200), count: Some(3) };
        assert_eq!(parsed("fetch --every 0.2 http://web/ --count 3").expect("fetch"), Arguments::Fetch(options));
    }

    #[test]
    fn nothing_said_is_a_question_for_help() {
        assert!(matches!(parsed("").expect("help"), Arguments::Text(text) if text.contains("berth-demo serve")));
    }

    #[test]
    fn what_can_t_be_meant_is_refused() {
        for bad in [
            "burn",
            "serve --port",
            "serve --port 0",
            "serve --port 65536",
            "serve 80",
            "fetch",
            "fetch http://a/ http://b/",
            "fetch --loud http://a/",
            "fetch --count 0 http://a/",
            "fetch --every -1 http://a/",
            "fetch --every NaN http://a/",
            "fetch --every inf http://a/",
        ] {
            assert!(parsed(bad).is_err(), "{bad:?}");
        }
    }
}
