//! Namespaces: which a new process joins, and which it is given.
//!
//! The runtime stays in its own all the time, so that it can take back what it made; only its children's PID namespace is another.

use crate::{
    error::RuntimeError,
    handshake::{ChildSide, Word},
    spec::{Namespace, NamespaceKind},
};
use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    process::{Gid, Uid},
    thread::{ThreadNameSpaceType, move_into_thread_name_spaces, set_thread_res_gid, set_thread_res_uid},
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::{
    namespace::{UnshareFlags, unshare},
    process::{Fork, fork_sibling},
};

#[derive(Debug)]
pub struct Namespaces {
    user: Option<OwnedFd>,
    pid: PidNamespace,
    joined: Vec<(NamespaceKind, OwnedFd)>,
    made: UnshareFlags,
}

#[derive(Debug)]
enum PidNamespace {
    Inherited,
    Made,
    Joined(OwnedFd),
}

impl Namespaces {
    /// @param pid_namespace in place of the one that the list names
    pub fn open(list: &[Namespace], mut pid_namespace: Option<OwnedFd>) -> Result<Self, RuntimeError> {
        let mut all = Self {
            user: None,
            pid: PidNamespace::Inherited,
            joined: Vec::with_capacity(list.len()),
            made: UnshareFlags::empty(),
        };
        let mut seen = ThreadNameSpaceType::empty();
        for Namespace { kind, path } in list {
            let refused = |why: &str| RuntimeError::argument(format!("read the {} namespace", kind.name()), why);
            if seen.contains(flag(*kind)) {
                return Err(refused("it is there twice"));
            }
            seen |= flag(*kind);
            let given = if *kind == NamespaceKind::Pid { pid_namespace.take() } else { None };
            let opened = match (given, path) {
                (Some(given), _) => Some(given),
                (None, Some(path)) => Some(open(*kind, path)?),
                (None, None) => None,
            };
            match (kind, opened) {
                (NamespaceKind::Pid, Some(namespace)) => all.pid = PidNamespace::Joined(namespace),
                (NamespaceKind::Pid, None) => all.pid = PidNamespace::Made,
                (NamespaceKind::User, Some(namespace)) => all.user = Some(namespace),
                (NamespaceKind::User, None) => return Err(refused("it can only be joined, so it needs a path")),
                (NamespaceKind::Mount, Some(_)) => return Err(refused("it can only be made, so it has no path")),
                (_, Some(namespace)) => all.joined.push((*kind, namespace)),
                (_, None) => all.made |= UnshareFlags::from_bits_retain(flag(*kind).bits()),
            }
        }
        if !all.made.contains(UnshareFlags::NEWNS) {
            return Err(RuntimeError::argument("read the mount namespace", "a container has one of its own"));
        }
        if pid_namespace.is_some() {
            return Err(RuntimeError::argument("join the pid namespace that was given", "the bundle names none"));
        }
        Ok(all)
    }

    /// Whether the process makes its PID namespace itself, and goes on as a child in it: one that is made outside of the user namespace
    /// that it joins would not be that one's, and nobody in it could mount a /proc.
    pub fn is_entered_in_two_steps(&self) -> bool {
        self.user.is_some() && matches!(self.pid, PidNamespace::Made)
    }

    /// For the next children of the caller.
    pub fn choose_pid_namespace(&self) -> Result<(), RuntimeError> {
        match &self.pid {
            PidNamespace::Joined(namespace) => join(namespace.as_fd(), NamespaceKind::Pid),
            PidNamespace::Made if self.user.is_none() => make(UnshareFlags::NEWPID),
            PidNamespace::Made | PidNamespace::Inherited => Ok(()),
        }
    }

    /// All others, in the new process. Returns in the process that is to be the container's.
    pub fn enter(self, side: &ChildSide) -> Result<(), RuntimeError> {
        let is_in_two_steps = self.is_entered_in_two_steps();
        // Those of the host too, which root of the user namespace may not.
        for (kind, namespace) in self.joined {
            join(namespace.as_fd(), kind)?;
        }
        if let Some(namespace) = self.user {
            join(namespace.as_fd(), NamespaceKind::User)?;
            become_root()?;
        }
        if !is_in_two_steps {
            return make(self.made);
        }
        make(self.made | UnshareFlags::NEWPID)?;
        match fork_sibling()
            .map_err(|source| RuntimeError::io("make the first process of the pid namespace", source))?
        {
            Fork::Child => Ok(()),
            Fork::Parent(pid) => {
                let code = i32::from(side.say(&Word::Moved(pid)).is_err());
                // No destructor may run here: they would take away what is the runtime's.
                std::process::exit(code);
            }
        }
    }
}

/// Children of the caller are in its own PID namespace again.
pub fn return_to_own_pid_namespace() -> Result<(), RuntimeError> {
    join(open(NamespaceKind::Pid, "/proc/self/ns/pid")?.as_fd(), NamespaceKind::Pid)
}

