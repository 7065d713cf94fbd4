//! A container from creation to deletion. Each step that runs the OCI runtime ends where the runtime does, in another
//! function here; nothing waits.

use crate::{
    container::{Container, Phase, Process, Reply, Start, Stream},
    cri_log::{Lines, Log},
    error::ShimError,
    exit::{self, Ended},
    log,
    mounts::{self, Layers},
    output,
    pod_init::is_in_pid_namespace,
    runtime,
    server::{Child, Server},
    time, user,
};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::Path,
    time::{Duration, Instant},
};
use wire::{
    ShimCreateContainer, ShimSignal, ShimStartContainer, ShimStartContainerResult, Stage,
    shim_response::Result as CallResult,
};

// A child that keeps the pipes open after the container's process has ended is not waited for longer.
const DRAIN: Duration = Duration::from_secs(1);

impl Server {
    pub fn create_container(&mut self, reply: Reply, request: &ShimCreateContainer) -> Result<(), ShimError> {
        let id = &request.container_id;
        if !(1..=64).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            return Err(ShimError::Argument {
                doing: "create container".into(),
                why: "its id is not 1 to 64 lower-case letters and digits",
            });
        }
        if self.containers.contains_key(id) {
            return Err(ShimError::Exists { id: id.clone() });
        }
        if !self.has_room() {
            return Err(ShimError::Busy { containers: self.containers.len() });
        }
        let folder = self.state_dir().join("containers").join(id);
        let made = make_root(&folder, request);
        if made.is_err() {
            let _ = remove_root(&folder);
        }
        let answer = made?;
        let container = Container::new(id.clone(), folder, Log::open("", "")?);
        self.containers.insert(id.clone(), container);
        self.answer(reply, CallResult::CreateContainer(answer));
        Ok(())
    }

    pub fn start_container(&mut self, reply: Reply, request: &ShimStartContainer) -> Result<(), ShimError> {
        let runtime = self.runtime(&request.runtime_path)?;
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
        let config = container.file("config.json");
        fs::write(&config, &request.config_json)
            .map_err(|source| ShimError::io(format!("write {}", config.display()), source))?;
        container.log = Log::open(&request.log_directory, &request.log_path)?;
        let pipes = || output::pipe().map_err(|errno| ShimError::io(format!("make pipes of container {id}"), errno));
        let ((stdout, its_stdout), (stderr, its_stderr)) = (pipes()?, pipes()?);
        let its = runtime::Output { stdout: its_stdout, stderr: its_stderr };
        let pid =
            runtime.create(&id, &container.folder, &container.file("pid"), &container.file("runtime.log"), its)?;
        container.streams = vec![
            Stream { pipe: stdout, lines: Lines::new("stdout") },
            Stream { pipe: stderr, lines: Lines::new("stderr") },
        ];
        container.runtime = Some(runtime);
        container.launched = true;
        container.cgroup_path.clone_from(&request.cgroup_path);
        container.phase = Phase::Starting;
        container.start = Some(Start {
            replies: vec![reply],
            pid_namespace,
            stages: Vec::new(),
            since: Instant::now(),
            since_nanos: time::now_nanos(),
        });
        self.follow(pid, Child::Create(id));
        Ok(())
    }

    /// `create` has ended: the process is there, and waits to be let go.
    pub fn created(&mut self, id: &str, ended: Ended) {
        let Some(container) = self.containers.get_mut(id) else { return };
        stage(container, "oci create");
        let step = if ended.code == 0 {
            hold_process(container).and_then(|pid| {
                check_pid_namespace(container, pid)?;
                Ok((pid, start_process(container)?))
            })
        } else {
            Err(runtime_error(container, "oci create"))
        };
        match step {
            Ok((init, starter)) => {
                self.expect(init, Child::Init(id.to_owned()));
                self.follow(starter, Child::Start(id.to_owned()));
            }
            Err(failure) => self.take_back_start(id, failure.to_string()),
        }
    }

    pub fn started(&mut self, id: &str, ended: Ended) {
        let Some(container) = self.containers.get_mut(id) else { return };
        stage(container, "oci start");
        if ended.code != 0 {
            let failure = runtime_error(container, "oci start").to_string();
            return self.take_back_start(id, failure);
        }
        container.phase = Phase::Running;
        container.started_at_nanos = time::now_nanos();
        let Some(start) = container.start.take() else { return };
        let (result, report) = (start_result(container, start.stages), container.report());
        let (ended, deleting) = (container.ended, !container.deleters.is_empty());
        for reply in start.replies {
            self.answer(reply, CallResult::StartContainer(result.clone()));
        }
        self.tell_all(CallResult::ContainerStarted(report));
        match ended {
            Some(ended) => self.drain(id, ended),
            None if deleting => self.kill(id),
            None => {}
        }
    }

    fn take_back_start(&mut self, id: &str, message: String) {
        let Some(container) = self.containers.get_mut(id) else { return };
        let deletion = container.runtime.as_ref().map(|runtime| runtime.delete(id, &container.file("delete.log")));
        match deletion {
            Some(Ok(pid)) => self.follow(pid, Child::FailedStart(id.to_owned(), message)),
            _ => self.start_taken_back(id, message),
        }
    }

    pub fn start_taken_back(&mut self, id: &str, message: String) {
        let Some(container) = self.containers.get_mut(id) else { return };
        container.close_streams();
        container.launched = false;
        container.process = None;
        let exit = Ended { code: 128, signal: 0, at_nanos: time::now_nanos() }.as_exit(false);
        if let Err(failure) = exit::write_record(&container.folder, &exit) {
            log::warn(failure);
        }
        container.exit = Some(exit);
        container.phase = Phase::Exited;
        let (start, deleting) = (container.start.take(), !container.deleters.is_empty());
        for reply in start.into_iter().flat_map(|start| start.replies) {
            self.fail(reply, &ShimError::Runtime { doing: format!("start container {id}"), message: message.clone() });
        }
        if deleting {
            self.deleted(id);
        }
    }

    pub fn init_ended(&mut self, id: &str, ended: Ended) {
        let Some(container) = self.containers.get_mut(id) else { return };
        container.ended = Some(ended);
        // While the runtime still starts it, its end is told after the start.
        if container.phase == Phase::Running {
            self.drain(id, ended);
        }
    }

    fn drain(&mut self, id: &str, ended: Ended) {
        let Some(container) = self.containers.get_mut(id) else { return };
        container.ended = Some(ended);
        container.phase = Phase::Draining;
        container.drain_deadline = Some(Instant::now() + DRAIN);
        self.finish_if_drained(id);
    }

    pub fn finish_if_drained(&mut self, id: &str) {
        let drained = self.containers.get(id).is_some_and(|container| {
            container.phase == Phase::Draining && container.streams.is_empty() && !container.log.is_stuck()
        });
        if drained {
            self.finish(id);
        }
    }

    /// A log that can't be written holds its container up: what it said is not to be lost.
    pub fn finish_unless_stuck(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else { return };
        if container.log.is_stuck() {
            container.drain_deadline = Some(Instant::now() + DRAIN);
        } else {
            self.finish(id);
        }
    }

    /// The process has ended and its output is read: recorded first, told then.
    pub fn finish(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else { return };
        let Some(ended) = container.ended.filter(|_| container.phase == Phase::Draining) else { return };
        container.close_streams();
        let exit = ended.as_exit(exit::was_oom_killed(&container.cgroup_path));
        if let Err(failure) = exit::write_record(&container.folder, &exit) {
            log::warn(failure);
        }
        container.exit = Some(exit);
        container.process = None;
        container.drain_deadline = None;
        container.phase = Phase::Exited;
        let report = container.report();
        let deleting = !container.deleters.is_empty();
        self.tell_all(CallResult::ContainerExited(report));
        if deleting {
            self.start_delete(id);
        }
    }

    pub fn signal(&mut self, reply: Reply, request: &ShimSignal) -> Result<(), ShimError> {
        let container = self.find(&request.container_id)?;
        let id = container.id.clone();
        let gone = || ShimError::NotFound { what: "process of container", id: id.clone() };
        let process = container.process.as_ref().filter(|_| container.ended.is_none()).ok_or_else(gone)?;
        // The kernel checks the number; a named constant only covers some.
        let refused =
            || ShimError::Argument { doing: format!("signal container {id}"), why: "there is no such signal" };
        let signal = Signal::from_named_raw(request.signal).ok_or_else(refused)?;
        match pidfd_send_signal(&process.descriptor, signal) {
            Ok(()) => {}
            Err(rustix::io::Errno::SRCH) => return Err(gone()),
            Err(errno) => return Err(ShimError::io(format!("signal container {id}"), errno)),
        }
        self.done(reply);
        Ok(())
    }

    fn kill(&mut self, id: &str) {
        if let Some(process) = self.containers.get(id).and_then(|container| container.process.as_ref()) {
            // Gone already is what we want.
            let _ = pidfd_send_signal(&process.descriptor, Signal::KILL);
        }
    }

    pub fn delete_container(&mut self, reply: Reply, id: &str) -> Result<(), ShimError> {
        let Some(container) = self.containers.get_mut(id) else {
            self.done(reply);
            return Ok(());
        };
        container.deleters.push(reply);
        match container.phase {
            Phase::Created => self.deleted(id),
            Phase::Running => self.kill(id),
            Phase::Exited => self.start_delete(id),
            // What is under way ends in the deletion.
            Phase::Starting | Phase::Draining | Phase::Deleting => {}
        }
        Ok(())
    }

    fn start_delete(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else { return };
        let deletion = container
            .runtime
            .as_ref()
            .filter(|_| container.launched)
            .map(|runtime| runtime.delete(id, &container.file("delete.log")));
        match deletion {
            Some(Ok(pid)) => {
                container.phase = Phase::Deleting;
                self.follow(pid, Child::Delete(id.to_owned()));
            }
            // Without a runtime to ask, what we mounted goes all the same, and the helper empties the cgroup.
            Some(Err(_)) | None => self.deleted(id),
        }
    }

    /// The runtime has taken away what it made; what we made follows.
    pub fn deleted(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else { return };
        container.launched = false;
        let removed = remove_root(&container.folder);
        let deleters = std::mem::take(&mut container.deleters);
        if removed.is_ok() {
            self.containers.remove(id);
        } else {
            container.phase = Phase::Exited;
        }
        for reply in deleters {
            match &removed {
                Ok(()) => self.done(reply),
                Err(failure) => self.fail(reply, failure),
            }
        }
    }
}

