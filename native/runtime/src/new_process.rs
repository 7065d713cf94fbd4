//! The process that is to be the container's, as the runtime has it: a child that is left to whoever adopts it when its command runs.

use crate::{
    error::RuntimeError,
    handshake::{self, ChildSide, ParentSide, Word},
    state,
};
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, waitid, waitpid},
};
use std::{convert::Infallible, fs, path::Path};
use sys::process::Fork;

pub struct NewProcess {
    pid: i32,
    side: ParentSide,
}

impl NewProcess {
    /// @param place what it is forked from, and then has alone
    /// @param become_it what it does; the runtime is told of its failure
    pub fn start<P>(
        mut place: P,
        fork: impl FnOnce(&mut P) -> Result<Fork, RuntimeError>,
        become_it: impl FnOnce(P, &ChildSide) -> Result<Infallible, RuntimeError>,
    ) -> Result<Self, RuntimeError> {
        let (side, its) = handshake::pair()?;
        let Fork::Parent(pid) = fork(&mut place)? else {
            drop(side);
            let Err(failure) = become_it(place, &its);
            // A runtime that has ended does not ask.
            let _ = its.say(&Word::Failed(failure.to_string()));
            // No destructor may run here: they would take away what is the runtime's.
            std::process::exit(1);
        };
        Ok(Self { pid, side })
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Waits until it goes on as another child of ours. The first one ends.
    pub fn follow_move(&mut self) -> Result<(), RuntimeError> {
        match self.side.hear()? {
            Some(Word::Moved(pid)) => {
                let first = std::mem::replace(&mut self.pid, pid);
                wait_for(first);
                Ok(())
            }
            other => Err(self.unexpected(other)),
        }
    }

    /// Returns when it has said the word; with its failure if it says that instead.
    pub fn await_word(&self, word: &Word) -> Result<(), RuntimeError> {
        match self.side.hear()? {
            Some(heard) if heard == *word => Ok(()),
            other => Err(self.unexpected(other)),
        }
    }

    /// As others read it, when the call has ended well.
    pub fn write_pid(&self, file: &Path) -> Result<(), RuntimeError> {
        fs::write(file, self.pid.to_string())
            .map_err(|source| RuntimeError::io(format!("write {}", file.display()), source))
    }

    pub fn release(&self) -> Result<(), RuntimeError> {
        self.side.release(self.pid)
    }

    /// Returns when the command runs.
    pub fn await_command(&self) -> Result<(), RuntimeError> {
        self.await_word(&Word::Ready)?;
        match self.side.hear()? {
            // A filter may kill it at the very call that runs the command, or forbid it to say why that failed.
            None if self.has_executed()? => Ok(()),
            other => Err(self.unexpected(other)),
        }
    }

    fn has_executed(&self) -> Result<bool, RuntimeError> {
        state::has_executed(self.pid)
            .map_err(|source| RuntimeError::io(format!("look what process {} has become", self.pid), source))
    }

    /// It never ran, or is not to run on.
    pub fn kill(self) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            // Gone already is what we want.
            let _ = kill_process(pid, Signal::KILL);
        }
        wait_for(self.pid);
    }

    fn unexpected(&self, heard: Option<Word>) -> RuntimeError {
        let message = match heard {
            Some(Word::Failed(message)) => message,
            Some(word) => format!("hear of the new process: {word:?} is out of turn"),
            // Killed for want of memory, for one.
            None => match self.terminating_signal() {
                Some(signal) => format!("run the command: signal {signal} has ended the process before"),
                None => "run the command: the process has ended before".to_owned(),
            },
        };
        RuntimeError::Child { message }
    }

    /// Of one that has ended. Its number stays its own: it is still to be killed, and waited for.
    fn terminating_signal(&self) -> Option<i32> {
        let pid = WaitId::Pid(Pid::from_raw(self.pid)?);
        waitid(pid, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).ok()??.terminating_signal()
    }
}

fn wait_for(pid: i32) {
    while matches!(waitpid(Pid::from_raw(pid), WaitOptions::empty()), Err(Errno::INTR)) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(become_it: impl FnOnce(&ChildSide) -> Result<Infallible, RuntimeError>) -> NewProcess {
        let fork = |_: &mut ()| sys::process::fork().map_err(|source| RuntimeError::io("fork", source));
        NewProcess::start((), fork, |(), side| become_it(side)).expect("start")
    }

    #[test]
    fn a_failure_comes_in_the_words_of_the_new_process() {
        let new = start(|_| Err(RuntimeError::argument("mount /x", "no")));
        assert_eq!(new.await_command().expect_err("failed").to_string(), "mount /x: no");
        new.kill();
    }

    #[test]
    fn one_that_ends_without_a_word_has_not_become_the_command() {
        let new = start(|_| std::process::exit(0));
        let failure = new.await_command().expect_err("failed").to_string();
        assert_eq!(failure, "run the command: the process has ended before");
        new.kill();
    }

    #[test]
    fn one_that_ends_at_its_last_step_has_not_become_the_command() {
        let new = start(|side| {
            side.say(&Word::Ready)?;
            let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::KILL);
            unreachable!()
        });
        let failure = new.await_command().expect_err("failed").to_string();
        assert_eq!(failure, "run the command: signal 9 has ended the process before");
        new.kill();
    }

    #[test]
    fn one_that_has_become_a_command_runs_however_soon_that_ends() {
        for program in ["/bin/true", "/bin/false"] {
            let new = start(|side| {
                side.say(&Word::Ready)?;
                Err(RuntimeError::io(
                    "exec",
                    std::os::unix::process::CommandExt::exec(&mut std::process::Command::new(program)),
                ))
            });
            new.await_command().expect("it runs");
            new.kill();
        }
    }

    #[test]
    fn it_goes_on_only_when_it_is_released() {
        let new = start(|side| {
            side.say(&Word::Prepared)?;
            let pid = side.wait()?;
            Err(RuntimeError::argument("go on", format!("released as {pid}")))
        });
        new.await_word(&Word::Prepared).expect("prepared");
        new.release().expect("release");
        let failure = new.await_command().expect_err("failed").to_string();
        assert_eq!(failure, format!("go on: released as {}", new.pid()));
        new.kill();
    }
}
