//! Both sides of a process's standard streams: what we read and write, and what the OCI runtime is given for them.

use crate::{
    console::{Console, ConsoleSocket},
    input::Input,
    output, runtime,
};
use rustix::{
    fs::{OFlags, fcntl_setfl},
    pipe::{PipeFlags, pipe_with},
};
use std::{io, os::fd::OwnedFd, path::Path};
use wire::ShimStream;

pub struct Streams {
    /// of a terminal there is none until it has come
    pub output: Vec<(ShimStream, OwnedFd)>,
    pub input: Option<Input>,
    pub console: Option<Console>,
}

/// @param folder for the socket of a terminal @param name of it
pub fn make(folder: &Path, name: &str, tty: bool, stdin: bool) -> io::Result<(Streams, runtime::Stdio)> {
    if tty {
        let console = Console::new(ConsoleSocket::bind(folder, name)?);
        let input = stdin.then(Input::awaited);
        let its = runtime::Stdio::Console { folder: folder.to_owned(), socket: name.to_owned() };
        return Ok((Streams { output: Vec::new(), input, console: Some(console) }, its));
    }
    let ((stdout, its_stdout), (stderr, its_stderr)) = (output::pipe()?, output::pipe()?);
    let (input, its_stdin) = if stdin {
        let (its, ours) = pipe_with(PipeFlags::CLOEXEC)?;
        fcntl_setfl(&ours, OFlags::NONBLOCK)?;
        (Some(Input::new(ours)), Some(its))
    } else {
        (None, None)
    };
    let output = vec![(ShimStream::Stdout, stdout), (ShimStream::Stderr, stderr)];
    let its = runtime::Stdio::Pipes { stdin: its_stdin, stdout: its_stdout, stderr: its_stderr };
    Ok((Streams { output, input, console: None }, its))
}

/// For a runtime that has ended well: it has sent the terminal by now, if there is to be one. @returns what to read from it
pub fn open_terminal(console: &mut Option<Console>, input: &mut Option<Input>) -> io::Result<Option<OwnedFd>> {
    let Some(console) = console else { return Ok(None) };
    let (reader, writer) = console.open()?;
    if let Some(input) = input {
        input.open(writer);
    }
    Ok(Some(reader))
}
