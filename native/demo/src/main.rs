//! berth-demo is what the demo's containers run: a web server that says which pod it is in, and a client that asks it.

mod arguments;
mod error;
mod fetch;
mod serve;
mod url;

use arguments::Arguments;
use error::DemoError;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag::register_conditional_shutdown,
};
use std::{
    io::{Write, stdout},
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

fn main() -> ExitCode {
    let arguments = match arguments::parse(std::env::args_os().skip(1)) {
        Ok(arguments) => arguments,
        Err(failure) => {
            eprintln!("berth-demo: {failure}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("berth-demo: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), DemoError> {
    // The kernel drops a signal that the first process of a PID namespace has no handler for, so without these a stop
    // would wait out its grace period. Before all else, since a stop may come at once.
    for signal in [SIGTERM, SIGINT] {
        register_conditional_shutdown(signal, 0, Arc::new(AtomicBool::new(true)))
            .map_err(|source| DemoError::io("handle signals", source))?;
    }
    match arguments {
        Arguments::Serve { port } => serve::serve(*port),
        Arguments::Fetch(options) => fetch::fetch(options),
        Arguments::Text(text) => {
            print!("{text}");
            Ok(())
        }
    }
}

/// One line on standard output, whole at once. That nobody reads it is no reason to end.
fn say(line: &str) {
    if cfg!(test) {
        // The test harness keeps what a passing test prints to itself, but only if it comes this way.
        return println!("{line}");
    }
    let _ = stdout().write_all(format!("{line}\n").as_bytes());
}

/// The beginning of what the other side sent. Control characters could steer the terminal that shows it.
fn printable(text: &str, longest: usize) -> String {
    text.chars().take(longest).map(|each| if each.is_control() { char::REPLACEMENT_CHARACTER } else { each }).collect()
}
