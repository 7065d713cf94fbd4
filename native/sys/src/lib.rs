//! Kernel calls that no safe wrapper covers: all the unsafe code of the project is in this crate.

pub mod namespace;
pub mod process;
