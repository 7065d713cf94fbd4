//! One rtnetlink socket, and how a request is asked on it.

use crate::NetlinkError;
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

// linux/netlink.h
const HEADER_BYTES: usize = 16;

/// Belongs to the network namespace of the thread that opened it, for ever.
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    pub fn open() -> Result<Self, NetlinkError> {
        let failed = |source| NetlinkError::io("open netlink socket", source);
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(failed)?;
        socket.bind_auto().map_err(failed)?;
        socket.connect(&SocketAddr::new(0, 0)).map_err(failed)?;
        Ok(Self { socket, sequence: 0 })
    }

    pub(crate) fn change(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
        doing: String,
    ) -> Result<(), NetlinkError> {
        self.ask(message, NLM_F_ACK | flags, &doing).map(drop)
    }

    /// Sends one request and waits for its answer: a message, or an acknowledgement (`None`).
    pub(crate) fn ask(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
        doing: &str,
    ) -> Result<Option<RouteNetlinkMessage>, NetlinkError> {
        self.send(message, flags, doing)?;
        loop {
            let Some(answer) = self.receive(doing)?.into_iter().next() else { continue };
            return match answer {
                Some(NetlinkPayload::InnerMessage(message)) => Ok(Some(message)),
                Some(NetlinkPayload::Error(error)) => match error.code {
                    None => Ok(None),
                    Some(_) => Err(NetlinkError::io(doing, error.to_io())),
                },
                _ => Err(NetlinkError::Answer { doing: doing.into() }),
            };
        }
    }

    /// All objects of a kind, but for those of forms that are strange to us: no link of ours is. What changes meanwhile may be
    /// there twice, or not at all.
    pub(crate) fn dump(
        &mut self,
        message: RouteNetlinkMessage,
        doing: &str,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        self.send(message, NLM_F_DUMP, doing)?;
        let mut all = Vec::new();
        loop {
            for answer in self.receive(doing)? {
                match answer {
                    Some(NetlinkPayload::InnerMessage(message)) => all.push(message),
                    Some(NetlinkPayload::Done(_)) => return Ok(all),
                    Some(NetlinkPayload::Error(error)) if error.code.is_some() => {
                        return Err(NetlinkError::io(doing, error.to_io()));
                    }
                    Some(_) => return Err(NetlinkError::Answer { doing: doing.into() }),
                    None => {}
                }
            }
        }
    }

    fn send(&mut self, message: RouteNetlinkMessage, flags: u16, doing: &str) -> Result<(), NetlinkError> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map(drop).map_err(|source| NetlinkError::io(doing, source))
    }

    /// The messages of the next datagram that belong to the request sent last, `None` for one that can't be read. What is left
    /// of an earlier request that was given up is passed over.
    fn receive(&mut self, doing: &str) -> Result<Vec<Option<NetlinkPayload<RouteNetlinkMessage>>>, NetlinkError> {
        let (bytes, _) = self.socket.recv_from_full().map_err(|source| NetlinkError::io(doing, source))?;
        let mut messages = Vec::new();
        let mut rest = bytes.as_slice();
        // Length, kind and flags, sequence number.
        while let (Some(length), Some(sequence)) = (rest.first_chunk(), rest.get(8..).and_then(<[u8]>::first_chunk)) {
            let length = u32::from_ne_bytes(*length) as usize;
            let Some(message) = rest.get(..length).filter(|message| message.len() >= HEADER_BYTES) else { break };
            if u32::from_ne_bytes(*sequence) == self.sequence {
                messages.push(NetlinkMessage::deserialize(message).ok().map(|message| message.payload));
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(messages)
    }
}
