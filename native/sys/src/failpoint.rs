//! Moments between a record and its effect, or two effects, at which the crash suite ends a program. Only in builds with the feature
//! `failpoints`: without it the macro is nothing, and the names are in no program. `test/crash/failpoints.ts` lists them.

#[cfg(feature = "failpoints")]
use rustix::process::{Signal, getpid, kill_process};

/// `failpoint!("shim: mounted root")`
#[cfg(feature = "failpoints")]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        $crate::failpoint::pass($name)
    };
}

#[cfg(not(feature = "failpoints"))]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {};
}

/// Ends the process as kill -9 does when `failpoint` beside its program has this name. The file goes first: one process dies of it, once.
#[cfg(feature = "failpoints")]
pub fn pass(name: &str) {
    let Ok(program) = std::env::current_exe() else { return };
    let file = program.with_file_name("failpoint");
    if std::fs::read_to_string(&file).is_ok_and(|wanted| wanted == name) && std::fs::remove_file(&file).is_ok() {
        let _ = kill_process(getpid(), Signal::KILL);
    }
}
