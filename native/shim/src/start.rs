//! StartContainer: each step that runs the OCI runtime ends where the runtime does, in another function here; nothing waits.

use crate::{
    children::Child,
    container::{Container, Phase, Process, Reply, Start, Stream},
    error::ShimError,
    exit::{self, Ended, Stuck},
    log,
    log_file::{Log, Rotation},
    pid_namespace::is_in_pid_namespace,
    root_check,
    runtime::{self, Runtime},
    server::Server,
    stdio, time,
};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::{
    fs,
    os::fd::AsFd,
    path::Path,
    time::{Duration, Instant},
};
use wire::{ShimStartContainer, ShimStartContainerResult, ShimStream, Stage, shim_response::Result as CallResult};

impl Server {
    pub fn start_container(&mut self, reply: Reply, request: &ShimStartContainer) -> Result<(), ShimError> {
        let runtime =
            self.runtime(Path::new(&request.runtime_path), &request.runtime_args, request.runtime_timeout_millis)?;
        let container = self.find(&request.container_id)?;
        let id = container.id.clone();
        match (container.phase, &mut container.start) {
            (Phase::Created, _) => {}
            (Phase::Starting, Some(start)) => {
                start.replies.push(reply);
                return Ok(());
            }
            (Phase::Running, _) => {
                let result = start_result(container, Vec::new());
                self.answer(reply, CallResult::StartContainer(result));
                return Ok(());
            }
            (phase, _) => return Err(ShimError::State { doing: "start container", id, state: phase.name() }),
        }
        let pid_namespace = self.hold_pid_namespace(request.pid_namespace_of)?;
        let container = self.find(&request.container_id)?;
        root_check::check_root(&container.file("rootfs"))?;
        let config = container.file("config.json");
        fs::write(&config, &request.config_json)
            .map_err(|source| ShimError::io(format!("write {}", config.display()), source))?;
        exit::reserve_record(&container.folder)?;
        runtime::require_room(&container.folder)?;
        sys::failpoint!("shim: wrote spec");
        let rotation = Rotation { max_bytes: request.log_max_bytes, max_files: request.log_max_files as usize };
        container.log = Log::open(&request.log_directory, &request.log_path, rotation)?;
        sys::failpoint!("shim: opened log");
        let wanted = request.stdio.unwrap_or_default();
        let (streams, its) = stdio::make(&container.folder, "console.sock", wanted.tty, wanted.stdin)
            .map_err(|source| ShimError::io(format!("make streams of container {id}"), source))?;
        let (pid_file, log) = (container.file("pid"), container.file("runtime.log"));
        let pid = if runtime.starts_at_once() {
            let namespace = pid_namespace.as_ref().map(AsFd::as_fd);
            runtime.run(&id, &container.folder, &pid_file, &log, its, namespace)?
        } else {
            runtime.create(&id, &container.folder, &pid_file, &log, its)?
        };
        container.streams = streams.output.into_iter().map(Stream::new).collect();
        (container.input, container.console) = (streams.input, streams.console);
        container.stdin_once = request.stdin_once;
        let limit = runtime.limit;
        container.runtime = Some(runtime);
        container.launched = true;
        container.cgroup_path.clone_from(&request.cgroup_path);
        container.phase = Phase::Starting;
        container.start = Some(Start {
            replies: vec![reply],
            pid_namespace,
            failure: None,
            stages: Vec::new(),
            since: Instant::now(),
            since_nanos: time::now_nanos(),
        });
        self.follow_runtime(pid, Child::Create(id), limit);
        sys::failpoint!("shim: runtime creates");
        Ok(())
    }

    /// `create` has ended: the process is there, and waits to be let go. Or `run`: the process is the command already.
    pub fn created(&mut self, id: &str, end: Result<Ended, Stuck>) {
        let Some(container) = self.containers.get_mut(id) else { return };
        let runs = container.runtime.as_ref().is_some_and(Runtime::starts_at_once);
        let doing = if runs { "oci run" } else { "oci create" };
        stage(container, doing);
        let step = went_well(container, doing, end).and_then(|()| {
            let pid = hold_process(container)?;
            sys::failpoint!("shim: holds process");
            check_pid_namespace(container, pid)?;
            open_terminal(container)?;
            Ok((pid, if runs { None } else { Some(start_process(container)?) }))
        });
        match step {
            Ok((init, starter)) => {
                self.expect(init, Child::Init(id.to_owned()));
                match starter {
                    Some((starter, limit)) => self.follow_runtime(starter, Child::Start(id.to_owned()), limit),
                    None => self.running(id),
                }
            }
            Err(failure) => self.take_back_start(id, failure),
        }
    }

    pub fn started(&mut self, id: &str, end: Result<Ended, Stuck>) {
        let Some(container) = self.containers.get_mut(id) else { return };
        stage(container, "oci start");
        match went_well(container, "oci start", end) {
            Ok(()) => self.running(id),
            Err(failure) => self.take_back_start(id, failure),
        }
    }

