//! GetUsage: cgroups, links and layers of all that is asked for.

use crate::{
    calls::now_nanos,
    error::HelperError,
    node::Node,
    usage_details::{details, io_counters},
};
use cgroup::{CgroupPath, Figures, Memory, Pressure, Stall, Usage as Used};
use netlink::Counters;
use std::collections::HashMap;
use wire::{
    CpuUsage, GetUsage, InterfaceUsage, IoUsage, LayerTarget, LayerUsage, MemoryUsage, PidsUsage, PressureStats,
    Stalled, Usage, UsageResult, UsageTarget,
};

pub fn get(node: &Node, request: GetUsage) -> Result<UsageResult, HelperError> {
    let layers = layers(node, request.layers)?;
    let figures = match (request.details, request.all_figures) {
        (true, _) => Figures::Details,
        (false, true) => Figures::All,
        (false, false) => Figures::Common,
    };
    Ok(UsageResult { usages: usages(node, request.targets, figures)?, layers })
}

fn usages(node: &Node, targets: Vec<UsageTarget>, figures: Figures) -> Result<Vec<Usage>, HelperError> {
    let wants_network = targets.iter().any(|target| !target.host_interface.is_empty());
    let counters = if wants_network { netlink::read_counters()? } else { HashMap::new() };
    let mut usages = Vec::with_capacity(targets.len());
    for target in targets {
        let path = CgroupPath::parse(&target.cgroup_path)?;
        let Some(used) = node.cgroups.usage(&path, figures) else { continue };
        let network = counters.get(&target.host_interface).map(|seen| from_the_pod(*seen));
        let details = details(node, &path, &target, &used);
        usages.push(Usage { details, ..usage(target.key, &used, network) });
    }
    Ok(usages)
}

fn layers(node: &Node, targets: Vec<LayerTarget>) -> Result<Vec<LayerUsage>, HelperError> {
    let mut layers = Vec::with_capacity(targets.len());
    for LayerTarget { key, folder, cgroup_path } in targets {
        let folder = node.owned_path("measure layer", &folder, &[&node.options.root])?;
        if let Some(known) = node.layers.ask(&folder, &CgroupPath::parse(&cgroup_path)?) {
            let timestamp_nanos = known.at_nanos;
            layers.push(LayerUsage { key, timestamp_nanos, bytes: known.size.bytes, inodes: known.size.inodes });
        }
    }
    Ok(layers)
}

fn usage(key: String, used: &Used, network: Option<InterfaceUsage>) -> Usage {
    let Used { cpu, pressure, .. } = used;
    Usage {
        key,
        timestamp_nanos: now_nanos(),
        cpu: Some(CpuUsage {
            usage_nanos: cpu.usage_nanos,
            throttled_periods: cpu.bandwidth.map(|felt| felt.throttled_periods),
            throttled_nanos: cpu.bandwidth.map(|felt| felt.throttled_nanos),
            periods: cpu.bandwidth.map(|felt| felt.periods),
            pressure: pressure.cpu.map(pressure_stats),
        }),
        memory: used.memory.map(|memory| memory_usage(memory, pressure.memory)),
        pids: used.pids.map(|pids| PidsUsage { current: pids.current, limit: pids.limit.unwrap_or(0) }),
        network,
        io: (used.io.is_some() || pressure.io.is_some())
            .then(|| IoUsage { counters: used.io.map(io_counters), pressure: pressure.io.map(pressure_stats) }),
        details: None,
    }
}

fn memory_usage(memory: Memory, pressure: Option<Pressure>) -> MemoryUsage {
    MemoryUsage {
        usage_bytes: memory.usage,
        working_set_bytes: memory.working_set,
        rss_bytes: memory.rss,
        page_faults: memory.page_faults,
        major_page_faults: memory.major_page_faults,
        limit_bytes: memory.limit.unwrap_or(0),
        swap_bytes: memory.swap.map(|swap| swap.usage),
        oom_kills: memory.oom_kills,
        swap_limit_bytes: memory.swap.and_then(|swap| swap.limit),
        pressure: pressure.map(pressure_stats),
    }
}

fn pressure_stats(pressure: Pressure) -> PressureStats {
    PressureStats { some: Some(stalled(pressure.some)), full: pressure.full.map(stalled) }
}

fn stalled(stall: Stall) -> Stalled {
    Stalled { total_micros: stall.total_micros, avg10: stall.avg10, avg60: stall.avg60, avg300: stall.avg300 }
}

/// What the node's end sends, the pod receives.
fn from_the_pod(seen: Counters) -> InterfaceUsage {
    InterfaceUsage {
        rx_bytes: seen.tx_bytes,
        rx_errors: seen.tx_errors,
        tx_bytes: seen.rx_bytes,
        tx_errors: seen.rx_errors,
        ..InterfaceUsage::default()
    }
}
