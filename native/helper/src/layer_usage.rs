//! What writable layers take of the disk, found out in the background: a question gets what is known, and never waits for a disk.

use crate::layer_scanner::Scanner;
use cgroup::CgroupPath;
use layer::Size;
use std::{
    collections::{HashMap, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

// At the earliest, and after five times as long as the walk took.
const REST: Duration = Duration::from_secs(1);
const REST_FACTOR: u32 = 5;
const REST_AFTER_FAILURE: Duration = Duration::from_secs(60);
// When there are too many, those that nobody has asked for so long are forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
const MAX_LAYERS: usize = 20_000;

/// Tells CPU time of a cgroup, which grows when anything in it runs; `None` when it is gone.
pub type CpuTime = dyn Fn(&CgroupPath) -> Option<u64> + Send;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerSize {
    pub size: Size,
    pub at_nanos: i64,
}

#[derive(Clone, Default)]
pub struct LayerUsage {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    known: Mutex<Known>,
    asked: Condvar,
}

#[derive(Default)]
pub struct Known {
    pub layers: HashMap<PathBuf, Layer>,
    /// Layers that wait for their first turn.
    pub due: VecDeque<PathBuf>,
}

pub struct Layer {
    /// whose processes write to it
    pub cgroup: CgroupPath,
    pub size: Option<LayerSize>,
    /// CPU time when the walk began, and when that was
    pub measured: Option<(Option<u64>, Instant)>,
    waiting: bool,
    rests_until: Instant,
    asked_at: Instant,
}

impl LayerUsage {
    /// With its thread, which ends with the process.
    pub fn start(cpu_time: Box<CpuTime>) -> io::Result<Self> {
        let usage = Self::default();
        let scanner = Scanner::new(usage.clone(), cpu_time);
        thread::Builder::new().name("layers".into()).stack_size(256 * 1024).spawn(move || scanner.run())?;
        Ok(usage)
    }

    /// What is known of the layer, `None` while that is nothing; it is measured again soon if that was a while ago.
    pub fn ask(&self, folder: &Path, cgroup: &CgroupPath) -> Option<LayerSize> {
        let now = Instant::now();
        let mut known = self.known();
        let Known { layers, due } = &mut *known;
        if layers.len() >= MAX_LAYERS && !layers.contains_key(folder) {
            layers.retain(|_, layer| layer.waiting || now.duration_since(layer.asked_at) < FORGOTTEN_AFTER);
            if layers.len() >= MAX_LAYERS {
                return None;
            }
        }
        let layer = layers.entry(folder.to_owned()).or_insert_with(|| Layer {
            cgroup: cgroup.clone(),
            size: None,
            measured: None,
            waiting: false,
            rests_until: now,
            asked_at: now,
        });
        layer.asked_at = now;
        if !layer.waiting && now >= layer.rests_until {
            layer.waiting = true;
            due.push_back(folder.to_owned());
            self.shared.asked.notify_one();
        }
        layer.size
    }

    pub fn known(&self) -> MutexGuard<'_, Known> {
        self.shared.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until a layer is due.
    pub fn wait(&self) {
        let is_idle = |known: &mut Known| known.due.is_empty();
        drop(self.shared.asked.wait_while(self.known(), is_idle).unwrap_or_else(PoisonError::into_inner));
    }
}

impl Layer {
    pub fn rest(&mut self, began: Instant) {
        self.rest_for(REST.max(began.elapsed() * REST_FACTOR));
    }

    pub fn rest_after_failure(&mut self) {
        self.rest_for(REST_AFTER_FAILURE);
    }

    pub fn rest_for(&mut self, time: Duration) {
        self.waiting = false;
        self.rests_until = Instant::now() + time;
    }
}
