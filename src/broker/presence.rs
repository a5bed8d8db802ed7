//! Who is in one room: a set of users held by leases of their sessions, told as a snapshot and ordered diffs.
//!
//! Pure: time is handed in. A diff names the state that a user is in, not a step, so that applying one twice, or after a
//! snapshot that knew it already, changes nothing.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use konvert_protocol::v1;

/// Users per tick-length of delay between two diffs: a room of 10 000 tells its changes ten times more rarely than a
/// small one, so that a storm of joins costs in proportion to its size, not to its square.
const USERS_PER_TICK: u64 = 1_000;

/// The presence of one room.
#[derive(Debug, Default)]
pub struct PresenceSet {
    users: HashMap<Arc<str>, Entry>,
    /// Users whose broken connection is still believed in.
    lingering: HashSet<Arc<str>>,
    /// Users whose state changed since the last diff.
    changed: HashSet<Arc<str>>,
    version: u64,
    next_diff_ms: u64,
}

#[derive(Debug)]
struct Entry {
    name: Arc<str>,
    state: Bytes,
    /// Leases held by live sessions.
    sessions: u32,
    /// With no session left: shown until then.
    until_ms: u64,
}

impl PresenceSet {
    /// A session of a user takes a lease.
    pub fn join(&mut self, user: &Arc<str>, name: &Arc<str>) {
        self.lingering.remove(user);
        if let Some(entry) = self.users.get_mut(user) {
            entry.sessions += 1;
            if entry.name != *name {
                entry.name = name.clone();
                self.changed.insert(user.clone());
            }
            return;
        }
        let entry = Entry { name: name.clone(), state: Bytes::new(), sessions: 1, until_ms: 0 };
        self.users.insert(user.clone(), entry);
        self.changed.insert(user.clone());
    }

    /// A session gives its lease back. The user's last one leaves at `until_ms`, which is now for a clean goodbye.
    pub fn leave(&mut self, user: &Arc<str>, now_ms: u64, until_ms: u64) {
        let Some(entry) = self.users.get_mut(user) else { return };
        entry.sessions = entry.sessions.saturating_sub(1);
        if entry.sessions > 0 {
            return;
        }
        if until_ms <= now_ms {
            self.users.remove(user);
            self.changed.insert(user.clone());
        } else {
            entry.until_ms = until_ms;
            self.lingering.insert(user.clone());
        }
    }

    /// Changes what others see of a user; false when the user is not present.
    pub fn update(&mut self, user: &Arc<str>, state: Bytes) -> bool {
        let Some(entry) = self.users.get_mut(user) else { return false };
        if entry.state != state {
            entry.state = state;
            self.changed.insert(user.clone());
        }
        true
    }

    /// Shows those of these users who are here by the names given; whether anything is different.
    pub fn rename(&mut self, names: &HashMap<Box<str>, Arc<str>>) -> bool {
        let mut is_new = false;
        for (user, name) in names {
            let Some((user, _)) = self.users.get_key_value(&**user) else { continue };
            let user = user.clone();
            if let Some(entry) = self.users.get_mut(&user).filter(|entry| entry.name != *name) {
                entry.name = name.clone();
                self.changed.insert(user);
                is_new = true;
            }
        }
        is_new
    }

    /// Whether nobody is here, so that the room need not be kept.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.changed.is_empty()
    }

    /// Whether [`PresenceSet::diff`] will have something to tell, now or later.
    pub fn is_restless(&self) -> bool {
        !self.changed.is_empty() || !self.lingering.is_empty()
    }

    /// Ends leases that are over, then tells what changed since the last diff, if it is time for one.
    pub fn diff(&mut self, room: &str, now_ms: u64, tick_ms: u64, list_max: usize) -> Option<v1::PresenceDiff> {
        self.expire(now_ms);
        if self.changed.is_empty() || now_ms < self.next_diff_ms {
            return None;
        }
        let count = self.users.len() as u64;
        self.next_diff_ms = now_ms + tick_ms * (1 + count / USERS_PER_TICK);
        self.version += 1;
        let mut diff = v1::PresenceDiff { room: room.to_owned(), version: self.version, count, ..Default::default() };
        if self.users.len() > list_max {
            diff.count_only = true;
            self.changed = HashSet::new();
            return Some(diff);
        }
        for user in std::mem::take(&mut self.changed) {
            match self.users.get(&user) {
                Some(entry) => diff.joined.push(member(&user, entry)),
                None => diff.left.push(user.to_string()),
            }
        }
        Some(diff)
    }

    /// Everybody here, or those of `users` who are; in a room over `list_max` only the latter.
    pub fn snapshot(&self, room: &str, users: &[String], list_max: usize) -> v1::PresenceState {
        let count_only = self.users.len() > list_max;
        let members = if !users.is_empty() {
            let asked: BTreeSet<_> = users.iter().collect();
            asked
                .into_iter()
                .filter_map(|user| self.users.get_key_value(user.as_str()))
                .map(|(u, e)| member(u, e))
                .collect()
        } else if count_only {
            Vec::new()
        } else {
            self.users.iter().map(|(user, entry)| member(user, entry)).collect()
        };
        v1::PresenceState {
            room: room.to_owned(),
            version: self.version,
            count: self.users.len() as u64,
            members,
            count_only,
        }
    }

    fn expire(&mut self, now_ms: u64) {
        let Self { users, lingering, changed, .. } = self;
        lingering.retain(|user| {
            let over = users.get(user).is_none_or(|entry| entry.until_ms <= now_ms);
            if over {
                users.remove(user);
                changed.insert(user.clone());
            }
            !over
        });
    }
}

