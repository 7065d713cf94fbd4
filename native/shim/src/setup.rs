//! From a fresh process to a shim that listens: one frame in, the pod's namespaces, one frame out.

use crate::{error::ShimError, exec_cgroup::ExecCgroups, mounts, null, time, user_namespace};
use rustix::{
    io::fcntl_dupfd_cloexec,
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg},
    process::{DumpableBehavior, getpid, set_child_subreaper, set_dumpable_behavior, setsid},
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
    system::sethostname,
};
use std::{
    fs,
    io::{IoSlice, Read, Write},
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
    os::unix::{
        fs::{DirBuilderExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::Path,
    time::Instant,
};
use sys::{
    namespace::{UnshareFlags, unshare},
    process::{Fork, SIGCHLD, SIGHUP, SIGINT, SIGTERM, fork, signal_descriptor},
};
use wire::{Decoder, ShimConfig, ShimReady, Stage};

pub struct Ready {
    pub config: ShimConfig,
    pub listener: UnixListener,
    pub signals: OwnedFd,
    pub exec_cgroups: ExecCgroups,
}

/// `None` in the parent of the fork, which has nothing more to do.
pub fn from_standard_input() -> Result<Option<Ready>, ShimError> {
    let failed = |source: std::io::Error| ShimError::io("take config from standard input", source);
    let peer = fcntl_dupfd_cloexec(std::io::stdin().as_fd(), 3).map_err(|errno| failed(errno.into()))?;
    let peer = UnixStream::from(peer);
    let config = read_config(&peer)?;
    // Whoever started us must not have to wait for us: as an orphan the shim is init's.
    match fork().map_err(|source| ShimError::io("fork", source))? {
        Fork::Parent(_) => return Ok(None),
        Fork::Child => {}
    }
    match set_up(config, &peer) {
        Ok((ready, stages)) => {
            send_ready(&peer, &ready.config, stages)?;
            sys::failpoint!("shim: said that it is ready");
            leave_standard_streams(Path::new(&ready.config.state_dir))?;
            Ok(Some(ready))
        }
        Err(failure) => {
            let answer = ShimReady { failure: Some(failure.to_failure()), ..ShimReady::default() };
            let _ = (&peer).write_all(&wire::encode(&answer));
            Err(failure)
        }
    }
}

fn read_config(mut peer: &UnixStream) -> Result<ShimConfig, ShimError> {
    let failed = |source: std::io::Error| ShimError::io("read config", source);
    let (mut decoder, mut buffer) = (Decoder::default(), [0; 4096]);
    loop {
        let bytes = peer.read(&mut buffer).map_err(failed)?;
        if bytes == 0 {
            return Err(failed(std::io::ErrorKind::UnexpectedEof.into()));
        }
        decoder.push(&buffer[..bytes]);
        if let Some(config) = decoder.next_message().map_err(|cause| failed(std::io::Error::other(cause)))? {
            return Ok(config);
        }
    }
}

fn set_up(config: ShimConfig, peer: &UnixStream) -> Result<(Ready, Vec<Stage>), ShimError> {
    let failed = |step: &'static str| move |errno: rustix::io::Errno| ShimError::io(step, errno);
    let mut stages = Stages { list: Vec::new(), since: Instant::now() };
    setsid().map_err(failed("leave session"))?;
    for file in &config.cgroup_procs {
        // Its own leaf is a matter of accounting; a host that has none to give runs pods all the same.
        let _ = fs::write(file, "0");
    }
    // Blocked before there are children, so that none of their ends is missed. Runtimes get an empty mask again.
    let signals = signal_descriptor(&[SIGCHLD, SIGTERM, SIGINT, SIGHUP])
        .map_err(|source| ShimError::io("wait for signals", source))?;
    set_child_subreaper(Some(getpid())).map_err(failed("become subreaper"))?;
    // A container that shares the node's PIDs must not read our memory, or walk to the node through our root.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(failed("become undumpable"))?;

    let state_dir = Path::new(&config.state_dir);
    unshare(UnshareFlags::NEWNS).map_err(|source| ShimError::io("make mount namespace", source))?;
    mounts::check_private(state_dir)?;
    let exec_cgroups = ExecCgroups::detect(config.hide_unified, &config.exec_cgroup_path);
    if config.hide_unified {
        mounts::hide_unified()?;
    }
    let wanted = [
        (config.new_network, UnshareFlags::NEWNET),
        (config.new_ipc, UnshareFlags::NEWIPC),
        (config.new_uts, UnshareFlags::NEWUTS),
    ];
    let namespaces =
        wanted.into_iter().filter(|(new, _)| *new).fold(UnshareFlags::empty(), |all, (_, flag)| all | flag);
    let ids = config.user_namespace.as_ref();
    match ids {
        Some(ids) => user_namespace::make(ids, namespaces, state_dir)?,
        None => unshare(namespaces).map_err(|source| ShimError::io("make the pod's namespaces", source))?,
    }
    if config.new_uts && !config.hostname.is_empty() {
        sethostname(config.hostname.as_bytes()).map_err(failed("set hostname"))?;
    }
    write_sysctls(&config)?;
    stages.done("namespaces");
    sys::failpoint!("shim: made namespaces");
    if config.network_first {
        // Its links are made while we go on.
        pass_network(peer, &ShimReady { network_only: true, ..ShimReady::default() })?;
    }

    null::make()?;
    let mut folder = fs::DirBuilder::new();
    folder.mode(0o700).recursive(true);
    folder
        .create(state_dir.join("containers"))
        .map_err(|source| ShimError::io(format!("make {}", config.state_dir), source))?;
    if let Some(ids) = ids {
        user_namespace::let_root_pass(state_dir, ids)?;
        user_namespace::let_root_pass(&state_dir.join("containers"), ids)?;
    }
    mounts::mount_shared_memory(&state_dir.join("shm"), config.shm_bytes, ids.map_or(0, |ids| ids.first_host_id))?;
    let etc = state_dir.join("etc");
    mounts::mount_etc(&etc, &config.etc_files)?;
    for (ids, name) in ids.into_iter().flat_map(|ids| config.etc_files.keys().map(move |name| (ids, name))) {
        user_namespace::give_to_root(&etc.join(name), ids)?;
    }
    stages.done("mounts");
    sys::failpoint!("shim: made mounts");

    let listener = listen(&config.socket_path)?;
    stages.done("socket");
    sys::failpoint!("shim: listens");
    Ok((Ready { config, listener, signals, exec_cgroups }, stages.list))
}

/// Only of namespaces that are the pod's own: the others are the node's.
fn write_sysctls(config: &ShimConfig) -> Result<(), ShimError> {
    for (name, value) in &config.sysctls {
        let refused = |why| ShimError::Argument {
            doing: format!("set sysctl {:?}", name.chars().take(128).collect::<String>()),
            why,
        };
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte))
            && !name.contains("..")
            && !name.starts_with(['.', '/']);
        if !plain || value.contains(['\n', '\0']) {
            return Err(refused("it is no name and value of a sysctl"));
        }
        let path = name.replace('.', "/");
        let ipc = ["kernel/shm", "kernel/msg", "kernel/sem", "fs/mqueue/"].iter().any(|start| path.starts_with(start));
        if !(path.starts_with("net/") && config.new_network || ipc && config.new_ipc) {
            return Err(refused("it is not of a namespace that the pod has for itself"));
        }
        let value = match config.user_namespace.as_ref().filter(|_| path == "net/ipv4/ping_group_range") {
            Some(ids) => &user_namespace::group_range(value, ids)
                .ok_or_else(|| refused("it is no range of groups that the pod has"))?,
            None => value,
        };
        let write = || fs::write(format!("/proc/sys/{path}"), value);
        match config.user_namespace.as_ref().filter(|_| ipc) {
            Some(ids) => user_namespace::as_root(ids, write)?,
            None => write(),
        }
        .map_err(|source| ShimError::io(format!("set sysctl {name} to {value:?}"), source))?;
    }
    Ok(())
}

