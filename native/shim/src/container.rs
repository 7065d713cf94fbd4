//! One container: where it is in its life, its process, its output.

use crate::{
    attach::Attached,
    console::Console,
    cri_log::Lines,
    error::ShimError,
    exit::Ended,
    input::Input,
    log_file::Log,
    output::{Chunk, read_chunk},
    runtime::Runtime,
};
use rustix::io::ioctl_fionread;
use std::{os::fd::OwnedFd, path::PathBuf, time::Instant};
use wire::{ContainerExit, ShimContainer, ShimContainerPhase, ShimStream, Stage};

const READ_BYTES: usize = 64 * 1024;
// pipe(7), pipe-max-size: what a writer may have the kernel keep between it and us.
const MOST_IN_PIPE_BYTES: usize = 1024 * 1024;

/// Who is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    pub connection: u64,
    pub request: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Created,
    /// The runtime is at work.
    Starting,
    Running,
    /// The process has ended; what it wrote is still being read.
    Draining,
    Exited,
    /// The runtime is taking away what it made.
    Deleting,
}

impl Phase {
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Draining | Self::Exited => "exited",
            Self::Deleting => "being deleted",
        }
    }
}

/// A start in the making.
pub struct Start {
    pub replies: Vec<Reply>,
    /// that the process has to be in; `None` where the spec joins none by a number
    pub pid_namespace: Option<OwnedFd>,
    /// what is being taken back for
    pub failure: Option<ShimError>,
    pub stages: Vec<Stage>,
    pub since: Instant,
    pub since_nanos: i64,
}

pub struct Container {
    pub id: String,
    /// state_dir/containers/<id>
    pub folder: PathBuf,
    pub phase: Phase,
    pub runtime: Option<Runtime>,
    /// the runtime has state of it that has to be deleted
    pub launched: bool,
    pub cgroup_path: String,
    pub log: Log,
    /// as was told last
    pub log_was_blocked: bool,
    pub streams: Vec<Stream>,
    pub process: Option<Process>,
    pub started_at_nanos: i64,
    pub ended: Option<Ended>,
    pub exit: Option<ContainerExit>,
    pub start: Option<Start>,
    pub drain_deadline: Option<Instant>,
    pub deleters: Vec<Reply>,
    /// where it asked for one
    pub input: Option<Input>,
    pub stdin_once: bool,
    pub console: Option<Console>,
    pub attached: Vec<Attached>,
}

pub struct Process {
    pub pid: i32,
    pub descriptor: OwnedFd,
}

pub struct Stream {
    pub kind: ShimStream,
    pub pipe: OwnedFd,
    pub lines: Lines,
}

impl Stream {
    pub fn new((kind, pipe): (ShimStream, OwnedFd)) -> Self {
        let name = if kind == ShimStream::Stderr { "stderr" } else { "stdout" };
        Self { kind, pipe, lines: Lines::new(name) }
    }
}

impl Container {
    pub fn new(id: String, folder: PathBuf, log: Log) -> Self {
        Self {
            id,
            folder,
            phase: Phase::Created,
            runtime: None,
            launched: false,
            cgroup_path: String::new(),
            log,
            log_was_blocked: false,
            streams: Vec::new(),
            process: None,
            started_at_nanos: 0,
            ended: None,
            exit: None,
            start: None,
            drain_deadline: None,
            deleters: Vec::new(),
            input: None,
            stdin_once: false,
            console: None,
            attached: Vec::new(),
        }
    }

    /// Reads what is there of one stream, while the log takes it, and gives it on for those who are attached.
    pub fn read_stream(&mut self, index: usize) -> (ShimStream, Chunk) {
        let Some(stream) = self.streams.get_mut(index) else { return (ShimStream::Stdout, Chunk::Later) };
        let chunk = read_chunk(&stream.pipe, READ_BYTES);
        match &chunk {
            Chunk::Bytes(bytes) => stream.lines.push(bytes, &mut self.log),
            Chunk::Later => {}
            Chunk::End => stream.lines.finish(&mut self.log),
        }
        self.log.flush();
        (stream.kind, chunk)
    }

    /// Takes what the pipes hold now, then lets go of them. Who still writes is a child that has outlived its container, and
    /// may not keep us.
    pub fn close_streams(&mut self) -> Vec<(ShimStream, Vec<u8>)> {
        let mut rest = Vec::new();
        while let Some(mut stream) = self.streams.pop() {
            let held = ioctl_fionread(&stream.pipe).map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
            let mut left = held.min(MOST_IN_PIPE_BYTES);
            while left > 0
                && let Chunk::Bytes(bytes) = read_chunk(&stream.pipe, left.min(READ_BYTES))
            {
                stream.lines.push(&bytes, &mut self.log);
                self.log.flush();
                left -= bytes.len();
                rest.push((stream.kind, bytes));
            }
            stream.lines.finish(&mut self.log);
        }
        self.log.flush();
        rest
    }

    pub fn report(&self) -> ShimContainer {
        let phase = match self.phase {
            Phase::Created | Phase::Starting => ShimContainerPhase::Created,
            Phase::Running | Phase::Draining => ShimContainerPhase::Running,
            Phase::Exited => ShimContainerPhase::Exited,
            Phase::Deleting if self.exit.is_some() => ShimContainerPhase::Exited,
            Phase::Deleting => ShimContainerPhase::Created,
        };
        ShimContainer {
            container_id: self.id.clone(),
            phase: phase.into(),
            pid: self.process.as_ref().map_or(0, |process| process.pid),
            started_at_nanos: self.started_at_nanos,
            exit: self.exit,
            waits_for: self.waits_for().into(),
            waits_since_nanos: self
                .start
                .as_ref()
                .filter(|_| self.phase == Phase::Starting)
                .map_or(0, |start| start.since_nanos),
            log_blocked: self.is_log_blocked(),
            log_failure: self.log.failure().map_or_else(String::new, |failure| failure.to_failure().message),
        }
    }

    pub fn is_log_blocked(&self) -> bool {
        !self.log.takes_more()
    }

    fn waits_for(&self) -> &'static str {
        match self.phase {
            Phase::Starting if self.process.is_none() => "create",
            Phase::Starting => "start",
            Phase::Deleting => "delete",
            Phase::Draining => "output",
            Phase::Created | Phase::Running | Phase::Exited => "",
        }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}
