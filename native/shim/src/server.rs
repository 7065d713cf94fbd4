//! The loop: waits for whatever happens next, and takes each thing to its place.

use crate::{
    connection::Connection,
    container::{Container, Phase, Reply},
    error::ShimError,
    exec::Exec,
    exit::Ended,
    log, mounts,
    pod_init::PodInit,
    runtime::Runtime,
    setup::Ready,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, read},
    process::{WaitOptions, wait},
};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fs,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixListener,
    },
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};
use wire::{
    ShimConfig, ShimDone, ShimHelloResult, ShimRequest, ShimResponse, shim_request::Call,
    shim_response::Result as CallResult,
};

const MAX_CONNECTIONS: usize = 16;
const MAX_CONTAINERS: usize = 1024;
// Ends of processes that nobody has asked for yet: a container that ends before its pid file was read is among them.
const MAX_STRANGERS: usize = 256;
// berthd connects within milliseconds; one that has just been started again looks at every pod it has on record.
const FIRST_VISIT: Duration = Duration::from_secs(60);
const LOG_RETRY: Duration = Duration::from_millis(100);

/// What a process that we wait for is to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Child {
    Create(String),
    Start(String),
    /// taking back a start that failed, with what is to be said of it
    FailedStart(String, String),
    Delete(String),
    Init(String),
    ExecStart(u64),
    ExecProcess(u64),
    PodInit,
}

pub struct Server {
    pub config: ShimConfig,
    listener: UnixListener,
    signals: OwnedFd,
    pub connections: BTreeMap<u64, Connection>,
    last_connection: u64,
    first_visit_until: Instant,
    pub containers: BTreeMap<String, Container>,
    pub execs: BTreeMap<u64, Exec>,
    pub last_exec: u64,
    pub children: HashMap<i32, Child>,
    strangers: VecDeque<(i32, Ended)>,
    /// of the PID namespace that containers may share; made when one asks for it
    pub pod_init: Option<PodInit>,
    /// who asked for the end
    pub leavers: Vec<Reply>,
    pub ending: bool,
}

#[derive(Clone)]
enum Source {
    Listener,
    Signals,
    Connection(u64),
    Stream(String, usize),
    ExecPipe(u64, usize),
}

impl Server {
    pub fn new(ready: Ready) -> Self {
        Self {
            config: ready.config,
            listener: ready.listener,
            signals: ready.signals,
            connections: BTreeMap::new(),
            last_connection: 0,
            first_visit_until: Instant::now() + FIRST_VISIT,
            containers: BTreeMap::new(),
            execs: BTreeMap::new(),
            last_exec: 0,
            children: HashMap::new(),
            strangers: VecDeque::new(),
            pod_init: None,
            leavers: Vec::new(),
            ending: false,
        }
    }

    pub fn run(mut self) -> ExitCode {
        loop {
            let sources = match self.wait() {
                Ok(sources) => sources,
                Err(failure) => {
                    log::warn(format_args!("wait for events: {failure}"));
                    return ExitCode::FAILURE;
                }
            };
            for source in sources {
                self.handle(source);
            }
            self.keep_time();
            self.connections.retain(|_, connection| connection.is_open());
            if self.ending && self.connections.values().all(|connection| !connection.wants_to_write()) {
                return self.leave();
            }
        }
    }

