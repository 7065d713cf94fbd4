//! ListObjects: what exists of this node's own. What does not say so is not listed, whoever it belongs to.

use crate::{error::HelperError, mount_table, node::Node, process};
use cgroup::CgroupPath;
use netlink::{HostPort, InterfaceName, Protocol};
use std::{
    collections::{HashMap, HashSet},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};
use wire::{
    FoundCgroup, FoundLink, FoundMount, FoundProcess, ListObjects, ListObjectsResult, PortProtocol, ProcessRole,
};

/// Of each kind; a node has far fewer.
const MOST: usize = 16_384;
// The kernel keeps so many bytes of a program's name, without its end.
const NAME_BYTES: usize = 15;

pub fn list(node: &Node, request: &ListObjects) -> Result<ListObjectsResult, HelperError> {
    let processes = processes(node);
    let (mounts, cgroups) = (mounts(node, &processes), cgroups(node, request)?);
    let links = netlink::own_links(&request.link_alias, &request.link_names.iter().cloned().collect(), MOST)?;
    let ports = match request.nft_table.as_str() {
        "" => None,
        table => netlink::list_ports(&InterfaceName::parse(table)?)?,
    };
    let truncated = [processes.len(), mounts.len(), cgroups.len(), links.len()].into_iter().any(|count| count >= MOST);
    Ok(ListObjectsResult {
        processes,
        mounts,
        cgroups,
        links: links.into_iter().map(|link| FoundLink { name: link.name, alias: link.alias }).collect(),
        has_nft_table: ports.is_some(),
        host_ports: ports.unwrap_or_default().iter().take(MOST).map(as_message).collect(),
        truncated,
    })
}

/// A process that ends while it is looked at is none.
fn processes(node: &Node) -> Vec<FoundProcess> {
    let name_of = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.bytes().take(NAME_BYTES).collect::<Vec<u8>>()
    };
    let (shim, proxy) = (name_of(&node.options.shim), name_of(&node.port_proxy()));
    let pods = node.options.state.join("pods");
    let leaf = node.shim_cgroup_leaf();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| {
        let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
        let name = name.strip_suffix(b"\n").unwrap_or(&name);
        let (role, sandbox_id) = if name == shim {
            (ProcessRole::Shim, pod_of_shim(pid, &pods)?)
        } else if name == proxy {
            (ProcessRole::PortProxy, pod_of_proxy(pid, &leaf)?)
        } else {
            return None;
        };
        Some(FoundProcess { role: role.into(), sandbox_id, pid, start_ticks: process::start_ticks(pid)? })
    })
    .take(MOST)
    .collect()
}

/// A shim writes its log in the state folder of its pod. What it forks has its name for a moment, and is in its session.
fn pod_of_shim(pid: i32, pods: &Path) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let session = stat.rsplit_once(')')?.1.split_whitespace().nth(3)?;
    if session.parse() != Ok(pid) {
        return None;
    }
    let log = format!("/proc/{pid}/fd/2");
    // A container may have a file of that path in its own root, and a program of that name.
    if fs::metadata(&log).ok()?.dev() != fs::metadata(pods).ok()?.dev() {
        return None;
    }
    let log = fs::read_link(log).ok()?;
    let pod = log.strip_prefix(pods).ok()?.components().next()?;
    pod.as_os_str().to_str().map(str::to_owned)
}

/// A port proxy is told its pod as its first argument; whose it is says its cgroup.
fn pod_of_proxy(pid: i32, leaf: &str) -> Option<String> {
    let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    if !cgroups.lines().any(|line| line.rsplit('/').next() == Some(leaf)) {
        return None;
    }
    let words = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    String::from_utf8(words.split(|byte| *byte == 0).nth(1)?.to_owned()).ok()
}

/// Below the pods' state folders and the writable layers in the node's own mount namespace, and below the pods' in the shims':
/// what is mounted elsewhere on the node comes to them and goes with it. A shim's shared memory is no container's.
fn mounts(node: &Node, processes: &[FoundProcess]) -> Vec<FoundMount> {
    let folders = [node.options.state.join("pods"), node.options.root.join("containers")];
    let mut found = Vec::new();
    let mut add = |table: &str, pid: i32, ticks: u64, hidden: Option<PathBuf>| {
        for path in mount_table::paths(table) {
            let looked_at = if pid == 0 { &folders[..] } else { &folders[..1] };
            let ours = looked_at.iter().any(|folder| path.starts_with(folder) && path != *folder);
            if ours && Some(&path) != hidden.as_ref() && found.len() < MOST {
                let path = path.to_string_lossy().into_owned();
                found.push(FoundMount { path, shim_pid: pid, shim_start_ticks: ticks });
            }
        }
    };
    add(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default(), 0, 0, None);
    for shim in processes.iter().filter(|process| process.role() == ProcessRole::Shim) {
        let shm = folders[0].join(&shim.sandbox_id).join("shm");
        let table = fs::read_to_string(format!("/proc/{}/mountinfo", shim.pid)).unwrap_or_default();
        add(&table, shim.pid, shim.start_ticks, Some(shm));
    }
    found
}

fn cgroups(node: &Node, request: &ListObjects) -> Result<Vec<FoundCgroup>, HelperError> {
    let mut found = match request.cgroup_parent.as_str() {
        "" => HashMap::new(),
        parent => node.cgroups.list_below(&CgroupPath::parse(parent)?, MOST).into_iter().collect(),
    };
    for path in request.cgroup_paths.iter().collect::<HashSet<_>>() {
        let count = node.cgroups.presence(&CgroupPath::parse(path)?);
        if count > 0 && found.len() < MOST {
            found.insert(path.clone(), count);
        }
    }
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let of_hierarchies = number(node.cgroups.hierarchies.len());
    let found = found.into_iter();
    Ok(found.map(|(path, count)| FoundCgroup { path, hierarchies: number(count), of_hierarchies }).collect())
}

fn as_message(port: &HostPort) -> wire::HostPort {
    let protocol = match port.protocol {
        Protocol::Tcp => PortProtocol::Tcp,
        Protocol::Udp => PortProtocol::Udp,
        Protocol::Sctp => PortProtocol::Sctp,
    };
    wire::HostPort {
        protocol: protocol.into(),
        host_ip: port.host_ip.to_string(),
        host_port: port.port.into(),
        pod_address: port.pod.ip().to_string(),
        pod_port: port.pod.port().into(),
    }
}
