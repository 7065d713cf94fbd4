//! The one thread that walks writable layers, a bounded number of entries a second.
//!
//! A layer has its first turn before those that need many, so that a large one holds up no other. One whose pod has not run since
//! it was measured is not walked again.

use crate::{
    calls::now_nanos,
    error::HelperError,
    layer_usage::{CpuTime, LayerSize, LayerUsage},
    log::{self, Level},
};
use layer::Measurement;
use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
};
use std::{
    collections::VecDeque,
    fmt::Display,
    os::fd::AsFd,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

// 50,000 a second.
const ENTRIES_OF_A_TURN: u64 = 1000;
const SHORTEST_TURN: Duration = Duration::from_millis(20);
// A process outside of the pod's cgroup may write to a layer too; such a change is seen after this time.
const LONGEST_TRUST: Duration = Duration::from_secs(300);
// 30 million entries. A container may make files faster than they are counted, and large layers wait for each other.
const LONGEST_WALK: Duration = Duration::from_secs(600);

pub struct Scanner {
    usage: LayerUsage,
    cpu_time: Box<CpuTime>,
    /// Not through after their first turn: begun anew one after the other, whenever no other is due.
    large: VecDeque<PathBuf>,
    current: Option<Walk>,
    longest_walk: Duration,
}

struct Walk {
    folder: PathBuf,
    measurement: Measurement,
    /// of the pod, before the walk began
    cpu_time: Option<u64>,
    began: Instant,
    began_nanos: i64,
}

impl Scanner {
    pub fn new(usage: LayerUsage, cpu_time: Box<CpuTime>) -> Self {
        Self { usage, cpu_time, large: VecDeque::new(), current: None, longest_walk: LONGEST_WALK }
    }

    pub fn run(mut self) {
        loop {
            let began = Instant::now();
            if self.turn() {
                thread::sleep(SHORTEST_TURN.saturating_sub(began.elapsed()));
            } else {
                self.usage.wait();
            }
        }
    }

    /// False when there was nothing to do.
    fn turn(&mut self) -> bool {
        let due = self.usage.known().due.pop_front();
        if let Some(folder) = due {
            if self.begin(&folder).and_then(|walk| self.go_on(walk)).is_some() {
                self.large.push_back(folder);
            }
            return true;
        }
        let Some(walk) = self.current.take() else {
            let Some(folder) = self.large.pop_front() else { return false };
            self.current = self.begin(&folder);
            return true;
        };
        self.current = self.go_on(walk);
        true
    }

    /// `None` when the layer need not be walked, or can't be.
    fn begin(&self, folder: &Path) -> Option<Walk> {
        let cgroup = self.usage.known().layers.get(folder)?.cgroup.clone();
        let (began, began_nanos) = (Instant::now(), now_nanos());
        let cpu_time = (self.cpu_time)(&cgroup);
        if self.is_unchanged(folder, cpu_time, began, began_nanos) {
            return None;
        }
        match open(folder) {
            Ok(Some(measurement)) => {
                return Some(Walk { folder: folder.to_owned(), measurement, cpu_time, began, began_nanos });
            }
            Ok(None) => drop(self.usage.known().layers.remove(folder)),
            Err(failure) => self.give_up(folder, &failure),
        }
        None
    }

    fn is_unchanged(&self, folder: &Path, cpu_time: Option<u64>, now: Instant, now_nanos: i64) -> bool {
        let mut known = self.usage.known();
        let Some(layer) = known.layers.get_mut(folder) else { return false };
        let (Some(size), Some((before, at))) = (&mut layer.size, layer.measured) else { return false };
        if before != cpu_time || now.duration_since(at) > LONGEST_TRUST {
            return false;
        }
        size.at_nanos = now_nanos;
        layer.rest(now);
        true
    }

    /// Gives the walk back when it is not done.
    fn go_on(&self, mut walk: Walk) -> Option<Walk> {
        match walk.measurement.step(ENTRIES_OF_A_TURN) {
            Ok(None) if walk.began.elapsed() < self.longest_walk => return Some(walk),
            Ok(None) => self.give_up(&walk.folder, &format_args!("it was not done after {:?}", self.longest_walk)),
            Ok(Some(size)) => {
                if let Some(layer) = self.usage.known().layers.get_mut(&walk.folder) {
                    layer.size = Some(LayerSize { size, at_nanos: walk.began_nanos });
                    layer.measured = Some((walk.cpu_time, walk.began));
                    layer.rest(walk.began);
                }
            }
            Err(failure) => self.give_up(&walk.folder, &failure),
        }
        None
    }

    /// What was known of the layer stays, with its time.
    fn give_up(&self, folder: &Path, failure: &dyn Display) {
        let fields = [("folder", &*folder.to_string_lossy()), ("err", &*failure.to_string())];
        log::write(Level::Warn, "a writable layer could not be measured", &fields);
        if let Some(layer) = self.usage.known().layers.get_mut(folder) {
            layer.rest_after_failure();
        }
    }
}

/// `None` when it is gone.
fn open(folder: &Path) -> Result<Option<Measurement>, HelperError> {
    let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else { return Ok(None) };
    match openat(CWD, parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(parent) => Ok(Measurement::start(parent.as_fd(), name.as_encoded_bytes())?),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(HelperError::io(format!("open {}", parent.display()), errno)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cgroup::CgroupPath;
    use std::{
        fs,
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
    };

    /// Layers in a folder of their own, and a scanner that is turned by hand.
    struct Fixture {
        folder: PathBuf,
        usage: LayerUsage,
        scanner: Scanner,
        cpu_time: Arc<AtomicU64>,
    }

    impl Fixture {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("berth-layers-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).expect("folder");
            let (usage, cpu_time) = (LayerUsage::default(), Arc::new(AtomicU64::new(1)));
            let counter = Arc::clone(&cpu_time);
            let scanner = Scanner::new(usage.clone(), Box::new(move |_| Some(counter.load(Ordering::Relaxed))));
            Self { folder, usage, scanner, cpu_time }
        }

        fn layer(&self, name: &str, files: u64) -> PathBuf {
            let layer = self.folder.join(name);
            fs::create_dir_all(&layer).expect("folder");
            for number in 0..files {
                fs::File::create(layer.join(format!("file-{number}"))).expect("create");
            }
            layer
        }

        fn ask(&self, layer: &Path) -> Option<LayerSize> {
            self.usage.ask(layer, &CgroupPath::parse("/pod").expect("path"))
        }

        fn inodes(&self, layer: &Path) -> Option<u64> {
            self.ask(layer).map(|known| known.size.inodes)
        }

        /// As if it had been asked long ago.
        fn wake(&self, layer: &Path) {
            if let Some(layer) = self.usage.known().layers.get_mut(layer) {
                layer.rest_for(Duration::ZERO);
            }
        }
    }

    impl Drop for Fixture {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }

    #[test]
    fn a_question_gets_what_is_known_and_has_it_found_out() {
        let mut fixture = Fixture::new("ask");
        let layer = fixture.layer("one", 3);
        assert_eq!(fixture.ask(&layer), None);
        assert!(fixture.scanner.turn());
        assert_eq!(fixture.inodes(&layer), Some(4));
        assert!(!fixture.scanner.turn(), "a layer rests after it was measured, whoever asks");
    }

    #[test]
    fn a_large_layer_holds_up_no_other() {
        let mut fixture = Fixture::new("large");
        let files = 3 * ENTRIES_OF_A_TURN;
        let (large, second, small) = (fixture.layer("a", files), fixture.layer("b", files), fixture.layer("c", 1));
        for layer in [&large, &second] {
            assert_eq!(fixture.ask(layer), None);
        }
        for _ in 0..4 {
            assert!(fixture.scanner.turn());
        }
        assert_eq!(fixture.ask(&small), None);
        assert!(fixture.scanner.turn());
        assert_eq!(fixture.inodes(&small), Some(2));
        assert_eq!((fixture.ask(&large), fixture.ask(&second)), (None, None));
        while fixture.scanner.turn() {}
        assert_eq!((fixture.inodes(&large), fixture.inodes(&second)), (Some(files + 1), Some(files + 1)));
    }

    #[test]
    fn a_layer_whose_walk_takes_too_long_is_given_up_for_the_next() {
        let mut fixture = Fixture::new("endless");
        let files = 3 * ENTRIES_OF_A_TURN;
        let (endless, next) = (fixture.layer("a", files), fixture.layer("b", files));
        for layer in [&endless, &next] {
            fixture.ask(layer);
            assert!(fixture.scanner.turn());
        }
        assert!(fixture.scanner.turn(), "begins the first anew");
        fixture.scanner.longest_walk = Duration::ZERO;
        assert!(fixture.scanner.turn(), "and gives it up");
        fixture.scanner.longest_walk = LONGEST_WALK;
        while fixture.scanner.turn() {}
        assert_eq!((fixture.ask(&endless), fixture.inodes(&next)), (None, Some(files + 1)));
        assert!(!fixture.scanner.turn(), "who was given up rests");
    }

    #[test]
    fn a_layer_is_walked_again_only_when_its_pod_has_run() {
        let mut fixture = Fixture::new("unchanged");
        let layer = fixture.layer("one", 1);
        fixture.ask(&layer);
        fixture.scanner.turn();
        let first = fixture.ask(&layer).expect("size");
        // Nobody of the pod did this.
        fixture.layer("one", 5);
        fixture.wake(&layer);
        fixture.ask(&layer);
        fixture.scanner.turn();
        let second = fixture.ask(&layer).expect("size");
        assert_eq!(second.size, first.size);
        assert!(second.at_nanos > first.at_nanos, "it was looked at, and is as it was");
        fixture.cpu_time.store(2, Ordering::Relaxed);
        fixture.wake(&layer);
        fixture.ask(&layer);
        fixture.scanner.turn();
        assert_eq!(fixture.inodes(&layer), Some(6));
    }

    #[test]
    fn a_layer_that_is_gone_is_forgotten() {
        let mut fixture = Fixture::new("gone");
        let layer = fixture.layer("one", 0);
        fixture.ask(&layer);
        fixture.scanner.turn();
        fs::remove_dir_all(&layer).expect("remove");
        fixture.cpu_time.store(2, Ordering::Relaxed);
        fixture.wake(&layer);
        assert_eq!(fixture.inodes(&layer), Some(1));
        fixture.scanner.turn();
        assert_eq!(fixture.ask(&layer), None);
    }
}
