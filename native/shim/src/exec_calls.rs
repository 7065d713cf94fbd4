//! Exec: the runtime puts a process beside the container's and ends; the process is ours to follow then.

use crate::{
    connection::Connection,
    container::{Phase, Reply},
    error::ShimError,
    exec::{CHUNK_BYTES, Exec},
    exit::Ended,
    output::{self, Chunk, read_chunk},
    runtime,
    server::{Child, Server},
};
use std::{
    fs,
    time::{Duration, Instant},
};
use wire::{ShimExec, ShimExecExit, ShimExecOutput, ShimStream, shim_response::Result as CallResult};

const DRAIN: Duration = Duration::from_secs(1);
const MAX_EXECS: usize = 1024;

impl Server {
    pub fn exec(&mut self, reply: Reply, request: &ShimExec) -> Result<(), ShimError> {
        let runtime = self.runtime(&request.runtime_path)?;
        if self.execs.len() >= MAX_EXECS {
            return Err(ShimError::Argument {
                doing: format!("exec in container {}", request.container_id),
                why: "too many are running",
            });
        }
        let number = self.last_exec + 1;
        let container = self.find(&request.container_id)?;
        let id = container.id.clone();
        if container.phase != Phase::Running {
            return Err(ShimError::State { doing: "exec in container", id, state: container.phase.name() });
        }
        let file = |kind: &str| container.file(&format!("exec-{number}.{kind}"));
        let (process, pid_file, log) = (file("json"), file("pid"), file("log"));
        let doing = || format!("exec in container {id}");
        let pipes = || output::pipe().map_err(|errno| ShimError::io(doing(), errno));
        let ((stdout, its_stdout), (stderr, its_stderr)) = (pipes()?, pipes()?);
        let timeout = Duration::from_millis(request.timeout_millis.into());
        let mut exec = Exec {
            reply,
            container: id.clone(),
            pipes: vec![(ShimStream::Stdout, stdout), (ShimStream::Stderr, stderr)],
            runtime_pid: 0,
            pid: None,
            ended: None,
            deadline: (!timeout.is_zero()).then(|| Instant::now() + timeout),
            drain_deadline: None,
            timed_out: false,
            bytes_left: [request.max_bytes_per_stream; 2],
            files: vec![process.clone(), pid_file.clone(), log.clone()],
        };
        fs::write(&process, &request.process_json).map_err(|source| ShimError::io(doing(), source))?;
        let its = runtime::Output { stdout: its_stdout, stderr: its_stderr };
        exec.runtime_pid = runtime.exec(&id, &process, &pid_file, &log, its)?;
        self.last_exec = number;
        self.follow(exec.runtime_pid, Child::ExecStart(number));
        self.execs.insert(number, exec);
        Ok(())
    }

    pub fn exec_started(&mut self, number: u64, ended: Ended) {
        let Some(exec) = self.execs.get_mut(&number) else { return };
        let [_, pid_file, log] = exec.files.as_slice() else { return };
        let started = if ended.code == 0 {
            runtime::read_pid(pid_file)
        } else {
            Err(ShimError::Runtime {
                doing: format!("exec in container {}", exec.container),
                message: runtime::message(log),
            })
        };
        match started {
            Ok(pid) => {
                exec.pid = Some(pid);
                if exec.timed_out {
                    exec.kill();
                }
                self.expect(pid, Child::ExecProcess(number));
            }
            // Its end was ours.
            Err(_) if exec.timed_out => {
                exec.ended = Some(ended);
                self.finish_exec(number);
            }
            Err(failure) => {
                let reply = exec.reply;
                self.execs.remove(&number);
                self.fail(reply, &failure);
            }
        }
    }

    pub fn exec_ended(&mut self, number: u64, ended: Ended) {
        let Some(exec) = self.execs.get_mut(&number) else { return };
        exec.ended = Some(ended);
        exec.deadline = None;
        exec.drain_deadline = Some(Instant::now() + DRAIN);
        self.finish_exec_if_drained(number);
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
                self.finish_exec_if_drained(number);
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

    fn finish_exec_if_drained(&mut self, number: u64) {
        if self.execs.get(&number).is_some_and(|exec| exec.pipes.is_empty() && exec.ended.is_some()) {
            self.finish_exec(number);
        }
    }

    fn finish_exec(&mut self, number: u64) {
        let Some(exec) = self.execs.remove(&number) else { return };
        let exit_code = exec.ended.map_or(0, |ended| ended.code);
        self.answer(exec.reply, CallResult::ExecExit(ShimExecExit { exit_code, timed_out: exec.timed_out }));
    }

    pub fn keep_exec_time(&mut self, now: Instant) {
        let is_due = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        for exec in self.execs.values_mut().filter(|exec| is_due(exec.deadline)) {
            exec.timed_out = true;
            exec.deadline = None;
            exec.kill();
        }
        let drained: Vec<u64> =
            self.execs.iter().filter(|(_, exec)| is_due(exec.drain_deadline)).map(|(number, _)| *number).collect();
        for number in drained {
            self.finish_exec(number);
        }
    }
}
