//! The command: found as a shell finds it, and run.

use crate::error::RuntimeError;
use std::{
    ffi::{CString, NulError},
    io,
};

/// Where an environment names none. @source execvp(3) of the GNU C library, confstr(3) _CS_PATH
const DEFAULT_PATH: &str = "/bin:/usr/bin";

#[derive(Debug)]
pub struct Command {
    name: String,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    /// where it may be, the first that can be run is
    candidates: Vec<CString>,
}

impl Command {
    pub fn new(args: &[String], env: &[String]) -> Result<Self, RuntimeError> {
        let name = args.first().ok_or_else(|| RuntimeError::argument("read the command", "there is none"))?.clone();
        let failed = |source: NulError| RuntimeError::argument("read the command", source.to_string());
        Ok(Self {
            candidates: terminated(&candidates(&name, env)).map_err(failed)?,
            arguments: terminated(args).map_err(failed)?,
            environment: terminated(env).map_err(failed)?,
            name,
        })
    }

    /// Returns only when it can't be run.
    pub fn run(&self) -> RuntimeError {
        let mut failure = io::Error::from(rustix::io::Errno::NOENT);
        for candidate in &self.candidates {
            let source = sys::exec::exec(candidate, &self.arguments, &self.environment);
            match source.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory if self.candidates.len() > 1 => {}
                // There is one, and another may do; if not, this is why.
                io::ErrorKind::PermissionDenied => failure = source,
                _ => {
                    failure = source;
                    break;
                }
            }
        }
        RuntimeError::Command { path: self.name.clone(), source: failure }
    }
}

/// A name with a slash is a path already.
fn candidates(name: &str, env: &[String]) -> Vec<String> {
    if name.is_empty() || name.contains('/') {
        return vec![name.to_owned()];
    }
    let path = env.iter().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    path.split(':').map(|folder| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }).collect()
}

fn terminated(texts: &[String]) -> Result<Vec<CString>, NulError> {
    texts.iter().map(|text| CString::new(text.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::candidates;

    fn of(name: &str, env: &[&str]) -> Vec<String> {
        candidates(name, &env.iter().map(|&entry| entry.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_name_is_looked_up_in_the_path_of_the_processs_own_environment() {
        assert_eq!(of("sh", &["XPATH=/x", "PATH=/usr/local/bin:/bin"]), ["/usr/local/bin/sh", "/bin/sh"]);
    }

    #[test]
    fn an_empty_part_of_the_path_is_the_working_directory() {
        assert_eq!(of("sh", &["PATH=:/bin:"]), ["sh", "/bin/sh", "sh"]);
        assert_eq!(of("sh", &["PATH="]), ["sh"]);
    }

    #[test]
    fn without_a_path_there_is_the_librarys() {
        assert_eq!(of("sh", &["HOME=/"]), ["/bin/sh", "/usr/bin/sh"]);
    }

    #[test]
    fn a_name_with_a_slash_is_not_looked_up() {
        for name in ["/bin/sh", "./sh", "bin/sh", ""] {
            assert_eq!(of(name, &["PATH=/bin"]), [name]);
        }
    }
}
