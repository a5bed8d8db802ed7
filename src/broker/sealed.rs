//! Is a payload an MLS message? The one choke point that keeps plaintext out of sealed rooms and sealed bytes out of
//! readable ones. Only the clear framing of RFC 9420 is looked at; nothing is decrypted, kept or logged.

use crate::journal::Mode;

/// What a payload is refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misplaced {
    /// Not an MLS message, in an end-to-end encrypted room.
    Plaintext,
    /// An MLS message, in a room that the server can read.
    Sealed,
}

/// Whether a payload may enter a room of this mode.
pub fn check(mode: Mode, payload: &[u8]) -> Result<(), Misplaced> {
    match mode {
        Mode::E2ee if !is_mls(payload) => Err(Misplaced::Plaintext),
        Mode::ServerReadable if is_mls(payload) => Err(Misplaced::Sealed),
        _ => Ok(()),
    }
}

/// RFC 9420 §6: `MLSMessage` with version mls10 and a wire format that may travel in a room: a PrivateMessage, or a
/// PublicMessage that is a handshake (an application message must be private, §6).
fn is_mls(payload: &[u8]) -> bool {
    let mut rest = Reader(payload);
    if rest.uint(2) != Some(1) {
        return false;
    }
    match rest.uint(2) {
        Some(1) => public_handshake(&mut rest).is_some(),
        Some(2) => private_message(&mut rest).is_some_and(|()| rest.0.is_empty()),
        _ => false,
    }
}

/// RFC 9420 §6.3: group_id, epoch, content_type, authenticated_data, encrypted_sender_data, ciphertext.
fn private_message(rest: &mut Reader<'_>) -> Option<()> {
    rest.vector()?;
    rest.uint(8)?;
    let content_type = rest.uint(1)?;
    rest.vector()?;
    let sender_data = rest.vector()?;
    let ciphertext = rest.vector()?;
    ((1..=3).contains(&content_type) && !sender_data.is_empty() && !ciphertext.is_empty()).then_some(())
}

/// RFC 9420 §6 `FramedContent` up to its content type, which must be a proposal or a commit.
fn public_handshake(rest: &mut Reader<'_>) -> Option<()> {
    rest.vector()?;
    rest.uint(8)?;
    match rest.uint(1)? {
        // member and external carry an index; the two kinds of new member carry nothing.
        1 | 2 => drop(rest.uint(4)?),
        3 | 4 => {}
        _ => return None,
    }
    rest.vector()?;
    let content_type = rest.uint(1)?;
    ((2..=3).contains(&content_type) && !rest.0.is_empty()).then_some(())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn uint(&mut self, len: usize) -> Option<u64> {
        Some(self.take(len)?.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }

    /// A variable-size vector, RFC 9420 §2.1.2: the two high bits of the first byte tell the length's size.
    fn vector(&mut self) -> Option<&'a [u8]> {
        let size = match self.0.first()? >> 6 {
            0 => 1,
            1 => 2,
            2 => 4,
            _ => return None,
        };
        let len = self.uint(size)? & ((1 << (8 * size - 2)) - 1);
        self.take(usize::try_from(len).ok()?)
    }
}

/// A well-formed PrivateMessage around any bytes, for tests of every layer.
#[cfg(test)]
pub(crate) fn private_message_around(ciphertext: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 1, 0, 2, 2, b'g', b'1'];
    out.extend(7u64.to_be_bytes());
    out.extend([1, 0, 3, 9, 9, 9]);
    out.extend((0x8000_0000 | ciphertext.len() as u32).to_be_bytes());
    out.extend(ciphertext);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_private_message_is_sealed() {
        let message = private_message_around(b"ciphertext");
        assert_eq!(check(Mode::E2ee, &message), Ok(()));
        assert_eq!(check(Mode::ServerReadable, &message), Err(Misplaced::Sealed));
        for cut in 0..message.len() {
            assert_eq!(check(Mode::E2ee, &message[..cut]), Err(Misplaced::Plaintext), "cut at {cut}");
        }
        assert_eq!(check(Mode::E2ee, &[message.as_slice(), b"!"].concat()), Err(Misplaced::Plaintext));
    }

    #[test]
    fn a_public_application_message_is_not_sealed() {
        let message = |content_type| {
            let mut out = vec![0, 1, 0, 1, 1, b'g'];
            out.extend(7u64.to_be_bytes());
            out.extend([1, 0, 0, 0, 5, 0, content_type, 42, 42]);
            out
        };
        assert_eq!(check(Mode::E2ee, &message(1)), Err(Misplaced::Plaintext));
        assert_eq!(check(Mode::E2ee, &message(3)), Ok(()));
    }

    proptest! {
        #[test]
        fn text_is_never_sealed(text in "\\PC{0,80}") {
            prop_assert_eq!(check(Mode::E2ee, text.as_bytes()), Err(Misplaced::Plaintext));
            prop_assert_eq!(check(Mode::ServerReadable, text.as_bytes()), Ok(()));
        }

        #[test]
        fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(check(Mode::E2ee, &bytes).is_ok() != check(Mode::ServerReadable, &bytes).is_ok());
        }
    }
}
