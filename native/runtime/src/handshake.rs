//! What the runtime and the process that is to be the container's say to each other. The socket closes with the exec of the command, so its
//! end, after the right word, is the news that the command runs.

use crate::error::RuntimeError;
use rustix::{
    io::Errno,
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair},
};
use std::os::fd::OwnedFd;

const MAX_BYTES: usize = 4096;

/// What the new process says.
#[derive(Debug, PartialEq)]
pub enum Word {
    /// It goes on as a process of this number, a child of the runtime as well.
    Moved(i32),
    /// Its file systems are in place, and the host's are still to be seen.
    Prepared,
    /// The next that it does is to become the command.
    Ready,
    Failed(String),
}

/// The runtime's side.
pub struct ParentSide(OwnedFd);
/// The new process's.
pub struct ChildSide(OwnedFd);

pub fn pair() -> Result<(ParentSide, ChildSide), RuntimeError> {
    let (ours, its) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(|errno| RuntimeError::io("make a pair of sockets", errno))?;
    Ok((ParentSide(ours), ChildSide(its)))
}

impl ParentSide {
    /// Lets it go on: all that is to be recorded is.
    pub fn release(&self, pid: i32) -> Result<(), RuntimeError> {
        match send(&self.0, &pid.to_ne_bytes(), SendFlags::NOSIGNAL) {
            // It has ended, and what it has said before tells why.
            Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
            Err(errno) => Err(RuntimeError::io("let the new process go on", errno)),
        }
    }

    /// `None` when it has become the command, or has ended.
    pub fn hear(&self) -> Result<Option<Word>, RuntimeError> {
        let mut text = [0; MAX_BYTES];
        loop {
            match recv(&self.0, &mut text, RecvFlags::empty()) {
                Ok((0, _)) => return Ok(None),
                Ok((bytes, _)) => return Ok(Some(Word::from_bytes(&text[..bytes]))),
                // It ended before it took our word; that is told once, before what it said.
                Err(Errno::INTR | Errno::CONNRESET) => {}
                Err(errno) => return Err(RuntimeError::io("hear of the new process", errno)),
            }
        }
    }
}

impl ChildSide {
    pub fn say(&self, word: &Word) -> Result<(), RuntimeError> {
        let mut bytes = word.to_bytes();
        bytes.truncate(MAX_BYTES);
        send(&self.0, &bytes, SendFlags::NOSIGNAL)
            .map(|_| ())
            .map_err(|errno| RuntimeError::io("tell the runtime", errno))
    }

    /// Returns when the runtime has recorded this process. @returns the process's number as the runtime sees it
    pub fn wait(&self) -> Result<i32, RuntimeError> {
        let mut pid = [0; 4];
        loop {
            match recv(&self.0, &mut pid, RecvFlags::empty()) {
                Ok((4, _)) => return Ok(i32::from_ne_bytes(pid)),
                Err(Errno::INTR) => {}
                Ok(_) => return Err(RuntimeError::io("wait for the runtime", Errno::PIPE)),
                Err(errno) => return Err(RuntimeError::io("wait for the runtime", errno)),
            }
        }
    }
}

impl Word {
    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Moved(pid) => [b"m".as_slice(), &pid.to_ne_bytes()].concat(),
            Self::Prepared => b"p".to_vec(),
            Self::Ready => b"r".to_vec(),
            Self::Failed(message) => [b"f", message.as_bytes()].concat(),
        }
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        match bytes {
            [b'm', pid @ ..] if pid.len() == 4 => Self::Moved(i32::from_ne_bytes([pid[0], pid[1], pid[2], pid[3]])),
            b"p" => Self::Prepared,
            b"r" => Self::Ready,
            [b'f', message @ ..] => Self::Failed(String::from_utf8_lossy(message).into_owned()),
            other => Self::Failed(format!("hear of the new process: unknown words {other:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_heard_as_it_was_said() {
        let (ours, its) = pair().expect("pair");
        let words =
            [Word::Moved(4711), Word::Prepared, Word::Ready, Word::Failed("exec \"/nope\": it is not there".into())];
        for word in &words {
            its.say(word).expect("say");
        }
        for word in words {
            assert_eq!(ours.hear().expect("hear"), Some(word));
        }
        drop(its);
        assert_eq!(ours.hear().expect("hear"), None);
        ours.release(4711).expect("nobody is there to be let go");
    }

    #[test]
    fn last_words_are_heard_of_a_process_that_did_not_listen() {
        let (ours, its) = pair().expect("pair");
        ours.release(4711).expect("release");
        let failure = || Word::Failed("mount /nowhere: it is not there".into());
        its.say(&failure()).expect("say");
        drop(its);
        assert_eq!(ours.hear().expect("hear"), Some(failure()));
        assert_eq!(ours.hear().expect("hear"), None);
    }

    #[test]
    fn a_message_is_cut_rather_than_lost() {
        let (ours, its) = pair().expect("pair");
        its.say(&Word::Failed("x".repeat(2 * MAX_BYTES))).expect("say");
        assert_eq!(ours.hear().expect("hear"), Some(Word::Failed("x".repeat(MAX_BYTES - 1))));
    }

    #[test]
    fn who_waits_for_a_runtime_that_has_ended_is_told() {
        let (ours, its) = pair().expect("pair");
        ours.release(4711).expect("release");
        assert_eq!(its.wait().expect("wait"), 4711);
        drop(ours);
        assert!(its.wait().is_err());
    }
}
