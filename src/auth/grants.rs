//! What a user may do in which room.
//!
//! Owns the matching of room names against grants; knows neither tokens nor rooms' state. Invariant: rights only add
//! up: no grant takes away what another gives.

use konvert_protocol::{NameError, check_room};
use serde::{Deserialize, Serialize};

/// Most grants in one token.
pub const GRANTS_MAX: usize = 256;

/// One right in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Subscribe, see the history and move one's read marker.
    Read,
    /// Publish messages, and edit or delete one's own.
    Publish,
    /// Send signals.
    Signal,
    /// See who is there, and be seen.
    Presence,
    /// Delete the messages of others.
    Moderate,
    /// Bring the room into being by publishing to it or subscribing to it.
    Create,
}

impl Permission {
    /// Every right, in the order of the claims' documentation.
    pub const ALL: [Self; 6] = [Self::Read, Self::Publish, Self::Signal, Self::Presence, Self::Moderate, Self::Create];

    /// Its name in claims.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Publish => "publish",
            Self::Signal => "signal",
            Self::Presence => "presence",
            Self::Moderate => "moderate",
            Self::Create => "create",
        }
    }
}

/// A set of rights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Permissions(u8);

impl Permissions {
    /// Every right there is.
    pub fn all() -> Self {
        Permission::ALL.into_iter().collect()
    }

    /// Whether the right is among them.
    pub fn contains(self, permission: Permission) -> bool {
        self.0 & 1 << permission as u8 != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Their names in claims.
    pub fn names(self) -> Vec<&'static str> {
        Permission::ALL.into_iter().filter(|&p| self.contains(p)).map(Permission::name).collect()
    }

    /// These and those.
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | 1 << permission as u8))
    }
}

/// What a room's payloads shall be when a grant brings it into being.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantMode {
    /// Payloads may be read by the server.
    ServerReadable,
    /// Payloads are MLS messages.
    E2ee,
}

/// One grant as claims carry it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// A room's name, or the beginning of names followed by `*`, or `*` for every room.
    pub room: String,
    /// The rights.
    pub allow: Vec<Permission>,
    /// The mode of rooms that come into being through this grant; absent means readable by the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<GrantMode>,
}

/// Names of rooms: a single one, or all with the same beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The room's name, or what its name begins with.
    name: Box<str>,
    /// Whether `name` is only the beginning.
    prefix: bool,
}

impl Pattern {
    /// From a name, the beginning of names followed by `*`, or `*`.
    ///
    /// # Errors
    /// Says why it cannot match any room.
    pub fn new(text: &str) -> Result<Self, String> {
        let (name, prefix) = match text.strip_suffix('*') {
            Some(name) => (name, true),
            None => (text, false),
        };
        match check_room(name) {
            Err(NameError::Empty) if prefix => {}
            checked => checked.map_err(|error| format!("the room {text:?} {error}"))?,
        }
        Ok(Self { name: name.into(), prefix })
    }

    /// Whether it is this room or one of them.
    pub fn matches(&self, room: &str) -> bool {
        if self.prefix { room.starts_with(&*self.name) } else { room == &*self.name }
    }

    /// Whether every room of the other one is one of this.
    pub fn covers(&self, other: &Self) -> bool {
        self.matches(&other.name) && (self.prefix || !other.prefix)
    }

    /// Whether a room with this beginning could be one of this.
    pub fn meets(&self, beginning: &str) -> bool {
        self.name.starts_with(beginning) || (self.prefix && beginning.starts_with(&*self.name))
    }
}

/// A user's rights in every room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(Box<[Rule]>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    rooms: Pattern,
    allow: Permissions,
    mode: Option<GrantMode>,
}

impl Grants {
    /// Checks the patterns and keeps the grants.
    ///
    /// # Errors
    /// Says which pattern cannot match any room, or that there are too many.
    pub fn new(grants: &[Grant]) -> Result<Self, String> {
        if grants.len() > GRANTS_MAX {
            return Err(format!("{} grants where at most {GRANTS_MAX} are allowed", grants.len()));
        }
        grants.iter().map(rule).collect::<Result<_, _>>().map(Self)
    }

    /// The rights in a room: the union over all grants that match it.
    pub fn allow(&self, room: &str) -> Permissions {
        self.matching(room).fold(Permissions::default(), |sum, rule| sum.union(rule.allow))
    }

