//! StartSandbox: the pod's cgroup, its shim with its namespaces, its endpoint. A failure takes back what was made.

use crate::{
    both::both,
    calls,
    error::HelperError,
    host_ports::{self, Listener},
    log::{self, Level},
    network,
    node::Node,
    process, proxy_process,
    shim_process::{self, StartingShim},
};
use cgroup::{CgroupPath, Mode};
use netlink::{EndpointAddress, EndpointConfig, HostPort, InterfaceName, Netlink, Prefix};
use std::{
    fs, io,
    net::IpAddr,
    os::fd::AsFd,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    time::{Duration, Instant},
};
use wire::{
    CgroupLimits, Endpoint, KillProcess, NamespaceUse, ShimConfig, ShimReady, Stage, StartSandbox, StartSandboxResult,
};

const KILL_TIMEOUT_MILLIS: u32 = 10_000;
// The kernel takes 255 bytes.
const MOST_ALIAS_CHARACTERS: usize = 200;

pub fn start(node: &Node, request: StartSandbox) -> Result<StartSandboxResult, HelperError> {
    let mut undo = Undo { node, steps: Vec::new() };
    let result = make(node, request, &mut undo);
    if result.is_ok() {
        undo.steps.clear();
    }
    result
}

fn make(node: &Node, request: StartSandbox, undo: &mut Undo) -> Result<StartSandboxResult, HelperError> {
    let mut stages = Stages::default();
    let ports = host_ports::parse(&request.host_ports)?;
    if ports.is_empty() {
        return make_pod(node, request, &[], stages, undo);
    }
    let table = InterfaceName::parse(&request.nft_table)?;
    // First of all, so that a pod whose port is taken costs nothing.
    let since = Instant::now();
    let listeners = host_ports::listen(&ports)?;
    stages.ended("ports: bind", since);
    sys::failpoint!("helper: listens on ports");
    undo.steps.push(Step::Ports(table.clone(), ports.clone()));
    // Where the ports lead is known, so the table need not wait for the pod.
    let pod = || make_pod(node, request, &listeners, stages, undo);
    let add = || {
        netlink::add_ports(&table, &ports)?;
        sys::failpoint!("helper: added ports");
        Ok(())
    };
    let (added, made) = both(add, pod);
    let made = made?;
    added?;
    calls::forget_flows_soon(ports)?;
    Ok(made)
}

fn make_pod(
    node: &Node,
    request: StartSandbox,
    listeners: &[Listener],
    mut stages: Stages,
    undo: &mut Undo,
) -> Result<StartSandboxResult, HelperError> {
    let path = CgroupPath::parse(&request.cgroup_path)?;
    if !request.exec_cgroup_path.is_empty() {
        CgroupPath::parse(&request.exec_cgroup_path)?;
    }
    let state_dir = node.owned_path("place pod", &request.state_dir, &[&node.options.state])?;
    let endpoint = request.endpoint.as_ref().map(endpoint_config).transpose()?;
    let is_new = |namespace: i32| namespace == i32::from(NamespaceUse::New);

    // Each pod's folder is closed to others; the way to it is open to the root of a pod with ids of its own.
    let pods = node.options.state.join("pods");
    fs::DirBuilder::new()
        .recursive(true)
        .create(&pods)
        .and_then(|()| fs::set_permissions(&pods, fs::Permissions::from_mode(0o711)))
        .map_err(|source| HelperError::io(format!("make {}", pods.display()), source))?;
    let mut folder = fs::DirBuilder::new();
    folder.mode(0o700).recursive(true);
    folder.create(&state_dir).map_err(|source| HelperError::io(format!("make {}", state_dir.display()), source))?;
    undo.steps.push(Step::Folder(state_dir));
    sys::failpoint!("helper: made folder");
    let config = ShimConfig {
        protocol_version: wire::PROTOCOL_VERSION,
        sandbox_id: request.sandbox_id,
        state_dir: request.state_dir,
        socket_path: request.socket_path,
        new_network: is_new(request.network),
        new_ipc: is_new(request.ipc),
        new_uts: is_new(request.uts),
        hostname: request.hostname,
        sysctls: request.sysctls,
        shm_bytes: request.shm_bytes,
        cgroup_procs: node.shim_cgroup_procs(),
        hide_unified: node.cgroups.mode == Mode::Hybrid,
        pod_init_path: node.pod_init(),
        user_namespace: request.user_namespace,
        etc_files: request.etc_files,
        exec_cgroup_path: request.exec_cgroup_path,
        network_first: is_new(request.network),
    };
    let shim_since = Instant::now();
    let mut shim = shim_process::start(&node.options.shim, &config)?;
    // What it does not need is made while it comes up.
    let since = Instant::now();
    let cgroup = make_cgroup(node, &path, request.limits, undo);
    stages.ended("cgroup", since);
    let attached = if config.new_network && cgroup.is_ok() {
        attach(&mut shim, endpoint.as_ref(), &mut stages, undo)
    } else {
        Ok(())
    };
    let ready = shim.ready();
    if let Ok(ShimReady { pid, start_ticks, .. }) = ready {
        undo.steps.push(Step::Process(KillProcess { pid, start_ticks, timeout_millis: KILL_TIMEOUT_MILLIS }));
    }
    // Told only now that the shim is known, for it is taken back too.
    let (cgroup_created, warnings) = cgroup?;
    attached?;
    let mut ready = ready?;
    stages.add(std::mem::take(&mut ready.stages), "shim: ");
    stages.ended("shim", shim_since);
    sys::failpoint!("helper: started shim");

    let mut proxy = KillProcess::default();
    if !listeners.is_empty() {
        let since = Instant::now();
        let shim = process::hold(ready.pid, ready.start_ticks).ok_or_else(|| {
            HelperError::io(format!("find shim of pod {}", config.sandbox_id), io::Error::from(io::ErrorKind::NotFound))
        })?;
        let program = node.port_proxy();
        proxy = proxy_process::start(&program, &config.sandbox_id, shim.as_fd(), listeners, &config.cgroup_procs)?;
        undo.steps.push(Step::Process(KillProcess { timeout_millis: KILL_TIMEOUT_MILLIS, ..proxy }));
        stages.ended("ports: proxy", since);
        sys::failpoint!("helper: started port proxy");
    }
    Ok(StartSandboxResult {
        shim_pid: ready.pid,
        shim_start_ticks: ready.start_ticks,
        stages: stages.list,
        cgroup_created,
        mac_address: String::new(),
        warnings,
        port_proxy_pid: proxy.pid,
        port_proxy_start_ticks: proxy.start_ticks,
    })
}

