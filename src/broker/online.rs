//! Who is online, and which rooms are occupied: names held by counts, and let go of with patience.
//!
//! Owns when the first comes and when the last has been gone for long enough that it was no reconnect. Time is handed
//! in. Refuses to know sessions and sockets.
//!
//! Invariant: of a name it is told that it came, that it left, that it came … in turns; and whoever holds a [`Lease`]
//! is there. A lease that is dropped gives itself back, however its holder ended.

use std::collections::HashSet;
use std::sync::Arc;

use dashmap::{DashMap, Entry};
use parking_lot::Mutex;

use super::{Broker, Fanout, Followed};

/// Names that are held by leases.
#[derive(Debug, Default)]
pub(super) struct Attendance {
    held: DashMap<Arc<str>, Hold>,
    /// Those that may have nobody to hold them.
    leaving: Mutex<HashSet<Arc<str>>>,
}

/// What holds a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// So many leases.
    Leases(u32),
    /// Patience, since the last sweep or later.
    Leaving,
    /// Patience, since then: the time of the first sweep that met it.
    LeftAt(u64),
}

impl Attendance {
    /// Holds a name once more. `came` is called if it was not there, before anybody can see it leave.
    pub fn enter(&self, name: &Arc<str>, came: impl FnOnce()) {
        match self.held.entry(name.clone()) {
            Entry::Occupied(mut entry) => match entry.get_mut() {
                Hold::Leases(count) => *count += 1,
                patience => *patience = Hold::Leases(1),
            },
            Entry::Vacant(entry) => {
                came();
                entry.insert(Hold::Leases(1));
            }
        }
    }

    /// Gives back one [`Attendance::enter`].
    pub fn exit(&self, name: &Arc<str>) {
        let Some(mut hold) = self.held.get_mut(name) else { return };
        match &mut *hold {
            Hold::Leases(count) if *count > 1 => *count -= 1,
            Hold::Leases(_) => {
                *hold = Hold::Leaving;
                self.leaving.lock().insert(name.clone());
            }
            Hold::Leaving | Hold::LeftAt(_) => {}
        }
    }

    /// Whether a name is held, or was until a moment ago.
    pub fn is_there(&self, name: &str) -> bool {
        self.held.contains_key(name)
    }

    /// Lets go of those who left `linger_ms` ago or earlier. `left` is told who, and since when they are gone, before
    /// anybody can see them come again.
    pub fn sweep(&self, now_ms: u64, linger_ms: u64, left: impl Fn(&Arc<str>, u64)) {
        let mut leaving = std::mem::take(&mut *self.leaving.lock());
        leaving.retain(|name| {
            let Entry::Occupied(mut entry) = self.held.entry(name.clone()) else { return false };
            let since_ms = match *entry.get() {
                Hold::Leases(_) => return false,
                Hold::Leaving => now_ms,
                Hold::LeftAt(since_ms) => since_ms,
            };
            if now_ms < since_ms.saturating_add(linger_ms) {
                *entry.get_mut() = Hold::LeftAt(since_ms);
                return true;
            }
            left(name, since_ms);
            entry.remove();
            false
        });
        self.leaving.lock().extend(leaving);
    }
}

/// A live session of a user. Dropping it ends it.
#[derive(Debug)]
pub struct Lease {
    online: Arc<Attendance>,
    user: Arc<str>,
}

impl Lease {
    fn new(online: Arc<Attendance>, user: Arc<str>, came: impl FnOnce()) -> Self {
        online.enter(&user, came);
        Self { online, user }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.online.exit(&self.user);
    }
}

impl Broker {
    /// A session of a user is live, until the lease is dropped.
    pub fn enter(&self, user: &Arc<str>) -> Lease {
        let Fanout { online, followers, .. } = &*self.fanout;
        Lease::new(online.clone(), user.clone(), || followers.tell(|| Followed::Online { user: user.clone() }))
    }

    /// Whether a user has a live session, or had one within the last `presence_linger_ms`.
    pub fn is_online(&self, user: &str) -> bool {
        self.fanout.online.is_there(user)
    }

    /// Whether a session is subscribed to a room, or was within the last `presence_linger_ms`.
    pub fn is_occupied(&self, room: &str) -> bool {
        self.fanout.occupied.is_there(room)
    }

    /// Rooms that somebody is subscribed to or present in.
    pub fn live_rooms(&self) -> usize {
        self.fanout.live_count()
    }

