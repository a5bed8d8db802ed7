//! Credentials of the users the tester plays: one given token for all, or tokens made with the server's own secret.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

use crate::error::{Result, setup};

/// Tokens of the tester live this long, seconds.
const LIFETIME_S: u64 = 24 * 3600;

/// Where tokens come from.
#[derive(Clone)]
pub enum Tokens {
    /// The same token for every connection.
    Given(String),
    /// A token per user, signed with the server's secret.
    Signed(Box<EncodingKey>),
    /// None: for servers that ask for none.
    Absent,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    name: &'a str,
    aud: &'static str,
    exp: u64,
    grants: [Grant; 1],
}

#[derive(Serialize)]
struct Grant {
    room: &'static str,
    allow: &'static [&'static str],
}

const EVERYTHING: Grant = Grant { room: "*", allow: &["read", "publish", "signal", "presence", "create"] };

impl Tokens {
    /// Reads the server's secret: base64 of its key, as the server wrote it.
    pub fn from_secret_file(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| setup(format!("{}: {error}", path.display())))?;
        let key = EncodingKey::from_base64_secret(text.trim())
            .map_err(|error| setup(format!("{}: not base64: {error}", path.display())))?;
        Ok(Tokens::Signed(Box::new(key)))
    }

    /// A token for `user`; the given one when there is one.
    pub fn of(&self, user: &str) -> Result<String> {
        match self {
            Tokens::Given(token) => Ok(token.clone()),
            Tokens::Absent => Ok(String::new()),
            Tokens::Signed(key) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
                let claims =
                    Claims { sub: user, name: user, aud: "konvert", exp: now + LIFETIME_S, grants: [EVERYTHING] };
                encode(&Header::new(Algorithm::HS256), &claims, key)
                    .map_err(|error| setup(format!("signing a token: {error}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_with_the_decoded_secret() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").unwrap();
        let token = Tokens::from_secret_file(file.path()).unwrap().of("u1").unwrap();
        let mut rules = jsonwebtoken::Validation::new(Algorithm::HS256);
        rules.set_audience(&["konvert"]);
        let secret: Vec<u8> = (0..32).collect();
        let key = jsonwebtoken::DecodingKey::from_secret(&secret);
        let claims = jsonwebtoken::decode::<serde_json::Value>(&token, &key, &rules).unwrap().claims;
        assert_eq!(claims["sub"], "u1");
        assert_eq!(claims["grants"][0]["room"], "*");
    }
}
