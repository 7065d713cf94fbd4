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

/// The bound as it was given, until this is dropped: for as long as it takes to start a program.
pub struct Lowered(Option<Rlimit>);

pub fn lowered() -> Lowered {
    let Some(given) = GIVEN.get() else { return Lowered(None) };
    let raised = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, *given);
    Lowered(Some(raised))
}

impl Drop for Lowered {
    fn drop(&mut self) {
        if let Some(raised) = self.0.take() {
            let _ = setrlimit(Resource::Nofile, raised);
        }
    }
}
