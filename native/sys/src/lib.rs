//! Kernel calls that no safe wrapper covers: all the unsafe code of the project is in this crate.

pub mod bpf;
pub mod descriptors;
pub mod exec;
pub mod failpoint;
pub mod keyring;
pub mod mount;
pub mod namespace;
#[cfg(feature = "probe")]
pub mod probe;
pub mod process;
pub mod seccomp;
pub mod time;
pub mod user_namespace;