    fn running(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else { return };
        sys::failpoint!("shim: started process");
        container.phase = Phase::Running;
        container.started_at_nanos = time::now_nanos();
        let Some(start) = container.start.take() else { return };
        let (result, report) = (start_result(container, start.stages), container.report());
        let (ended, deleting) = (container.ended, !container.deleters.is_empty());
        for reply in start.replies {
            self.answer(reply, CallResult::StartContainer(result.clone()));
        }
        self.tell_all(CallResult::ContainerStarted(report));
        sys::failpoint!("shim: told start");
        match ended {
            Some(ended) => self.drain(id, ended),
            None if deleting => self.kill(id),
            None => {}
        }
    }

    fn take_back_start(&mut self, id: &str, failure: ShimError) {
        let Some(container) = self.containers.get_mut(id) else { return };
        if let Some(start) = &mut container.start {
            start.failure = Some(failure);
        }
        let runtime = container.runtime.as_ref();
        match runtime.map(|runtime| (runtime.delete(id, &container.file("delete.log")), runtime.limit)) {
            Some((Ok(pid), limit)) => self.follow_runtime(pid, Child::FailedStart(id.to_owned()), limit),
            _ => self.start_taken_back(id),
        }
    }

    pub fn start_taken_back(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else { return };
        container.close_streams();
        (container.input, container.console) = (None, None);
        container.launched = false;
        container.process = None;
        sys::failpoint!("shim: took start back");
        let exit = Ended { code: 128, signal: 0, at_nanos: time::now_nanos() }.as_exit(false);
        if let Err(failure) = exit::write_record(&container.folder, &exit) {
            log::warn(failure);
        }
        container.exit = Some(exit);
        container.phase = Phase::Exited;
        let (start, deleting) = (container.start.take(), !container.deleters.is_empty());
        if let Some(Start { replies, failure: Some(failure), .. }) = start {
            let failure = ShimError::Start { id: id.to_owned(), source: Box::new(failure) };
            for reply in replies {
                self.fail(reply, &failure);
            }
        }
        if deleting {
            self.deleted(id, None);
        }
    }
}

fn hold_process(container: &mut Container) -> Result<i32, ShimError> {
    let pid = runtime::read_pid(&container.file("pid"))?;
    let wrong = || {
        ShimError::io(
            format!("hold process {pid} of container {}", container.id),
            std::io::Error::from(std::io::ErrorKind::InvalidData),
        )
    };
    let descriptor = pidfd_open(Pid::from_raw(pid).ok_or_else(wrong)?, PidfdFlags::empty());
    let descriptor = descriptor
        .map_err(|errno| ShimError::io(format!("hold process {pid} of container {}", container.id), errno))?;
    container.process = Some(Process { pid, descriptor });
    Ok(pid)
}

fn open_terminal(container: &mut Container) -> Result<(), ShimError> {
    let terminal = stdio::open_terminal(&mut container.console, &mut container.input)
        .map_err(|source| ShimError::io(format!("take the terminal of container {}", container.id), source))?;
    container.streams.extend(terminal.map(|pipe| Stream::new((ShimStream::Stdout, pipe))));
    Ok(())
}

/// The number in the spec may have passed to another process before the runtime looked at it.
fn check_pid_namespace(container: &Container, pid: i32) -> Result<(), ShimError> {
    let wanted = container.start.as_ref().and_then(|start| start.pid_namespace.as_ref());
    match wanted {
        Some(namespace) if !is_in_pid_namespace(pid, namespace) => Err(ShimError::State {
            doing: "start container",
            id: container.id.clone(),
            state: "not in the PID namespace that it was to join",
        }),
        _ => Ok(()),
    }
}

fn start_result(container: &Container, stages: Vec<Stage>) -> ShimStartContainerResult {
    ShimStartContainerResult {
        pid: container.process.as_ref().map_or(0, |process| process.pid),
        started_at_nanos: container.started_at_nanos,
        stages,
    }
}

fn start_process(container: &Container) -> Result<(i32, Duration), ShimError> {
    let missing = || ShimError::NotFound { what: "runtime of container", id: container.id.clone() };
    let runtime = container.runtime.as_ref().ok_or_else(missing)?;
    Ok((runtime.start(&container.id, &container.file("runtime.log"))?, runtime.limit))
}

fn went_well(container: &Container, doing: &str, end: Result<Ended, Stuck>) -> Result<(), ShimError> {
    match end {
        Ok(Ended { code: 0, .. }) => Ok(()),
        Ok(_) => {
            let message = runtime::message(&container.file("runtime.log"));
            Err(ShimError::Runtime { doing: doing.into(), message })
        }
        Err(stuck) => Err(ShimError::Stuck { doing: doing.into(), stuck }),
    }
}

fn stage(container: &mut Container, name: &str) {
    if let Some(start) = &mut container.start {
        let duration_nanos = i64::try_from(start.since.elapsed().as_nanos()).unwrap_or(i64::MAX);
        start.stages.push(Stage { name: name.into(), started_at_nanos: start.since_nanos, duration_nanos });
        (start.since, start.since_nanos) = (Instant::now(), time::now_nanos());
    }
}
