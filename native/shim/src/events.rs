//! What the loop waits for, and until when.

use crate::{connection::Connection, forward::Wants, input::Input, server::Server};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use std::{
    os::fd::AsFd,
    time::{Duration, Instant},
};

const LOG_RETRY: Duration = Duration::from_millis(100);
// The kernel frees a cgroup a moment after its last process has gone.
const CGROUP_RETRY: Duration = Duration::from_millis(20);

#[derive(Clone)]
pub enum Source {
    Listener,
    Signals,
    Connection(u64),
    /// takes more, and says nothing
    ConnectionRoom(u64),
    Stream(String, usize),
    Input(String),
    ExecInput(u64),
    PendingForward(u64),
    Forward(u64),
    ExecPipe(u64, usize),
    /// of a command that was killed
    ExecCgroup(u64),
}

impl Server {
    /// What is ready. Streams of a container whose log is full, and of an exec whose reader is slow, are not asked.
    pub fn wait(&self) -> Result<Vec<Source>, Errno> {
        let mut sources = vec![Source::Signals];
        let mut descriptors = vec![PollFd::new(&self.signals, PollFlags::IN)];
        if self.accept_after.is_none() {
            sources.push(Source::Listener);
            descriptors.push(PollFd::new(&self.listener, PollFlags::IN));
        }
        for (id, connection) in &self.connections {
            sources.push(Source::Connection(*id));
            let out = if connection.wants_to_write() { PollFlags::OUT } else { PollFlags::empty() };
            let wanted = if self.is_input_busy(*id) { PollFlags::empty() } else { PollFlags::IN };
            descriptors.push(PollFd::from_borrowed_fd(connection.as_fd(), wanted | out));
        }
        for (id, container) in &self.containers {
            if let Some(input) = container.input.as_ref().and_then(Input::waits_for) {
                sources.push(Source::Input(id.clone()));
                descriptors.push(PollFd::from_borrowed_fd(input, PollFlags::OUT));
            }
            if !container.log.takes_more() || self.is_held_up(&container.attached) {
                continue;
            }
            for (index, stream) in container.streams.iter().enumerate() {
                sources.push(Source::Stream(container.id.clone(), index));
                descriptors.push(PollFd::new(&stream.pipe, PollFlags::IN));
            }
        }
        for (id, pending) in &self.pending_forwards {
            sources.push(Source::PendingForward(*id));
            descriptors.push(PollFd::new(&pending.connecting.socket, PollFlags::OUT));
        }
        for (id, forward) in &self.forwards {
            for (side, Wants { to_read, to_write }) in forward.sides() {
                let read = if to_read { PollFlags::IN } else { PollFlags::empty() };
                let write = if to_write { PollFlags::OUT } else { PollFlags::empty() };
                // A side that nothing is wanted of says only that it has broken, and again and again.
                if to_read || to_write {
                    sources.push(Source::Forward(*id));
                    descriptors.push(PollFd::from_borrowed_fd(side, read | write));
                }
            }
        }
        for (id, exec) in &self.execs {
            if let Some(input) = exec.input.as_ref().and_then(Input::waits_for) {
                sources.push(Source::ExecInput(*id));
                descriptors.push(PollFd::from_borrowed_fd(input, PollFlags::OUT));
            }
            if let Some(events) = exec.dying() {
                sources.push(Source::ExecCgroup(*id));
                descriptors.push(PollFd::new(events, PollFlags::PRI));
            }
            if self.connections.get(&exec.reply.connection).is_some_and(Connection::is_busy) {
                continue;
            }
            for (index, (_, pipe)) in exec.pipes.iter().enumerate() {
                sources.push(Source::ExecPipe(*id, index));
                descriptors.push(PollFd::new(pipe, PollFlags::IN));
            }
        }
        let timeout = self.next_deadline().map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() }
        });
        match poll(&mut descriptors, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        let ready: Vec<PollFlags> = descriptors.iter().map(PollFd::revents).collect();
        // From the last to the first: a stream that ends is taken out of its list.
        let ready = sources.into_iter().zip(ready).rev().filter(|(_, events)| !events.is_empty());
        Ok(ready
            .map(|(source, events)| match source {
                Source::Connection(id) if events == PollFlags::OUT => Source::ConnectionRoom(id),
                source => source,
            })
            .collect())
    }

    fn next_deadline(&self) -> Option<Instant> {
        let containers = self.containers.values().filter_map(|container| container.drain_deadline);
        let execs = self.execs.values().flat_map(|exec| [exec.deadline, exec.drain_deadline]).flatten();
        let stuck =
            self.containers.values().any(|container| container.log.is_stuck()).then(|| Instant::now() + LOG_RETRY);
        let first_visit = (self.last_connection == 0).then_some(self.first_visit_until);
        let runtimes = self.children.values().filter_map(|each| each.due.map(|(deadline, _)| deadline));
        let cgroups = (!self.old_exec_cgroups.is_empty()).then(|| Instant::now() + CGROUP_RETRY);
        let forwards = self.pending_forwards.values().map(|pending| pending.connecting.until);
        containers
            .chain(execs)
            .chain(forwards)
            .chain(runtimes)
            .chain(stuck)
            .chain(cgroups)
            .chain(first_visit)
            .chain(self.accept_after)
            .chain(self.next_checkpoint_end())
            .chain(self.next_detach())
            .min()
    }

    /// What is due by the clock.
    pub fn keep_time(&mut self) {
        let now = Instant::now();
        self.accept_after = self.accept_after.filter(|after| now < *after);
        let due: Vec<String> = self
            .containers
            .values()
            .filter(|each| each.drain_deadline.is_some_and(|deadline| deadline <= now))
            .map(|each| each.id.clone())
            .collect();
        for id in due {
            self.finish(&id);
        }
        let stuck: Vec<String> =
            self.containers.values().filter(|each| each.log.is_stuck()).map(|each| each.id.clone()).collect();
        for id in stuck {
            if let Some(container) = self.containers.get_mut(&id) {
                container.log.flush();
            }
            self.finish_if_drained(&id);
        }
        self.end_stuck_runtimes(now);
        self.keep_exec_time(now);
        self.end_late_forwards(now);
        self.detach_stalled(now);
        if self.is_forgotten(now) {
            self.ending = true;
        }
    }

    /// Whoever asked for this pod was killed before it knew of us: nobody will ever come.
    fn is_forgotten(&self, now: Instant) -> bool {
        self.last_connection == 0 && self.containers.is_empty() && now >= self.first_visit_until
    }
}
