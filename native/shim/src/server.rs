//! The loop: waits for whatever happens next, and takes each thing to its place.

use crate::{
    checkpoint::Checkpoint,
    children::Followed,
    connection::Connection,
    container::{Container, Phase, Reply},
    error::ShimError,
    events::Source,
    exec::Exec,
    exec_cgroup::{ExecCgroup, ExecCgroups},
    exit::Ended,
    forward::Forward,
    input::Input,
    log, mounts,
    output::Chunk,
    pod_init::PodInit,
    port_forward::PendingForward,
    runtime::Runtime,
    setup::Ready,
    user_namespace,
};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fs,
    io::ErrorKind,
    os::{fd::OwnedFd, unix::net::UnixListener},
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};
use wire::{
    ShimConfig, ShimDone, ShimHelloResult, ShimRequest, ShimResponse, shim_request::Call,
    shim_response::Result as CallResult,
};

// Each session has one of its own.
const MAX_CONNECTIONS: usize = 256;
const MAX_CONTAINERS: usize = 1024;
// berthd connects within milliseconds; one that has just been started again looks at every pod it has on record.
const FIRST_VISIT: Duration = Duration::from_secs(60);
// No descriptor is left for a connection: it waits until one is.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
// Of a berthd that names none.
const RUNTIME_LIMIT: Duration = Duration::from_secs(120);

pub struct Server {
    pub config: ShimConfig,
    pub listener: UnixListener,
    /// until when it is not asked
    pub accept_after: Option<Instant>,
    pub signals: OwnedFd,
    pub connections: BTreeMap<u64, Connection>,
    pub last_connection: u64,
    pub first_visit_until: Instant,
    pub containers: BTreeMap<String, Container>,
    pub execs: BTreeMap<u64, Exec>,
    /// by the id of the container
    pub checkpoints: BTreeMap<String, Checkpoint>,
    pub last_exec: u64,
    pub exec_cgroups: ExecCgroups,
    /// that could not be removed at once, and until when it is tried
    pub old_exec_cgroups: Vec<(ExecCgroup, Instant)>,
    pub children: HashMap<i32, Followed>,
    pub strangers: VecDeque<(i32, Ended)>,
    /// A runtime was killed, and may have left something behind.
    pub is_to_clear: bool,
    /// by the number of the connection that asked
    pub pending_forwards: BTreeMap<u64, PendingForward>,
    pub forwards: BTreeMap<u64, Forward>,
    /// of the PID namespace that containers may share; made when one asks for it
    pub pod_init: Option<PodInit>,
    /// who asked for the end
    pub leavers: Vec<Reply>,
    pub ending: bool,
}

