//! The pod's own user namespace: made first, it owns the pod's other namespaces. The shim stays in the node's, and keeps the pod's
//! by a file in its state folder, which OCI runtimes join it by.

use crate::error::ShimError;
use rustix::{
    fs::{Gid, Uid, chown},
    mount::mount_bind,
    thread::{LinkNameSpaceType, move_into_link_name_space, set_thread_res_uid},
};
use std::{
    fs::{self, File, Permissions},
    io,
    os::{fd::AsFd, unix::fs::PermissionsExt},
    path::Path,
};
use sys::{namespace::UnshareFlags, user_namespace::Holder};
use wire::UserNamespace;

/// In the state folder of the pod.
pub const FILE: &str = "userns";

const KINDS: [(UnshareFlags, &str, LinkNameSpaceType); 3] = [
    (UnshareFlags::NEWNET, "net", LinkNameSpaceType::Network),
    (UnshareFlags::NEWIPC, "ipc", LinkNameSpaceType::InterProcessCommunication),
    (UnshareFlags::NEWUTS, "uts", LinkNameSpaceType::HostNameAndNISDomainName),
];

/// Makes it and the others, and moves the shim into those.
pub fn make(ids: &UserNamespace, others: UnshareFlags, state_dir: &Path) -> Result<(), ShimError> {
    let failed = |step: &'static str| {
        move |source: io::Error| ShimError::io(format!("make the pod's user namespace: {step}"), source)
    };
    let holder = Holder::start(ids.first_host_id, ids.count, others).map_err(failed("make it"))?;
    let file = state_dir.join(FILE);
    File::create(&file).map_err(failed("make its file"))?;
    let namespace = holder.namespace("user").map_err(failed("open it"))?;
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&namespace));
    mount_bind(path, &file).map_err(|errno| failed("keep it")(errno.into()))?;
    for (_, name, kind) in KINDS.into_iter().filter(|(flag, ..)| others.contains(*flag)) {
        let namespace = holder.namespace(name).map_err(failed("open one of its namespaces"))?;
        move_into_link_name_space(namespace.as_fd(), Some(kind))
            .map_err(|errno| failed("join one of its namespaces")(errno.into()))?;
    }
    Ok(())
}

/// `None` in a pod with the node's ids.
pub fn open(state_dir: &Path) -> Result<Option<File>, ShimError> {
    match File::open(state_dir.join(FILE)) {
        Ok(file) => Ok(Some(file)),
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ShimError::io("open the pod's user namespace", source)),
    }
}

/// The pod's root may pass through the folder, to what is in it and is its own. It can't see what else there is.
pub fn let_root_pass(folder: &Path, ids: &UserNamespace) -> Result<(), ShimError> {
    give(folder, None, ids.first_host_id)?;
    fs::set_permissions(folder, Permissions::from_mode(0o710))
        .map_err(|source| ShimError::io(format!("open {}", folder.display()), source))
}

/// What is made for the pod belongs to its root.
pub fn give_to_root(path: &Path, ids: &UserNamespace) -> Result<(), ShimError> {
    give(path, Some(ids.first_host_id), ids.first_host_id)
}

fn give(path: &Path, owner: Option<u32>, group: u32) -> Result<(), ShimError> {
    chown(path, owner.map(Uid::from_raw), Some(Gid::from_raw(group)))
        .map_err(|errno| ShimError::io(format!("give {} to the pod's root", path.display()), errno))
}

/// Does something with the user id of the pod's root. The kernel asks for that, and for no capability, where settings of IPC are written.
pub fn as_root<T>(ids: &UserNamespace, work: impl FnOnce() -> T) -> Result<T, ShimError> {
    let take = |user: Uid| {
        set_thread_res_uid(Uid::ROOT, user, Uid::ROOT).map_err(|errno| ShimError::io("become the pod's root", errno))
    };
    take(Uid::from_raw(ids.first_host_id))?;
    let result = work();
    take(Uid::ROOT)?;
    Ok(result)
}

/// The kernel takes the range as ids of who writes it, which is the shim; the pod means its own.
///
/// @returns `None` for what is no range, or not within the pod's ids
pub fn group_range(value: &str, ids: &UserNamespace) -> Option<String> {
    let bounds: Vec<u32> = value.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let [low, high] = bounds[..] else { return None };
    // "1 0" is the kernel's own way to say nobody.
    if low > high {
        return Some(value.to_owned());
    }
    let last = high.min(ids.count - 1);
    (low <= last).then(|| format!("{} {}", ids.first_host_id + low, ids.first_host_id + last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_groups_is_of_the_pods_ids() {
        let ids = UserNamespace { first_host_id: 100_000, count: 65_536 };
        assert_eq!(group_range("0 10", &ids).as_deref(), Some("100000 100010"));
        assert_eq!(group_range("0\t2147483647", &ids).as_deref(), Some("100000 165535"), "no more than the pod has");
        assert_eq!(group_range("1 0", &ids).as_deref(), Some("1 0"));
        for bad in ["70000 80000", "0", "a b", "0 1 2", ""] {
            assert_eq!(group_range(bad, &ids), None, "{bad:?}");
        }
    }
}
