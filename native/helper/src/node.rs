//! What the calls share: facts about this node, and where things are.

use crate::{arguments::Options, error::HelperError, id_mapping, layer_usage::LayerUsage};
use cgroup::{CgroupPath, Cgroups};
use std::{
    fs,
    path::{Component, Path, PathBuf},
};

pub struct Node {
    pub options: Options,
    pub cgroups: Cgroups,
    pub layers: LayerUsage,
    pub id_mapped_layers: bool,
}

impl Node {
    pub fn new(options: Options) -> Result<Self, HelperError> {
        let cgroups = Cgroups::detect()?;
        // Before there is a second thread.
        let id_mapped_layers = id_mapping::is_possible(&options.root);
        let counted = cgroups.clone();
        let layers = LayerUsage::start(Box::new(move |pod| counted.cpu_nanos(pod)))
            .map_err(|source| HelperError::io("start thread", source))?;
        Ok(Self { options, cgroups, layers, id_mapped_layers })
    }

    /// A path from outside that must be strictly below one of our folders.
    pub fn owned_path(&self, doing: &'static str, text: &str, folders: &[&Path]) -> Result<PathBuf, HelperError> {
        let path = PathBuf::from(text);
        let plain = path.is_absolute()
            && !text.contains('\0')
            && path.components().all(|part| !matches!(part, Component::ParentDir | Component::CurDir));
        let below = |folder: &&Path| path.starts_with(folder) && path != **folder;
        if plain && folders.iter().any(below) {
            return Ok(path);
        }
        Err(HelperError::Argument {
            doing,
            value: text.chars().take(256).collect(),
            why: "it is not below this node's own folders",
        })
    }

    /// The program that is PID 1 where a pod shares a PID namespace: installed beside the shim.
    pub fn pod_init(&self) -> String {
        self.options.shim.with_file_name("berth-pod-init").to_string_lossy().into_owned()
    }

    /// The program that serves a pod's host ports on loopback: installed beside the shim.
    pub fn port_proxy(&self) -> PathBuf {
        self.options.shim.with_file_name("berth-port-proxy")
    }

    /// Where shims live: a leaf of our own cgroup, never a pod's. Making it is best effort, and so is entering.
    pub fn shim_cgroup_procs(&self) -> Vec<String> {
        // Moving a whole process waits for every CPU, 8 to 24 ms; a shim has one thread, and a thread moves at once. v2 has threads
        // move within one domain only.
        let file = if self.cgroups.is_v2() { "cgroup.procs" } else { "tasks" };
        let mut files = Vec::new();
        for folder in self.shim_cgroups() {
            if folder.exists() || fs::create_dir(&folder).is_ok() {
                files.push(folder.join(file).to_string_lossy().into_owned());
            }
        }
        files
    }

    /// Removes the leaf unless shims are in it.
    pub fn remove_shim_cgroups(&self) {
        for folder in self.shim_cgroups() {
            let _ = fs::remove_dir(folder);
        }
    }

    /// The leaf's name. Several nodes may run below one cgroup, each with its own --state.
    pub fn shim_cgroup_leaf(&self) -> String {
        format!("berth-shims-{:08x}", hash(self.options.state.as_os_str().as_encoded_bytes()))
    }

    fn shim_cgroups(&self) -> Vec<PathBuf> {
        let leaf = self.shim_cgroup_leaf();
        self.own_cgroups().into_iter().map(|own| own.join(&leaf)).collect()
    }

    /// Our own cgroup, in each hierarchy that limits anything.
    pub fn own_cgroups(&self) -> Vec<PathBuf> {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mut folders = Vec::new();
        for line in own.lines() {
            let mut fields = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
            let wanted = if self.cgroups.is_v2() {
                controllers.is_empty()
            } else {
                controllers.split(',').any(|name| matches!(name, "cpu" | "memory" | "pids"))
            };
            let hierarchy = self.cgroups.hierarchies.iter().find(|each| {
                self.cgroups.is_v2()
                    || each.controllers.iter().any(|name| controllers.split(',').any(|other| other == name))
            });
            if let Some(hierarchy) = hierarchy.filter(|_| wanted) {
                let own = CgroupPath::parse(path)
                    .map_or_else(|_| hierarchy.mount.clone(), |path| path.under(&hierarchy.mount));
                folders.push(own);
            }
        }
        folders
    }
}

// FNV-1a: only has to differ where paths differ.
fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
