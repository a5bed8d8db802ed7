//! What a room, a user, a message id and a stored file may be called. One rule for all sides, so that a name that a client accepts
//! is one that the server accepts.

use std::fmt;

/// Longest room name, bytes.
pub const ROOM_NAME_BYTES_MAX: usize = 128;
/// Longest user id, bytes.
pub const USER_ID_BYTES_MAX: usize = 128;
/// Longest message id, bytes. A UUID needs 36.
pub const MESSAGE_ID_BYTES_MAX: usize = 64;
/// Most users that a message mentions.
pub const MENTIONS_MAX: usize = 64;
/// Most stored files that belong to a message.
pub const BLOBS_MAX: usize = 16;

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

/// The SHA-256 that a stored file goes by: 64 lower-case hex digits. `None` for anything else.
pub fn blob_digest(hex: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut digest = [0; 32];
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if pairs.len() != digest.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(digest)
}

/// The name of a stored file, see [`blob_digest`].
pub fn blob_name(digest: &[u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
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

    #[test]
    fn names_of_stored_files() {
        let digest: [u8; 32] = std::array::from_fn(|i| i as u8 * 8 + 7);
        let name = blob_name(&digest);
        assert!(name.starts_with("070f171f") && name.ends_with("f7ff"), "{name}");
        assert_eq!(blob_digest(&name), Some(digest));
        for wrong in [&name[..63], &name[..62], &format!("{name}0"), &name.to_uppercase(), &name.replace('7', "g"), ""]
        {
            assert_eq!(blob_digest(wrong), None, "{wrong:?}");
        }
        assert_eq!(blob_digest(&format!("é{}", &name[2..])), None);
    }
}
