//! berth-helper acts for the node: links, cgroups, usage, layers, and the start of shims. It keeps no state that a
//! restart would lose.

mod arguments;
mod both;
mod calls;
mod cgroup_moves;
mod confine;
mod container_root;
mod copy;
mod error;
mod filter;
mod host_ports;
mod id_mapping;
mod inventory;
mod layer_scanner;
mod layer_usage;
mod log;
mod mount_source;
mod mount_table;
mod network;
mod new_file;
mod node;
mod pack_folder;
mod pieces;
mod pool;
mod process;
mod process_details;
mod proxy_process;
mod sandbox;
mod server;
mod shim_process;
mod state_mount;
mod unpack;
mod usage;
mod usage_details;

use arguments::Arguments;
use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = match arguments::parse() {
        Ok(Arguments::Serve(options)) => server::serve(options),
        Ok(Arguments::Unpack(options)) => return unpack::run_confined(&options),
        Ok(Arguments::Copy) => return copy::run_confined(),
        Ok(Arguments::Pack { is_upper, max_bytes }) => return pack_folder::run_confined(is_upper, max_bytes),
        Ok(Arguments::Text(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(failure) => {
            eprintln!("berth-helper: {failure}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log::write(log::Level::Error, "the helper ended", &[("err", &failure.to_string())]);
            ExitCode::FAILURE
        }
    }
}
