//! berth-runtime turns an OCI bundle into a process: the `direct` launcher. It takes the words of an OCI runtime's command line that a shim
//! says (run, exec, delete), and does in one short process what takes others several. It is run once a call, and keeps nothing in memory.

mod arguments;
mod cgroups;
mod console;
mod container_id;
mod delete;
mod error;
mod exec;
mod features;
mod handshake;
mod hooks;
mod json_file;
mod log;
mod namespaces;
mod new_process;
mod oom_score;
mod process;
mod rootfs;
mod run;
mod seccomp;
mod spec;
mod state;

use arguments::{Arguments, Call, Run, Verb};
use error::RuntimeError;
use log::Log;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use std::process::ExitCode;

fn main() -> ExitCode {
    let call = match arguments::parse(lexopt::Parser::from_env()) {
        Ok(Arguments::Call(call)) => call,
        Ok(Arguments::Features) => {
            println!("{}", features::json());
            return ExitCode::SUCCESS;
        }
        Ok(Arguments::Text(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(failure) => {
            eprintln!("berth-runtime: {failure}");
            return ExitCode::from(2);
        }
    };
    let log = Log(call.log.clone());
    match serve(&call, &log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log.error(&failure);
            ExitCode::FAILURE
        }
    }
}

fn serve(call: &Call, log: &Log) -> Result<(), RuntimeError> {
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