    /// What is ready. Streams of a container whose log is full, and of an exec whose reader is slow, are not asked.
    fn wait(&self) -> Result<Vec<Source>, Errno> {
        let mut sources = vec![Source::Listener, Source::Signals];
        let mut descriptors =
            vec![PollFd::new(&self.listener, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
        for (id, connection) in &self.connections {
            sources.push(Source::Connection(*id));
            let out = if connection.wants_to_write() { PollFlags::OUT } else { PollFlags::empty() };
            descriptors.push(PollFd::from_borrowed_fd(connection.as_fd(), PollFlags::IN | out));
        }
        for container in self.containers.values().filter(|container| container.log.takes_more()) {
            for (index, stream) in container.streams.iter().enumerate() {
                sources.push(Source::Stream(container.id.clone(), index));
                descriptors.push(PollFd::new(&stream.pipe, PollFlags::IN));
            }
        }
        for (id, exec) in &self.execs {
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
        let ready: Vec<bool> = descriptors.iter().map(|descriptor| !descriptor.revents().is_empty()).collect();
        // From the last to the first: a stream that ends is taken out of its list.
        Ok(sources.into_iter().zip(ready).rev().filter(|(_, ready)| *ready).map(|(source, _)| source).collect())
    }

    fn next_deadline(&self) -> Option<Instant> {
        let containers = self.containers.values().filter_map(|container| container.drain_deadline);
        let execs = self.execs.values().flat_map(|exec| [exec.deadline, exec.drain_deadline]).flatten();
        let stuck =
            self.containers.values().any(|container| container.log.is_stuck()).then(|| Instant::now() + LOG_RETRY);
        let first_visit = (self.last_connection == 0).then_some(self.first_visit_until);
        containers.chain(execs).chain(stuck).chain(first_visit).min()
    }

    fn handle(&mut self, source: Source) {
        match source {
            Source::Listener => self.accept(),
            Source::Signals => self.reap(),
            Source::Connection(id) => {
                let Some(connection) = self.connections.get_mut(&id) else { return };
                connection.flush();
                for ShimRequest { id: request, call } in connection.receive() {
                    let reply = Reply { connection: id, request };
                    if let Err(failure) = self.dispatch(reply, call) {
                        self.fail(reply, &failure);
                    }
                }
            }
            Source::Stream(id, index) => {
                if let Some(container) = self.containers.get_mut(&id)
                    && !container.read_stream(index)
                    && index < container.streams.len()
                {
                    container.streams.remove(index);
                    self.finish_if_drained(&id);
                }
            }
            Source::ExecPipe(id, index) => self.pass_exec_output(id, index),
        }
    }

    fn accept(&mut self) {
        while let Ok((socket, _)) = self.listener.accept() {
            if self.connections.len() >= MAX_CONNECTIONS || socket.set_nonblocking(true).is_err() {
                continue;
            }
            self.last_connection += 1;
            self.connections.insert(self.last_connection, Connection::new(OwnedFd::from(socket)));
        }
    }

    fn dispatch(&mut self, reply: Reply, call: Option<Call>) -> Result<(), ShimError> {
        match call.ok_or(ShimError::UnknownCall)? {
            Call::Hello(_) => {
                let hello = ShimHelloResult {
                    protocol_version: wire::PROTOCOL_VERSION,
                    sandbox_id: self.config.sandbox_id.clone(),
                    pid: std::process::id().cast_signed(),
                    containers: self.containers.values().map(Container::report).collect(),
                };
                self.answer(reply, CallResult::Hello(hello));
                Ok(())
            }
            Call::CreateContainer(request) => self.create_container(reply, &request),
            Call::StartContainer(request) => self.start_container(reply, &request),
            Call::Signal(request) => self.signal(reply, &request),
            Call::DeleteContainer(request) => self.delete_container(reply, &request.container_id),
            Call::Exec(request) => self.exec(reply, &request),
            Call::ReopenLog(request) => {
                let container = self.find(&request.container_id)?;
                if container.phase != Phase::Running {
                    return Err(ShimError::State {
                        doing: "reopen log of container",
                        id: container.id.clone(),
                        state: container.phase.name(),
                    });
                }
                container.log.reopen()?;
                self.done(reply);
                Ok(())
            }
            Call::Shutdown(_) => self.shut_down(reply),
            Call::EnsurePodPid(_) => self.ensure_pod_pid(reply),
        }
    }

    pub fn find(&mut self, id: &str) -> Result<&mut Container, ShimError> {
        self.containers
            .get_mut(id)
            .ok_or_else(|| ShimError::NotFound { what: "container", id: id.chars().take(64).collect() })
    }

    pub fn has_room(&self) -> bool {
        self.containers.len() < MAX_CONTAINERS
    }

    pub fn state_dir(&self) -> &Path {
        Path::new(&self.config.state_dir)
    }

    pub fn runtime(&self, program: &str) -> Result<Runtime, ShimError> {
        let program = PathBuf::from(program);
        if !program.is_absolute() {
            return Err(ShimError::Argument {
                doing: format!("run {}", program.display()),
                why: "the runtime's path is not absolute",
            });
        }
        Ok(Runtime { program, root: self.state_dir().join("runtime") })
    }

    pub fn answer(&mut self, reply: Reply, result: CallResult) {
        self.send(reply.connection, &ShimResponse { id: reply.request, failure: None, result: Some(result) });
    }

    pub fn done(&mut self, reply: Reply) {
        self.answer(reply, CallResult::Done(ShimDone {}));
    }

    pub fn fail(&mut self, reply: Reply, failure: &ShimError) {
        self.send(
            reply.connection,
            &ShimResponse { id: reply.request, failure: Some(failure.to_failure()), result: None },
        );
    }

    pub fn tell_all(&mut self, event: CallResult) {
        let event = ShimResponse { id: 0, failure: None, result: Some(event) };
        for connection in self.connections.values_mut() {
            connection.queue(&event);
        }
    }

    // Whoever asked may have gone: then nobody is told.
    fn send(&mut self, connection: u64, response: &ShimResponse) {
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.queue(response);
        }
    }

    /// Takes the end of every process that has ended: runtimes, containers, execs, and orphans of theirs.
    pub fn reap(&mut self) {
        let mut signals = [0; 4096];
        while matches!(read(&self.signals, &mut signals), Ok(bytes) if bytes > 0) {}
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let ended = Ended::from_wait(status.exit_status(), status.terminating_signal());
            let pid = pid.as_raw_nonzero().get();
            match self.children.remove(&pid) {
                Some(child) => self.child_ended(child, ended),
                None => {
                    if self.strangers.len() >= MAX_STRANGERS {
                        self.strangers.pop_front();
                    }
                    self.strangers.push_back((pid, ended));
                }
            }
        }
        // Kept longer, an end would be taken for that of a later process of the same number.
        let is_awaited = |child: &Child| matches!(child, Child::Create(_) | Child::ExecStart(_));
        if !self.children.values().any(is_awaited) {
            self.strangers.clear();
        }
    }

    /// From now on the end of this process, which we have just started, is what `child` says.
    pub fn follow(&mut self, pid: i32, child: Child) {
        self.children.insert(pid, child);
    }

    /// The same of a process that a runtime has started, and told us of; its end may have come already.
    pub fn expect(&mut self, pid: i32, child: Child) {
        match self
            .strangers
            .iter()
            .position(|(stranger, _)| *stranger == pid)
            .and_then(|index| self.strangers.remove(index))
        {
            Some((_, ended)) => self.child_ended(child, ended),
            None => {
                self.children.insert(pid, child);
            }
        }
    }

    fn child_ended(&mut self, child: Child, ended: Ended) {
        match child {
            Child::Create(id) => self.created(&id, ended),
            Child::Start(id) => self.started(&id, ended),
            Child::FailedStart(id, message) => self.start_taken_back(&id, message),
            Child::Delete(id) => self.deleted(&id),
            Child::Init(id) => self.init_ended(&id, ended),
            Child::ExecStart(id) => self.exec_started(id, ended),
            Child::ExecProcess(id) => self.exec_ended(id, ended),
            Child::PodInit => self.pod_init_ended(),
        }
    }

    /// What is due by the clock.
    fn keep_time(&mut self) {
        let now = Instant::now();
        let due: Vec<String> = self
            .containers
            .values()
            .filter(|each| each.drain_deadline.is_some_and(|deadline| deadline <= now))
            .map(|each| each.id.clone())
            .collect();
        for id in due {
            self.finish_unless_stuck(&id);
        }
        let stuck: Vec<String> =
            self.containers.values().filter(|each| each.log.is_stuck()).map(|each| each.id.clone()).collect();
        for id in stuck {
            if let Some(container) = self.containers.get_mut(&id) {
                container.log.flush();
            }
            self.finish_if_drained(&id);
        }
        self.keep_exec_time(now);
        if self.is_forgotten(now) {
            self.ending = true;
        }
    }

    /// Whoever asked for this pod was killed before it knew of us: nobody will ever come.
    fn is_forgotten(&self, now: Instant) -> bool {
        self.last_connection == 0 && self.containers.is_empty() && now >= self.first_visit_until
    }

    fn leave(self) -> ExitCode {
        let state_dir = self.state_dir();
        let _ = fs::remove_file(&self.config.socket_path);
        if let Err(failure) = mounts::unmount_if_mounted(&state_dir.join("shm")) {
            log::warn(failure);
            return ExitCode::FAILURE;
        }
        match fs::remove_dir_all(state_dir) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        }
    }
}
