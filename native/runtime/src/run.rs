//! `run`: makes a container, and ends when its command runs.

use crate::{
    arguments::{Call, Run},
    cgroups,
    console::{self, ConsoleSocket},
    delete,
    error::RuntimeError,
    handshake::{ChildSide, Word},
    hooks::{self, Step, Subject},
    json_file,
    log::Log,
    namespaces::{self, Namespaces},
    new_process::NewProcess,
    oom_score, process, rootfs,
    seccomp::Filter,
    spec::Spec,
    state::{self, Poststop, State, StateFile, StateFolder},
};
use rustix::process::setsid;
use std::{
    convert::Infallible,
    os::fd::{AsFd, OwnedFd},
};

// What makes compiling a profile needless: what was compiled of it before, as base64.
const COMPILED_FILTER: &str = "run.oci.seccomp_bpf_data";

/// What the new process is made of.
struct Plan<'a> {
    spec: &'a Spec,
    options: &'a Run,
    subject: &'a Subject<'a>,
    namespaces: Namespaces,
    filter: Option<&'a Filter>,
    console: Option<ConsoleSocket>,
}

/// @param pid_namespace in place of the spec's
pub fn run(call: &Call, options: &Run, pid_namespace: Option<OwnedFd>, log: &Log) -> Result<(), RuntimeError> {
    let spec: Spec = json_file::read(&options.bundle.join("config.json"))?;
    let namespaces = Namespaces::open(&spec.linux.namespaces, pid_namespace)?;
    let compiled = spec.annotations.get(COMPILED_FILTER).map(String::as_str);
    let filter = spec.linux.seccomp.as_ref().map(|profile| Filter::make(profile, compiled)).transpose()?;
    let subject = Subject {
        id: &call.id,
        oci_version: &spec.oci_version,
        bundle: &options.bundle,
        annotations: &spec.annotations,
    };
    let plan = Plan {
        spec: &spec,
        options,
        subject: &subject,
        namespaces,
        filter: filter.as_ref(),
        console: ConsoleSocket::of(&spec.process, options.console_socket.as_deref())?,
    };
    let folder = StateFolder::new(&call.root, &call.id);
    let mut state = plan.first_state();
    let file = folder.create(&state)?;
    let started = start(plan, &folder, &file, &mut state);
    if started.is_err()
        && let Err(failure) = delete::take_away(call, &folder, &state, log)
    {
        log.warn(&failure);
    }
    started
}

/// What fails leaves no process, but whatever else is made.
fn start(plan: Plan, folder: &StateFolder, file: &StateFile, state: &mut State) -> Result<(), RuntimeError> {
    let (spec, options, subject, filter) = (plan.spec, plan.options, plan.subject, plan.filter);
    let is_in_two_steps = plan.namespaces.is_entered_in_two_steps();
    let place = cgroups::make(&spec.linux)?;
    plan.namespaces.choose_pid_namespace()?;
    let mut new = NewProcess::start(place, cgroups::Place::fork, |place, side| plan.carry_out(place, side))?;
    let started = || -> Result<(), RuntimeError> {
        if spec.hooks.are_outside() {
            namespaces::return_to_own_pid_namespace()?;
        }
        if is_in_two_steps {
            new.follow_move()?;
        }
        state.pid = new.pid();
        state.start_ticks = state::start_ticks(state.pid)
            .map_err(|source| RuntimeError::io(format!("read when process {} began", state.pid), source))?;
        file.write(state)?;
        filter.map_or(Ok(()), |filter| filter.write(&folder.filter()))?;
        new.write_pid(&options.pid_file)?;
        let hooks = &spec.hooks;
        if hooks.are_awaited() {
            new.await_word(&Word::Prepared)?;
            hooks::run(Step::PRESTART, &hooks.prestart, subject, Some(state.pid))?;
            hooks::run(Step::CREATE_RUNTIME, &hooks.create_runtime, subject, Some(state.pid))?;
        }
        new.release()?;
        new.await_command()?;
        hooks::run(Step::POSTSTART, &hooks.poststart, subject, Some(state.pid))
    }();
    if started.is_err() {
        new.kill();
    }
    started
}

impl Plan<'_> {
    /// All that a deletion has to know, before anything is made.
    fn first_state(&self) -> State {
        let poststop = &self.spec.hooks.poststop;
        State {
            pid: 0,
            start_ticks: 0,
            cgroups_path: self.spec.linux.cgroups_path.clone(),
            namespaces: self.spec.linux.namespaces.iter().map(|namespace| namespace.kind).collect(),
            filter_flags: self.filter.map(|filter| filter.flags),
            poststop: (!poststop.is_empty()).then(|| Poststop {
                hooks: poststop.clone(),
                oci_version: self.spec.oci_version.clone(),
                bundle: self.options.bundle.clone(),
                annotations: self.spec.annotations.clone(),
            }),
        }
    }

    /// In the new process.
    fn carry_out(self, place: cgroups::Place, side: &ChildSide) -> Result<Infallible, RuntimeError> {
        let (spec, hooks) = (self.spec, &self.spec.hooks);
        place.enter()?;
        oom_score::adjust(&spec.process)?;
        let sources = rootfs::Sources::open(spec)?;
        self.namespaces.enter(side)?;
        setsid().map_err(|errno| RuntimeError::io("make a session", errno))?;

        let root = self.options.bundle.join(&spec.root.path);
        let at = |terminal| rootfs::Place { spec, root: &root, sources: &sources, terminal };
        rootfs::prepare(&at(None))?;
        let terminal = self.console.map(|socket| socket.open_terminal(&root)).transpose()?;
        if hooks.are_awaited() {
            side.say(&Word::Prepared)?;
        }
        let hooked_pid = if hooks.are_before_command() { Some(side.wait()?) } else { None };
        hooks::run(Step::CREATE_CONTAINER, &hooks.create_container, self.subject, hooked_pid)?;
        rootfs::enter(&at(terminal.as_ref().map(AsFd::as_fd)))?;
        drop(sources);
        hooks::run(Step::START_CONTAINER, &hooks.start_container, self.subject, hooked_pid)?;

        terminal.map_or(Ok(()), console::make_controlling)?;
        side.say(&Word::Ready)?;
        if hooked_pid.is_none() {
            side.wait()?;
        }
        process::run(&spec.process, self.filter)
    }
}
