//! Control groups: found out at start (v1, hybrid or v2), made, limited, killed, removed and measured.
//!
//! The helper writes to everything down to the pod; the OCI runtime makes a container's leaf, and the helper
//! changes it afterwards. On a hybrid host the v2 half holds no controller of ours and is left alone.

mod details;
mod details_v1;
mod details_v2;
mod detect;
mod detect_once;
mod error;
mod folder;
mod kill;
mod limits;
mod limits_v1;
mod limits_v2;
mod list;
mod oom_score;
mod path;
mod pressure;
mod tree;
mod usage;
mod usage_v1;
mod usage_v2;

pub use details::{Details, Hugepages, MemoryDetails, Spec};
pub use detect::{Cgroups, Hierarchy, Mode};
pub use error::CgroupError;
pub use limits::Limits;
pub use oom_score::OomScores;
pub use path::CgroupPath;
pub use pressure::{Pressure, Stall};
pub use usage::{Bandwidth, Cpu, DeviceIo, Figures, Io, Memory, Pids, Pressures, Swap, Usage};
