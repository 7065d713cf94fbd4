//! Usage as the controllers of v1 say it, each in a hierarchy of its own.

use crate::{
    CgroupPath, Cgroups,
    folder::{Folder, Table},
    usage::{Bandwidth, Cpu, DeviceIo, Figures, Io, Memory, Pids, Pressures, Swap, Usage},
};
use std::collections::BTreeMap;

// "No limit" is the largest number of whole pages.
pub const NO_LIMIT: u64 = 0x7000_0000_0000_0000;

impl Cgroups {
    pub(crate) fn usage_v1(&self, path: &CgroupPath, figures: Figures) -> Option<Usage> {
        let usage_nanos = self.cpu_nanos_v1(path)?;
        let folder = |controller| self.folder_of(controller, path);
        let further = |controller| folder(controller).filter(|_| figures >= Figures::All);
        let memory_stat = folder("memory").and_then(|folder| folder.table("memory.stat"));
        let devices = further("blkio").and_then(|folder| devices(&folder));
        Some(Usage {
            cpu: Cpu { usage_nanos, bandwidth: further("cpu").and_then(|folder| bandwidth(&folder)) },
            memory: folder("memory")
                .zip(memory_stat.as_ref())
                .and_then(|(folder, stat)| memory(&folder, stat, figures)),
            pids: folder("pids").and_then(|folder| pids(&folder, figures)),
            io: devices.as_ref().map(|devices| Io::sum(devices)),
            devices: devices.filter(|_| figures == Figures::Details).unwrap_or_default(),
            // No cgroup of v1 has any, and that of a hybrid host's v2 tree has none of the pods' processes in it.
            pressure: Pressures::default(),
            details: (figures == Figures::Details).then(|| self.details_v1(path, memory_stat.as_ref())),
        })
    }

    pub(crate) fn cpu_nanos_v1(&self, path: &CgroupPath) -> Option<u64> {
        self.folder_of("cpuacct", path)?.number("cpuacct.usage")
    }

    pub(crate) fn folder_of(&self, controller: &str, path: &CgroupPath) -> Option<Folder> {
        Some(Folder::new(path.under(self.mount_of(controller)?)))
    }
}

fn bandwidth(folder: &Folder) -> Option<Bandwidth> {
    let stat = folder.table("cpu.stat")?;
    Some(Bandwidth {
        periods: stat.get("nr_periods"),
        throttled_periods: stat.get("nr_throttled"),
        throttled_nanos: stat.get("throttled_time"),
    })
}

/// The "total_" figures are of the cgroup with those below it.
fn memory(folder: &Folder, stat: &Table, figures: Figures) -> Option<Memory> {
    let usage = folder.number("memory.usage_in_bytes")?;
    let limit = |name| stat.find(name).filter(|bytes| *bytes < NO_LIMIT);
    let (memory, both) = (limit("hierarchical_memory_limit"), limit("hierarchical_memsw_limit"));
    Some(Memory {
        usage,
        working_set: usage.saturating_sub(stat.get("total_inactive_file")),
        rss: stat.get("total_rss"),
        page_faults: stat.get("total_pgfault"),
        major_page_faults: stat.get("total_pgmajfault"),
        limit: memory,
        oom_kills: match figures {
            Figures::Common => None,
            Figures::All | Figures::Details => {
                folder.table("memory.oom_control").and_then(|control| control.find("oom_kill"))
            }
        },
        swap: stat.find("total_swap").map(|usage| Swap {
            usage,
            // The kernel limits both together, never below memory alone.
            limit: both.map(|both| both.saturating_sub(memory.unwrap_or(0))),
        }),
    })
}

fn pids(folder: &Folder, figures: Figures) -> Option<Pids> {
    let limit = if figures >= Figures::All { folder.number("pids.max") } else { None };
    Some(Pids { current: folder.number("pids.current")?, limit })
}

/// What went to a disk on behalf of a process itself; v1 counts a page that is written back later as the kernel's own. Kernels
/// since 6.10 count nothing for a device that was never throttled, so a table without devices says nothing.
fn devices(folder: &Folder) -> Option<Vec<DeviceIo>> {
    let mut devices: BTreeMap<(u32, u32), Io> = BTreeMap::new();
    for (device, operation, amount) in operations(&folder.text("blkio.throttle.io_service_bytes_recursive")?) {
        let io = devices.entry(device).or_default();
        match operation {
            "Read" => io.read_bytes = amount,
            "Write" => io.written_bytes = amount,
            _ => {}
        }
    }
    for (device, operation, amount) in operations(&folder.text("blkio.throttle.io_serviced_recursive")?) {
        let io = devices.entry(device).or_default();
        match operation {
            "Read" => io.reads = amount,
            "Write" => io.writes = amount,
            _ => {}
        }
    }
    let devices: Vec<_> = devices.into_iter().map(|((major, minor), io)| DeviceIo { major, minor, io }).collect();
    Some(devices).filter(|devices| !devices.is_empty())
}

/// Of lines "8:0 Read 4096".
fn operations(text: &str) -> impl Iterator<Item = ((u32, u32), &str, u64)> {
    text.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let (major, minor) = fields.next()?.split_once(':')?;
        Some(((major.parse().ok()?, minor.parse().ok()?), fields.next()?, fields.next()?.parse().ok()?))
    })
}
