//! How much users may do, and how much they have done, in memory: the core asks before every message.
//!
//! Owns which limit holds for whom — what was set for the user, else for their role, else the settings — and the counts
//! of the day, which begins at midnight UTC. Refuses to know what is counted. Invariants: of two who take the last one,
//! one gets it; what was given back counts as not taken. How fast somebody publishes is counted in the same entry, because
//! it is locked for every message anyway. Counts are stored every few seconds and at the end, so that a
//! crash forgets at most those of the last seconds, in favour of the user.

mod config;
mod kinds;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use dashmap::mapref::one::RefMut;
use parking_lot::RwLock;
use tokio::sync::mpsc;

pub use config::{LimitsConfig, RoleLimits};
pub use kinds::{LimitKind, LimitRole, Maxima, Set};

use kinds::over;

use crate::broker::BrokerError;
use crate::directory::{Directory, DirectoryError, LimitOf, Used};
use crate::rate_limit::Bucket;

/// Length of what is counted together, milliseconds.
pub(super) const DAY_MS: u64 = 24 * 3_600 * 1_000;
/// Users who wait to be told that they have used much. Beyond it one is not told, and sees it at the next look.
const NOTICES_MAX: usize = 1_024;
/// From this share on somebody is told, percent; and again when nothing is left.
const NOTICE_PERCENT: u128 = 80;

/// Limits and counts.
pub struct Limits {
    directory: Directory,
    config: LimitsConfig,
    now_ms: fn() -> u64,
    /// Publishes per second of one account, by whatever ways.
    publishes_per_second: u32,
    /// What was set for roles, in the order of [`LimitRole::ALL`].
    roles: RwLock<[Set; LimitRole::ALL.len()]>,
    /// What was set for users.
    users: DashMap<Box<str>, Set>,
    /// Users whose role does not show in their id.
    special: DashMap<Box<str>, LimitRole>,
    /// Rises with every change of what holds for anybody.
    generation: AtomicU64,
    counts: DashMap<Arc<str>, Counts>,
    notices: mpsc::Sender<Arc<str>>,
}

/// Of one user.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// Of which day, since 1970.
    day: u64,
    used: [u64; LimitKind::ALL.len()],
    /// What holds for the user, as of `generation`.
    maxima: Maxima,
    generation: u64,
    /// Not stored yet.
    is_new: bool,
    /// What may still be published at this moment.
    publishes: Bucket,
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits").field("counts", &self.counts.len()).finish_non_exhaustive()
    }
}

impl Limits {
    /// With everything that was stored. Whoever should be told that they have used much comes out of the receiver.
    ///
    /// # Errors
    /// When the directory does not answer.
    pub async fn load(
        directory: Directory,
        config: LimitsConfig,
        publishes_per_second: u32,
        now_ms: fn() -> u64,
    ) -> Result<(Arc<Self>, mpsc::Receiver<Arc<str>>), DirectoryError> {
        let (notices, waiting) = mpsc::channel(NOTICES_MAX);
        let limits = Self {
            roles: RwLock::default(),
            users: DashMap::new(),
            special: DashMap::new(),
            generation: AtomicU64::new(1),
            counts: DashMap::new(),
            notices,
            config,
            publishes_per_second,
            now_ms,
            directory,
        };
        for LimitOf { whose, kind, most } in limits.directory.role_limits().await? {
            if let (Some(role), Some(kind)) = (LimitRole::of(&whose), LimitKind::of(&kind)) {
                limits.roles.write()[role.index()][kind.index()] = Some(most);
            }
        }
        for LimitOf { whose, kind, most } in limits.directory.user_limits().await? {
            if let Some(kind) = LimitKind::of(&kind) {
                limits.users.entry(whose.into()).or_default()[kind.index()] = Some(most);
            }
        }
        for (user, role) in limits.directory.special_roles().await? {
            if let Some(role) = LimitRole::of(&role) {
                limits.special.insert(user.into(), role);
            }
        }
        let day = limits.day();
        for (user, kind, used) in limits.directory.used(day).await? {
            if let Some(kind) = LimitKind::of(&kind) {
                let mut counts = limits.counts.entry(user.into()).or_default();
                counts.day = day;
                counts.used[kind.index()] = used;
            }
        }
        Ok((Arc::new(limits), waiting))
    }

    /// The time, milliseconds since 1970.
    pub(super) fn now_ms(&self) -> u64 {
        (self.now_ms)()
    }

    fn day(&self) -> u64 {
        (self.now_ms)() / DAY_MS
    }

    /// When the present day ends, milliseconds since 1970.
    pub fn day_ends_ms(&self) -> u64 {
        (self.day() + 1) * DAY_MS
    }

    /// What limits hold for somebody.
    pub fn role_of(&self, user: &str) -> LimitRole {
        self.special.get(user).map_or_else(|| LimitRole::plain(user), |role| *role)
    }

