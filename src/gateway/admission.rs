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

/// An open WebSocket connection.
#[derive(Debug)]
pub struct ConnectionPlace(Arc<Admission>);

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
            pending: AtomicUsize::new(0),
            pending_by_address: DashMap::new(),
            by_user: DashMap::new(),
        })
    }

    /// Open WebSocket connections.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
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

    /// A place for a WebSocket connection.
    pub fn connect(self: &Arc<Self>) -> Option<ConnectionPlace> {
        take(&self.connections, self.config.connections_max).then(|| ConnectionPlace(self.clone()))
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
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
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

        let (_one, two) = (admission.connect(), admission.connect());
        assert!(admission.connect().is_none());
        drop(two);
        assert!(admission.connect().is_some());

        let user: Arc<str> = "ann".into();
        let place = admission.enter(&user);
        assert!(place.is_some() && admission.enter(&user).is_none());
        drop(place);
        assert!(admission.enter(&user).is_some() && admission.by_user.is_empty());
    }
}
