//! Somebody who uses a process now: attached to a container's own, or the caller of an exec with streams. Input and sizes come to
//! either in the same way.

use crate::{
    connection::Connection,
    container::{Phase, Reply},
    error::ShimError,
    server::Server,
};
use std::time::{Duration, Instant};
use wire::{
    ShimAttach, ShimExecExit, ShimExecOutput, ShimInput, ShimResize, ShimStream, shim_response::Result as CallResult,
};

const MAX_ATTACHED: usize = 64;
// A terminal on a bad line takes nothing for seconds. A container and its log wait no longer for one that is gone for good.
const PATIENCE: Duration = Duration::from_secs(10);

/// One who follows a container's process.
pub struct Attached {
    pub reply: Reply,
    pub has_stdin: bool,
    wants: [bool; 2],
}

impl Server {
    pub fn attach(&mut self, reply: Reply, request: &ShimAttach) -> Result<(), ShimError> {
        let container = self.find(&request.container_id)?;
        if !matches!(container.phase, Phase::Running | Phase::Draining) {
            let (id, state) = (container.id.clone(), container.phase.name());
            return Err(ShimError::State { doing: "attach to container", id, state });
        }
        if container.attached.len() >= MAX_ATTACHED {
            let doing = format!("attach to container {}", container.id);
            return Err(ShimError::Argument { doing, why: "too many are attached" });
        }
        let stdio = request.stdio.unwrap_or_default();
        container.attached.push(Attached { reply, has_stdin: stdio.stdin, wants: [stdio.stdout, stdio.stderr] });
        self.make_session(reply);
        Ok(())
    }

    /// From now on the connection is there for one process.
    pub fn make_session(&mut self, reply: Reply) {
        if let Some(connection) = self.connections.get_mut(&reply.connection) {
            connection.is_session = true;
        }
    }

    /// What a container has written, for those who are attached to it.
    pub fn give_output(&mut self, id: &str, stream: ShimStream, data: &[u8]) {
        let Some(container) = self.containers.get(id) else { return };
        let readers: Vec<Reply> =
            container.attached.iter().filter(|each| each.wants[stream as usize]).map(|each| each.reply).collect();
        for reply in readers {
            let output = ShimExecOutput { stream: stream.into(), data: data.to_owned() };
            self.answer(reply, CallResult::ExecOutput(output));
        }
    }

    /// The container's process has ended, and its output is given.
    pub fn end_attached(&mut self, id: &str, exit_code: i32) {
        let Some(container) = self.containers.get_mut(id) else { return };
        for Attached { reply, .. } in std::mem::take(&mut container.attached) {
            self.answer(reply, CallResult::ExecExit(ShimExecExit { exit_code, timed_out: false }));
        }
    }

    /// Who has gone away is attached no more, and has given his input.
    pub fn detach_gone(&mut self) {
        self.detach(|_| false);
    }

    /// Nor is one for whom the container has waited in vain. What he has not read yet, and why that is all, he can still read.
    pub fn detach_stalled(&mut self, now: Instant) {
        for (reply, id) in self.detach(|connection| is_due(connection, now)) {
            self.fail(reply, &ShimError::Stalled { id, patience: PATIENCE });
        }
    }

    /// @returns those who have not gone away, each with his container
    fn detach(&mut self, is_to_go: impl Fn(&Connection) -> bool) -> Vec<(Reply, String)> {
        let mut detached = Vec::new();
        for (id, container) in &mut self.containers {
            let had_stdin = container.attached.iter().any(|each| each.has_stdin);
            container.attached.retain(|each| match self.connections.get(&each.reply.connection) {
                None => false,
                Some(connection) if is_to_go(connection) => {
                    detached.push((each.reply, id.clone()));
                    false
                }
                Some(_) => true,
            });
            if had_stdin && container.stdin_once && !container.attached.iter().any(|each| each.has_stdin) {
                container.input.iter_mut().for_each(crate::input::Input::end);
            }
        }
        detached
    }

    /// When the next of those who are attached and take nothing is to be detached.
    pub fn next_detach(&self) -> Option<Instant> {
        let attached = self.containers.values().flat_map(|container| &container.attached);
        let connections = attached.filter_map(|each| self.connections.get(&each.reply.connection));
        connections.filter_map(Connection::stalled_since).min().map(|since| since + PATIENCE)
    }

    /// What comes for a process that has ended is thrown away: it was sent before its sender could know.
    pub fn input(&mut self, reply: Reply, request: &ShimInput) {
        if let Some(exec) = self.execs.values_mut().find(|each| each.reply == reply) {
            let Some(input) = &mut exec.input else { return };
            input.push(&request.data);
            if request.end {
                input.end();
            }
            return;
        }
        let is_his = |each: &Attached| each.reply == reply && each.has_stdin;
        let Some(container) = self.containers.values_mut().find(|each| each.attached.iter().any(is_his)) else {
            return;
        };
        let Some(input) = &mut container.input else { return };
        input.push(&request.data);
        if request.end && container.stdin_once {
            input.end();
        }
    }

    pub fn resize(&mut self, reply: Reply, request: &ShimResize) {
        let cells = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
        let is_his = |each: &Attached| each.reply == reply;
        let mut execs = self.execs.values_mut().filter(|each| each.reply == reply).map(|each| &mut each.console);
        let mut containers =
            self.containers.values_mut().filter(|each| each.attached.iter().any(is_his)).map(|each| &mut each.console);
        if let Some(Some(console)) = execs.next().or_else(|| containers.next()) {
            console.resize(cells(request.width), cells(request.height));
        }
    }

    /// Whether a connection is not to be read: its process does not read what has come on it before.
    pub fn is_input_busy(&self, connection: u64) -> bool {
        let is_busy = |input: &Option<crate::input::Input>| input.as_ref().is_some_and(crate::input::Input::is_busy);
        let is_his = |each: &Attached| each.reply.connection == connection && each.has_stdin;
        self.connections.get(&connection).is_some_and(|each| each.is_session)
            && (self.execs.values().any(|each| each.reply.connection == connection && is_busy(&each.input))
                || self.containers.values().any(|each| is_busy(&each.input) && each.attached.iter().any(is_his)))
    }

    /// Whether somebody who is attached reads so slowly that the container has to wait.
    pub fn is_held_up(&self, attached: &[Attached]) -> bool {
        attached.iter().any(|each| self.connections.get(&each.reply.connection).is_some_and(Connection::is_busy))
    }
}

fn is_due(connection: &Connection, now: Instant) -> bool {
    connection.stalled_since().is_some_and(|since| since + PATIENCE <= now)
}