/// Whether it was made, and what of its limits could not be applied.
fn make_cgroup(
    node: &Node,
    path: &CgroupPath,
    limits: Option<CgroupLimits>,
    undo: &mut Undo,
) -> Result<(bool, Vec<String>), HelperError> {
    let created = node.cgroups.create(path)?;
    if created {
        undo.steps.push(Step::Cgroup(path.clone()));
    }
    sys::failpoint!("helper: made cgroup");
    let warnings = node.cgroups.apply(path, &calls::limits(limits.unwrap_or_default()))?;
    sys::failpoint!("helper: applied limits");
    Ok((created, warnings))
}

/// The pod's links, as soon as its network namespace is there.
fn attach(
    shim: &mut StartingShim,
    endpoint: Option<&EndpointConfig>,
    stages: &mut Stages,
    undo: &mut Undo,
) -> Result<(), HelperError> {
    let namespace = shim.network_namespace()?;
    let since = Instant::now();
    if let Some(endpoint) = endpoint {
        undo.steps.push(Step::Link(endpoint.host.clone()));
        netlink::attach_endpoint(endpoint, namespace)?;
    } else {
        netlink::bring_loopback_up(namespace)?;
    }
    stages.ended("endpoint", since);
    sys::failpoint!("helper: attached endpoint");
    Ok(())
}

fn endpoint_config(endpoint: &Endpoint) -> Result<EndpointConfig, HelperError> {
    Ok(EndpointConfig {
        host: InterfaceName::parse(&endpoint.host_interface)?,
        container: InterfaceName::parse(&endpoint.container_interface)?,
        bridge: InterfaceName::parse(&endpoint.bridge)?,
        addresses: endpoint.addresses.iter().map(endpoint_address).collect::<Result<_, _>>()?,
        mtu: network::mtu(endpoint.mtu),
        alias: endpoint.alias.chars().take(MOST_ALIAS_CHARACTERS).collect(),
    })
}

fn endpoint_address(address: &wire::EndpointAddress) -> Result<EndpointAddress, HelperError> {
    let prefix = Prefix::parse(&address.address_prefix)?;
    let is_gateway = |gateway: &IpAddr| gateway.is_ipv6() == prefix.address.is_ipv6();
    let gateway = match address.gateway.as_str() {
        "" => None,
        text => Some(text.parse().ok().filter(is_gateway).ok_or_else(|| HelperError::Argument {
            doing: "read gateway",
            value: text.chars().take(64).collect(),
            why: "it is no address of the pod's family",
        })?),
    };
    Ok(EndpointAddress { prefix, gateway })
}

/// What to take back, last made first, when the start fails.
struct Undo<'a> {
    node: &'a Node,
    steps: Vec<Step>,
}

enum Step {
    Cgroup(CgroupPath),
    Folder(std::path::PathBuf),
    Process(KillProcess),
    Ports(InterfaceName, Vec<HostPort>),
    Link(InterfaceName),
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        while let Some(step) = self.steps.pop() {
            let undone = match &step {
                Step::Cgroup(path) => {
                    let deadline = Instant::now() + Duration::from_secs(5);
                    self.node
                        .cgroups
                        .kill(path, deadline)
                        .and_then(|()| self.node.cgroups.remove(path))
                        .map_err(HelperError::from)
                }
                Step::Folder(path) => fs::remove_dir_all(path)
                    .map_err(|source| HelperError::io(format!("remove {}", path.display()), source)),
                Step::Process(process) => process::kill(process),
                Step::Ports(table, ports) => calls::remove_ports(table, ports),
                Step::Link(name) => {
                    Netlink::open().and_then(|mut netlink| netlink.delete_link(name)).map_err(HelperError::from)
                }
            };
            if let Err(failure) = undone {
                log::write(
                    Level::Warn,
                    "a part of a pod that did not start was left",
                    &[("err", &failure.to_string())],
                );
            }
        }
    }
}

/// Some are at the same time as others.
#[derive(Default)]
struct Stages {
    list: Vec<Stage>,
}

impl Stages {
    fn ended(&mut self, name: &str, since: Instant) {
        let duration_nanos = i64::try_from(since.elapsed().as_nanos()).unwrap_or(i64::MAX);
        self.list.push(Stage {
            name: name.into(),
            started_at_nanos: calls::now_nanos() - duration_nanos,
            duration_nanos,
        });
    }

    fn add(&mut self, stages: Vec<Stage>, prefix: &str) {
        self.list.extend(stages.into_iter().map(|stage| Stage { name: format!("{prefix}{}", stage.name), ..stage }));
    }
}