fn listen(path: &str) -> Result<UnixListener, ShimError> {
    let failed = |source: std::io::Error| ShimError::io(format!("listen on {path}"), source);
    // Left by a pod of this very id: there is none but us.
    let _ = fs::remove_file(path);
    let umask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path).map_err(failed);
    rustix::process::umask(umask);
    let listener = listener?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

fn send_ready(mut peer: &UnixStream, config: &ShimConfig, stages: Vec<Stage>) -> Result<(), ShimError> {
    let pid = getpid().as_raw_nonzero().get();
    let ready = ShimReady { pid, start_ticks: start_ticks()?, stages, ..ShimReady::default() };
    if !config.network_first {
        return pass_network(peer, &ready);
    }
    peer.write_all(&wire::encode(&ready)).map_err(|source| ShimError::io("say that the shim is ready", source))
}

fn pass_network(peer: &UnixStream, message: &ShimReady) -> Result<(), ShimError> {
    let namespace =
        fs::File::open("/proc/self/ns/net").map_err(|source| ShimError::io("open network namespace", source))?;
    let frame = wire::encode(message);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [namespace.as_fd()];
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    // A few hundred bytes: they fit the socket's buffer whole.
    sendmsg(peer, &[IoSlice::new(&frame)], &mut control, SendFlags::NOSIGNAL)
        .map_err(|errno| ShimError::io("say that the shim is ready", errno))?;
    Ok(())
}

/// Field 22 of our own stat; the name in the second field has no parentheses.
fn start_ticks() -> Result<u64, ShimError> {
    let failed = |source: std::io::Error| ShimError::io("read /proc/self/stat", source);
    let stat = fs::read_to_string("/proc/self/stat").map_err(failed)?;
    let field = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(19));
    field.and_then(|field| field.parse().ok()).ok_or_else(|| failed(std::io::ErrorKind::InvalidData.into()))
}

/// From here on nobody is on the other side of them.
fn leave_standard_streams(state_dir: &Path) -> Result<(), ShimError> {
    let failed = |source: std::io::Error| ShimError::io("leave standard streams", source);
    let null = fs::OpenOptions::new().read(true).write(true).open("/dev/null").map_err(failed)?;
    let log = fs::OpenOptions::new().create(true).append(true).open(state_dir.join("shim.log")).map_err(failed)?;
    dup2_stdin(&null)
        .and_then(|()| dup2_stdout(&null))
        .and_then(|()| dup2_stderr(&log))
        .map_err(|errno| failed(errno.into()))
}

/// Each stage ends where the next begins.
struct Stages {
    list: Vec<Stage>,
    since: Instant,
}

impl Stages {
    fn done(&mut self, name: &str) {
        let duration_nanos = i64::try_from(self.since.elapsed().as_nanos()).unwrap_or(i64::MAX);
        self.list.push(Stage {
            name: name.into(),
            started_at_nanos: time::now_nanos() - duration_nanos,
            duration_nanos,
        });
        self.since = Instant::now();
    }
}
