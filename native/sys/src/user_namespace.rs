//! User namespaces, made by a process that does nothing else: the caller stays in its own.

use crate::{
    namespace::{UnshareFlags, unshare},
    process::{Fork, fork},
};
use rustix::process::{Pid, WaitOptions, waitpid};
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::net::UnixStream,
};

/// A process in a user namespace in which ids 0 to `count` - 1 are those of the caller from `first` on, and in others that it
/// owns. It ends with this.
pub struct Holder {
    pid: i32,
    peer: UnixStream,
}

impl Holder {
    /// Only for programs with a single thread. @param owned made in the namespace, so that its root may do as it likes with them
    pub fn start(first: u32, count: u32, owned: UnshareFlags) -> io::Result<Self> {
        let (peer, its) = UnixStream::pair()?;
        let Fork::Parent(pid) = fork()? else {
            drop(peer);
            let code = i32::from(hold(its, owned).is_err());
            // No destructor may run here: they would take away what is the caller's.
            std::process::exit(code);
        };
        drop(its);
        // From here on the process is waited for, whatever fails.
        let holder = Self { pid, peer };
        holder.step()?;
        for map in ["uid_map", "gid_map"] {
            fs::write(format!("/proc/{pid}/{map}"), format!("0 {first} {count}\n"))?;
        }
        (&holder.peer).write_all(b".")?;
        holder.step()?;
        Ok(holder)
    }

    /// @param kind "user", "net", "ipc", "uts"
    pub fn namespace(&self, kind: &str) -> io::Result<File> {
        File::open(format!("/proc/{}/ns/{kind}", self.pid))
    }

    fn step(&self) -> io::Result<()> {
        (&self.peer).read_exact(&mut [0]).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::other("the kernel refused to make it"),
            _ => source,
        })
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It reads the end of our side, and ends.
        let _ = self.peer.shutdown(std::net::Shutdown::Both);
        let _ = waitpid(Pid::from_raw(self.pid), WaitOptions::empty());
    }
}

fn hold(mut peer: UnixStream, owned: UnshareFlags) -> io::Result<()> {
    unshare(UnshareFlags::NEWUSER)?;
    peer.write_all(b".")?;
    peer.read_exact(&mut [0])?;
    unshare(owned)?;
    peer.write_all(b".")?;
    // Until the other side is closed.
    peer.read_exact(&mut [0])
}
