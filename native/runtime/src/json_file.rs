//! Files that hold one JSON object: the bundle's, an exec's, our own.

use crate::error::RuntimeError;
use serde::de::DeserializeOwned;
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

const MAX_BYTES: u64 = 1024 * 1024;
// Of most specs, so that they are read at once.
const USUAL_BYTES: usize = 64 * 1024;

pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, RuntimeError> {
    let failed = |source: io::Error| RuntimeError::io(format!("read {}", path.display()), source);
    let mut text = Vec::with_capacity(USUAL_BYTES);
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut text)).map_err(failed)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    serde_json::from_slice(&text).map_err(|failure| failed(failure.into()))
}
