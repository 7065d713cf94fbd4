//! berth-port-proxy carries what comes to a pod's host ports on the node's loopback to the pod. One process a pod, one
//! thread, one loop; it ends with the pod's shim, and nothing else that ends or starts again is noticed.
//!
//! Other hosts, and the node's other addresses, come to the pod by the kernel alone. For loopback that would take
//! `route_localnet`, which opens the node's loopback services to its neighbours.

mod associations;
mod connection;
mod datagrams;
mod error;
mod listeners;
mod proxy;
mod setup;
mod target;
mod watch;

use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = setup::from_standard_input().and_then(|ready| ready.map_or(Ok(()), proxy::Proxy::run));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Who started us has been told by now, or is not there any more.
        Err(_) => ExitCode::FAILURE,
    }
}
