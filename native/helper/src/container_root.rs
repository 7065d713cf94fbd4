//! Into the root of a container, volumes and all, and out of everything else.

use crate::{confine, error::HelperError, process};
use rustix::{
    fs::{CWD, Mode, OFlags, Stat, fstat, fstatfs, openat, stat},
    io::Errno,
    process::{Pid, PidfdFlags, chdir, fchdir, pidfd_open},
    thread::{ThreadNameSpaceType, move_into_thread_name_spaces},
};
use std::os::fd::{AsFd, OwnedFd};
use sys::mount::{Restrictions, restrict_tree};
use wire::ContainerRoot;

const OVERLAYFS: u32 = 0x794c_7630;

/// The processes whose mount namespaces lead there, held by descriptors: their numbers mean nothing inside.
pub struct Door {
    shim: OwnedFd,
    rootfs: String,
    process: Option<OwnedFd>,
}

impl Door {
    pub fn find(root: &ContainerRoot) -> Result<Self, HelperError> {
        let shim = process::hold(root.shim_pid, root.shim_start_ticks).ok_or_else(|| changed("its shim has ended"))?;
        let process = match root.pid {
            0 => None,
            pid => Some(
                Pid::from_raw(pid)
                    .filter(|_| pid > 1)
                    .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
                    .ok_or_else(|| changed("its first process has just ended"))?,
            ),
        };
        Ok(Self { shim, rootfs: root.rootfs.clone(), process })
    }

    /// Afterwards "/" is the container's root, in a mount namespace of our own in which nothing is a device or a program.
    pub fn enter(self, restrictions: Restrictions) -> Result<(), HelperError> {
        let failed = |step: &'static str| {
            move |errno: Errno| HelperError::io(format!("enter the container's root: {step}"), errno)
        };
        move_into_thread_name_spaces(self.shim.as_fd(), ThreadNameSpaceType::MOUNT)
            .map_err(failed("join the shim's mount namespace"))?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = openat(CWD, &self.rootfs, flags, Mode::empty()).map_err(failed("open it"))?;
        if fstatfs(&root).map_err(failed("look at it"))?.f_type as u32 != OVERLAYFS {
            return Err(changed("it is not mounted"));
        }
        let its = fstat(&root).map_err(failed("look at it"))?;
        if let Some(process) = self.process {
            drop(root);
            match move_into_thread_name_spaces(process.as_fd(), ThreadNameSpaceType::MOUNT) {
                Ok(()) => {}
                Err(Errno::SRCH) => {
                    return Err(changed("its first process has just ended"));
                }
                Err(errno) => return Err(failed("join its mount namespace")(errno)),
            }
            // Whoever this process is: it is the container's when it has the container's root, and only then.
            if !is_same(&its, &stat("/").map_err(failed("look at its process's root"))?) {
                return Err(changed("its first process does not have that root"));
            }
            confine::leave_mount_namespace()?;
            chdir("/").map_err(failed("enter it"))?;
        } else {
            confine::leave_mount_namespace()?;
            // The mounts were copied, and the descriptor is of the ones before.
            drop(root);
            let root = openat(CWD, &self.rootfs, flags, Mode::empty()).map_err(failed("open it"))?;
            fchdir(&root).map_err(failed("enter it"))?;
            confine::pivot_to_current_folder()?;
        }
        restrict_tree(c"/", restrictions)
            .map_err(|source| HelperError::io("enter the container's root: restrict it", source))
    }
}

/// Of an overlay the device number is its own while it is mounted.
fn is_same(a: &Stat, b: &Stat) -> bool {
    (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
}

fn changed(why: &'static str) -> HelperError {
    HelperError::State { doing: "enter the container's root".into(), why }
}
