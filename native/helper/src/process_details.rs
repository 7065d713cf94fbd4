//! What the processes of a container have open, from their folders in /proc.

use std::{fs, path::Path};
use wire::ProcessDetails;

// A descriptor costs a microsecond or so.
const MOST_DESCRIPTORS: u64 = 16_384;

/// Of all these processes together; one that ends meanwhile has nothing open.
pub fn of_processes(pids: &[i32], first: i32) -> ProcessDetails {
    let open = open_files(pids);
    ProcessDetails {
        processes: pids.len() as u64,
        file_descriptors: open.map(|open| open.descriptors),
        sockets: open.map(|open| open.sockets),
        // The number may have passed to a stranger.
        open_files_limit: pids.contains(&first).then(|| open_files_limit(first)).flatten(),
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct OpenFiles {
    descriptors: u64,
    sockets: u64,
}

/// `None` when there are too many to be looked at.
fn open_files(pids: &[i32]) -> Option<OpenFiles> {
    let mut open = OpenFiles::default();
    for pid in pids {
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
            open.descriptors += 1;
            if open.descriptors > MOST_DESCRIPTORS {
                return None;
            }
            open.sockets += u64::from(is_socket(&entry.path()));
        }
    }
    Some(open)
}

/// The link says what it is, and is not followed: that could wait for somebody else's file system.
fn is_socket(descriptor: &Path) -> bool {
    fs::read_link(descriptor).is_ok_and(|target| target.as_os_str().as_encoded_bytes().starts_with(b"socket:"))
}

fn open_files_limit(pid: i32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, process};

    #[test]
    fn sockets_are_told_from_other_descriptors() {
        let own = process::id().cast_signed();
        let _held = TcpListener::bind("127.0.0.1:0").expect("socket");
        let seen = of_processes(&[own], own);
        assert_eq!(seen.processes, 1);
        let (descriptors, sockets) = (seen.file_descriptors.expect("descriptors"), seen.sockets.expect("sockets"));
        assert!(sockets >= 1 && sockets < descriptors, "{sockets} of {descriptors}");
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        assert_eq!(seen.open_files_limit, limit);
        assert_eq!(of_processes(&[own], own + 1).open_files_limit, None, "of no process of the container");
    }
}
