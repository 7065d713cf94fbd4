//! PortForward: the connection that asked becomes the client's side of it.

use crate::{
    connection::Connection,
    container::Reply,
    error::ShimError,
    forward::{Connecting, Forward, Progress, connect_to},
    server::Server,
};
use std::time::Instant;
use wire::{ShimDone, ShimPortForward, ShimResponse, shim_response::Result as CallResult};

const MAX_FORWARDS: usize = 240;

/// A forward whose port has not answered yet.
pub struct PendingForward {
    pub connecting: Connecting,
    client: Connection,
    reply: Reply,
    port: u16,
}

impl Server {
    pub fn port_forward(&mut self, reply: Reply, request: &ShimPortForward) -> Result<(), ShimError> {
        let refused = |why| ShimError::Argument { doing: format!("forward port {}", request.port), why };
        let port = u16::try_from(request.port).ok().filter(|port| *port > 0).ok_or_else(|| refused("there is none"))?;
        if self.forwards.len() + self.pending_forwards.len() >= MAX_FORWARDS {
            return Err(refused("too many are open"));
        }
        let Some(client) = self.connections.remove(&reply.connection) else { return Ok(()) };
        self.go_on(connect_to(port), client, reply, port);
        Ok(())
    }

    fn go_on(&mut self, progress: Progress, mut client: Connection, reply: Reply, port: u16) {
        match progress {
            Progress::Connected(socket) => {
                let done =
                    ShimResponse { id: reply.request, failure: None, result: Some(CallResult::Done(ShimDone {})) };
                client.queue(&done);
                let (client, unsent) = client.into_socket();
                self.forwards.insert(reply.connection, Forward::new(client, socket, unsent));
            }
            Progress::Waiting(connecting) => {
                self.pending_forwards.insert(reply.connection, PendingForward { connecting, client, reply, port });
            }
            Progress::Failed(errno) => {
                let failure = ShimError::Port { port, errno }.to_failure();
                client.queue(&ShimResponse { id: reply.request, failure: Some(failure), result: None });
                self.connections.insert(reply.connection, client);
            }
        }
    }

    /// When its socket has something to say, or its time is over.
    pub fn continue_forward(&mut self, id: u64, now: Instant) {
        let Some(PendingForward { connecting, client, reply, port }) = self.pending_forwards.remove(&id) else {
            return;
        };
        self.go_on(connecting.go_on(now), client, reply, port);
    }

    pub fn carry(&mut self, id: u64) {
        if self.forwards.get_mut(&id).is_some_and(|forward| !forward.carry()) {
            self.forwards.remove(&id);
        }
    }

    pub fn end_late_forwards(&mut self, now: Instant) {
        let late: Vec<u64> = self
            .pending_forwards
            .iter()
            .filter(|(_, pending)| pending.connecting.until <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            self.continue_forward(id, now);
        }
    }
}
