//! What the loop waits for, as the kernel gives it back: an event carries one number.

use crate::error::ProxyError;
use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, CreateFlags, EventData, EventFlags},
    },
    io::Errno,
};
use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

const MAX_EVENTS: usize = 64;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Shim,
    Listener(u64),
    Client(u64),
    Pod(u64),
    Datagrams(u64),
    Association(u64),
}

/// Three bits say what it is, the others which one.
impl Source {
    fn number(self) -> u64 {
        match self {
            Self::Shim => 0,
            Self::Listener(index) => index << 3 | 1,
            Self::Client(id) => id << 3 | 2,
            Self::Pod(id) => id << 3 | 3,
            Self::Datagrams(index) => index << 3 | 4,
            Self::Association(id) => id << 3 | 5,
        }
    }

    fn of(number: u64) -> Self {
        let which = number >> 3;
        match number & 7 {
            1 => Self::Listener(which),
            2 => Self::Client(which),
            3 => Self::Pod(which),
            4 => Self::Datagrams(which),
            5 => Self::Association(which),
            _ => Self::Shim,
        }
    }
}

pub struct Watch(OwnedFd);

impl Watch {
    pub fn new() -> Result<Self, ProxyError> {
        epoll::create(CreateFlags::CLOEXEC).map(Self).map_err(ProxyError::io("make epoll"))
    }

    pub fn add(&self, descriptor: &OwnedFd, source: Source, flags: EventFlags) -> Result<(), Errno> {
        epoll::add(&self.0, descriptor, EventData::new_u64(source.number()), flags)
    }

    /// What has not changed is not told again.
    pub fn change(
        &self,
        descriptor: &OwnedFd,
        source: Source,
        before: EventFlags,
        now: EventFlags,
    ) -> Result<(), Errno> {
        let data = EventData::new_u64(source.number());
        match (before.is_empty(), now.is_empty()) {
            _ if before == now => Ok(()),
            (true, _) => epoll::add(&self.0, descriptor, data, now),
            (false, true) => epoll::delete(&self.0, descriptor),
            (false, false) => epoll::modify(&self.0, descriptor, data, now),
        }
    }

    pub fn forget(&self, descriptor: &OwnedFd) {
        let _ = epoll::delete(&self.0, descriptor);
    }

    /// What has happened, when something has or `until` has come.
    pub fn wait(&self, until: Option<Instant>) -> Result<Vec<Source>, ProxyError> {
        let mut events = Vec::with_capacity(MAX_EVENTS);
        match epoll::wait(&self.0, spare_capacity(&mut events), until.map(timeout).as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(events.iter().map(|event| Source::of(event.data.u64())).collect()),
            Err(errno) => Err(ProxyError::io("wait for events")(errno)),
        }
    }
}

fn timeout(until: Instant) -> Timespec {
    // A millisecond more, for the kernel counts in whole ones and would wake us before the time.
    let left = until.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
    Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn a_source_is_known_by_its_number() {
        for source in [
            Source::Shim,
            Source::Listener(0),
            Source::Client(7),
            Source::Pod(7),
            Source::Datagrams(1),
            Source::Association(1 << 60),
        ] {
            assert_eq!(Source::of(source.number()), source);
        }
    }
}
