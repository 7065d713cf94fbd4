//! PackFolder, from both sides: the helper opens the file, and a process that is shut in the folder writes the tar into it.

use crate::{confine, copy, error::HelperError, new_file::NewFile, node::Node};
use prost::Message;
use rustix::thread::CapabilitySet;
use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    panic,
    path::Path,
    process::{Command, ExitCode, Stdio, exit},
};
use wire::{CopyDone, CopyPiece, ErrorKind, Failure, PackFolder, copy_piece::Piece};

const PANICKED: i32 = 101;
const MAX_ANSWER_BYTES: u64 = 16 * 1024;
const MAX_MESSAGE_CHARACTERS: usize = 4096;
const BUFFER_BYTES: usize = 256 * 1024;

pub fn pack_folder(node: &Node, connection: &UnixStream, request: &PackFolder) -> Result<(), HelperError> {
    let folder = node.owned_path("pack folder", &request.folder, &[&node.options.root])?;
    let target = NewFile::aim(&request.target)?;
    let file = target.begin()?;
    let mut left_out = 0;
    if !request.check_only {
        left_out = run_packer(connection, &folder, request, &file)?;
        target.finish(&file)?;
    }
    let done = CopyPiece { piece: Some(Piece::Done(CopyDone { left_out })) };
    (&mut &*connection).write_all(&wire::encode(&done)).map_err(|source| HelperError::io("answer", source))
}

fn run_packer(connection: &UnixStream, folder: &Path, request: &PackFolder, file: &File) -> Result<u64, HelperError> {
    let failed = |source| HelperError::io("run the packer", source);
    // It ends with the thread that starts it, and this one waits for it.
    let mut child = Command::new("/proc/self/exe")
        .arg("pack-folder")
        .arg(if request.is_upper { "upper" } else { "plain" })
        .arg(request.max_bytes.to_string())
        .env_clear()
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::from(file.try_clone().map_err(failed)?))
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let output = child.stderr.take();
    // Its answer is short enough for the pipe: it ends before it is read.
    let status = copy::wait(connection, &mut child).map_err(failed)?;
    let mut answer = Vec::new();
    output.map(|output| output.take(MAX_ANSWER_BYTES).read_to_end(&mut answer)).transpose().map_err(failed)?;
    let doing = || format!("pack {}", request.folder);
    match CopyPiece::decode(answer.as_slice()).ok().and_then(|answer| answer.piece) {
        Some(Piece::Done(done)) if status.success() => Ok(done.left_out),
        Some(Piece::Failure(mut failure)) => {
            failure.message = failure.message.chars().take(MAX_MESSAGE_CHARACTERS).collect();
            Err(HelperError::Peer { doing: doing(), failure })
        }
        _ => Err(HelperError::ShutIn { doing: doing(), who: "packer", status }),
    }
}

/// The other side: the current folder is packed, standard output is the file, standard error takes the answer.
pub fn run_confined(is_upper: bool, max_bytes: u64) -> ExitCode {
    panic::set_hook(Box::new(|panic| {
        let failure = Failure { kind: ErrorKind::Internal.into(), message: format!("the packer failed: {panic}") };
        answer(Piece::Failure(failure));
        exit(PANICKED);
    }));
    // Marks of an overlay are only shown to who might set them; the filter lets nobody set anything else by that right.
    let rights = if is_upper {
        CapabilitySet::SYS_ADMIN | CapabilitySet::DAC_READ_SEARCH
    } else {
        CapabilitySet::DAC_READ_SEARCH
    };
    confine::run_in(confine::enter_current_folder, rights, |folder| {
        let packed = folder.and_then(|folder| {
            let bounded = Bounded { output: io::stdout().lock(), left: max_bytes, limit: max_bytes };
            let mut output = io::BufWriter::with_capacity(BUFFER_BYTES, bounded);
            let left_out = layer::pack_contents(&folder, is_upper, &mut output)?;
            output.flush().map_err(layer::LayerError::Output)?;
            Ok(left_out)
        });
        answer(match packed {
            Ok(left_out) => Piece::Done(CopyDone { left_out }),
            Err(failure) => Piece::Failure(failure.to_failure()),
        })
    })
}

fn answer(piece: Piece) -> ExitCode {
    let mut output = io::stderr();
    match output.write_all(&CopyPiece { piece: Some(piece) }.encode_to_vec()).and_then(|()| output.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// A sparse file in a container is as long as it likes to be; the disk is not.
struct Bounded<W> {
    output: W,
    left: u64,
    limit: u64,
}

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(|| {
            io::Error::new(io::ErrorKind::FileTooLarge, format!("it is over the bound of {} bytes", self.limit))
        })?;
        self.output.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::Bounded;
    use std::io::Write;
    use wire::ErrorKind;

    #[test]
    fn a_tar_may_have_as_many_bytes_as_its_bound_and_no_more() {
        let mut output = Bounded { output: Vec::new(), left: 8, limit: 8 };
        output.write_all(b"12345678").expect("write");
        let failure = layer::LayerError::Output(output.write_all(b"9").expect_err("past the bound"));
        assert_eq!(failure.kind(), ErrorKind::ResourceExhausted);
        assert_eq!(failure.to_string(), "write tar: it is over the bound of 8 bytes");
        assert_eq!(output.output, b"12345678");
    }
}