fn make_root(folder: &Path, request: &ShimCreateContainer) -> Result<wire::ShimCreateContainerResult, ShimError> {
    let root = folder.join("rootfs");
    let mut maker = fs::DirBuilder::new();
    maker
        .recursive(true)
        .mode(0o700)
        .create(&root)
        .map_err(|source| ShimError::io(format!("make {}", root.display()), source))?;
    let layers = Layers {
        folder: &request.layers_dir,
        lower: &request.lower_dirs,
        upper: &request.upper_dir,
        work: &request.work_dir,
    };
    mounts::mount_root(&root, &layers)?;
    user::look_up(&root, &request.user)
}

fn remove_root(folder: &Path) -> Result<(), ShimError> {
    mounts::unmount_if_mounted(&folder.join("rootfs"))?;
    match fs::remove_dir_all(folder) {
        Err(failure) if failure.kind() != std::io::ErrorKind::NotFound => {
            Err(ShimError::io(format!("remove {}", folder.display()), failure))
        }
        _ => Ok(()),
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
    let descriptor = pidfd_open(Pid::from_raw(pid).filter(|_| pid > 1).ok_or_else(wrong)?, PidfdFlags::empty());
    let descriptor = descriptor
        .map_err(|errno| ShimError::io(format!("hold process {pid} of container {}", container.id), errno))?;
    container.process = Some(Process { pid, descriptor });
    Ok(pid)
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

fn start_process(container: &Container) -> Result<i32, ShimError> {
    let missing = || ShimError::NotFound { what: "runtime of container", id: container.id.clone() };
    container.runtime.as_ref().ok_or_else(missing)?.start(&container.id, &container.file("runtime.log"))
}

fn runtime_error(container: &Container, doing: &str) -> ShimError {
    ShimError::Runtime { doing: doing.into(), message: runtime::message(&container.file("runtime.log")) }
}

fn stage(container: &mut Container, name: &str) {
    if let Some(start) = &mut container.start {
        let duration_nanos = i64::try_from(start.since.elapsed().as_nanos()).unwrap_or(i64::MAX);
        start.stages.push(Stage { name: name.into(), started_at_nanos: start.since_nanos, duration_nanos });
        (start.since, start.since_nanos) = (Instant::now(), time::now_nanos());
    }
}