fn member(user: &str, entry: &Entry) -> v1::Member {
    v1::Member { user: user.to_owned(), name: entry.name.to_string(), state: entry.state.clone() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn user(n: u8) -> Arc<str> {
        format!("user-{n}").into()
    }

    #[derive(Debug, Clone)]
    enum Step {
        Join(u8),
        Leave(u8, bool),
        Update(u8, u8),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..5u8).prop_map(Step::Join),
            (0..5u8, any::<bool>()).prop_map(|(n, clean)| Step::Leave(n, clean)),
            (0..5u8, any::<u8>()).prop_map(|(n, state)| Step::Update(n, state)),
            (1..4_000u64).prop_map(Step::Wait),
        ]
    }

    /// What a client holds that applies a snapshot and then diffs.
    fn apply(held: &mut HashMap<String, Bytes>, diff: v1::PresenceDiff) {
        for member in diff.joined {
            held.insert(member.user, member.state);
        }
        for user in diff.left {
            held.remove(&user);
        }
    }

    proptest! {
        #[test]
        fn diffs_lead_to_the_snapshot(steps in prop::collection::vec(step(), 1..60), start in 0..60usize) {
            let (mut set, mut now, mut held, mut seen) = (PresenceSet::default(), 0, HashMap::new(), 0);
            for (i, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Join(n) => set.join(&user(n), &"".into()),
                    Step::Leave(n, clean) => set.leave(&user(n), now, if clean { now } else { now + 5_000 }),
                    Step::Update(n, state) => { set.update(&user(n), vec![state].into()); }
                    Step::Wait(ms) => now += ms,
                }
                if let Some(diff) = set.diff("r", now, 250, 100) {
                    prop_assert!(diff.version > seen);
                    seen = diff.version;
                    apply(&mut held, diff);
                }
                if i == start {
                    // A client that comes late, possibly between a change and its diff.
                    held = set.snapshot("r", &[], 100).members.into_iter().map(|m| (m.user, m.state)).collect();
                }
            }
            while set.is_restless() {
                now += 10_000;
                if let Some(diff) = set.diff("r", now, 250, 100) { apply(&mut held, diff); }
            }
            let truth: HashMap<_, _> =
                set.snapshot("r", &[], 100).members.into_iter().map(|m| (m.user, m.state)).collect();
            prop_assert_eq!(held, truth);
        }
    }

    #[test]
    fn a_second_device_keeps_the_user_present() {
        let mut set = PresenceSet::default();
        set.join(&user(1), &"".into());
        set.join(&user(1), &"".into());
        set.leave(&user(1), 0, 0);
        assert_eq!(set.snapshot("r", &[], 9).count, 1);
        set.leave(&user(1), 0, 0);
        assert_eq!(set.snapshot("r", &[], 9).count, 0);
    }

    #[test]
    fn another_name_is_told_of_those_who_are_there() {
        let mut set = PresenceSet::default();
        set.join(&user(1), &"One".into());
        assert_eq!(set.diff("r", 0, 250, 9).expect("a join").joined.len(), 1);
        let names = |name: &str| [(Box::from("user-1"), name.into()), (Box::from("user-2"), name.into())].into();
        assert!(set.rename(&names("Uno")) && !set.rename(&names("Uno")));
        let diff = set.diff("r", 1_000, 250, 9).expect("another name");
        assert_eq!(diff.joined.iter().map(|member| &*member.name).collect::<Vec<_>>(), ["Uno"]);
        assert_eq!(set.snapshot("r", &[], 9).count, 1, "whoever is not there does not come by a name");
    }

    #[test]
    fn a_big_room_tells_counts_and_whom_one_asks_for() {
        let mut set = PresenceSet::default();
        (0..20).for_each(|n| set.join(&user(n), &"".into()));
        let diff = set.diff("r", 1, 250, 10).expect("joins");
        assert_eq!((diff.count, diff.count_only, diff.joined.len()), (20, true, 0));
        let asked = set.snapshot("r", &["user-3".into(), "nobody".into()], 10);
        assert_eq!((asked.count, asked.members.len()), (20, 1));
        assert!(set.snapshot("r", &[], 10).members.is_empty());
    }
}
