//! berth-runtime turns an OCI bundle into a process: the `direct` launcher. It takes the words of an OCI runtime's command line that a shim
//! says (run, exec, delete), and does in one short process what takes others several. It is run once a call, and keeps nothing in memory.

mod cgroups;
mod console;
mod error;
mod process;
mod rootfs;
mod seccomp;
mod spec;

fn main() {}
