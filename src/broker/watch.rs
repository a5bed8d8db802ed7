//! Which shards have sessions of a user that want to hear of changes. Knows no session.

use std::sync::Arc;

use dashmap::DashMap;
use smallvec::SmallVec;

/// Users with such sessions.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    /// By user: each shard with the number of sessions there.
    users: DashMap<Arc<str>, SmallVec<[(u16, u32); 2]>>,
}

impl Watchers {
    pub fn watch(&self, user: &Arc<str>, shard: u16) {
        let mut shards = self.users.entry(user.clone()).or_default();
        match shards.iter_mut().find(|(index, _)| *index == shard) {
            Some((_, count)) => *count += 1,
            None => shards.push((shard, 1)),
        }
    }

    pub fn unwatch(&self, user: &str, shard: u16) {
        self.users.remove_if_mut(user, |_, shards| {
            if let Some((_, count)) = shards.iter_mut().find(|(index, _)| *index == shard) {
                *count -= 1;
            }
            shards.retain(|(_, count)| *count > 0);
            shards.is_empty()
        });
    }

    /// Everybody, in no order.
    pub fn users(&self) -> Vec<Arc<str>> {
        self.users.iter().map(|entry| entry.key().clone()).collect()
    }

    pub fn shards(&self, user: &str) -> impl Iterator<Item = u16> + use<> {
        let shards = self.users.get(user).map(|shards| shards.clone()).unwrap_or_default();
        shards.into_iter().map(|(shard, _)| shard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_watch_is_given_back_once() {
        let watchers = Watchers::default();
        let ann: Arc<str> = "ann".into();
        let shards = || watchers.shards("ann").collect::<Vec<_>>();
        for shard in [0, 1, 1] {
            watchers.watch(&ann, shard);
        }
        assert_eq!(shards(), [0, 1]);
        watchers.unwatch("ann", 1);
        watchers.unwatch("ann", 0);
        assert_eq!(shards(), [1]);
        watchers.unwatch("ann", 1);
        watchers.unwatch("ann", 1);
        assert!(shards().is_empty() && watchers.users.is_empty());
    }
}