    /// Tells who has left for good. `now_ms` is steady, `wall_ms` the same moment since 1970.
    pub(super) fn sweep(&self, now_ms: u64, wall_ms: u64) {
        let Fanout { online, occupied, followers, .. } = &*self.fanout;
        let linger_ms = self.config.presence_linger_ms;
        online.sweep(now_ms, linger_ms, |user, since_ms| {
            let at_ms = wall_ms.saturating_sub(now_ms - since_ms);
            followers.tell(|| Followed::Offline { user: user.clone(), at_ms });
        });
        occupied.sweep(now_ms, linger_ms, |room, _| followers.tell(|| Followed::Vacated { room: room.clone() }));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;

    use super::*;

    const LINGER_MS: u64 = 5_000;

    /// An attendance, and what it told.
    #[derive(Default)]
    struct Bed {
        online: Arc<Attendance>,
        told: Arc<Mutex<Vec<String>>>,
        now_ms: u64,
    }

    impl Bed {
        fn enter(&self, user: &str) -> Lease {
            let told = self.told.clone();
            Lease::new(self.online.clone(), user.into(), || told.lock().push(format!("+{user}")))
        }

        /// A second goes by, and a sweep.
        fn second(&mut self) {
            self.now_ms += 1_000;
            self.online.sweep(self.now_ms, LINGER_MS, |user, since| self.told.lock().push(format!("-{user}@{since}")));
        }

        fn told(&self) -> Vec<String> {
            std::mem::take(&mut *self.told.lock())
        }
    }

    #[test]
    fn a_reconnect_is_not_seen() {
        let mut bed = Bed::default();
        let mut lease = bed.enter("ann");
        assert_eq!(bed.told(), ["+ann"]);
        for _ in 0..20 {
            drop(lease);
            (0..4).for_each(|_| bed.second());
            assert!(bed.online.is_there("ann"));
            lease = bed.enter("ann");
            bed.second();
        }
        assert_eq!(bed.told(), [""; 0], "gone for less than the patience each time, for long in all");
    }

    #[test]
    fn the_last_session_counts_and_whoever_comes_again_is_new() {
        let mut bed = Bed::default();
        let (phone, laptop) = (bed.enter("ann"), bed.enter("ann"));
        drop(phone);
        (0..9).for_each(|_| bed.second());
        assert!(bed.online.is_there("ann"));
        assert_eq!(bed.told(), ["+ann"]);
        drop(laptop);
        (0..6).for_each(|_| bed.second());
        assert_eq!(bed.told(), ["-ann@10000"], "since the first sweep without a session");
        assert!(!bed.online.is_there("ann"));
        let _again = bed.enter("ann");
        assert_eq!(bed.told(), ["+ann"]);
    }

    #[test]
    fn a_holder_that_ends_in_a_panic_leaves_no_ghost() {
        let mut bed = Bed::default();
        let lease = bed.enter("ann");
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _held = lease;
            std::panic::resume_unwind(Box::new("a session ends in the middle"));
        }));
        assert!(ended.is_err());
        (0..6).for_each(|_| bed.second());
        assert_eq!(bed.told(), ["+ann", "-ann@1000"]);
        assert!(bed.online.held.is_empty() && bed.online.leaving.lock().is_empty(), "nothing is kept");
    }

    #[test]
    fn without_patience_the_next_sweep_tells() {
        let online = Attendance::default();
        let user: Arc<str> = "ann".into();
        online.enter(&user, || {});
        online.exit(&user);
        let left = RefCell::new(0);
        online.sweep(7, 0, |_, _| *left.borrow_mut() += 1);
        assert_eq!((left.into_inner(), online.is_there("ann")), (1, false));
    }

    /// With the table's free places, and beside the name itself, which the session has as well.
    #[test]
    fn a_user_costs_little() {
        assert!(size_of::<(Arc<str>, Hold)>() <= 32);
    }

    #[test]
    fn many_threads_tell_in_turns_and_leave_nothing() {
        let bed = Bed::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..2_000).for_each(|n| drop(bed.enter(["ann", "bob"][n % 2]))));
            }
            for now_ms in 0..2_000 {
                bed.online.sweep(now_ms, 0, |user, _| bed.told.lock().push(format!("-{user}")));
            }
        });
        bed.online.sweep(9_999, 0, |user, _| bed.told.lock().push(format!("-{user}")));
        let told = bed.told();
        for user in ["ann", "bob"] {
            let of_user: Vec<_> = told.iter().filter(|edge| edge.ends_with(user)).collect();
            assert!(of_user.len() % 2 == 0, "came and left equally often");
            assert!(of_user.iter().enumerate().all(|(n, edge)| edge.starts_with(['+', '-'][n % 2])), "in turns");
        }
        assert!(bed.online.held.is_empty() && bed.online.leaving.lock().is_empty());
    }

    proptest! {
        /// Whoever was away for less than the patience is never told to have left; whoever was for longer is, once.
        #[test]
        fn edges_are_what_patience_says(steps in prop::collection::vec((any::<bool>(), 1..9_u64), 1..40)) {
            let mut bed = Bed::default();
            let mut lease = Some(bed.enter("ann"));
            let mut expected = vec!["+ann".to_owned()];
            for (here, seconds) in steps {
                match (here, lease.is_some()) {
                    (true, false) => lease = Some(bed.enter("ann")),
                    (false, true) => lease = None,
                    _ => continue,
                }
                let since = bed.now_ms + 1_000;
                if lease.is_some() && expected.last().is_some_and(|edge| edge.starts_with('-')) {
                    expected.push("+ann".to_owned());
                }
                (0..seconds).for_each(|_| bed.second());
                if lease.is_none() && seconds > 5 {
                    expected.push(format!("-ann@{since}"));
                }
            }
            prop_assert_eq!(bed.told(), expected);
        }
    }
}
