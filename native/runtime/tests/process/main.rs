//! What a process is when it has become the container's: this program runs itself as the runtime's new process, which then runs a
//! command that says what it is. It needs root.

mod filters;
mod identity;
mod subject;
mod terminals;

use rustix::{
    fs::Mode,
    process::{geteuid, umask},
};
use std::{env, fs, path::PathBuf, process::ExitCode};
use subject::Subject;

type Test = (&'static str, fn(&mut Subject));

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["inside"] => return subject::inside(),
        ["priority", abi, which, who] => return filters::ask_priority(abi, which, who),
        ["unknown"] => {
            println!("{}", sys::probe::unknown());
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    if !geteuid().is_root() {
        println!("process: skipped: only root can become somebody else");
        return ExitCode::SUCCESS;
    }
    umask(Mode::from_raw_mode(0o022));
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("process-{}", std::process::id()));
    for (name, test) in [identity::TESTS, filters::TESTS, terminals::TESTS].concat() {
        fs::create_dir_all(&folder).expect("make folder");
        test(&mut Subject::new(&folder));
        fs::remove_dir_all(&folder).expect("remove folder");
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}
