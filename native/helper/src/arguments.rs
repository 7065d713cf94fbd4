//! The command line.

use layer::{Compression, Options as UnpackOptions};
use lexopt::{Arg, Parser, ValueExt};
use std::path::PathBuf;

pub enum Arguments {
    Serve(Options),
    /// The confined part of UnpackLayer; only the helper itself asks for it.
    Unpack(UnpackOptions),
    /// The confined part of CopyFrom and CopyTo, which reads what to do from its standard input.
    Copy,
    /// The confined part of PackFolder: the folder is the current one, and standard output takes the tar.
    Pack {
        is_upper: bool,
        max_bytes: u64,
    },
    Text(String),
}

#[derive(Clone, Debug)]
pub struct Options {
    pub socket: PathBuf,
    pub root: PathBuf,
    pub state: PathBuf,
    pub shim: PathBuf,
}

const HELP: &str = "\
berth-helper --socket PATH --root DIR --state DIR --shim PATH

Acts for berthd on this node. Needs root.
  --socket PATH  where to listen (mode 0600)
  --root DIR     images and writable layers
  --state DIR    sockets and pods; made a private mount point
  --shim PATH    the berth-shim program
  --version      print the version
";

pub fn parse() -> Result<Arguments, lexopt::Error> {
    let mut parser = Parser::from_env();
    let (mut socket, mut root, mut state, mut shim) = (None, None, None, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("socket") => socket = Some(PathBuf::from(parser.value()?)),
            Arg::Long("root") => root = Some(PathBuf::from(parser.value()?)),
            Arg::Long("state") => state = Some(PathBuf::from(parser.value()?)),
            Arg::Long("shim") => shim = Some(PathBuf::from(parser.value()?)),
            Arg::Long("help") | Arg::Short('h') => return Ok(Arguments::Text(HELP.into())),
            Arg::Long("version") => return Ok(Arguments::Text(format!("{}\n", env!("CARGO_PKG_VERSION")))),
            Arg::Value(word) if word == "unpack-layer" => return parse_unpack(&mut parser),
            Arg::Value(word) if word == "copy" => return Ok(Arguments::Copy),
            Arg::Value(word) if word == "pack-folder" => {
                let is_upper = parser.value()? == "upper";
                return Ok(Arguments::Pack { is_upper, max_bytes: parser.value()?.parse()? });
            }
            other => return Err(other.unexpected()),
        }
    }
    let needed = |value: Option<PathBuf>, name: &str| {
        let path = value.ok_or_else(|| format!("{name} is missing"))?;
        if path.is_absolute() { Ok(path) } else { Err(format!("{name} {} is not an absolute path", path.display())) }
    };
    Ok(Arguments::Serve(Options {
        socket: needed(socket, "--socket")?,
        root: needed(root, "--root")?,
        state: needed(state, "--state")?,
        shim: needed(shim, "--shim")?,
    }))
}

fn parse_unpack(parser: &mut Parser) -> Result<Arguments, lexopt::Error> {
    let mut word = || parser.value();
    let compression = match word()?.to_str() {
        Some("gzip") => Compression::Gzip,
        Some("zstd") => Compression::Zstd,
        _ => Compression::None,
    };
    Ok(Arguments::Unpack(UnpackOptions {
        compression,
        max_bytes: word()?.parse()?,
        max_entries: word()?.parse()?,
        max_ratio: word()?.parse()?,
        plain_archive: word()? == "plain",
    }))
}
