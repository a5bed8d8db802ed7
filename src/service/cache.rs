//! A cache of lists, each whole or not at all, bounded by the rows of all of them together.
//!
//! Owns how lists are weighed. Invariant: every list is taken. One that is larger than the place behind one lock counts as
//! just that place; otherwise it would be refused without a word, and read again for ever.

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

/// Locks of a cache. Few, because a list must fit into the part behind one lock; see `service.memberships_cached_max`.
const SHARDS: usize = 4;

/// Lists by name.
pub(super) type Lists<L> = Cache<Box<str>, L, ByRows<L>>;

/// A list weighs as many as are in it, and one for itself.
#[derive(Debug)]
pub(super) struct ByRows<L> {
    rows: fn(&L) -> usize,
    most: u64,
}

impl<L> Clone for ByRows<L> {
    fn clone(&self) -> Self {
        Self { rows: self.rows, most: self.most }
    }
}

impl<L> Weighter<Box<str>, L> for ByRows<L> {
    fn weight(&self, _: &Box<str>, list: &L) -> u64 {
        (1 + (self.rows)(list) as u64).min(self.most)
    }
}

/// Keeps about `rows_max` rows, those of the lists that were looked at last; a usual list has `usual`.
pub(super) fn lists<L: Clone>(rows_max: usize, usual: usize, rows: fn(&L) -> usize) -> Lists<L> {
    // The cache refuses what is heavier than 97 of 100 parts of what is behind one lock.
    let most = (rows_max / SHARDS / 10 * 9).max(1) as u64;
    let options = OptionsBuilder::new()
        .shards(SHARDS)
        .estimated_items_capacity(rows_max / usual)
        .weight_capacity(rows_max as u64)
        .build()
        .expect("both capacities are given");
    Cache::with_options(options, ByRows { rows, most }, DefaultHashBuilder::default(), DefaultLifecycle::default())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn every_list_is_taken_and_the_bound_holds_for_usual_ones() {
        const ROWS_MAX: usize = 10_000;
        let lists: Lists<Arc<Vec<u8>>> = lists(ROWS_MAX, 8, |list| list.len());
        for rows in [0, 1, ROWS_MAX / SHARDS, ROWS_MAX, 5 * ROWS_MAX] {
            lists.insert("big".into(), Arc::new(vec![0; rows]));
            assert_eq!(lists.get("big").map(|list| list.len()), Some(rows));
        }
        for n in 0..10 * ROWS_MAX {
            lists.insert(n.to_string().into(), Arc::new(vec![0; 7]));
        }
        let kept = (0..10 * ROWS_MAX).filter(|n| lists.get(&*n.to_string()).is_some()).count() * 8;
        assert!((ROWS_MAX / 2..=ROWS_MAX).contains(&kept), "{kept}");
    }
}
