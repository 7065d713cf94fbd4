//! berth-runtime turns an OCI bundle into a process: the `direct` launcher. It takes the words of an OCI runtime's command line that a shim
//! says (run, exec, delete), and does in one short process what takes others several. It is run once a call, and keeps nothing in memory.

use runtime::{
    arguments::{self, Arguments},
    features,
    log::Log,
    serve,
};
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
