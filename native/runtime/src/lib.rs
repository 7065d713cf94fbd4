//! Turns an OCI bundle into a process; `berth-runtime` is the program. A library so that tests have its parts.

pub mod arguments;
pub mod cgroups;
pub mod console;
mod container_id;
mod delete;
pub mod error;
mod exec;
pub mod features;
mod handshake;
mod hooks;
mod json_file;
pub mod log;
mod namespaces;
mod new_process;
mod oom_score;
pub mod process;
mod rootfs;
mod run;
pub mod seccomp;
pub mod spec;
mod state;

use arguments::{Call, Run, Verb};
use error::RuntimeError;
use log::Log;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// Does what the call asks for. `run` and `exec` return when the command runs.
pub fn serve(call: &Call, log: &Log) -> Result<(), RuntimeError> {
    let wanted = match call.verb {
        Verb::Run(Run { pid_namespace, .. }) => pid_namespace,
        Verb::Exec(_) | Verb::Delete => None,
    };
    let pid_namespace = sys::descriptors::take_inherited(wanted)
        .map_err(|source| RuntimeError::io("take what was left open", source))?;
    // Before a container is entered, whose processes could look into this one, or stop it, else.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|errno| RuntimeError::io("hide from other processes", errno))?;
    match &call.verb {
        Verb::Run(options) => run::run(call, options, pid_namespace, log),
        Verb::Exec(options) => exec::exec(call, options),
        Verb::Delete => delete::delete(call, log),
    }
}
