//! What a room, a user and a message id may be called. One rule for all sides, so that a name that a client accepts
//! is one that the server accepts.

use std::fmt;

/// Longest room name, bytes.
pub const ROOM_NAME_BYTES_MAX: usize = 128;
/// Longest user id, bytes.
pub const USER_ID_BYTES_MAX: usize = 128;
/// Longest message id, bytes. A UUID needs 36.
pub const MESSAGE_ID_BYTES_MAX: usize = 64;

/// Why a name was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// Nothing where a name is needed.
    Empty,
    /// Longer than this many bytes.
    TooLong(usize),
    /// A character outside the allowed set.
    Character(char),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("must not be empty"),
            Self::TooLong(max) => write!(f, "must be at most {max} bytes"),
            Self::Character(c) => write!(f, "must not contain {c:?}"),
        }
    }
}

impl std::error::Error for NameError {}

/// Room names: 1 to 128 of ASCII letters, digits and `- _ . : @ / +`. `*` is kept for grants.
pub fn check_room(name: &str) -> Result<(), NameError> {
    check(name, ROOM_NAME_BYTES_MAX, |c| c.is_ascii_alphanumeric() || "-_.:@/+".contains(c))
}

/// User ids: 1 to 128 bytes of printable ASCII without space. They come from a token's `sub`.
pub fn check_user(id: &str) -> Result<(), NameError> {
    check(id, USER_ID_BYTES_MAX, |c| c.is_ascii_graphic())
}

/// Message ids: 1 to 64 bytes of printable ASCII without space.
pub fn check_message_id(id: &str) -> Result<(), NameError> {
    check(id, MESSAGE_ID_BYTES_MAX, |c| c.is_ascii_graphic())
}

fn check(name: &str, bytes_max: usize, allowed: impl Fn(char) -> bool) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > bytes_max {
        return Err(NameError::TooLong(bytes_max));
    }
    match name.chars().find(|&c| !allowed(c)) {
        Some(c) => Err(NameError::Character(c)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries() {
        let longest = "r".repeat(ROOM_NAME_BYTES_MAX);
        for (name, want) in [
            ("lobby", Ok(())),
            ("team/a.b:c@d+e_f-1", Ok(())),
            (longest.as_str(), Ok(())),
            ("", Err(NameError::Empty)),
            ("комната", Err(NameError::Character('к'))),
            ("a b", Err(NameError::Character(' '))),
            ("team-*", Err(NameError::Character('*'))),
            ("a\0", Err(NameError::Character('\0'))),
        ] {
            assert_eq!(check_room(name), want, "{name:?}");
        }
        assert_eq!(check_room(&format!("{longest}r")), Err(NameError::TooLong(ROOM_NAME_BYTES_MAX)));
        assert_eq!(check_user("a*b|c"), Ok(()));
        assert_eq!(check_message_id(&"i".repeat(65)), Err(NameError::TooLong(64)));
    }
}
