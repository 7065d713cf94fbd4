//! Who spoke to us over UDP: a client is remembered while it speaks or is spoken to, so that what the pod answers goes back to
//! it. The table is bounded in number and in time.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// After so long without a datagram either way a client is forgotten.
pub const IDLE: Duration = Duration::from_secs(60);

/// A client of one of the ports.
pub type Client = (u64, SocketAddr);

struct Association<S> {
    client: Client,
    socket: S,
    used: Instant,
}

/// `S` is the socket that speaks to the pod for one client.
pub struct Associations<S> {
    most: usize,
    ids: HashMap<Client, u64>,
    list: HashMap<u64, Association<S>>,
    last_id: u64,
    /// not later than the first that is to be forgotten
    next_look: Option<Instant>,
}

impl<S> Associations<S> {
    pub fn new(most: usize) -> Self {
        Self { most, ids: HashMap::new(), list: HashMap::new(), last_id: 0, next_look: None }
    }

    /// The socket of a client that just spoke.
    pub fn of_client(&mut self, client: Client, now: Instant) -> Option<&S> {
        let association = self.list.get_mut(self.ids.get(&client)?)?;
        association.used = now;
        Some(&association.socket)
    }

    /// The client of a socket that just spoke.
    pub fn of_socket(&mut self, id: u64, now: Instant) -> Option<(&S, Client)> {
        let association = self.list.get_mut(&id)?;
        association.used = now;
        Some((&association.socket, association.client))
    }

    /// The number that the next client gets.
    pub fn next_id(&self) -> u64 {
        self.last_id + 1
    }

    /// When the table is full, the client that was silent for longest makes room.
    pub fn insert(&mut self, client: Client, socket: S, now: Instant) {
        if self.list.len() >= self.most
            && let Some(oldest) = self.list.iter().min_by_key(|(_, each)| each.used).map(|(id, _)| *id)
        {
            self.remove(oldest);
        }
        self.last_id += 1;
        self.ids.insert(client, self.last_id);
        self.list.insert(self.last_id, Association { client, socket, used: now });
        self.next_look.get_or_insert(now + IDLE);
    }

    /// When to call `expire`; `None` while nobody is remembered.
    pub fn next_look(&self) -> Option<Instant> {
        self.next_look
    }

    /// Forgets who was silent for too long.
    pub fn expire(&mut self, now: Instant) {
        if self.next_look.is_none_or(|at| now < at) {
            return;
        }
        let idle = self.list.iter().filter(|(_, each)| now.duration_since(each.used) >= IDLE);
        for id in idle.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.remove(id);
        }
        self.next_look = self.list.values().map(|each| each.used + IDLE).min();
    }

    fn remove(&mut self, id: u64) {
        if let Some(association) = self.list.remove(&id) {
            self.ids.remove(&association.client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn client(port: u16) -> Client {
        (0, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    fn later(from: Instant, seconds: u64) -> Instant {
        from + Duration::from_secs(seconds)
    }

    #[test]
    fn a_client_is_known_by_its_address_and_its_socket() {
        let (mut table, now) = (Associations::new(8), Instant::now());
        assert!(table.of_client(client(1), now).is_none());
        let id = table.next_id();
        table.insert(client(1), "one", now);
        assert_eq!(table.of_client(client(1), now), Some(&"one"));
        assert_eq!(table.of_socket(id, now), Some((&"one", client(1))));
        assert_eq!(table.of_client((1, client(1).1), now), None, "another port of the pod");
    }

    #[test]
    fn who_is_silent_for_a_minute_is_forgotten_and_who_is_spoken_to_is_not() {
        let (mut table, start) = (Associations::new(8), Instant::now());
        assert_eq!(table.next_look(), None);
        table.insert(client(1), "silent", start);
        let answered = table.next_id();
        table.insert(client(2), "answered", start);
        assert_eq!(table.next_look(), Some(later(start, 60)));
        table.of_socket(answered, later(start, 30));
        table.expire(later(start, 59));
        assert!(table.ids.contains_key(&client(1)));
        table.expire(later(start, 60));
        assert!(!table.ids.contains_key(&client(1)));
        assert_eq!(table.next_look(), Some(later(start, 90)));
        table.expire(later(start, 90));
        assert_eq!((table.list.len(), table.ids.len(), table.next_look()), (0, 0, None));
    }

    #[test]
    fn a_full_table_makes_room_by_who_was_silent_longest() {
        let (mut table, start) = (Associations::new(2), Instant::now());
        table.insert(client(1), 1, start);
        table.insert(client(2), 2, later(start, 1));
        table.of_client(client(1), later(start, 2));
        table.insert(client(3), 3, later(start, 3));
        assert_eq!(table.list.len(), 2);
        assert!(table.of_client(client(2), later(start, 4)).is_none());
        assert!(table.of_client(client(1), later(start, 4)).is_some());
    }
}