    /// Somebody has another role from now on.
    pub fn set_role(&self, user: &str, role: LimitRole) {
        match role == LimitRole::plain(user) {
            true => drop(self.special.remove(user)),
            false => drop(self.special.insert(user.into(), role)),
        }
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Somebody deleted their account; what was stored of theirs is removed with it.
    pub fn forget(&self, user: &str) {
        self.special.remove(user);
        self.users.remove(user);
        self.counts.remove(user);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// What holds for a role.
    pub fn of_role(&self, role: LimitRole) -> Maxima {
        let set = self.roles.read()[role.index()];
        over(&set, &self.config.maxima(role))
    }

    /// What holds for somebody.
    pub fn of_user(&self, user: &str) -> Maxima {
        over(&self.set_for(user), &self.of_role(self.role_of(user)))
    }

    /// What was set for somebody.
    pub fn set_for(&self, user: &str) -> Set {
        self.users.get(user).map(|set| *set).unwrap_or_default()
    }

    /// Sets everything for a role, after it was stored.
    ///
    /// # Errors
    /// When the directory does not answer; then nothing has changed.
    pub async fn change_role(&self, role: LimitRole, maxima: Maxima) -> Result<(), DirectoryError> {
        let rows: Vec<_> = LimitKind::ALL.map(|kind| (kind.name(), maxima[kind.index()])).into();
        self.directory.set_role_limits(role.name(), &rows).await?;
        self.roles.write()[role.index()] = maxima.map(Some);
        self.generation.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Sets everything for a user, after it was stored.
    ///
    /// # Errors
    /// When the directory does not answer; then nothing has changed.
    pub async fn change_user(&self, user: &str, set: Set) -> Result<(), DirectoryError> {
        let rows: Vec<_> =
            LimitKind::ALL.into_iter().filter_map(|kind| Some((kind.name(), set[kind.index()]?))).collect();
        self.directory.set_user_limits(user, &rows).await?;
        match rows.is_empty() {
            true => drop(self.users.remove(user)),
            false => drop(self.users.insert(user.into(), set)),
        }
        self.generation.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// How much somebody has used today of the kinds that are counted by the day.
    pub fn used(&self, user: &str) -> [u64; LimitKind::ALL.len()] {
        let day = self.day();
        self.counts.get(user).filter(|counts| counts.day == day).map(|counts| counts.used).unwrap_or_default()
    }

    /// Takes one.
    ///
    /// # Errors
    /// How long to wait, milliseconds, when none is left.
    pub fn take(&self, user: &Arc<str>, kind: LimitKind) -> Result<(), u32> {
        let now_ms = (self.now_ms)();
        self.take_from(&mut self.counts_of(user), user, kind, now_ms)
    }

    /// Takes one message: from the account's pace, unless it was taken from it before, then from its quota.
    ///
    /// # Errors
    /// Which of the two is used up.
    pub fn take_message(&self, user: &Arc<str>, again: bool) -> Result<(), BrokerError> {
        let now_ms = (self.now_ms)();
        let mut counts = self.counts_of(user);
        if !again && !crate::sabotage::is("no_limits") {
            counts.publishes.take(self.publishes_per_second, now_ms).map_err(BrokerError::RateLimited)?;
        }
        self.take_from(&mut counts, user, LimitKind::Messages, now_ms).map_err(BrokerError::QuotaExceeded)
    }

    fn counts_of(&self, user: &Arc<str>) -> RefMut<'_, Arc<str>, Counts> {
        match self.counts.get_mut(user) {
            Some(counts) => counts,
            None => self.counts.entry(user.clone()).or_default(),
        }
    }

    fn take_from(&self, counts: &mut Counts, user: &Arc<str>, kind: LimitKind, now_ms: u64) -> Result<(), u32> {
        let (day, index) = (now_ms / DAY_MS, kind.index());
        if counts.day != day {
            *counts = Counts { day, publishes: counts.publishes, ..Counts::default() };
        }
        let generation = self.generation.load(Ordering::Acquire);
        if counts.generation != generation {
            counts.maxima = self.of_user(user);
            counts.generation = generation;
        }
        if let Some(most) = counts.maxima[index] {
            let used = counts.used[index];
            if used >= most {
                return Err(u32::try_from(DAY_MS - now_ms % DAY_MS).unwrap_or(u32::MAX));
            }
            if is_notable(used, used + 1, most) {
                self.notice(user);
            }
        }
        counts.used[index] += 1;
        counts.is_new = true;
        Ok(())
    }

    /// Gives back one that was taken, because nothing came of it.
    pub fn give_back(&self, user: &str, kind: LimitKind) {
        let day = self.day();
        if let Some(mut counts) = self.counts.get_mut(user).filter(|counts| counts.day == day) {
            let used = &mut counts.used[kind.index()];
            *used = used.saturating_sub(1);
            counts.is_new = true;
        }
    }

    /// Somebody uses more of what is not counted here.
    pub fn grown(&self, user: &Arc<str>, kind: LimitKind, before: u64, after: u64) {
        if self.of_user(user)[kind.index()].is_some_and(|most| is_notable(before, after, most)) {
            self.notice(user);
        }
    }

    fn notice(&self, user: &Arc<str>) {
        // See NOTICES_MAX.
        let _ = self.notices.try_send(user.clone());
    }

    /// Stores the counts that have changed, and forgets those of other days. One at a time.
    ///
    /// # Errors
    /// When the directory does not answer; then they are stored the next time.
    pub async fn store(&self) -> Result<(), DirectoryError> {
        let day = self.day();
        self.counts.retain(|_, counts| counts.day >= day);
        let mut used = Vec::new();
        for mut entry in self.counts.iter_mut().filter(|entry| entry.is_new) {
            entry.is_new = false;
            let daily = LimitKind::ALL.into_iter().filter(|kind| kind.is_daily());
            used.extend(daily.map(|kind| Used {
                user_id: entry.key().to_string(),
                kind: kind.name(),
                day: entry.day,
                used: entry.used[kind.index()],
            }));
        }
        if used.is_empty() {
            return Ok(());
        }
        let stored = self.directory.keep_used(&used, day).await;
        if stored.is_err() {
            for user in used.iter().map(|used| used.user_id.as_str()) {
                if let Some(mut counts) = self.counts.get_mut(user) {
                    counts.is_new = true;
                }
            }
        }
        stored
    }
}

/// Whether somebody has come to where they are to be told.
fn is_notable(before: u64, after: u64, most: u64) -> bool {
    let is_much = |used: u64| u128::from(used) * 100 >= u128::from(most) * NOTICE_PERCENT;
    (is_much(after) && !is_much(before)) || (after >= most && before < most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::DirectoryConfig;

    /// 1 ms before the end of day 20 000.
    static NOW_MS: AtomicU64 = AtomicU64::new(20_001 * DAY_MS - 1);

    async fn limits(data: &std::path::Path, user: RoleLimits) -> (Arc<Limits>, mpsc::Receiver<Arc<str>>) {
        let directory = Directory::open(&DirectoryConfig::default(), data).await.unwrap();
        let config = LimitsConfig { user, ..LimitsConfig::default() };
        Limits::load(directory, config, 1_000, || NOW_MS.load(Ordering::Relaxed)).await.unwrap()
    }

    #[test]
    fn somebody_is_told_at_four_fifths_and_at_the_end() {
        let told = |most: u64| (0..most).filter(|used| is_notable(*used, used + 1, most)).collect::<Vec<_>>();
        assert_eq!(told(10), [7, 9]);
        assert_eq!(told(1), [0]);
        assert_eq!(told(3), [2]);
        assert!(is_notable(0, u64::MAX, u64::MAX) && !is_notable(5, 5, 10));
    }

    #[tokio::test]
    async fn what_is_taken_again_is_not_taken_from_the_pace() {
        let data = tempfile::tempdir().unwrap();
        let (limits, _) = limits(data.path(), RoleLimits::default()).await;
        let ann = "ann".into();
        let refused = std::iter::repeat_with(|| limits.take_message(&ann, false)).find_map(Result::err);
        assert!(matches!(refused, Some(BrokerError::RateLimited(_))), "{refused:?}");
        limits.take_message(&ann, true).unwrap();
    }

    #[tokio::test]
    async fn a_day_has_so_many_and_then_begins_anew() {
        let data = tempfile::tempdir().unwrap();
        let (limits, mut notices) = limits(data.path(), RoleLimits { messages: 2, ..RoleLimits::default() }).await;
        let (ann, kind): (Arc<str>, _) = ("ann".into(), LimitKind::Messages);
        limits.take(&ann, kind).unwrap();
        limits.take(&ann, kind).unwrap();
        assert_eq!(limits.take(&ann, kind), Err(1));
        limits.take(&ann, LimitKind::Uploads).unwrap();
        limits.give_back(&ann, kind);
        limits.take(&ann, kind).unwrap();
        assert_eq!(limits.used("ann"), [2, 0, 0, 1, 0]);
        assert_eq!(notices.try_recv().as_deref(), Ok("ann"));

        // What was set for the role, and for the user, holds at once.
        limits.change_role(LimitRole::User, [Some(3), None, None, None, None]).await.unwrap();
        limits.take(&ann, kind).unwrap();
        limits.take(&ann, kind).unwrap_err();
        limits.change_user("ann", [Some(None), None, None, None, None]).await.unwrap();
        limits.take(&ann, kind).unwrap();
        limits.change_user("ann", [Some(Some(0)), None, None, None, None]).await.unwrap();
        limits.take(&ann, kind).unwrap_err();
        limits.change_user("ann", Set::default()).await.unwrap();
        limits.set_role("ann", LimitRole::Operator);
        limits.take(&ann, kind).unwrap();
        assert_eq!(limits.used("ann")[0], 5);

        // All of it is there again.
        limits.store().await.unwrap();
        let (again, _) = super::tests::limits(data.path(), RoleLimits::default()).await;
        assert_eq!(again.used("ann"), [5, 0, 0, 1, 0]);
        assert_eq!(again.of_role(LimitRole::User)[0], Some(3));

        NOW_MS.fetch_add(1, Ordering::Relaxed);
        assert_eq!(limits.used("ann"), [0; 5]);
        limits.give_back("ann", kind);
        assert_eq!(limits.used("ann"), [0; 5]);
        limits.store().await.unwrap();
        assert!(limits.counts.is_empty());
    }
}
