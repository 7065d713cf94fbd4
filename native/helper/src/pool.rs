//! Workers for the calls. One that is stuck in the kernel delays no other: while all are busy, another is started.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};

type Work = Box<dyn FnOnce() + Send>;

const MAX_WORKERS: usize = 64;
const MAX_WAITING: usize = 4096;
const IDLE: Duration = Duration::from_secs(10);
const STACK_BYTES: usize = 256 * 1024;

#[derive(Clone, Default)]
pub struct Pool {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Work>,
    workers: usize,
    idle: usize,
}

impl Pool {
    /// False when too much is waiting already.
    pub fn run(&self, work: impl FnOnce() + Send + 'static) -> bool {
        let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.waiting.len() >= MAX_WAITING {
            return false;
        }
        queue.waiting.push_back(Box::new(work));
        if queue.idle < queue.waiting.len() && queue.workers < MAX_WORKERS {
            let pool = self.clone();
            let started =
                thread::Builder::new().name("worker".into()).stack_size(STACK_BYTES).spawn(move || pool.work());
            queue.workers += usize::from(started.is_ok());
        }
        self.shared.wake.notify_one();
        true
    }

    fn work(&self) {
        let mut queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(work) = queue.waiting.pop_front() {
                drop(queue);
                work();
                queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            queue.idle += 1;
            let (back, timeout) = self.shared.wake.wait_timeout(queue, IDLE).unwrap_or_else(PoisonError::into_inner);
            queue = back;
            queue.idle -= 1;
            if timeout.timed_out() && queue.waiting.is_empty() {
                queue.workers -= 1;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pool;
    use std::sync::mpsc;

    #[test]
    fn work_that_is_stuck_delays_no_other() {
        let pool = Pool::default();
        let (release, stuck) = mpsc::channel::<()>();
        let (done, finished) = mpsc::channel();
        assert!(pool.run(move || stuck.recv().unwrap_or(())));
        for number in 0..20 {
            let done = done.clone();
            assert!(pool.run(move || done.send(number).expect("receiver")));
        }
        let mut numbers: Vec<i32> = (0..20).map(|_| finished.recv().expect("work")).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..20).collect::<Vec<_>>());
        drop(release);
    }
}
