//! What is read out of a cgroup's files, on trees made up as the kernel has them.

use cgroup::{
    Bandwidth, CgroupPath, Cgroups, Cpu, Details, DeviceIo, Figures, Hierarchy, Hugepages, Io, Memory, MemoryDetails,
    Mode, Pids, Pressure, Pressures, Spec, Stall, Swap, Usage,
};
use std::{fs, path::PathBuf};

/// A folder with a tree in it that goes with it.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("usage-{name}-{}", std::process::id()));
        for (file, text) in files {
            let file = folder.join(file);
            fs::create_dir_all(file.parent().expect("folder")).expect("make folder");
            fs::write(file, text).expect("write");
        }
        Self(folder)
    }

    fn v1(&self, controllers: &[&str]) -> Cgroups {
        let hierarchies = controllers
            .iter()
            .map(|name| Hierarchy { mount: self.0.join(name), controllers: vec![(*name).to_owned()] })
            .collect();
        Cgroups { mode: Mode::Hybrid, hierarchies, unified: None }
    }

    fn v2(&self) -> Cgroups {
        let controllers = ["cpu", "memory", "pids", "io"].map(str::to_owned).to_vec();
        Cgroups { mode: Mode::V2, hierarchies: vec![Hierarchy { mount: self.0.clone(), controllers }], unified: None }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn pod() -> CgroupPath {
    CgroupPath::parse("/berth/pod").expect("path")
}

const V1: &[(&str, &str)] = &[
    ("cpuacct/berth/pod/cpuacct.usage", "123456789\n"),
    ("cpu/berth/pod/cpu.stat", "nr_periods 40\nnr_throttled 9\nthrottled_time 700\nnr_bursts 0\nburst_time 0\n"),
    ("memory/berth/pod/memory.usage_in_bytes", "1000000\n"),
    (
        "memory/berth/pod/memory.stat",
        "cache 1\nrss 2\nswap 3\npgfault 4\ninactive_file 5\nhierarchical_memory_limit 67108864\n\
         hierarchical_memsw_limit 100663296\ntotal_cache 400000\ntotal_rss 500000\ntotal_rss_huge 9\ntotal_swap 8192\n\
         total_swapcached 1\ntotal_pgfault 77\ntotal_pgmajfault 6\ntotal_inactive_file 300000\n",
    ),
    ("memory/berth/pod/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
    ("pids/berth/pod/pids.current", "5\n"),
    ("pids/berth/pod/pids.max", "32\n"),
    (
        "blkio/berth/pod/blkio.throttle.io_service_bytes_recursive",
        "254:0 Read 4096\n254:0 Write 8192\n254:0 Sync 8192\n254:0 Async 4096\n254:0 Discard 0\n254:0 Total 12288\n\
         8:16 Read 1\n8:16 Write 2\n8:16 Total 3\nTotal 12291\n",
    ),
    ("blkio/berth/pod/blkio.throttle.io_serviced_recursive", "254:0 Read 1\n254:0 Write 2\n254:0 Total 3\nTotal 3\n"),
];
const V1_CONTROLLERS: &[&str] = &["cpuacct", "cpu", "memory", "pids", "blkio"];

#[test]
fn the_controllers_of_v1_give_all_but_pressure() {
    let tree = Tree::new("v1", V1);
    assert_eq!(
        tree.v1(V1_CONTROLLERS).usage(&pod(), Figures::All),
        Some(Usage {
            cpu: Cpu {
                usage_nanos: 123_456_789,
                bandwidth: Some(Bandwidth { periods: 40, throttled_periods: 9, throttled_nanos: 700 }),
            },
            memory: Some(Memory {
                usage: 1_000_000,
                working_set: 700_000,
                rss: 500_000,
                page_faults: 77,
                major_page_faults: 6,
                limit: Some(64 << 20),
                oom_kills: Some(2),
                swap: Some(Swap { usage: 8192, limit: Some(32 << 20) }),
            }),
            pids: Some(Pids { current: 5, limit: Some(32) }),
            io: Some(Io { read_bytes: 4097, written_bytes: 8194, reads: 1, writes: 2 }),
            ..Usage::default()
        })
    );
    assert_eq!(tree.v1(V1_CONTROLLERS).cpu_nanos(&pod()), Some(123_456_789));
}

#[test]
fn a_controller_of_v1_that_is_not_there_has_no_figures() {
    let tree = Tree::new("v1-few", V1);
    let usage = tree.v1(&["cpuacct"]).usage(&pod(), Figures::All).expect("cgroup");
    assert_eq!(usage, Usage { cpu: Cpu { usage_nanos: 123_456_789, ..Cpu::default() }, ..Usage::default() });
}

#[test]
fn the_largest_number_is_no_limit_on_v1_and_what_is_not_accounted_is_absent() {
    let stat = "hierarchical_memory_limit 9223372036854771712\ntotal_inactive_file 9\n";
    let tree = Tree::new(
        "v1-free",
        &[
            ("cpuacct/berth/pod/cpuacct.usage", "1\n"),
            ("memory/berth/pod/memory.usage_in_bytes", "5\n"),
            ("memory/berth/pod/memory.stat", stat),
            ("pids/berth/pod/pids.current", "1\n"),
            ("pids/berth/pod/pids.max", "max\n"),
            ("blkio/berth/pod/blkio.throttle.io_service_bytes_recursive", "Total 0\n"),
            ("blkio/berth/pod/blkio.throttle.io_serviced_recursive", "Total 0\n"),
        ],
    );
    let usage = tree.v1(V1_CONTROLLERS).usage(&pod(), Figures::All).expect("cgroup");
    let memory = usage.memory.expect("memory");
    assert_eq!((memory.limit, memory.swap, memory.working_set), (None, None, 0));
    assert_eq!(usage.pids, Some(Pids { current: 1, limit: None }));
    assert_eq!(usage.io, None, "a table without devices");
}

const V2: &[(&str, &str)] = &[
    (
        "berth/pod/cpu.stat",
        "usage_usec 123456\nuser_usec 100000\nsystem_usec 23456\nnr_periods 40\nnr_throttled 9\nthrottled_usec 7\n",
    ),
    ("berth/pod/memory.current", "1000000\n"),
    (
        "berth/pod/memory.stat",
        "anon 500000\nfile 400000\ninactive_anon 1\ninactive_file 300000\npgfault 77\npgmajfault 6\n",
    ),
    ("berth/pod/memory.max", "67108864\n"),
    ("berth/pod/memory.events", "low 0\nhigh 0\nmax 5\noom 3\noom_kill 2\noom_group_kill 1\n"),
    ("berth/pod/memory.swap.current", "8192\n"),
    ("berth/pod/memory.swap.max", "0\n"),
    ("berth/pod/pids.current", "5\n"),
    ("berth/pod/pids.max", "max\n"),
    (
        "berth/pod/io.stat",
        "254:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=5 dios=1\n8:16 \n8:32 rbytes=1 wbytes=2 rios=3 wios=4\n",
    ),
    (
        "berth/pod/cpu.pressure",
        "some avg10=1.50 avg60=0.25 avg300=0.10 total=900\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=8\n",
    ),
    (
        "berth/pod/memory.pressure",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=2\n",
    ),
    ("berth/pod/io.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=3\n"),
];

#[test]
fn v2_gives_all_of_one_folder() {
    let tree = Tree::new("v2", V2);
    let stall = |total_micros| Stall { total_micros, ..Stall::default() };
    assert_eq!(
        tree.v2().usage(&pod(), Figures::All),
        Some(Usage {
            cpu: Cpu {
                usage_nanos: 123_456_000,
                bandwidth: Some(Bandwidth { periods: 40, throttled_periods: 9, throttled_nanos: 7000 }),
            },
            memory: Some(Memory {
                usage: 1_000_000,
                working_set: 700_000,
                rss: 500_000,
                page_faults: 77,
                major_page_faults: 6,
                limit: Some(64 << 20),
                oom_kills: Some(2),
                swap: Some(Swap { usage: 8192, limit: Some(0) }),
            }),
            pids: Some(Pids { current: 5, limit: None }),
            io: Some(Io { read_bytes: 4097, written_bytes: 8194, reads: 4, writes: 6 }),
            pressure: Pressures {
                cpu: Some(Pressure {
                    some: Stall { total_micros: 900, avg10: 1.5, avg60: 0.25, avg300: 0.1 },
                    full: Some(stall(8)),
                }),
                memory: Some(Pressure { some: stall(1), full: Some(stall(2)) }),
                io: Some(Pressure { some: stall(3), full: None }),
            },
            ..Usage::default()
        })
    );
    assert_eq!(tree.v2().cpu_nanos(&pod()), Some(123_456_000));
}

#[test]
fn a_folder_of_v2_without_controllers_has_its_cpu_time() {
    // cpu.stat is there without the controller, and pressure is not when the kernel was started without it.
    let tree = Tree::new("v2-few", &[("berth/pod/cpu.stat", "usage_usec 5\n")]);
    let usage = tree.v2().usage(&pod(), Figures::All).expect("cgroup");
    assert_eq!(
        usage,
        Usage { cpu: Cpu { usage_nanos: 5000, bandwidth: Some(Bandwidth::default()) }, ..Usage::default() }
    );
}

#[test]
fn common_figures_are_those_that_the_cri_has_fields_for() {
    let (v1, v2) = (Tree::new("v1-common", V1), Tree::new("v2-common", V2));
    let all = v1.v1(V1_CONTROLLERS).usage(&pod(), Figures::All).expect("usage");
    let common = v1.v1(V1_CONTROLLERS).usage(&pod(), Figures::Common).expect("usage");
    let memory = all.memory.map(|memory| Memory { oom_kills: None, ..memory });
    let pids = all.pids.map(|pids| Pids { limit: None, ..pids });
    let cpu = Cpu { bandwidth: None, ..all.cpu };
    assert_eq!(common, Usage { cpu, memory, pids, pressure: all.pressure, ..Usage::default() });

    let all = v2.v2().usage(&pod(), Figures::All).expect("usage");
    let common = v2.v2().usage(&pod(), Figures::Common).expect("usage");
    let memory = all.memory.map(|memory| Memory { oom_kills: None, ..memory });
    assert_eq!(common, Usage { memory, io: None, ..all });
}

const V1_DETAILS: &[(&str, &str)] = &[
    ("cpuacct/berth/pod/cpuacct.stat", "user 150\nsystem 25\n"),
    ("cpu/berth/pod/cpu.shares", "512\n"),
    ("cpu/berth/pod/cpu.cfs_period_us", "100000\n"),
    ("cpu/berth/pod/cpu.cfs_quota_us", "-1\n"),
    ("memory/berth/pod/memory.max_usage_in_bytes", "2000000\n"),
    ("memory/berth/pod/memory.kmem.usage_in_bytes", "9000\n"),
    ("memory/berth/pod/memory.failcnt", "3\n"),
    ("memory/berth/pod/memory.limit_in_bytes", "67108864\n"),
    ("memory/berth/pod/memory.soft_limit_in_bytes", "9223372036854771712\n"),
    ("hugetlb/berth/pod/hugetlb.2MB.usage_in_bytes", "4194304\n"),
    ("hugetlb/berth/pod/hugetlb.2MB.max_usage_in_bytes", "6291456\n"),
    ("hugetlb/berth/pod/hugetlb.2MB.rsvd.usage_in_bytes", "1\n"),
];

#[test]
fn details_of_v1_are_those_of_each_controller() {
    let tree = Tree::new("v1-details", &[V1, V1_DETAILS].concat());
    let cgroups = tree.v1(&["cpuacct", "cpu", "memory", "pids", "blkio", "hugetlb"]);
    let usage = cgroups.usage(&pod(), Figures::Details).expect("usage");
    let io = |read_bytes, written_bytes, reads, writes| Io { read_bytes, written_bytes, reads, writes };
    assert_eq!(
        usage.devices,
        [
            DeviceIo { major: 8, minor: 16, io: io(1, 2, 0, 0) },
            DeviceIo { major: 254, minor: 0, io: io(4096, 8192, 1, 2) },
        ]
    );
    assert_eq!(
        usage.details,
        Some(Details {
            cpu_user_nanos: Some(1_500_000_000),
            cpu_system_nanos: Some(250_000_000),
            memory: MemoryDetails {
                cache: Some(400_000),
                mapped_file: None,
                kernel: Some(9000),
                most: Some(2_000_000),
                limit_hits: Some(3),
                own_page_faults: Some(4),
                own_major_page_faults: None,
            },
            hugepages: vec![Hugepages { page_size: "2MB".into(), usage: 4 << 20, most: Some(6 << 20) }],
            spec: Spec {
                cpu_shares: Some(512),
                cpu_period_micros: Some(100_000),
                cpu_quota_micros: None,
                memory_limit: Some(64 << 20),
                memory_reservation: Some(0),
                memory_swap_limit: None,
            },
        })
    );
    let all = cgroups.usage(&pod(), Figures::All).expect("usage");
    assert_eq!(Usage { devices: Vec::new(), details: None, ..usage }, all, "and all other figures are the same");
}

#[test]
fn details_of_v2_are_in_its_one_folder() {
    let more: &[(&str, &str)] = &[
        ("berth/pod/cpu.weight", "1\n"),
        ("berth/pod/cpu.max", "20000 50000\n"),
        ("berth/pod/memory.peak", "2000000\n"),
        ("berth/pod/memory.low", "0\n"),
        ("berth/pod/hugetlb.1GB.current", "0\n"),
        ("berth/pod/hugetlb.1GB.max", "0\n"),
    ];
    let tree = Tree::new("v2-details", &[V2, more].concat());
    let usage = tree.v2().usage(&pod(), Figures::Details).expect("usage");
    let devices: Vec<_> = usage.devices.iter().map(|device| (device.major, device.minor, device.io.reads)).collect();
    assert_eq!(devices, [(254, 0, 1), (8, 16, 0), (8, 32, 3)]);
    assert_eq!(
        usage.details,
        Some(Details {
            cpu_user_nanos: Some(100_000_000),
            cpu_system_nanos: Some(23_456_000),
            memory: MemoryDetails {
                cache: Some(400_000),
                most: Some(2_000_000),
                limit_hits: Some(5),
                ..MemoryDetails::default()
            },
            hugepages: vec![Hugepages { page_size: "1GB".into(), usage: 0, most: None }],
            spec: Spec {
                cpu_shares: Some(2),
                cpu_period_micros: Some(50_000),
                cpu_quota_micros: Some(20_000),
                memory_limit: Some(64 << 20),
                memory_reservation: Some(0),
                memory_swap_limit: Some(0),
            },
        })
    );
}

#[test]
fn a_cgroup_that_is_gone_has_no_usage() {
    let tree = Tree::new("gone", &[("cpuacct/other", ""), ("other", "")]);
    assert_eq!(tree.v1(V1_CONTROLLERS).usage(&pod(), Figures::All), None);
    assert_eq!(tree.v2().usage(&pod(), Figures::All), None);
    assert_eq!(tree.v2().cpu_nanos(&pod()), None);
}
