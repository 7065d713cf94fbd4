//! Usage as the controllers of v1 say it, each in a hierarchy of its own.

use crate::{
    CgroupPath, Cgroups,
    folder::Folder,
    usage::{Bandwidth, Cpu, Figures, Io, Memory, Pids, Pressures, Swap, Usage},
};

// "No limit" is the largest number of whole pages.
const NO_LIMIT: u64 = 0x7000_0000_0000_0000;

impl Cgroups {
    pub(crate) fn usage_v1(&self, path: &CgroupPath, figures: Figures) -> Option<Usage> {
        let usage_nanos = self.cpu_nanos_v1(path)?;
        let folder = |controller| self.folder_of(controller, path);
        let further = |controller| folder(controller).filter(|_| figures == Figures::All);
        Some(Usage {
            cpu: Cpu { usage_nanos, bandwidth: further("cpu").and_then(|folder| bandwidth(&folder)) },
            memory: folder("memory").and_then(|folder| memory(&folder, figures)),
            pids: folder("pids").and_then(|folder| pids(&folder, figures)),
            io: further("blkio").and_then(|folder| io(&folder)),
            // No cgroup of v1 has any, and that of a hybrid host's v2 tree has none of the pods' processes in it.
            pressure: Pressures::default(),
        })
    }

    pub(crate) fn cpu_nanos_v1(&self, path: &CgroupPath) -> Option<u64> {
        self.folder_of("cpuacct", path)?.number("cpuacct.usage")
    }

    fn folder_of(&self, controller: &str, path: &CgroupPath) -> Option<Folder> {
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
fn memory(folder: &Folder, figures: Figures) -> Option<Memory> {
    let usage = folder.number("memory.usage_in_bytes")?;
    let stat = folder.table("memory.stat")?;
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
            Figures::All => folder.table("memory.oom_control").and_then(|control| control.find("oom_kill")),
        },
        swap: stat.find("total_swap").map(|usage| Swap {
            usage,
            // The kernel limits both together, never below memory alone.
            limit: both.map(|both| both.saturating_sub(memory.unwrap_or(0))),
        }),
    })
}

fn pids(folder: &Folder, figures: Figures) -> Option<Pids> {
    let limit = if figures == Figures::All { folder.number("pids.max") } else { None };
    Some(Pids { current: folder.number("pids.current")?, limit })
}

/// What went to a disk on behalf of a process itself; v1 counts a page that is written back later as the kernel's own. Kernels
/// since 6.10 count nothing for a device that was never throttled, so a table without devices says nothing.
fn io(folder: &Folder) -> Option<Io> {
    let (read_bytes, written_bytes) = operations(&folder.text("blkio.throttle.io_service_bytes_recursive")?)?;
    let (reads, writes) = operations(&folder.text("blkio.throttle.io_serviced_recursive")?)?;
    Some(Io { read_bytes, written_bytes, reads, writes })
}

/// Sums of "8:0 Read 4096" and "8:0 Write 512" over the devices; `None` where there is none.
fn operations(text: &str) -> Option<(u64, u64)> {
    let (mut reads, mut writes) = (None, None);
    for line in text.lines() {
        let mut fields = line.split(' ').skip(1);
        let (operation, amount) = (fields.next(), fields.next().and_then(|text| text.parse::<u64>().ok()));
        let sum = match operation {
            Some("Read") => &mut reads,
            Some("Write") => &mut writes,
            _ => continue,
        };
        *sum = Some(sum.unwrap_or(0) + amount?);
    }
    reads.zip(writes)
}
