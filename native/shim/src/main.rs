//! berth-shim is the parent of one pod's containers. It makes the pod's namespaces, launches containers through an OCI
//! runtime, writes their logs, keeps their exit codes, and outlives everybody else. One thread, one loop.

mod attach;
mod checkpoint;
mod children;
mod connection;
mod console;
mod container;
mod cri_log;
mod deletion;
mod descriptors;
mod error;
mod events;
mod exec;
mod exec_calls;
mod exec_cgroup;
mod exit;
mod forward;
mod input;
mod lifecycle;
mod log;
mod log_file;
mod log_rotation;
mod mounts;
mod null;
mod open_in_root;
mod output;
mod pid_namespace;
mod pod_init;
mod port_forward;
mod process_tree;
mod read_only_program;
mod root_check;
mod runtime;
mod server;
mod setup;
mod start;
mod stdio;
mod time;
mod user;
mod user_namespace;
mod volumes;

use std::process::ExitCode;

fn main() -> ExitCode {
    descriptors::raise();
    match setup::from_standard_input() {
        Ok(Some(ready)) => server::Server::new(ready).run(),
        Ok(None) => ExitCode::SUCCESS,
        Err(failure) => {
            log::warn(failure);
            ExitCode::FAILURE
        }
    }
}
