//! What a token says.
//!
//! Owns the form of the claims and the rules that need no key and no clock. Both directions use one type, so that
//! whatever is minted here is understood here.
//!
//! ```json
//! { "sub": "u-17",               who: 1 to 128 bytes of printable ASCII without space; `guest-…` is kept for guests
//!   "name": "Anna",              how to be shown: optional, at most 64 bytes, no control characters
//!   "exp": 1893456000,           required; the token ends exactly then
//!   "nbf": 1893452400,           optional, with 5 s of leeway
//!   "iat": 1893452400,           optional; must not be in the future by more than 5 s
//!   "iss": "https://example",    must equal `auth.issuer` when that is set
//!   "aud": "konvert",            text or list; must be or contain `auth.audience` unless that is empty
//!   "device": "dev-…",           only in tokens of this server's own accounts: the device that is signed in
//!   "rooms_only": true,          optional: only the grants count, not what the user is a member of; opens nothing else
//!   "grants": [                  at most 256; a user's rights in a room are the union over those that match
//!     { "room": "team-*",        a name, a beginning and `*`, or `*`
//!       "allow": ["read", "publish", "signal", "presence", "moderate", "create"],
//!       "mode": "e2ee" } ] }     optional: `server_readable` or `e2ee`, for rooms that this grant brings into being
//! ```
//! Times are seconds since 1970, fractions allowed. Claims not named here are ignored.

use konvert_protocol::check_user;
use serde::{Deserialize, Serialize};

use super::grants::{Grant, Grants};

/// Longest display name, bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// What user ids of guests begin with; nobody else's may.
pub const GUEST_PREFIX: &str = "guest-";

/// What user ids of this server's own accounts begin with; nobody else's may.
pub const ACCOUNT_PREFIX: &str = "acc-";

/// The year 9999: later times are cut to it, so that arithmetic on them cannot overflow.
const TIME_S_MAX: f64 = 253_402_300_799.0;

/// The claims of a token, see the head of this file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Claims {
    /// The user.
    #[serde(default)]
    pub sub: String,
    /// How to show the user; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// When the token ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<Seconds>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<Seconds>,
    /// Before when it must not be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<Seconds>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// For whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<Audience>,
    /// The device that an account is signed in on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Whether the grants are everything: what the user is a member of does not count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rooms_only: bool,
    /// What the user may do.
    #[serde(default)]
    pub grants: Vec<Grant>,
}

impl Claims {
    /// The claims' user and display name keep the rules.
    pub(super) fn check_names(&self) -> Result<(), String> {
        check_user(&self.sub).map_err(|error| format!("sub {error}"))?;
        match is_display_name(&self.name) {
            true => Ok(()),
            false => Err(format!("name must be at most {NAME_BYTES_MAX} bytes without control characters")),
        }
    }

    /// The grants, ready to be asked.
    pub(super) fn grants(&self) -> Result<Grants, String> {
        Grants::new(&self.grants)
    }
}

/// Whether a display name keeps the rules; an empty one does.
pub(super) fn is_display_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control)
}

/// A name that somebody else vouches for, made to keep the rules; may be empty.
pub fn fitting_name(name: &str) -> String {
    let mut name: String = name.chars().filter(|c| !c.is_control()).collect();
    name.truncate(name.floor_char_boundary(NAME_BYTES_MAX));
    name
}

/// Seconds since 1970, as tokens tell time.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(from = "f64")]
pub struct Seconds(f64);

impl Seconds {
    /// From milliseconds since 1970.
    pub fn from_ms(ms: u64) -> Self {
        // Exact: milliseconds stay far below 2^53.
        Self::from(ms as f64 / 1_000.0)
    }

    /// In milliseconds since 1970.
    pub fn ms(self) -> u64 {
        (self.0 * 1_000.0).round() as u64
    }
}

impl From<f64> for Seconds {
    fn from(seconds: f64) -> Self {
        Self(seconds.clamp(0.0, TIME_S_MAX))
    }
}

impl Serialize for Seconds {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.fract() == 0.0 {
            true => serializer.serialize_u64(self.0 as u64),
            false => serializer.serialize_f64(self.0),
        }
    }
}

/// For whom a token is: one name or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Audience {
    pub(super) fn contains(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Many(many) => many.iter().any(|one| one == name),
        }
    }
}
