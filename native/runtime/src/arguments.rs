//! The command line: the words that OCI runtimes have in common, as far as a shim says them.

use crate::container_id::ContainerId;
use lexopt::{Arg, Parser, ValueExt};
use std::{
    os::fd::RawFd,
    path::{Path, PathBuf},
};

#[derive(Debug, PartialEq)]
pub enum Arguments {
    Call(Call),
    Features,
    Text(&'static str),
}

#[derive(Debug, PartialEq)]
pub struct Call {
    /// where the state of all containers is
    pub root: PathBuf,
    pub log: Option<PathBuf>,
    pub id: ContainerId,
    pub verb: Verb,
}

#[derive(Debug, PartialEq)]
pub enum Verb {
    Run(Run),
    Exec(Exec),
    Delete,
}

#[derive(Debug, PartialEq)]
pub struct Run {
    /// absolute
    pub bundle: PathBuf,
    pub pid_file: PathBuf,
    pub console_socket: Option<PathBuf>,
    /// left open for us; to be joined in place of the spec's
    pub pid_namespace: Option<RawFd>,
}

#[derive(Debug, PartialEq)]
pub struct Exec {
    /// holds `process` of an OCI spec
    pub process: PathBuf,
    pub pid_file: PathBuf,
    pub console_socket: Option<PathBuf>,
    /// below the container's own
    pub cgroup: Option<String>,
}

const VERSION: &str = concat!("berth-runtime version ", env!("CARGO_PKG_VERSION"), "\n");

const HELP: &str = "\
berth-runtime [--root DIR] [--log FILE] [--log-format json] COMMAND

Turns an OCI bundle into a process. Needs root.
  --root DIR      where it keeps its state (/run/berth-runtime)
  --log FILE      takes a JSON line that says why a call failed; standard error without it
  --version       print the version
Commands:
  run --bundle DIR --pid-file FILE [--console-socket PATH] [--pid-namespace FD] ID
      makes a container and runs its command; ends when that runs
  exec --detach --process FILE --pid-file FILE [--console-socket PATH] [--cgroup NAME] ID
      runs another command in it
  delete --force ID
      kills what is left of it, and takes it away
  features        print what is known here, as JSON
";

pub fn parse(mut parser: Parser) -> Result<Arguments, lexopt::Error> {
    let mut root = PathBuf::from("/run/berth-runtime");
    let mut log = None;
    while let Some(argument) = parser.next()? {
        let (id, verb) = match argument {
            Arg::Long("root") => {
                root = parser.value()?.into();
                continue;
            }
            Arg::Long("log") => {
                log = Some(parser.value()?.into());
                continue;
            }
            Arg::Long("log-format") => {
                let format = parser.value()?;
                if format != "json" {
                    return Err(format!("--log-format {format:?} is not json").into());
                }
                continue;
            }
            Arg::Long("help") | Arg::Short('h') => return Ok(Arguments::Text(HELP)),
            Arg::Long("version") | Arg::Short('v') => return Ok(Arguments::Text(VERSION)),
            Arg::Value(word) if word == "features" => {
                return parser.next()?.map_or(Ok(Arguments::Features), |more| Err(more.unexpected()));
            }
            Arg::Value(word) if word == "run" => parse_run(&mut parser)?,
            Arg::Value(word) if word == "exec" => parse_exec(&mut parser)?,
            Arg::Value(word) if word == "delete" => parse_delete(&mut parser)?,
            other => return Err(other.unexpected()),
        };
        return Ok(Arguments::Call(Call { root, log, id, verb }));
    }
    Err("a command is missing".into())
}

fn parse_run(parser: &mut Parser) -> Result<(ContainerId, Verb), lexopt::Error> {
    let (mut bundle, mut pid_file, mut console_socket, mut pid_namespace, mut id) = (None, None, None, None, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("bundle") | Arg::Short('b') => bundle = Some(absolute(&PathBuf::from(parser.value()?))?),
            Arg::Long("pid-file") => pid_file = Some(parser.value()?.into()),
            Arg::Long("console-socket") => console_socket = Some(parser.value()?.into()),
            Arg::Long("pid-namespace") => pid_namespace = Some(parser.value()?.parse()?),
            Arg::Value(word) if id.is_none() => id = Some(ContainerId::parse(&word)?),
            other => return Err(other.unexpected()),
        }
    }
    let (bundle, pid_file) = (needed(bundle, "--bundle")?, needed(pid_file, "--pid-file")?);
    Ok((needed(id, "a container id")?, Verb::Run(Run { bundle, pid_file, console_socket, pid_namespace })))
}

