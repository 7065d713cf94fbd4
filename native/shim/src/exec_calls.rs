//! Exec: the runtime puts a process beside the container's and ends; the process is ours to follow then.

use crate::{
    children::Child,
    connection::Connection,
    container::{Phase, Reply},
    error::ShimError,
    exec::{CHUNK_BYTES, Cut, Exec},
    exec_cgroup::{ExecCgroup, ExecCgroups},
    exit::{Ended, Stuck},
    log,
    output::{Chunk, read_chunk},
    runtime::{self, Runtime},
    server::Server,
    stdio,
};
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};
use wire::{ShimExec, ShimExecExit, ShimExecOutput, ShimStream, shim_response::Result as CallResult};

const DRAIN: Duration = Duration::from_secs(1);
// What outlives SIGKILL for longer sits in the kernel, and does not keep its caller.
const DEATH: Duration = Duration::from_secs(5);
const MAX_EXECS: usize = 1024;

impl Server {
    pub fn exec(&mut self, reply: Reply, request: &ShimExec) -> Result<(), ShimError> {
        if self.execs.len() >= MAX_EXECS {
            return Err(ShimError::Argument {
                doing: format!("exec in container {}", request.container_id),
                why: "too many are running",
            });
        }
        let number = self.last_exec + 1;
        let container = self.find(&request.container_id)?;
        let (id, cgroup_path) = (container.id.clone(), container.cgroup_path.clone());
        let of_container = container.runtime.as_ref();
        let limit = of_container.map_or(0, |runtime| runtime.limit.as_millis());
        let args = of_container.map_or_else(Vec::new, |runtime| runtime.args.clone());
        let program = program(Path::new(&request.runtime_path), of_container).to_owned();
        if container.phase != Phase::Running {
            return Err(ShimError::State { doing: "exec in container", id, state: container.phase.name() });
        }
        let folder = container.folder.clone();
        let file = |kind: &str| folder.join(format!("exec-{number}.{kind}"));
        let (process, pid_file, log) = (file("json"), file("pid"), file("log"));
        let runtime = self.runtime(&program, &args, u32::try_from(limit).unwrap_or(0))?;
        let doing = || format!("exec in container {id}");
        let wanted = request.stdio.unwrap_or_default();
        let (streams, its) = stdio::make(&folder, &format!("exec-{number}.sock"), wanted.tty, wanted.stdin)
            .map_err(|source| ShimError::io(doing(), source))?;
        let timeout = Duration::from_millis(request.timeout_millis.into());
        let mut exec = Exec {
            reply,
            container: id.clone(),
            pipes: streams.output,
            runtime_pid: 0,
            pid: None,
            ended: None,
            deadline: (!timeout.is_zero()).then(|| Instant::now() + timeout),
            drain_deadline: None,
            cut: None,
            bytes_left: bounds(request),
            input: streams.input,
            console: streams.console,
            cgroup: None,
            files: vec![process.clone(), pid_file.clone(), log.clone()],
        };
        fs::write(&process, &request.process_json).map_err(|source| ShimError::io(doing(), source))?;
        let cgroup = self.exec_cgroups.make(&cgroup_path, number);
        sys::failpoint!("shim: made cgroup of exec");
        let place = runtime::ExecPlace {
            born_in: cgroup
                .as_ref()
                .filter(|_| matches!(self.exec_cgroups, ExecCgroups::Hybrid { .. }))
                .map(ExecCgroup::as_fd),
            sub_cgroup: cgroup.as_ref().filter(|_| matches!(self.exec_cgroups, ExecCgroups::V2)).map(ExecCgroup::name),
            oom_score_adj: request.oom_score_adj,
        };
        let started = runtime.exec(&id, &process, &pid_file, &log, its, &place);
        exec.cgroup = cgroup;
        self.last_exec = number;
        match started {
            Ok(pid) => exec.runtime_pid = pid,
            Err(failure) => {
                self.let_go(exec);
                return Err(failure);
            }
        }
        self.follow_runtime(exec.runtime_pid, Child::ExecStart(number), runtime.limit);
        sys::failpoint!("shim: runtime execs");
        self.execs.insert(number, exec);
        if request.stdio.is_some() {
            self.make_session(reply);
        }
        Ok(())
    }

