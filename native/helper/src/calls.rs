//! Each call, in one place.

use crate::{
    both::both,
    cgroup_moves,
    error::HelperError,
    host_ports, inventory,
    log::{self, Level},
    mount_source, mount_table, network,
    node::Node,
    process, sandbox, unpack, usage,
};
use cgroup::{CgroupPath, Limits, Mode};
use netlink::{HostPort, InterfaceName, Netlink, Protocol};
use rustix::fs::{CWD, Mode as FileMode, OFlags, openat};
use std::{
    os::fd::AsFd,
    os::unix::ffi::OsStrExt,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use wire::{
    CgroupLimits, CgroupMode, DetachEndpoint, HelperHelloResult, KillCgroup, RemoveCgroup, UpdateCgroup,
    helper_request::Call, helper_response::Result as CallResult,
};

const LONGEST_KILL: Duration = Duration::from_secs(60);

/// `None` is the answer of calls that give nothing back.
pub fn run(node: &Node, call: Option<Call>) -> Result<Option<CallResult>, HelperError> {
    match call.ok_or(HelperError::UnknownCall)? {
        Call::Hello(_) => Ok(Some(CallResult::Hello(hello(node)))),
        Call::EnsureNetwork(request) => network::ensure(&request).map(|result| Some(CallResult::EnsureNetwork(result))),
        Call::CheckNetwork(request) => network::check(request).map(|result| Some(CallResult::CheckNetwork(result))),
        Call::RemoveNetwork(request) => network::remove(&request).map(|()| None),
        Call::StartSandbox(request) => {
            sandbox::start(node, request).map(|result| Some(CallResult::StartSandbox(result)))
        }
        Call::DetachEndpoint(request) => detach_endpoint(&request).map(|()| None),
        Call::UpdateCgroup(request) => update_cgroup(node, request).map(|()| None),
        Call::KillCgroup(request) => kill_cgroup(node, &request).map(|()| None),
        Call::RemoveCgroup(request) => remove_cgroup(node, &request).map(|()| None),
        Call::GetUsage(request) => usage::get(node, request).map(|result| Some(CallResult::Usage(result))),
        Call::UnpackLayer(request) => {
            unpack::unpack_layer(node, &request).map(|result| Some(CallResult::UnpackLayer(result)))
        }
        Call::RemoveTree(request) => remove_tree(node, &request.path).map(|()| None),
        Call::CheckPath(request) => mount_source::check(&request).map(|()| None),
        Call::KillProcess(request) => process::kill(&request).map(|()| None),
        Call::ListObjects(request) => {
            inventory::list(node, &request).map(|result| Some(CallResult::ListObjects(result)))
        }
        Call::ReleaseMount(request) => mount_table::release(node, &request).map(|()| None),
        Call::ExpectMoves(_) => {
            cgroup_moves::expect(node);
            Ok(None)
        }
        Call::Shutdown(_) => Ok(None),
        // Served by `copy::take_over`, before a worker is asked.
        Call::CopyFrom(_) | Call::CopyTo(_) | Call::PackFolder(_) => Err(HelperError::UnknownCall),
    }
}

fn hello(node: &Node) -> HelperHelloResult {
    let mode = match node.cgroups.mode {
        Mode::V1 => CgroupMode::V1,
        Mode::Hybrid => CgroupMode::Hybrid,
        Mode::V2 => CgroupMode::V2,
    };
    HelperHelloResult {
        protocol_version: wire::PROTOCOL_VERSION,
        version: env!("CARGO_PKG_VERSION").into(),
        pid: std::process::id().cast_signed(),
        cgroup_mode: mode.into(),
        cgroup_controllers: node.cgroups.controllers().map(str::to_owned).collect(),
        cgroup_mount: "/sys/fs/cgroup".into(),
        id_mapped_layers: node.id_mapped_layers,
    }
}

/// The table and the link are waited for at the same time: both take the kernel some 20 ms.
fn detach_endpoint(request: &DetachEndpoint) -> Result<(), HelperError> {
    let host = InterfaceName::parse(&request.host_interface)?;
    let delete_link = || {
        Netlink::open()?.delete_link(&host)?;
        sys::failpoint!("helper: deleted link");
        Ok(())
    };
    let ports = host_ports::parse(&request.host_ports)?;
    if ports.is_empty() {
        return delete_link();
    }
    let table = InterfaceName::parse(&request.nft_table)?;
    let (removed, deleted) = both(|| remove_ports(&table, &ports), delete_link);
    removed.and(deleted)
}

/// A packet of a flow that stands does not ask the table.
pub fn remove_ports(table: &InterfaceName, ports: &[HostPort]) -> Result<(), HelperError> {
    netlink::remove_ports(table, ports)?;
    sys::failpoint!("helper: removed ports");
    forget_flows(ports);
    Ok(())
}

/// For ports that are new. To look for flows takes the kernel some 9 ms, in which much else waits for it; the pod's first
/// container is not there yet, so nobody waits for that.
pub fn forget_flows_soon(ports: Vec<HostPort>) -> Result<(), HelperError> {
    if ports.iter().all(|port| port.protocol != Protocol::Udp) {
        return Ok(());
    }
    let started = thread::Builder::new().name("flows".into()).spawn(move || forget_flows(&ports));
    started.map(drop).map_err(|source| HelperError::io("start thread", source))
}

/// A kernel without ctnetlink lets old flows go on until they have been silent for half a minute; that is no reason to fail.
fn forget_flows(ports: &[HostPort]) {
    if let Err(failure) = netlink::forget_udp_flows(ports) {
        log::write(Level::Warn, "UDP flows may go on to where they went before", &[("err", &failure.to_string())]);
    }
}

pub fn limits(limits: CgroupLimits) -> Limits {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    Limits {
        memory_bytes: limits.memory_bytes,
        memory_swap_bytes: limits.memory_swap_bytes,
        cpu_shares: limits.cpu_shares,
        cpu_quota_micros: limits.cpu_quota_micros,
        cpu_period_micros: limits.cpu_period_micros,
        pids: limits.pids,
        cpuset_cpus: some(limits.cpuset_cpus),
        cpuset_mems: some(limits.cpuset_mems),
        hugepages: limits.hugepages.into_iter().collect(),
        unified: limits.unified.into_iter().collect(),
    }
}

fn update_cgroup(node: &Node, request: UpdateCgroup) -> Result<(), HelperError> {
    let path = CgroupPath::parse(&request.cgroup_path)?;
    if request.create {
        node.cgroups.create(&path)?;
    }
    let scores = request.oom_score_adj.map(|score| node.cgroups.set_oom_score_adj(&path, score)).transpose()?;
    if let Err(failure) = node.cgroups.apply(&path, &limits(request.limits.unwrap_or_default())) {
        // All of it or nothing.
        scores.unwrap_or_default().restore();
        return Err(failure.into());
    }
    sys::failpoint!("helper: updated cgroup");
    Ok(())
}

fn kill_cgroup(node: &Node, request: &KillCgroup) -> Result<(), HelperError> {
    let path = CgroupPath::parse(&request.cgroup_path)?;
    let timeout = Duration::from_millis(request.timeout_millis.into()).min(LONGEST_KILL);
    node.cgroups.kill(&path, Instant::now() + timeout)?;
    sys::failpoint!("helper: killed cgroup");
    Ok(())
}

fn remove_cgroup(node: &Node, request: &RemoveCgroup) -> Result<(), HelperError> {
    let path = CgroupPath::parse(&request.cgroup_path)?;
    node.cgroups.remove(&path)?;
    sys::failpoint!("helper: removed cgroup");
    if request.prune_parent.is_empty() {
        return Ok(());
    }
    let parent = CgroupPath::parse(&request.prune_parent)?;
    if !path.is_below(&parent) {
        return Err(HelperError::Argument {
            doing: "prune cgroup",
            value: request.prune_parent.clone(),
            why: "it is no ancestor of the one removed",
        });
    }
    node.cgroups.remove_if_empty(&parent)?;
    Ok(())
}

pub fn now_nanos() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

fn remove_tree(node: &Node, text: &str) -> Result<(), HelperError> {
    let path = node.owned_path("remove folder", text, &[&node.options.root, &node.options.state])?;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    match openat(CWD, parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, FileMode::empty()) {
        Ok(parent) => {
            layer::remove_tree(parent.as_fd(), name.as_bytes())?;
            sys::failpoint!("helper: removed folder");
            Ok(())
        }
        Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(errno) => Err(HelperError::io(format!("open {}", parent.display()), errno)),
    }
}