    /// Whether the room, when these grants bring it into being, is end-to-end encrypted. The most specific grant that
    /// names a mode decides; of equal ones the stricter.
    pub fn e2ee(&self, room: &str) -> bool {
        let modes =
            self.matching(room).filter_map(|rule| Some((!rule.rooms.prefix, rule.rooms.name.len(), rule.mode?)));
        modes.map(|(exact, length, mode)| (exact, length, mode == GrantMode::E2ee)).max().is_some_and(|best| best.2)
    }

    fn matching(&self, room: &str) -> impl Iterator<Item = &Rule> {
        self.0.iter().filter(move |rule| rule.rooms.matches(room))
    }
}

fn rule(grant: &Grant) -> Result<Rule, String> {
    let rooms = Pattern::new(&grant.room).map_err(|why| format!("a grant names {why}"))?;
    Ok(Rule { rooms, allow: grant.allow.iter().copied().collect(), mode: grant.mode })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grant(room: &str, allow: &[Permission], mode: Option<GrantMode>) -> Grant {
        Grant { room: room.into(), allow: allow.to_vec(), mode }
    }

    #[test]
    fn rights_are_the_union_of_matching_grants() {
        use Permission::{Create, Moderate, Publish, Read};
        let grants = Grants::new(&[
            grant("*", &[Read], None),
            grant("team-*", &[Publish, Create], None),
            grant("team-a", &[Moderate], None),
        ])
        .unwrap();
        for (room, want) in [
            ("lobby", vec!["read"]),
            ("team-", vec!["read", "publish", "create"]),
            ("team-a", vec!["read", "publish", "moderate", "create"]),
            ("team-ab", vec!["read", "publish", "create"]),
            ("Team-a", vec!["read"]),
        ] {
            assert_eq!(grants.allow(room).names(), want, "{room}");
        }
        assert!(Grants::default().allow("lobby").is_empty());
    }

    #[test]
    fn the_most_specific_mode_decides() {
        use GrantMode::{E2ee, ServerReadable};
        let grants = Grants::new(&[
            grant("*", &[Permission::Create], Some(ServerReadable)),
            grant("private-*", &[], Some(E2ee)),
            grant("private-open-*", &[], Some(ServerReadable)),
            grant("private-open-x", &[], Some(E2ee)),
            grant("private-y", &[], None),
        ])
        .unwrap();
        for (room, want) in [
            ("lobby", false),
            ("private-1", true),
            ("private-open-1", false),
            ("private-open-x", true),
            ("private-y", true),
        ] {
            assert_eq!(grants.e2ee(room), want, "{room}");
        }
    }

    #[test]
    fn patterns_that_match_nothing_are_refused() {
        for room in ["", "a*b", "**", "a b", "-**", &"r".repeat(129)] {
            assert!(Grants::new(&[grant(room, &[], None)]).is_err(), "{room:?}");
        }
        for room in ["*", "a*", "a", &"r".repeat(128)] {
            assert!(Grants::new(&[grant(room, &[], None)]).is_ok(), "{room:?}");
        }
        assert!(Grants::new(&vec![grant("a", &[], None); GRANTS_MAX]).is_ok());
        assert!(Grants::new(&vec![grant("a", &[], None); GRANTS_MAX + 1]).is_err());
    }

    #[test]
    fn what_a_pattern_covers_and_meets() {
        for (one, other, covers, meets) in [
            ("*", "team-*", true, true),
            ("team-*", "*", false, true),
            ("team-*", "team-a", true, true),
            ("team-*", "team-*", true, true),
            ("team-a", "team-a", true, true),
            ("team-a", "team-a*", false, true),
            ("t*", "team", true, true),
            ("x*", "team", false, false),
            ("team", "team-", false, false),
        ] {
            let (one, beginning) = (Pattern::new(one).unwrap(), other.trim_end_matches('*'));
            assert_eq!(one.covers(&Pattern::new(other).unwrap()), covers, "{one:?} covers {other}");
            assert_eq!(one.meets(beginning), meets, "{one:?} meets {beginning}");
        }
    }

    proptest! {
        #[test]
        fn names_and_membership_agree(bits in prop::collection::vec(0..6usize, 0..8)) {
            let set: Permissions = bits.iter().map(|&i| Permission::ALL[i]).collect();
            for (i, permission) in Permission::ALL.into_iter().enumerate() {
                prop_assert_eq!(set.contains(permission), bits.contains(&i));
                prop_assert_eq!(set.names().contains(&permission.name()), bits.contains(&i));
                let name = serde_json::to_value(permission).unwrap();
                prop_assert_eq!(name, permission.name());
            }
        }
    }
}
