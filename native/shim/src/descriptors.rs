//! How many descriptors the shim may have open. Each session takes several, so it raises its own bound as far as it may; what it
//! runs has the bound that the shim was given.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::sync::OnceLock;

const MOST: u64 = 65_536;

static GIVEN: OnceLock<Rlimit> = OnceLock::new();

/// Once, at the start.
pub fn raise() {
    let given = getrlimit(Resource::Nofile);
    let wanted = given.maximum.map_or(MOST, |hard| hard.min(MOST));
    if given.current.is_some_and(|soft| soft < wanted) {
        // Where it is refused, what we have has to do.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..given });
    }
    let _ = GIVEN.set(given);
}

/// The bound as it was given, in a new process that is about to become a program. It can't open anything then where the shim has
/// more open than that.
pub fn give_back() {
    if let Some(given) = GIVEN.get() {
        let _ = setrlimit(Resource::Nofile, *given);
    }
}