    pub fn exec_started(&mut self, number: u64, end: Result<Ended, Stuck>) {
        let Some(exec) = self.execs.get_mut(&number) else { return };
        let [_, pid_file, log] = exec.files.as_slice() else { return };
        let started = match end {
            Ok(Ended { code: 0, .. }) => runtime::read_pid(pid_file),
            Ok(_) => Err(ShimError::Runtime {
                doing: format!("exec in container {}", exec.container),
                message: runtime::message(log),
            }),
            Err(stuck) => {
                exec.cut.get_or_insert(Cut::RuntimeStuck(stuck));
                exec.kill();
                Err(exec_stuck(exec, stuck))
            }
        };
        match started {
            Ok(pid) => {
                exec.pid = Some(pid);
                sys::failpoint!("shim: exec runs");
                let terminal = stdio::open_terminal(&mut exec.console, &mut exec.input);
                let is_unheard = terminal.is_err();
                match terminal {
                    Ok(terminal) => exec.pipes.extend(terminal.map(|pipe| (ShimStream::Stdout, pipe))),
                    Err(failure) => {
                        log::warn(format_args!("take the terminal of an exec in {}: {failure}", exec.container));
                    }
                }
                // Before any kill: it may have ended by now.
                self.expect(pid, Child::ExecProcess(number));
                if let Some(exec) = self.execs.get(&number).filter(|exec| is_unheard || exec.cut.is_some()) {
                    exec.kill();
                }
            }
            // Its end was ours.
            Err(_) if exec.cut.is_some() => match end {
                Ok(ended) => self.exec_ended(number, ended),
                Err(_) => self.finish_exec(number),
            },
            Err(failure) => {
                let reply = exec.reply;
                if let Some(exec) = self.execs.remove(&number) {
                    self.let_go(exec);
                }
                self.fail(reply, &failure);
            }
        }
    }

    pub fn exec_ended(&mut self, number: u64, ended: Ended) {
        let Some(exec) = self.execs.get_mut(&number) else { return };
        exec.ended = Some(ended);
        sys::failpoint!("shim: exec ended");
        exec.deadline = None;
        exec.drain_deadline = Some(Instant::now() + DRAIN);
        self.finish_exec_if_over(number);
    }

    /// Passes on what one pipe has, as far as the bound goes; the rest is read and thrown away, so that the writer ends.
    pub fn pass_exec_output(&mut self, number: u64, index: usize) {
        let Some(exec) = self.execs.get_mut(&number) else { return };
        // Another exec may have filled the connection since we looked; what is in the pipe waits there.
        if self.connections.get(&exec.reply.connection).is_some_and(Connection::is_busy) {
            return;
        }
        let Some((stream, pipe)) = exec.pipes.get(index) else { return };
        let stream = *stream;
        match read_chunk(pipe, CHUNK_BYTES) {
            Chunk::Later => {}
            Chunk::End => {
                exec.pipes.remove(index);
                self.finish_exec_if_over(number);
            }
            Chunk::Bytes(mut data) => {
                data.truncate(exec.take(stream, data.len()));
                let reply = exec.reply;
                if !data.is_empty() {
                    self.answer(reply, CallResult::ExecOutput(ShimExecOutput { stream: stream.into(), data }));
                }
            }
        }
    }

    pub fn finish_exec_if_over(&mut self, number: u64) {
        if self.execs.get(&number).is_some_and(Exec::is_over) {
            self.finish_exec(number);
        }
    }

