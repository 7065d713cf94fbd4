//! Two pieces of work at the same time, where each would mostly wait for the kernel.

use crate::error::HelperError;
use std::{io, thread};

/// Runs `beside` in a thread of its own while `here` runs, and returns when both have ended.
pub fn both<A: Send, B>(
    beside: impl FnOnce() -> Result<A, HelperError> + Send,
    here: impl FnOnce() -> Result<B, HelperError>,
) -> (Result<A, HelperError>, Result<B, HelperError>) {
    let failed = |source| HelperError::io("run a thread", source);
    thread::scope(|scope| match thread::Builder::new().spawn_scoped(scope, beside) {
        Ok(thread) => {
            let done = here();
            (thread.join().unwrap_or_else(|_| Err(failed(io::Error::other("it failed")))), done)
        }
        Err(source) => (Err(failed(source)), here()),
    })
}

#[cfg(test)]
mod tests {
    use super::both;
    use crate::error::HelperError;
    use std::sync::Barrier;

    #[test]
    fn both_run_at_the_same_time_and_each_has_its_result() {
        let meeting = Barrier::new(2);
        let (beside, here) = both(
            || {
                meeting.wait();
                Ok(1)
            },
            || {
                meeting.wait();
                Err::<(), _>(HelperError::Overload)
            },
        );
        assert_eq!(beside.expect("its result"), 1);
        assert!(matches!(here, Err(HelperError::Overload)));
    }
}
