//! What somebody without a socket shows to speak for a session: where the session is, and a secret that proves it.
//!
//! Invariant: nothing but [`Pass::text`] tells the secret, and that is for the session's owner alone.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::broker::SessionKey;

/// A session's place and the proof of owning it; on the wire `<shard>.<slot>.<generation>.<128 bits in base64url>`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// Where the session is.
    pub session: SessionKey,
    /// Random bits that only its owner was told.
    pub proof: u128,
}

/// A session's side of the proof.
pub struct Proof(u128);

impl Proof {
    /// One that nobody can guess.
    pub fn new() -> Self {
        Self(rand::random())
    }

    /// Whether this is what was shown. One comparison of all bits, whose time tells nothing about where they differ.
    pub fn is(&self, shown: u128) -> bool {
        std::hint::black_box(self.0 ^ shown) == 0
    }

    /// What the session's owner is given.
    pub fn pass(&self, session: SessionKey) -> Pass {
        Pass { session, proof: self.0 }
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof")
    }
}

impl Pass {
    /// As it travels.
    pub fn text(&self) -> String {
        let SessionKey { shard, slot, generation } = self.session;
        format!("{shard}.{slot}.{generation}.{}", URL_SAFE_NO_PAD.encode(self.proof.to_be_bytes()))
    }

    /// Reads what was shown; `None` when it cannot be a pass of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '.');
        let mut next = || parts.next();
        let (shard, slot, generation) = (next()?.parse().ok()?, next()?.parse().ok()?, next()?.parse().ok()?);
        let proof: [u8; 16] = URL_SAFE_NO_PAD.decode(next()?).ok()?.try_into().ok()?;
        Some(Self { session: SessionKey { shard, slot, generation }, proof: u128::from_be_bytes(proof) })
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pass({:?})", self.session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_given_is_read() {
        let proof = Proof::new();
        let pass = proof.pass(SessionKey { shard: 3, slot: 70_000, generation: 9 });
        assert_eq!(Pass::parse(&pass.text()), Some(pass));
        let whole = pass.text();
        for cut in 0..whole.len() {
            assert_eq!(Pass::parse(&whole[..cut]), None, "{cut} bytes of it");
        }
        let secret = whole.rsplit('.').next().expect("four parts");
        for text in [
            format!("{whole}A"),
            format!("99999.1.1.{secret}"),
            format!("-1.1.1.{secret}"),
            format!("1.1.{secret}"),
            format!("1.1.1.1.{secret}"),
            "1.1.1.\u{fffd}".to_owned(),
        ] {
            assert_eq!(Pass::parse(&text), None, "{text}");
        }
        assert!(proof.is(pass.proof) && !proof.is(pass.proof ^ 1 << 127) && !Proof::new().is(pass.proof));
        assert_eq!(format!("{proof:?}"), "Proof");
        assert!(!format!("{pass:?}").contains(secret), "the secret is not told");
    }
}
