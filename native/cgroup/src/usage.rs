//! What a cgroup uses: a fixed number of file reads, never a walk. What the kernel does not say is absent, not zero.

use crate::{CgroupPath, Cgroups, Details, Pressure};

/// How much is read: opening a file of a cgroup costs more than reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figures {
    /// What the CRI has fields for.
    Common,
    /// Throttling, kills, the limit of pids and disk too.
    All,
    /// And what no field or command of ours shows: `Details`, and disk by device.
    Details,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    pub cpu: Cpu,
    pub memory: Option<Memory>,
    pub pids: Option<Pids>,
    pub io: Option<Io>,
    /// what `io` sums up, when details are asked for
    pub devices: Vec<DeviceIo>,
    pub pressure: Pressures,
    pub details: Option<Details>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    pub usage_nanos: u64,
    pub bandwidth: Option<Bandwidth>,
}

/// How the limit was felt; all 0 without one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bandwidth {
    /// in which something ran
    pub periods: u64,
    pub throttled_periods: u64,
    pub throttled_nanos: u64,
}

/// Bytes; a limit that is not there is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    pub usage: u64,
    /// less what could be given back at once: inactive file pages, as the kubelet counts
    pub working_set: u64,
    pub rss: u64,
    pub page_faults: u64,
    pub major_page_faults: u64,
    pub limit: Option<u64>,
    pub oom_kills: Option<u64>,
    /// `None` where the kernel does not account it
    pub swap: Option<Swap>,
}

/// Bytes of swap alone, without memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swap {
    pub usage: u64,
    pub limit: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pids {
    pub current: u64,
    pub limit: Option<u64>,
}

/// Of all block devices together, since the cgroup was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Io {
    pub read_bytes: u64,
    pub written_bytes: u64,
    pub reads: u64,
    pub writes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceIo {
    pub major: u32,
    pub minor: u32,
    pub io: Io,
}

impl Io {
    pub(crate) fn sum(devices: &[DeviceIo]) -> Self {
        devices.iter().fold(Self::default(), |sum, DeviceIo { io, .. }| Self {
            read_bytes: sum.read_bytes + io.read_bytes,
            written_bytes: sum.written_bytes + io.written_bytes,
            reads: sum.reads + io.reads,
            writes: sum.writes + io.writes,
        })
    }
}

/// A v2 kernel has them, unless it was started without.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressures {
    pub cpu: Option<Pressure>,
    pub memory: Option<Pressure>,
    pub io: Option<Pressure>,
}

impl Cgroups {
    /// `None` when the cgroup is gone.
    pub fn usage(&self, path: &CgroupPath, figures: Figures) -> Option<Usage> {
        if self.is_v2() { self.usage_v2(path, figures) } else { self.usage_v1(path, figures) }
    }

    /// CPU time alone; `None` when the cgroup is gone.
    pub fn cpu_nanos(&self, path: &CgroupPath) -> Option<u64> {
        if self.is_v2() { self.cpu_nanos_v2(path) } else { self.cpu_nanos_v1(path) }
    }
}
