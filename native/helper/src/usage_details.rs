//! The details of GetUsage: what the cgroup, the processes and the pod's own interfaces say.

use crate::{node::Node, process, process_details};
use cgroup::{CgroupPath, DeviceIo, Io, Usage as Used};
use netlink::Counters;
use std::fs;
use wire::{
    CgroupSpec, DeviceUsage, HugepageUsage, InterfaceUsage, IoCounters, MemoryDetails, UsageDetails, UsageTarget,
};

/// `None` where they were not asked for.
pub fn details(node: &Node, path: &CgroupPath, target: &UsageTarget, used: &Used) -> Option<UsageDetails> {
    let details = used.details.clone()?;
    let (memory, spec) = (details.memory, details.spec);
    Some(UsageDetails {
        cpu_user_nanos: details.cpu_user_nanos,
        cpu_system_nanos: details.cpu_system_nanos,
        memory: Some(MemoryDetails {
            cache_bytes: memory.cache,
            mapped_file_bytes: memory.mapped_file,
            kernel_bytes: memory.kernel,
            most_bytes: memory.most,
            limit_hits: memory.limit_hits,
            own_page_faults: memory.own_page_faults,
            own_major_page_faults: memory.own_major_page_faults,
        }),
        devices: used.devices.iter().map(device_usage).collect(),
        hugepages: details
            .hugepages
            .into_iter()
            .map(|pages| HugepageUsage { page_size: pages.page_size, usage_bytes: pages.usage, most_bytes: pages.most })
            .collect(),
        spec: Some(CgroupSpec {
            cpu_shares: spec.cpu_shares,
            cpu_period_micros: spec.cpu_period_micros,
            cpu_quota_micros: spec.cpu_quota_micros,
            memory_limit_bytes: spec.memory_limit,
            memory_reservation_bytes: spec.memory_reservation,
            memory_swap_limit_bytes: spec.memory_swap_limit,
        }),
        processes: (target.first_pid > 0)
            .then(|| process_details::of_processes(&node.cgroups.processes(path), target.first_pid)),
        interfaces: interfaces(target.network_pid, target.network_start_ticks),
    })
}

fn device_usage(device: &DeviceIo) -> DeviceUsage {
    let DeviceIo { major, minor, io } = *device;
    DeviceUsage { major, minor, device: device_name(major, minor), counters: Some(io_counters(io)) }
}

fn device_name(major: u32, minor: u32) -> String {
    let event = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/uevent")).unwrap_or_default();
    event.lines().find_map(|line| line.strip_prefix("DEVNAME=")).map(|name| format!("/dev/{name}")).unwrap_or_default()
}

pub fn io_counters(io: Io) -> IoCounters {
    IoCounters { read_bytes: io.read_bytes, written_bytes: io.written_bytes, reads: io.reads, writes: io.writes }
}

/// None when the process is gone.
fn interfaces(pid: i32, start_ticks: u64) -> Vec<InterfaceUsage> {
    if pid <= 0 {
        return Vec::new();
    }
    // Held while it is read: the number can't pass to another pod's process meanwhile.
    let Some(_held) = process::hold(pid, start_ticks) else { return Vec::new() };
    let counters = netlink::read_counters_of(pid).unwrap_or_default();
    let mut interfaces: Vec<_> =
        counters.into_iter().filter(|(name, _)| name != "lo").map(|(name, seen)| interface(name, seen)).collect();
    interfaces.sort_by(|one, other| one.name.cmp(&other.name));
    interfaces
}

fn interface(name: String, seen: Counters) -> InterfaceUsage {
    InterfaceUsage {
        name,
        rx_bytes: seen.rx_bytes,
        rx_packets: seen.rx_packets,
        rx_errors: seen.rx_errors,
        rx_dropped: seen.rx_dropped,
        tx_bytes: seen.tx_bytes,
        tx_packets: seen.tx_packets,
        tx_errors: seen.tx_errors,
        tx_dropped: seen.tx_dropped,
    }
}
