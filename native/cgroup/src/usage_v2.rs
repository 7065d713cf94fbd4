//! Usage as v2 says it, all in one folder. A controller that is not enabled there has no files.

use crate::{
    CgroupPath, Cgroups,
    details_v2::details_v2,
    folder::{Folder, Table},
    usage::{Bandwidth, Cpu, DeviceIo, Figures, Io, Memory, Pids, Pressures, Swap, Usage},
};

impl Cgroups {
    pub(crate) fn usage_v2(&self, path: &CgroupPath, figures: Figures) -> Option<Usage> {
        let folder = self.folder_v2(path)?;
        let cpu = folder.table("cpu.stat")?;
        let further = (figures >= Figures::All).then_some(&folder);
        let memory_stat = folder.table("memory.stat");
        let devices = further.and_then(|folder| folder.text("io.stat")).map(|text| devices(&text));
        Some(Usage {
            cpu: Cpu {
                usage_nanos: cpu.get("usage_usec") * 1000,
                bandwidth: Some(Bandwidth {
                    periods: cpu.get("nr_periods"),
                    throttled_periods: cpu.get("nr_throttled"),
                    throttled_nanos: cpu.get("throttled_usec") * 1000,
                }),
            },
            memory: memory_stat.as_ref().and_then(|stat| memory(&folder, stat, further)),
            pids: folder.number("pids.current").map(|current| {
                let limit = further.and_then(|folder| folder.number("pids.max"));
                Pids { current, limit }
            }),
            io: devices.as_ref().map(|devices| Io::sum(devices)),
            devices: devices.filter(|_| figures == Figures::Details).unwrap_or_default(),
            pressure: Pressures {
                cpu: folder.pressure("cpu.pressure"),
                memory: folder.pressure("memory.pressure"),
                io: folder.pressure("io.pressure"),
            },
            details: (figures == Figures::Details).then(|| details_v2(&folder, &cpu, memory_stat.as_ref())),
        })
    }

    pub(crate) fn cpu_nanos_v2(&self, path: &CgroupPath) -> Option<u64> {
        Some(self.folder_v2(path)?.table("cpu.stat")?.get("usage_usec") * 1000)
    }

    fn folder_v2(&self, path: &CgroupPath) -> Option<Folder> {
        Some(Folder::new(path.under(&self.hierarchies.first()?.mount)))
    }
}

fn memory(folder: &Folder, stat: &Table, further: Option<&Folder>) -> Option<Memory> {
    let usage = folder.number("memory.current")?;
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

/// Of lines such as "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0"; a device without figures has done nothing.
fn devices(text: &str) -> Vec<DeviceIo> {
    text.lines().filter_map(device).collect()
}

fn device(line: &str) -> Option<DeviceIo> {
    let (device, fields) = line.split_once(' ')?;
    let (major, minor) = device.split_once(':')?;
    let mut io = Io::default();
    for (name, amount) in fields.split_whitespace().filter_map(|field| field.split_once('=')) {
        let amount: u64 = amount.parse().unwrap_or(0);
        match name {
            "rbytes" => io.read_bytes = amount,
            "wbytes" => io.written_bytes = amount,
            "rios" => io.reads = amount,
            "wios" => io.writes = amount,
            _ => {}
        }
    }
    Some(DeviceIo { major: major.parse().ok()?, minor: minor.parse().ok()?, io })
}
