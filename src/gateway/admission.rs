//! Who may take a place: counts of connections, in all, per user, and of those that have not said who they are.
//! Shared by all shards; a place is given back when its guard is dropped.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;

use super::config::GatewayConfig;

/// The counts.
#[derive(Debug)]
pub struct Admission {
    config: GatewayConfig,
    connections: AtomicUsize,
    /// By [`Kind`].
    by_kind: [AtomicUsize; Kind::ALL.len()],
    pending: AtomicUsize,
    pending_by_address: DashMap<IpAddr, usize>,
    by_user: DashMap<Arc<str>, usize>,
}

/// A connection that has not authenticated yet.
#[derive(Debug)]
pub struct PendingPlace {
    admission: Arc<Admission>,
    address: IpAddr,
}

/// What a connection speaks by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// WebSocket.
    Socket,
    /// Server-sent events.
    Stream,
    /// Long polling.
    Poll,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::Socket, Kind::Stream, Kind::Poll];

    /// What the metrics call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Socket => "websocket",
            Self::Stream => "sse",
            Self::Poll => "poll",
        }
    }
}

/// An open connection.
#[derive(Debug)]
pub struct ConnectionPlace {
    admission: Arc<Admission>,
    kind: Kind,
}

/// One of a user's connections.
#[derive(Debug)]
pub struct UserPlace {
    admission: Arc<Admission>,
    user: Arc<str>,
}

impl Admission {
    /// Nobody is here yet.
    pub fn new(config: GatewayConfig) -> Arc<Self> {
        Arc::new(Self {
            config,
            connections: AtomicUsize::new(0),
            by_kind: Default::default(),
            pending: AtomicUsize::new(0),
            pending_by_address: DashMap::new(),
            by_user: DashMap::new(),
        })
    }

    /// Open connections.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Open connections by what they speak by.
    pub fn connections_by_kind(&self) -> impl Iterator<Item = (Kind, usize)> {
        Kind::ALL.into_iter().map(|kind| (kind, self.by_kind[kind as usize].load(Ordering::Relaxed)))
    }

    /// Connections that have not authenticated yet.
    pub fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// A place for a socket that was just accepted.
    pub fn pend(self: &Arc<Self>, address: IpAddr) -> Option<PendingPlace> {
        if !take(&self.pending, self.config.pending_max) {
            return None;
        }
        let count = take_keyed(&self.pending_by_address, address);
        let place = PendingPlace { admission: self.clone(), address };
        (count <= self.config.pending_per_address).then_some(place)
    }

    /// A place for a connection.
    pub fn connect(self: &Arc<Self>, kind: Kind) -> Option<ConnectionPlace> {
        take(&self.connections, self.config.connections_max).then(|| {
            self.by_kind[kind as usize].fetch_add(1, Ordering::Relaxed);
            ConnectionPlace { admission: self.clone(), kind }
        })
    }

    /// A place for one more connection of a user.
    pub fn enter(self: &Arc<Self>, user: &Arc<str>) -> Option<UserPlace> {
        let count = take_keyed(&self.by_user, user.clone());
        let place = UserPlace { admission: self.clone(), user: user.clone() };
        (count <= self.config.connections_per_user).then_some(place)
    }
}

fn take(counter: &AtomicUsize, max: usize) -> bool {
    counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| (count < max).then_some(count + 1)).is_ok()
}

/// One more; the count with it. A place that turns out to be one too many is given back by dropping it.
fn take_keyed<K: Eq + std::hash::Hash>(counts: &DashMap<K, usize>, key: K) -> usize {
    let mut count = counts.entry(key).or_default();
    *count += 1;
    *count
}

impl Drop for PendingPlace {
    fn drop(&mut self) {
        self.admission.pending.fetch_sub(1, Ordering::Relaxed);
        give_back(&self.admission.pending_by_address, &self.address);
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.admission.connections.fetch_sub(1, Ordering::Relaxed);
        self.admission.by_kind[self.kind as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for UserPlace {
    fn drop(&mut self) {
        give_back(&self.admission.by_user, &self.user);
    }
}

fn give_back<K: Eq + std::hash::Hash>(counts: &DashMap<K, usize>, key: &K) {
    counts.remove_if_mut(key, |_, count| {
        *count = count.saturating_sub(1);
        *count == 0
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let config = GatewayConfig {
            connections_max: 2,
            connections_per_user: 1,
            pending_per_address: 2,
            pending_max: 3,
            ..GatewayConfig::default()
        };
        let admission = Admission::new(config);
        let (here, there) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let mut places: Vec<_> = [here, here].map(|address| admission.pend(address)).into();
        assert!(places.iter().all(Option::is_some) && admission.pend(here).is_none());
        assert!(admission.pend(there).is_some(), "given back at once");
        places.push(admission.pend(there));
        assert!(admission.pend(there).is_none(), "three in all");
        drop(places);
        assert_eq!((admission.pending(), admission.pending_by_address.len()), (0, 0));

        let (_one, two) = (admission.connect(Kind::Socket), admission.connect(Kind::Poll));
        assert!(admission.connect(Kind::Stream).is_none());
        assert_eq!(admission.connections_by_kind().map(|(_, count)| count).collect::<Vec<_>>(), [1, 0, 1]);
        drop(two);
        assert!(admission.connect(Kind::Stream).is_some());
        assert_eq!(admission.connections_by_kind().map(|(_, count)| count).collect::<Vec<_>>(), [1, 0, 0]);

        let user: Arc<str> = "ann".into();
        let place = admission.enter(&user);
        assert!(place.is_some() && admission.enter(&user).is_none());
        drop(place);
        assert!(admission.enter(&user).is_some() && admission.by_user.is_empty());
    }
}
