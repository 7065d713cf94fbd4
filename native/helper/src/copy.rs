//! Calls that take a connection of their own, and end with it; and of these CopyFrom and CopyTo, from both sides: the helper gives the
//! caller's connection to a process, and that process is shut in the container's root before it looks at a name.

use crate::{
    confine,
    container_root::Door,
    error::HelperError,
    node::Node,
    pack_folder,
    pieces::{self, Pieces},
};
use layer::{Found, Source};
use prost::Message;
use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::FileType,
    io::Errno,
    process::{Pid, PidfdFlags, pidfd_open},
    thread::CapabilitySet,
};
use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};
use sys::mount::Restrictions;
use wire::{
    CopyDone, CopyFound, CopyFrom, CopyReady, CopySource, CopyTo, HelperRequest, copy_piece::Piece,
    helper_request::Call,
};

// Each has a process, and may take as long as its caller does.
const MAX_COPIES: usize = 16;
const MAX_REQUEST_BYTES: u64 = 64 * 1024;

static COPIES: AtomicUsize = AtomicUsize::new(0);

pub fn takes_connection(request: &HelperRequest) -> bool {
    matches!(request.call, Some(Call::CopyFrom(_) | Call::CopyTo(_) | Call::PackFolder(_)))
}

/// Serves the connection to its end; nothing else is asked on it.
pub fn take_over(node: &Node, connection: &UnixStream, request: &HelperRequest) {
    let taken = COPIES.fetch_add(1, Ordering::Relaxed) < MAX_COPIES;
    let outcome = match &request.call {
        _ if !taken => Err(HelperError::Overload),
        Some(Call::PackFolder(call)) => pack_folder::pack_folder(node, connection, call),
        _ => copy(connection, request),
    };
    COPIES.fetch_sub(1, Ordering::Relaxed);
    if let Err(failure) = outcome {
        // Whoever asked may have gone. After a process that died in the middle of a piece this is no piece either, and the end of
        // the connection tells as much.
        let piece = wire::CopyPiece { piece: Some(Piece::Failure(failure.to_failure())) };
        let _ = (&mut &*connection).write_all(&wire::encode(&piece));
    }
    let _ = connection.shutdown(std::net::Shutdown::Both);
}

fn copy(connection: &UnixStream, request: &HelperRequest) -> Result<(), HelperError> {
    let failed = |source| HelperError::io("run the copier", source);
    // A caller may take its time to read; it is its going away that ends the copy.
    connection.set_write_timeout(None).map_err(failed)?;
    // It ends with the thread that starts it, and this one waits for it.
    let mut child = Command::new("/proc/self/exe")
        .arg("copy")
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(OwnedFd::from(connection.try_clone().map_err(failed)?))
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let told = child.stdin.take().map(|mut input| input.write_all(&request.encode_to_vec()));
    let status = wait(connection, &mut child).map_err(failed)?;
    told.transpose().map_err(failed)?;
    if status.success() { Ok(()) } else { Err(HelperError::ShutIn { doing: "copy".into(), who: "copier", status }) }
}

/// Until the process has ended, or its caller has gone away, which ends it.
pub fn wait(connection: &UnixStream, child: &mut Child) -> io::Result<ExitStatus> {
    let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    loop {
        // What the caller sends is the process's to read.
        let mut both = [PollFd::new(&process, PollFlags::IN), PollFd::new(connection, PollFlags::RDHUP)];
        match poll(&mut both, None) {
            Ok(_) if !both[0].revents().is_empty() => {}
            Ok(_) => child.kill()?,
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno.into()),
        }
        return child.wait();
    }
}

/// The other side: standard input is the request, standard output the caller's connection, for both directions.
pub fn run_confined() -> ExitCode {
    let mut pieces = match Pieces::on_standard_output() {
        Ok(pieces) => pieces,
        Err(_) => return ExitCode::FAILURE,
    };
    let mut request = Vec::new();
    let read = io::stdin().lock().take(MAX_REQUEST_BYTES).read_to_end(&mut request);
    let call = read.ok().and_then(|_| HelperRequest::decode(request.as_slice()).ok()).and_then(|request| request.call);
    pieces::tell_of_panics();
    let root = match &call {
        Some(Call::CopyFrom(CopyFrom { root, .. }) | Call::CopyTo(CopyTo { root, .. })) => root.clone(),
        _ => None,
    };
    let door = match Door::find(&root.unwrap_or_default()) {
        Ok(door) => door,
        Err(failure) => return tell(&mut pieces, &failure),
    };
    let reads = matches!(call, Some(Call::CopyFrom(_)));
    let rights = if reads {
        CapabilitySet::DAC_READ_SEARCH
    } else {
        CapabilitySet::CHOWN | CapabilitySet::DAC_OVERRIDE | CapabilitySet::FOWNER | CapabilitySet::FSETID
    };
    let enter = move || door.enter(Restrictions { readonly: reads });
    confine::run_in(enter, rights, |root| {
        let outcome = root.and_then(|root| match call {
            Some(Call::CopyFrom(request)) => from_container(&root, &request, &mut pieces),
            Some(Call::CopyTo(request)) => to_container(&root, &request, &mut pieces),
            _ => Err(HelperError::UnknownCall),
        });
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => tell(&mut pieces, &failure),
        }
    })
}

fn tell(pieces: &mut Pieces, failure: &HelperError) -> ExitCode {
    // Whoever still sends would otherwise be cut off in the middle, and not read why.
    let told = pieces.send(Piece::Failure(failure.to_failure())).and_then(|()| pieces.drain());
    if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn from_container(root: &OwnedFd, request: &CopyFrom, pieces: &mut Pieces) -> Result<(), HelperError> {
    let found = layer::find(root.as_fd(), request.path.as_bytes(), request.follow_link)?;
    let kind = kind_of(&found);
    let failed = |source| HelperError::io("answer", source);
    pieces.send(Piece::Found(CopyFound { kind: kind.into() })).map_err(failed)?;
    let left_out = layer::pack(found, &mut *pieces)?;
    pieces.flush().and_then(|()| pieces.send(Piece::Done(CopyDone { left_out }))).map_err(failed)
}

fn kind_of(found: &Found) -> CopySource {
    match found.kind {
        FileType::Directory if found.name == b"." => CopySource::Contents,
        FileType::Directory => CopySource::Folder,
        _ => CopySource::File,
    }
}

fn to_container(root: &OwnedFd, request: &CopyTo, pieces: &mut Pieces) -> Result<(), HelperError> {
    let source = match request.source() {
        CopySource::Archive => Source::Archive,
        CopySource::File => Source::File,
        CopySource::Folder => Source::Folder,
        CopySource::Contents => Source::Contents,
    };
    let target = layer::aim(root.as_fd(), request.path.as_bytes(), source, request.keep_owners)?;
    let failed = |source| HelperError::io("answer", source);
    pieces.send(Piece::Ready(CopyReady {})).map_err(failed)?;
    layer::receive(&mut *pieces, &target)?;
    pieces.send(Piece::Done(CopyDone { left_out: 0 })).map_err(failed)
}