fn parse_exec(parser: &mut Parser) -> Result<(ContainerId, Verb), lexopt::Error> {
    let (mut process, mut pid_file, mut console_socket, mut cgroup, mut id) = (None, None, None, None, None);
    let mut is_detached = false;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("detach") | Arg::Short('d') => is_detached = true,
            Arg::Long("process") | Arg::Short('p') => process = Some(parser.value()?.into()),
            Arg::Long("pid-file") => pid_file = Some(parser.value()?.into()),
            Arg::Long("console-socket") => console_socket = Some(parser.value()?.into()),
            Arg::Long("cgroup") => cgroup = Some(parser.value()?.string()?),
            Arg::Value(word) if id.is_none() => id = Some(ContainerId::parse(&word)?),
            other => return Err(other.unexpected()),
        }
    }
    needed(is_detached.then_some(()), "--detach")?;
    let (process, pid_file) = (needed(process, "--process")?, needed(pid_file, "--pid-file")?);
    Ok((needed(id, "a container id")?, Verb::Exec(Exec { process, pid_file, console_socket, cgroup })))
}

fn parse_delete(parser: &mut Parser) -> Result<(ContainerId, Verb), lexopt::Error> {
    let (mut is_forced, mut id) = (false, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("force") | Arg::Short('f') => is_forced = true,
            Arg::Value(word) if id.is_none() => id = Some(ContainerId::parse(&word)?),
            other => return Err(other.unexpected()),
        }
    }
    needed(is_forced.then_some(()), "--force")?;
    Ok((needed(id, "a container id")?, Verb::Delete))
}

fn needed<T>(value: Option<T>, name: &str) -> Result<T, lexopt::Error> {
    value.ok_or_else(|| format!("{name} is missing").into())
}

fn absolute(path: &Path) -> Result<PathBuf, lexopt::Error> {
    std::path::absolute(path).map_err(|failure| format!("{}: {failure}", path.display()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        super::parse(Parser::from_args(line.split_whitespace())).map_err(|failure| failure.to_string())
    }

    fn call(verb: Verb) -> Arguments {
        let id = ContainerId::parse("c1".as_ref()).expect("an id");
        Arguments::Call(Call { root: "/r".into(), log: Some("/l".into()), id, verb })
    }

    #[test]
    fn a_run_has_a_bundle_and_a_place_for_its_pid() {
        let line = "--root /r --log /l --log-format json run --bundle /b --pid-file /p --pid-namespace 7 c1";
        let run = Run { bundle: "/b".into(), pid_file: "/p".into(), console_socket: None, pid_namespace: Some(7) };
        assert_eq!(parse(line), Ok(call(Verb::Run(run))));
    }

    #[test]
    fn an_exec_is_detached() {
        let line = "--root /r --log /l exec --detach --process /j --pid-file /p --console-socket s --cgroup e1 c1";
        let exec = Exec {
            process: "/j".into(),
            pid_file: "/p".into(),
            console_socket: Some("s".into()),
            cgroup: Some("e1".into()),
        };
        assert_eq!(parse(line), Ok(call(Verb::Exec(exec))));
        assert_eq!(parse("exec --process /j --pid-file /p c1"), Err("--detach is missing".into()));
    }

    #[test]
    fn a_deletion_is_forced() {
        assert_eq!(parse("--root /r --log /l delete --force c1"), Ok(call(Verb::Delete)));
        assert_eq!(parse("delete c1"), Err("--force is missing".into()));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in [
            "",
            "--log-format text delete --force c1",
            "delete --force ../c1",
            "delete --force c1 c2",
            "run --bundle /b c1",
            "run --bundle /b --pid-file /p",
            "run --bundle /b --pid-file /p --pid-namespace x c1",
            "run --bundle /b --pid-file /p --keep c1",
            "create --bundle /b c1",
            "features more",
        ] {
            assert!(parse(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn the_version_is_the_program_s_and_the_specification_s() {
        let Ok(Arguments::Text(text)) = parse("--version") else { panic!("no text") };
        assert!(text.starts_with("berth-runtime version 0."), "{text}");
    }
}
