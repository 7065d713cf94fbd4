//! The last steps of a new process on its way to be the container's: who it is, what it may do, what it runs.

mod capabilities;
mod command;
mod confinement;
mod keyring;
mod user;
mod working_directory;

use crate::{error::RuntimeError, seccomp::Filter, spec::Process};
pub use capabilities::Capabilities;
use command::Command;
use rustix::{fs::Mode, process::umask, thread::set_no_new_privs};
use std::convert::Infallible;
use sys::process::default_signals;

/// Called in the container's root and namespaces, as root there, with the standard streams in place and every other descriptor closed
/// on exec. Sets everything of `process` in the right order and runs its command.
///
/// @param filter of the container; `None` without one
/// @returns only a failure
pub fn run(process: &Process, filter: Option<&Filter>) -> Result<Infallible, RuntimeError> {
    let command = Command::new(&process.args, &process.env)?;
    let capabilities = Capabilities::read(&process.capabilities)?;
    // Whoever may not change its privileges any more may set a filter as anybody. Else that takes CAP_SYS_ADMIN, which root has until
    // it is somebody else; from then on the filter sees our own calls too, so all that can be done before is.
    let (early, late) = if process.no_new_privileges { (None, filter) } else { (filter, None) };

    umask(Mode::from_raw_mode(0o022));
    default_signals().map_err(|source| RuntimeError::io("reset the signals", source))?;
    keyring::leave(process)?;
    user::give_streams(&process.user)?;
    confinement::set(process)?;
    // Root may go where the user may not, and the other way round, where root is nobody on another machine's disk.
    let is_there = working_directory::enter_as_root(&process.cwd)?;
    capabilities.bound()?;
    user::set_groups(&process.user)?;
    early.map_or(Ok(()), Filter::load)?;
    user::set_user(&process.user)?;
    capabilities.set()?;
    if !is_there {
        working_directory::enter(&process.cwd)?;
    }
    if process.no_new_privileges {
        set_no_new_privs(true).map_err(|errno| RuntimeError::io("set no_new_privs", errno))?;
    }
    late.map_or(Ok(()), Filter::load)?;
    Err(command.run())
}
