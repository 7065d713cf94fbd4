//! Usage as v2 says it, all in one folder. A controller that is not enabled there has no files.

use crate::{
    CgroupPath, Cgroups,
    folder::Folder,
    usage::{Bandwidth, Cpu, Figures, Io, Memory, Pids, Pressures, Swap, Usage},
};

impl Cgroups {
    pub(crate) fn usage_v2(&self, path: &CgroupPath, figures: Figures) -> Option<Usage> {
        let folder = self.folder_v2(path)?;
        let cpu = folder.table("cpu.stat")?;
        let further = (figures == Figures::All).then_some(&folder);
        Some(Usage {
            cpu: Cpu {
                usage_nanos: cpu.get("usage_usec") * 1000,
                bandwidth: Some(Bandwidth {
                    periods: cpu.get("nr_periods"),
                    throttled_periods: cpu.get("nr_throttled"),
                    throttled_nanos: cpu.get("throttled_usec") * 1000,
                }),
            },
            memory: memory(&folder, further),
            pids: folder.number("pids.current").map(|current| {
                let limit = further.and_then(|folder| folder.number("pids.max"));
                Pids { current, limit }
            }),
            io: further.and_then(|folder| folder.text("io.stat")).map(|text| io(&text)),
            pressure: Pressures {
                cpu: folder.pressure("cpu.pressure"),
                memory: folder.pressure("memory.pressure"),
                io: folder.pressure("io.pressure"),
            },
        })
    }

    pub(crate) fn cpu_nanos_v2(&self, path: &CgroupPath) -> Option<u64> {
        Some(self.folder_v2(path)?.table("cpu.stat")?.get("usage_usec") * 1000)
    }

    fn folder_v2(&self, path: &CgroupPath) -> Option<Folder> {
        Some(Folder::new(path.under(&self.hierarchies.first()?.mount)))
    }
}

fn memory(folder: &Folder, further: Option<&Folder>) -> Option<Memory> {
    let usage = folder.number("memory.current")?;
    let stat = folder.table("memory.stat")?;
    Some(Memory {
        usage,
        working_set: usage.saturating_sub(stat.get("inactive_file")),
        rss: stat.get("anon"),
        page_faults: stat.get("pgfault"),
        major_page_faults: stat.get("pgmajfault"),
        limit: folder.number("memory.max"),
        oom_kills: further.and_then(|folder| folder.table("memory.events")?.find("oom_kill")),
        swap: folder.number("memory.swap.current").map(|usage| Swap { usage, limit: folder.number("memory.swap.max") }),
    })
}

/// Sums over lines such as "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0".
fn io(text: &str) -> Io {
    let mut io = Io::default();
    for (name, amount) in text.split_whitespace().filter_map(|field| field.split_once('=')) {
        let amount: u64 = amount.parse().unwrap_or(0);
        match name {
            "rbytes" => io.read_bytes += amount,
            "wbytes" => io.written_bytes += amount,
            "rios" => io.reads += amount,
            "wios" => io.writes += amount,
            _ => {}
        }
    }
    io
}
