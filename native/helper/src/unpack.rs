//! UnpackLayer, from both sides: the helper starts a process, and that process is confined before it reads a byte.

use crate::{confine, error::HelperError, node::Node};
use layer::Options;
use prost::Message;
use rustix::fs::{CWD, Mode, OFlags, openat, syncfs};
use std::{
    fs,
    io::{Read, Write},
    os::fd::AsFd,
    os::unix::fs::DirBuilderExt,
    path::Path,
    process::{Command, ExitCode, Stdio},
};
use wire::{
    Compression as WireCompression, HelperResponse, UnpackLayer, UnpackLayerResult,
    helper_response::Result as CallResult,
};

const DEFAULT_MAX_BYTES: u64 = 64 * 1024 * 1024 * 1024;
const DEFAULT_MAX_ENTRIES: u64 = 2_000_000;
const DEFAULT_MAX_RATIO: u64 = 1000;
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

pub fn unpack_layer(node: &Node, request: &UnpackLayer) -> Result<UnpackLayerResult, HelperError> {
    let blob_path = node.owned_path("unpack layer", &request.blob_path, &[&node.options.root])?;
    let target = node.owned_path("unpack layer", &request.target_dir, &[&node.options.root])?;
    let blob = fs::File::open(&blob_path)
        .map_err(|source| HelperError::io(format!("open {}", blob_path.display()), source))?;
    make_empty(&target)?;
    let result = run_unpacker(request, blob, &target)
        .and_then(|result| if request.sync { sync(&target).map(|()| result) } else { Ok(result) });
    if result.is_err() {
        // The first failure is the one to tell; what stays is below a folder that its owner will remove.
        let _ = fs::remove_dir_all(&target);
    }
    result
}

fn make_empty(target: &Path) -> Result<(), HelperError> {
    let failed = |source| HelperError::io(format!("make {}", target.display()), source);
    let mut folder = fs::DirBuilder::new();
    folder.recursive(true).mode(0o755).create(target).map_err(failed)?;
    match fs::read_dir(target).map_err(failed)?.next() {
        None => Ok(()),
        Some(_) => Err(HelperError::Argument {
            doing: "unpack layer into",
            value: target.display().to_string(),
            why: "it is not empty",
        }),
    }
}

fn run_unpacker(request: &UnpackLayer, blob: fs::File, target: &Path) -> Result<UnpackLayerResult, HelperError> {
    let or = |value: u64, default: u64| if value == 0 { default } else { value };
    let compression = match request.compression() {
        WireCompression::Gzip => "gzip",
        WireCompression::Zstd => "zstd",
        WireCompression::None => "none",
    };
    let failed = |source| HelperError::io("run the unpacker", source);
    let mut child = Command::new("/proc/self/exe")
        .arg("unpack-layer")
        .arg(compression)
        .arg(or(request.max_bytes, DEFAULT_MAX_BYTES).to_string())
        .arg(or(request.max_entries, DEFAULT_MAX_ENTRIES).to_string())
        .arg(or(request.max_ratio.into(), DEFAULT_MAX_RATIO).to_string())
        .arg(if request.plain_archive { "plain" } else { "layer" })
        .env_clear()
        .current_dir(target)
        .stdin(Stdio::from(blob))
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut answer = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(MAX_ANSWER_BYTES).read_to_end(&mut answer).map_err(failed)?;
    }
    let status = child.wait().map_err(failed)?;
    let unreadable = || {
        HelperError::io(
            format!("unpack {}: the unpacker ended with {status}", request.blob_path),
            std::io::Error::from(std::io::ErrorKind::InvalidData),
        )
    };
    let HelperResponse { failure, result, .. } = HelperResponse::decode(answer.as_slice()).map_err(|_| unreadable())?;
    match (failure, result) {
        (Some(failure), _) => Err(HelperError::Peer { doing: format!("unpack {}", request.blob_path), failure }),
        (None, Some(CallResult::UnpackLayer(result))) => Ok(result),
        _ => Err(unreadable()),
    }
}

fn sync(target: &Path) -> Result<(), HelperError> {
    let failed = |errno| HelperError::io(format!("sync file system of {}", target.display()), errno);
    let folder =
        openat(CWD, target, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
    syncfs(folder).map_err(failed)
}

/// The other side: standard input is the blob, the current folder the target, standard output takes the answer.
pub fn run_confined(options: &Options) -> ExitCode {
    let outcome = confine::enter_current_folder()
        .and_then(|target| Ok(layer::unpack(std::io::stdin().lock(), target.as_fd(), options)?));
    let (failure, result) = match outcome {
        Ok(summary) => {
            let result =
                UnpackLayerResult { diff_id: summary.diff_id, size_bytes: summary.size_bytes, inodes: summary.inodes };
            (None, Some(CallResult::UnpackLayer(result)))
        }
        Err(failure) => (Some(failure.to_failure()), None),
    };
    let answer = HelperResponse { id: 0, failure, result }.encode_to_vec();
    if std::io::stdout().write_all(&answer).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
