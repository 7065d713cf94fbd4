//! `exec`: another process in a container that runs.

use crate::{
    arguments::{Call, Exec},
    cgroups,
    console::{self, ConsoleSocket},
    error::RuntimeError,
    handshake::{ChildSide, Word},
    json_file, namespaces,
    new_process::NewProcess,
    oom_score, process,
    seccomp::Filter,
    spec::Process,
    state::{State, StateFolder},
};
use rustix::process::setsid;
use std::{
    convert::Infallible,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

struct Plan<'a> {
    state: &'a State,
    target: OwnedFd,
    process: &'a Process,
    filter: Option<Filter>,
    console: Option<ConsoleSocket>,
}

pub fn exec(call: &Call, options: &Exec) -> Result<(), RuntimeError> {
    let missing = |why: &str| RuntimeError::argument(format!("exec in container {}", call.id), why);
    let process: Process = json_file::read(&options.process)?;
    let folder = StateFolder::new(&call.root, &call.id);
    let state = folder.read().ok_or_else(|| missing("it is not there"))?;
    let plan = Plan {
        state: &state,
        target: state.hold_process().ok_or_else(|| missing("it does not run"))?,
        process: &process,
        filter: state.filter_flags.map(|flags| Filter::read(flags, &folder.filter())).transpose()?,
        console: ConsoleSocket::of(&process, options.console_socket.as_deref())?,
    };
    let place = cgroups::open(&state.cgroups_path, options.cgroup.as_deref())?;
    namespaces::choose_pid_namespace_of(plan.target.as_fd(), &state.namespaces)?;
    let new = NewProcess::start(place, cgroups::Place::fork, |place, side| plan.carry_out(place, side))?;
    let started = new.write_pid(&options.pid_file).and_then(|()| new.release()).and_then(|()| new.await_command());
    if started.is_err() {
        new.kill();
    }
    started
}

impl Plan<'_> {
    /// In the new process.
    fn carry_out(self, place: cgroups::Place, side: &ChildSide) -> Result<Infallible, RuntimeError> {
        place.enter()?;
        oom_score::adjust_if_allowed(self.process)?;
        namespaces::enter_those_of(self.target.as_fd(), &self.state.namespaces)?;
        drop(self.target);
        setsid().map_err(|errno| RuntimeError::io("make a session", errno))?;
        if let Some(socket) = self.console {
            console::make_controlling(socket.open_terminal(Path::new("/"))?)?;
        }
        side.say(&Word::Ready)?;
        side.wait()?;
        process::run(self.process, self.filter.as_ref())
    }
}