    /// Its time is over: a child may keep the pipes for ever, and a slow reader has not made us read all that is in them.
    fn finish_late_exec(&mut self, number: u64) {
        let Some(exec) = self.execs.get_mut(&number) else { return };
        let reply = exec.reply;
        for (stream, pipe) in std::mem::take(&mut exec.pipes) {
            if let Chunk::Bytes(mut data) = read_chunk(&pipe, CHUNK_BYTES) {
                let Some(exec) = self.execs.get_mut(&number) else { return };
                data.truncate(exec.take(stream, data.len()));
                self.answer(reply, CallResult::ExecOutput(ShimExecOutput { stream: stream.into(), data }));
            }
        }
        self.finish_exec(number);
    }

    fn finish_exec(&mut self, number: u64) {
        let Some(exec) = self.execs.remove(&number) else { return };
        let exit_code = exec.ended.map_or(0, |ended| ended.code);
        match exec.cut {
            None => self.answer(exec.reply, CallResult::ExecExit(ShimExecExit { exit_code, timed_out: false })),
            Some(Cut::TimedOut) => {
                self.answer(exec.reply, CallResult::ExecExit(ShimExecExit { exit_code, timed_out: true }));
            }
            Some(Cut::Cancelled) => {
                let doing = format!("exec in container {}", exec.container);
                self.fail(exec.reply, &ShimError::Cancelled { doing });
            }
            Some(Cut::RuntimeStuck(stuck)) => self.fail(exec.reply, &exec_stuck(&exec, stuck)),
        }
        self.let_go(exec);
    }

    fn let_go(&mut self, mut exec: Exec) {
        if let Some(cgroup) = exec.cgroup.take().filter(|cgroup| !cgroup.dissolve()) {
            self.old_exec_cgroups.push((cgroup, Instant::now() + DEATH));
        }
    }

    /// @param exec as it was asked for
    pub fn cancel_exec(&mut self, exec: Reply) {
        for exec in self.execs.values_mut().filter(|each| each.reply == exec) {
            cut(exec, Cut::Cancelled);
        }
    }

    /// Who would have read their answer has gone.
    pub fn cancel_execs_of_nobody(&mut self) {
        let connections = &self.connections;
        for exec in self.execs.values_mut().filter(|each| !connections.contains_key(&each.reply.connection)) {
            cut(exec, Cut::Cancelled);
        }
    }

    pub fn keep_exec_time(&mut self, now: Instant) {
        let is_due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        for exec in self.execs.values_mut().filter(|exec| is_due(exec.deadline)) {
            cut(exec, Cut::TimedOut);
        }
        let drained: Vec<u64> =
            self.execs.iter().filter(|(_, exec)| is_due(exec.drain_deadline)).map(|(number, _)| *number).collect();
        for number in drained {
            self.finish_late_exec(number);
        }
        self.old_exec_cgroups.retain(|(cgroup, until)| !cgroup.dissolve() && now < *until);
    }
}

/// It may be elsewhere by now, as after an upgrade; but where the handler's has become another one, that knows nothing of the container.
fn program<'a>(asked: &'a Path, of_container: Option<&'a Runtime>) -> &'a Path {
    match of_container {
        Some(Runtime { program, .. }) if program.file_name() != asked.file_name() => program,
        _ => asked,
    }
}

/// How much of each output is passed on; of one that somebody reads now, all that is wanted.
fn bounds(request: &ShimExec) -> [u64; 2] {
    match request.stdio {
        None => [request.max_bytes_per_stream; 2],
        Some(stdio) => [stdio.stdout, stdio.stderr].map(|is_wanted| if is_wanted { u64::MAX } else { 0 }),
    }
}

fn cut(exec: &mut Exec, why: Cut) {
    if exec.cut.is_some() {
        return;
    }
    exec.cut = Some(why);
    exec.deadline = None;
    exec.drain_deadline.get_or_insert(Instant::now() + DEATH);
    exec.kill();
}

fn exec_stuck(exec: &Exec, stuck: Stuck) -> ShimError {
    ShimError::Stuck { doing: format!("exec in container {}: oci exec", exec.container), stuck }
}