/// The PID namespace of a container that runs, for the next children of the caller.
///
/// @param process a pidfd of the container @param kinds that it was given or has joined
pub fn choose_pid_namespace_of(process: BorrowedFd, kinds: &[NamespaceKind]) -> Result<(), RuntimeError> {
    if kinds.contains(&NamespaceKind::Pid) { join(process, NamespaceKind::Pid) } else { Ok(()) }
}

/// All others of it: at once, and of this very process, whoever has its number by then.
pub fn enter_those_of(process: BorrowedFd, kinds: &[NamespaceKind]) -> Result<(), RuntimeError> {
    let others = kinds.iter().filter(|kind| **kind != NamespaceKind::Pid);
    let flags = others.fold(ThreadNameSpaceType::empty(), |flags, kind| flags | flag(*kind));
    move_into_thread_name_spaces(process, flags)
        .map_err(|errno| RuntimeError::io("join the container's namespaces", errno))?;
    if kinds.contains(&NamespaceKind::User) { become_root() } else { Ok(()) }
}

/// A process that has joined a user namespace is nobody there at first.
fn become_root() -> Result<(), RuntimeError> {
    set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)
        .and_then(|()| set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT))
        .map_err(|errno| RuntimeError::io("become root of the user namespace", errno))
}

fn open(kind: NamespaceKind, path: &str) -> Result<OwnedFd, RuntimeError> {
    openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| RuntimeError::io(format!("open the {} namespace {path}", kind.name()), errno))
}

/// @param namespace or a process that is in it
fn join(namespace: BorrowedFd, kind: NamespaceKind) -> Result<(), RuntimeError> {
    move_into_thread_name_spaces(namespace, flag(kind))
        .map_err(|errno| RuntimeError::io(format!("join the {} namespace", kind.name()), errno))
}

fn make(flags: UnshareFlags) -> Result<(), RuntimeError> {
    unshare(flags).map_err(|source| RuntimeError::io("make the container's namespaces", source))
}

fn flag(kind: NamespaceKind) -> ThreadNameSpaceType {
    match kind {
        NamespaceKind::Mount => ThreadNameSpaceType::MOUNT,
        NamespaceKind::Pid => ThreadNameSpaceType::PROCESS_ID,
        NamespaceKind::Network => ThreadNameSpaceType::NETWORK,
        NamespaceKind::Uts => ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME,
        NamespaceKind::Ipc => ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION,
        NamespaceKind::User => ThreadNameSpaceType::USER,
        NamespaceKind::Cgroup => ThreadNameSpaceType::CONTROL_GROUP,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_all(list: &[(NamespaceKind, Option<&str>)]) -> Result<Namespaces, String> {
        let list: Vec<Namespace> =
            list.iter().map(|(kind, path)| Namespace { kind: *kind, path: path.map(str::to_owned) }).collect();
        Namespaces::open(&list, None).map_err(|failure| failure.to_string())
    }

    #[test]
    fn one_with_a_path_is_joined_and_one_without_is_made() {
        let own = Some("/proc/self/ns/net");
        let all = open_all(&[
            (NamespaceKind::Mount, None),
            (NamespaceKind::Network, own),
            (NamespaceKind::Pid, None),
            (NamespaceKind::Cgroup, None),
        ]);
        let all = all.expect("namespaces");
        assert_eq!(all.made, UnshareFlags::NEWNS | UnshareFlags::NEWCGROUP);
        assert!(matches!(all.joined.as_slice(), [(NamespaceKind::Network, _)]));
        assert!(!all.is_entered_in_two_steps());
    }

    #[test]
    fn a_pid_namespace_of_a_user_namespace_is_made_in_it() {
        let list = [
            (NamespaceKind::Pid, None),
            (NamespaceKind::Mount, None),
            (NamespaceKind::User, Some("/proc/self/ns/user")),
        ];
        assert!(open_all(&list).expect("namespaces").is_entered_in_two_steps());
    }

    #[test]
    fn what_no_container_is_to_have_is_refused() {
        let mount = (NamespaceKind::Mount, None);
        let refused = [
            vec![],
            vec![(NamespaceKind::Mount, Some("/proc/self/ns/mnt"))],
            vec![mount, mount],
            vec![mount, (NamespaceKind::User, None)],
            vec![mount, (NamespaceKind::Network, Some("/proc/self/ns/nope"))],
        ];
        for list in refused {
            assert!(open_all(&list).is_err(), "{list:?}");
        }
    }

    #[test]
    fn a_pid_namespace_that_was_given_takes_the_place_of_a_named_one() {
        let given = || Some(open(NamespaceKind::Pid, "/proc/self/ns/pid").expect("own"));
        let mount = Namespace { kind: NamespaceKind::Mount, path: None };
        let pid = Namespace { kind: NamespaceKind::Pid, path: Some("/proc/0/ns/pid".into()) };
        assert!(Namespaces::open(std::slice::from_ref(&mount), given()).is_err());
        let all = Namespaces::open(&[mount, pid], given()).expect("namespaces");
        assert!(matches!(all.pid, PidNamespace::Joined(_)));
    }
}
