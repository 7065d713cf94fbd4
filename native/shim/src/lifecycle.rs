//! A container's creation, and its way from the end of its process to its exit.

use crate::{
    container::{Container, Phase, Reply},
    deletion::remove_root,
    error::ShimError,
    exit::{self, Ended},
    log,
    log_file::Log,
    mounts::{self, Layers},
    server::Server,
    user, user_namespace, volumes,
};
use std::{
    fs,
    os::{fd::AsFd, unix::fs::DirBuilderExt},
    path::Path,
    time::{Duration, Instant},
};
use wire::{ShimCreateContainer, UserNamespace, shim_response::Result as CallResult};

// A child that keeps the pipes open after the container's process has ended is not waited for longer.
const DRAIN: Duration = Duration::from_secs(1);
/// In a container's folder: its layers with the pod's ids, while its root and its volumes are made.
pub const LAYERS: &str = "layers";

impl Server {
    pub fn create_container(&mut self, reply: Reply, request: &ShimCreateContainer) -> Result<(), ShimError> {
        let id = &request.container_id;
        if !(1..=64).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            return Err(ShimError::Argument {
                doing: "create container".into(),
                why: "its id is not 1 to 64 lower-case letters and digits",
            });
        }
        if self.containers.contains_key(id) {
            return Err(ShimError::Exists { id: id.clone() });
        }
        if !self.has_room() {
            return Err(ShimError::Busy { containers: self.containers.len() });
        }
        let folder = self.state_dir().join("containers").join(id);
        let made = make_root(&folder, request, self.state_dir(), self.config.user_namespace.as_ref());
        if made.is_err() {
            let _ = remove_root(&folder);
        }
        let answer = made?;
        sys::failpoint!("shim: created container");
        let container = Container::new(id.clone(), folder, Log::nowhere());
        self.containers.insert(id.clone(), container);
        self.answer(reply, CallResult::CreateContainer(answer));
        Ok(())
    }

    pub fn init_ended(&mut self, id: &str, ended: Ended) {
        let Some(container) = self.containers.get_mut(id) else { return };
        container.ended = Some(ended);
        sys::failpoint!("shim: process ended");
        // While the runtime still starts it, its end is told after the start.
        if container.phase == Phase::Running {
            self.drain(id, ended);
        }
    }

    pub fn drain(&mut self, id: &str, ended: Ended) {
        let Some(container) = self.containers.get_mut(id) else { return };
        container.ended = Some(ended);
        container.phase = Phase::Draining;
        container.drain_deadline = Some(Instant::now() + DRAIN);
        self.finish_if_drained(id);
    }

    pub fn finish_if_drained(&mut self, id: &str) {
        let drained = self.containers.get(id).is_some_and(|container| {
            container.phase == Phase::Draining && container.streams.is_empty() && !container.log.is_stuck()
        });
        if drained {
            self.finish(id);
        }
    }

    /// The process has ended and its output is read: recorded first, told then. What the log does not take now stays with us, and
    /// is written when there is room, or lost with the container: a full disk must not keep anybody from ending it.
    pub fn finish(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else { return };
        let Some(ended) = container.ended.filter(|_| container.phase == Phase::Draining) else { return };
        let rest = container.close_streams();
        let exit = ended.as_exit(exit::was_oom_killed(&container.cgroup_path));
        if let Err(failure) = exit::write_record(&container.folder, &exit) {
            log::warn(failure);
        }
        sys::failpoint!("shim: wrote exit");
        container.exit = Some(exit);
        container.process = None;
        container.drain_deadline = None;
        container.phase = Phase::Exited;
        (container.input, container.console) = (None, None);
        let report = container.report();
        for (stream, bytes) in rest {
            self.give_output(id, stream, &bytes);
        }
        self.end_attached(id, exit.exit_code);
        self.tell_all(CallResult::ContainerExited(report));
        sys::failpoint!("shim: told exit");
        // Nothing asks the runtime for it any more, so it takes its part away while who waited for the exit makes up its mind.
        self.start_delete(id);
    }
}

fn make_root(
    folder: &Path,
    request: &ShimCreateContainer,
    state_dir: &Path,
    ids: Option<&UserNamespace>,
) -> Result<wire::ShimCreateContainerResult, ShimError> {
    let root = folder.join("rootfs");
    let mut maker = fs::DirBuilder::new();
    maker
        .recursive(true)
        .mode(0o700)
        .create(&root)
        .map_err(|source| ShimError::io(format!("make {}", root.display()), source))?;
    sys::failpoint!("shim: made container's folder");
    let namespace = user_namespace::open(state_dir)?;
    let namespace = namespace.as_ref().map(AsFd::as_fd);
    let mut layers_dir = request.layers_dir.clone();
    let mapped = folder.join(LAYERS);
    if let (Some(namespace), Some(ids)) = (namespace, ids) {
        user_namespace::let_root_pass(folder, ids)?;
        mounts::map_layers(&mapped, &layers_dir, namespace)?;
        layers_dir = mapped.to_string_lossy().into_owned();
    }
    let layers = Layers {
        folder: &layers_dir,
        owner: ids,
        lower: &request.lower_dirs,
        upper: &request.upper_dir,
        work: &request.work_dir,
    };
    mounts::mount_root(&root, &layers)?;
    sys::failpoint!("shim: mounted root");
    for volume in &request.volumes {
        volumes::mount_volume(folder, &layers_dir, volume, namespace)?;
    }
    if namespace.is_some() {
        mounts::unmount_if_mounted(&mapped)?;
    }
    user::look_up(&root, &request.user)
}
