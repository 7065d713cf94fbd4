//! UnpackLayer, from both sides: the helper starts a process, and that process is confined before it reads a byte.

use crate::{confine, error::HelperError, node::Node};
use layer::{Options, Summary};
use prost::Message;
use rustix::fs::{CWD, Mode, OFlags, openat, syncfs};
use std::{
    fs,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::DirBuilderExt},
    },
    panic,
    path::Path,
    process::{Command, ExitCode, Stdio, exit},
};
use wire::{Compression as WireCompression, ErrorKind, Failure, UnpackLayer, UnpackLayerResult};

const PANICKED: i32 = 101;
const DEFAULT_MAX_BYTES: u64 = 64 * 1024 * 1024 * 1024;
const DEFAULT_MAX_ENTRIES: u64 = 2_000_000;
const DEFAULT_MAX_RATIO: u64 = 1000;
// Opaque folders are most of it: 65,536 with paths of 4 MiB in all, and what frames them.
const MAX_ANSWER_BYTES: u64 = 5 * 1024 * 1024;
const MAX_MESSAGE_CHARACTERS: usize = 4096;
const MAX_DIFF_ID_BYTES: usize = 128;

/// What the process that reads the archive says on its standard output.
#[derive(Clone, PartialEq, Message)]
struct Answer {
    #[prost(message, optional, tag = "1")]
    failure: Option<Failure>,
    #[prost(message, optional, tag = "2")]
    result: Option<UnpackLayerResult>,
    #[prost(bytes = "vec", repeated, tag = "3")]
    opaque_folders: Vec<Vec<u8>>,
}

pub fn unpack_layer(node: &Node, request: &UnpackLayer) -> Result<UnpackLayerResult, HelperError> {
    let blob_path = node.owned_path("unpack layer", &request.blob_path, &[&node.options.root])?;
    let target = node.owned_path("unpack layer", &request.target_dir, &[&node.options.root])?;
    let blob = fs::File::open(&blob_path)
        .map_err(|source| HelperError::io(format!("open {}", blob_path.display()), source))?;
    make_empty(&target)?;
    let result = unpack_into(request, blob, &target);
    if result.is_err() {
        // The first failure is the one to tell; what stays is below a folder that its owner will remove.
        let _ = remove(&target);
    }
    result
}

fn unpack_into(request: &UnpackLayer, blob: fs::File, target: &Path) -> Result<UnpackLayerResult, HelperError> {
    let folder = open_folder(target)?;
    let (result, opaque_folders) = run_unpacker(request, blob, target)?;
    layer::mark_opaque(folder.as_fd(), &opaque_folders)?;
    if request.sync {
        syncfs(&folder).map_err(|errno| HelperError::io(format!("sync file system of {}", target.display()), errno))?;
    }
    Ok(result)
}

fn remove(target: &Path) -> Result<(), HelperError> {
    let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else { return Ok(()) };
    Ok(layer::remove_tree(open_folder(parent)?.as_fd(), name.as_bytes())?)
}

fn open_folder(path: &Path) -> Result<OwnedFd, HelperError> {
    openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| HelperError::io(format!("open {}", path.display()), errno))
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

/// Also gives the folders to mark as opaque.
fn run_unpacker(
    request: &UnpackLayer,
    blob: fs::File,
    target: &Path,
) -> Result<(UnpackLayerResult, Vec<Vec<u8>>), HelperError> {
    let or = |value: u64, default: u64| if value == 0 { default } else { value };
    let compression = match request.compression() {
        WireCompression::Gzip => "gzip",
        WireCompression::Zstd => "zstd",
        WireCompression::None => "none",
    };
    let doing = || format!("unpack {}", request.blob_path);
    let failed = |source| HelperError::io("run the unpacker", source);
    // It ends with the thread that starts it, and this one waits for it.
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
        // Our log is none of its business: who can write to a file can also empty it.
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let mut answer = Vec::new();
    let read = child.stdout.take().map(|output| output.take(MAX_ANSWER_BYTES).read_to_end(&mut answer));
    let status = child.wait().map_err(failed)?;
    read.transpose().map_err(failed)?;
    match Answer::decode(answer.as_slice()) {
        Ok(Answer { failure: Some(mut failure), .. }) => {
            failure.message = failure.message.chars().take(MAX_MESSAGE_CHARACTERS).collect();
            Err(HelperError::Peer { doing: doing(), failure })
        }
        Ok(Answer { result: Some(result), opaque_folders, .. })
            if status.success() && result.diff_id.len() <= MAX_DIFF_ID_BYTES =>
        {
            Ok((result, opaque_folders))
        }
        _ => Err(HelperError::ShutIn { doing: doing(), who: "unpacker", status }),
    }
}

/// The other side: standard input is the blob, the current folder the target, standard output takes the answer.
pub fn run_confined(options: &Options) -> ExitCode {
    // What went wrong is then told as any other failure is; standard error leads nowhere.
    panic::set_hook(Box::new(|panic| {
        let failure = Failure { kind: ErrorKind::Internal.into(), message: format!("the unpacker failed: {panic}") };
        answer(&Answer { failure: Some(failure), ..Answer::default() });
        exit(PANICKED);
    }));
    confine::run(|target| {
        let unpacked = target.and_then(|target| Ok(layer::unpack(io::stdin().lock(), target.as_fd(), options)?));
        answer(&match unpacked {
            Ok(Summary { diff_id, size_bytes, inodes, opaque_folders }) => Answer {
                failure: None,
                result: Some(UnpackLayerResult { diff_id, size_bytes, inodes }),
                opaque_folders,
            },
            Err(failure) => Answer { failure: Some(failure.to_failure()), ..Answer::default() },
        })
    })
}

fn answer(answer: &Answer) -> ExitCode {
    let mut output = io::stdout();
    match output.write_all(&answer.encode_to_vec()).and_then(|()| output.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
