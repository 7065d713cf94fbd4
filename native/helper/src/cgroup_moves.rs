//! The wait of the kernel before it moves a process to another cgroup, taken ahead of the move. The first move after a quiet time,
//! wherever it is, waits until every CPU has passed a quiet point (5 to 20 ms), and no cgroup is made meanwhile. One that follows within
//! about as long again does not wait, and prolongs that time (kernel/rcu/sync.c). An OCI runtime moves each container and command, and
//! would wait in the middle of its work.

use crate::node::Node;
use std::{fs, sync::Mutex};

static UNDER_WAY: Mutex<()> = Mutex::new(());

/// Somebody is about to move a process. Moves ourselves to where we are, which changes nothing and waits all the same; one at a
/// time is enough. Where it is refused, the runtime waits as before.
pub fn expect(node: &Node) {
    let Ok(_under_way) = UNDER_WAY.try_lock() else { return };
    if let Some(own) = node.own_cgroups().first() {
        let _ = fs::write(own.join("cgroup.procs"), "0");
    }
}
