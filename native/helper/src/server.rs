//! The socket, its connections, and what becomes of a request.

use crate::{
    arguments::Options,
    calls, copy,
    error::HelperError,
    log::{self, Level},
    node::Node,
    pool::Pool,
    state_mount,
};
use rustix::fs::{FlockOperation, Mode, flock};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};
use std::{
    fs,
    io::{Read, Write},
    os::unix::{
        fs::{OpenOptionsExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};
use wire::{Decoder, Done, HelperRequest, HelperResponse, helper_request::Call, helper_response::Result as CallResult};

const MAX_CONNECTIONS: usize = 64;
const READ_BYTES: usize = 64 * 1024;
// A client that takes no answers may keep a worker for so long, and no longer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

pub fn serve(options: Options) -> Result<(), HelperError> {
    sys::process::keep_inherited_descriptors_from_children()
        .map_err(|source| HelperError::io("mark inherited descriptors", source))?;
    for folder in [&options.root, &options.state] {
        fs::create_dir_all(folder).map_err(|source| HelperError::io(format!("make {}", folder.display()), source))?;
    }
    let lock = lock(&options.socket)?;
    state_mount::ensure(&options.state)?;
    let listener = listen(&options.socket)?;
    let node = Arc::new(Node::new(options)?);
    // Here and not with the first pod, so that what a helper that was killed has left is taken over, and goes at our end.
    node.shim_cgroup_procs();
    sys::failpoint!("helper: listens");
    log::write(Level::Info, "ready", &[("socket", &node.options.socket.to_string_lossy())]);
    let server = Server { node: Arc::clone(&node), pool: Pool::default(), connections: Arc::default() };
    thread::Builder::new()
        .name("accept".into())
        .spawn(move || server.accept(&listener))
        .map_err(|source| HelperError::io("start thread", source))?;
    // The signals that end us; ShutdownHelper raises one of them.
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(|source| HelperError::io("wait for signals", source))?;
    let _ = signals.forever().next();
    let _ = fs::remove_file(&node.options.socket);
    sys::failpoint!("helper: removed its socket");
    node.remove_shim_cgroups();
    state_mount::release(&node.options.state);
    let _ = fs::remove_file(lock_path(&node.options.socket));
    drop(lock);
    log::write(Level::Info, "ended", &[]);
    Ok(())
}

fn lock_path(socket: &Path) -> std::path::PathBuf {
    socket.with_extension("lock")
}

/// Two helpers on one socket would each think that the other's shims are strangers.
fn lock(socket: &Path) -> Result<fs::File, HelperError> {
    let path = lock_path(socket);
    let doing = || format!("lock {}", path.display());
    // Whoever may read it may lock it.
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|source| HelperError::io(doing(), source))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|errno| HelperError::io(format!("{}: another helper runs", doing()), errno))?;
    Ok(file)
}

fn listen(socket: &Path) -> Result<UnixListener, HelperError> {
    let doing = || format!("listen on {}", socket.display());
    // What a killed helper left; the lock says that it is gone.
    let _ = fs::remove_file(socket);
    let umask = rustix::process::umask(Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(socket).map_err(|source| HelperError::io(doing(), source));
    rustix::process::umask(umask);
    fs::set_permissions(socket, fs::Permissions::from_mode(0o600))
        .map_err(|source| HelperError::io(doing(), source))?;
    listener
}

#[derive(Clone)]
struct Server {
    node: Arc<Node>,
    pool: Pool,
    connections: Arc<AtomicUsize>,
}

impl Server {
    fn accept(&self, listener: &UnixListener) {
        loop {
            match listener.accept() {
                Ok((stream, _)) => self.connect(stream),
                Err(failure) => {
                    log::write(Level::Warn, "a connection could not be taken", &[("err", &failure.to_string())]);
                    // Out of descriptors: the next try would fail at once again.
                    thread::sleep(Duration::from_millis(100));
                }
            }
        }
    }

    fn connect(&self, stream: UnixStream) {
        if self.connections.fetch_add(1, Ordering::Relaxed) >= MAX_CONNECTIONS {
            self.connections.fetch_sub(1, Ordering::Relaxed);
            log::write(Level::Warn, "a connection was refused: too many are open", &[]);
            return;
        }
        let server = self.clone();
        let started = thread::Builder::new().name("connection".into()).stack_size(256 * 1024).spawn(move || {
            if let Err(failure) = server.read(&stream) {
                log::write(Level::Warn, "a connection ended", &[("err", &failure.to_string())]);
            }
            server.connections.fetch_sub(1, Ordering::Relaxed);
        });
        if started.is_err() {
            self.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn read(&self, stream: &UnixStream) -> Result<(), Box<dyn std::error::Error>> {
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        let writer = Arc::new(Mutex::new(stream.try_clone()?));
        let (mut decoder, mut buffer) = (Decoder::default(), vec![0; READ_BYTES]);
        loop {
            let bytes = (&*stream).read(&mut buffer)?;
            if bytes == 0 {
                return Ok(());
            }
            decoder.push(&buffer[..bytes]);
            while let Some(request) = decoder.next_message::<HelperRequest>()? {
                if copy::takes_connection(&request) {
                    copy::take_over(&self.node, stream, &request);
                    return Ok(());
                }
                self.dispatch(request, &writer);
            }
        }
    }

    fn dispatch(&self, request: HelperRequest, writer: &Arc<Mutex<UnixStream>>) {
        let HelperRequest { id, call } = request;
        let (node, answer_to) = (Arc::clone(&self.node), Arc::clone(writer));
        let taken = self.pool.run(move || {
            let ends = matches!(call, Some(Call::Shutdown(_)));
            let outcome = calls::run(&node, call);
            sys::failpoint!("helper: answers");
            answer(&answer_to, id, outcome);
            if ends {
                let _ = signal_hook::low_level::raise(SIGTERM);
            }
        });
        if !taken {
            answer(writer, id, Err(HelperError::Overload));
        }
    }
}

fn answer(writer: &Mutex<UnixStream>, id: u64, outcome: Result<Option<CallResult>, HelperError>) {
    let response = match outcome {
        Ok(result) => HelperResponse { id, failure: None, result: Some(result.unwrap_or(CallResult::Done(Done {}))) },
        Err(failure) => HelperResponse { id, failure: Some(failure.to_failure()), result: None },
    };
    let mut stream = writer.lock().unwrap_or_else(PoisonError::into_inner);
    if stream.write_all(&wire::encode(&response)).is_err() {
        // Half an answer may be out: nothing that follows could be read.
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }
}
