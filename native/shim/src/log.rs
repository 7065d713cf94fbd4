//! What the shim has to say goes to its standard error, which is a file in its state folder.

use std::{
    fmt::Display,
    io::{Write, stderr},
};

/// Nobody can be told when that file can't be written (a full disk), and it is no reason to end a pod.
pub fn warn(message: impl Display) {
    let _ = writeln!(stderr(), "berth-shim: {message}");
}