impl Server {
    pub fn new(ready: Ready) -> Self {
        Self {
            config: ready.config,
            listener: ready.listener,
            accept_after: None,
            signals: ready.signals,
            connections: BTreeMap::new(),
            last_connection: 0,
            first_visit_until: Instant::now() + FIRST_VISIT,
            containers: BTreeMap::new(),
            execs: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
            last_exec: 0,
            exec_cgroups: ready.exec_cgroups,
            old_exec_cgroups: Vec::new(),
            children: HashMap::new(),
            strangers: VecDeque::new(),
            is_to_clear: false,
            pending_forwards: BTreeMap::new(),
            forwards: BTreeMap::new(),
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
            self.tell_changed_logs();
            self.connections.retain(|_, connection| connection.is_open());
            self.cancel_execs_of_nobody();
            self.end_old_checkpoints(Instant::now());
            self.detach_gone();
            if self.ending && self.connections.values().all(|connection| !connection.wants_to_write()) {
                return self.leave();
            }
        }
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
            Source::ConnectionRoom(id) => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.flush();
                }
            }
            Source::Stream(id, index) => self.read_stream(&id, index),
            Source::Input(id) => {
                if let Some(container) = self.containers.get_mut(&id) {
                    container.input.iter_mut().for_each(Input::flush);
                }
            }
            Source::ExecInput(id) => {
                if let Some(exec) = self.execs.get_mut(&id) {
                    exec.input.iter_mut().for_each(Input::flush);
                }
            }
            Source::PendingForward(id) => self.continue_forward(id, Instant::now()),
            Source::Forward(id) => self.carry(id),
            Source::ExecPipe(id, index) => self.pass_exec_output(id, index),
            Source::ExecCgroup(id) => self.finish_exec_if_over(id),
        }
    }

    fn read_stream(&mut self, id: &str, index: usize) {
        let Some(container) = self.containers.get_mut(id) else { return };
        match container.read_stream(index) {
            (stream, Chunk::Bytes(bytes)) => self.give_output(id, stream, &bytes),
            (_, Chunk::Later) => {}
            (_, Chunk::End) => {
                container.streams.remove(index);
                self.finish_if_drained(id);
            }
        }
    }

    fn accept(&mut self) {
        loop {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(failure) if failure.kind() == ErrorKind::WouldBlock => return,
                // Its client stays in the queue: asked at once, the listener would be ready again, for ever.
                Err(_) => {
                    self.accept_after = Some(Instant::now() + ACCEPT_RETRY);
                    return;
                }
            };
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
                    version: env!("CARGO_PKG_VERSION").into(),
                    revision: wire::SHIM_REVISION,
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
                sys::failpoint!("shim: reopened log");
                self.done(reply);
                Ok(())
            }
            Call::Shutdown(_) => self.shut_down(reply),
            Call::EnsurePodPid(_) => self.ensure_pod_pid(reply),
            Call::Attach(request) => self.attach(reply, &request),
            Call::Input(request) => {
                self.input(reply, &request);
                Ok(())
            }
            Call::Resize(request) => {
                self.resize(reply, &request);
                Ok(())
            }
            Call::PortForward(request) => self.port_forward(reply, &request),
            Call::Checkpoint(request) => self.checkpoint(reply, &request),
            Call::EndCheckpoint(request) => {
                self.end_checkpoint_of(Reply { request: request.checkpoint, ..reply })?;
                self.done(reply);
                Ok(())
            }
            Call::CancelExec(request) => {
                self.cancel_exec(Reply { request: request.exec, ..reply });
                self.done(reply);
                Ok(())
            }
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

    /// @param args before those of each call of it
    /// @param timeout_millis of each call of it; 0 is the default
    pub fn runtime(&self, program: &Path, args: &[String], timeout_millis: u32) -> Result<Runtime, ShimError> {
        if !program.is_absolute() {
            return Err(ShimError::Argument {
                doing: format!("run {}", program.display()),
                why: "the runtime's path is not absolute",
            });
        }
        let limit = Some(Duration::from_millis(timeout_millis.into())).filter(|limit| !limit.is_zero());
        let (root, private) = (self.state_dir().join("runtime"), self.state_dir().to_owned());
        Ok(Runtime {
            program: program.to_owned(),
            args: args.to_vec(),
            root,
            private,
            limit: limit.unwrap_or(RUNTIME_LIMIT),
        })
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
        for connection in self.connections.values_mut().filter(|each| !each.is_session) {
            connection.queue(&event);
        }
    }

    fn tell_changed_logs(&mut self) {
        let mut changed = Vec::new();
        for container in self.containers.values_mut() {
            let is_blocked = container.is_log_blocked();
            if std::mem::replace(&mut container.log_was_blocked, is_blocked) != is_blocked {
                changed.push(container.report());
            }
        }
        for container in changed {
            self.tell_all(CallResult::LogChanged(container));
        }
    }

    // Whoever asked may have gone: then nobody is told.
    fn send(&mut self, connection: u64, response: &ShimResponse) {
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.queue(response);
        }
    }

    fn leave(self) -> ExitCode {
        let state_dir = self.state_dir();
        let _ = fs::remove_file(&self.config.socket_path);
        sys::failpoint!("shim: removed its socket");
        for place in ["shm", "etc", user_namespace::FILE] {
            if let Err(failure) = mounts::unmount_if_mounted(&state_dir.join(place)) {
                log::warn(failure);
                return ExitCode::FAILURE;
            }
        }
        sys::failpoint!("shim: unmounted its places");
        match fs::remove_dir_all(state_dir) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        }
    }
}
