//! `delete`, and what a `run` that has failed takes back.

use crate::{
    arguments::Call,
    cgroups,
    error::RuntimeError,
    hooks::{self, Step, Subject},
    log::Log,
    state::{State, StateFolder},
};
use rustix::process::{Signal, pidfd_send_signal};

/// Idempotent: one that is not there is fine.
pub fn delete(call: &Call, log: &Log) -> Result<(), RuntimeError> {
    let folder = StateFolder::new(&call.root, &call.id);
    match folder.read() {
        Some(state) => take_away(call, &folder, &state, log),
        None => folder.remove(),
    }
}

/// The state goes last, so that what could not be taken away can be asked for again.
pub fn take_away(call: &Call, folder: &StateFolder, state: &State, log: &Log) -> Result<(), RuntimeError> {
    // It may have left its cgroup.
    if let Some(process) = state.hold_process() {
        // Gone already is what we want.
        let _ = pidfd_send_signal(process, Signal::KILL);
    }
    cgroups::remove(&state.cgroups_path)?;
    if let Some(poststop) = &state.poststop {
        let subject = Subject {
            id: &call.id,
            oci_version: &poststop.oci_version,
            bundle: &poststop.bundle,
            annotations: &poststop.annotations,
        };
        for hook in &poststop.hooks {
            // The others are run all the same, and the container goes.
            if let Err(failure) = hooks::run(Step::POSTSTOP, std::slice::from_ref(hook), &subject, None) {
                log.warn(&failure);
            }
        }
    }
    folder.remove()
}
