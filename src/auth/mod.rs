//! Credentials in, identity and rights out.
//!
//! Owns the verification and the making of tokens; claims are described in `claims.rs`. Pure: keys and the time are
//! handed in, nothing is read or waited for. Knows neither sockets nor rooms.
//!
//! Invariants: the key decides the algorithm, never the token: no `kid` means the server's own secret and HS256, a
//! `kid` means that configured key and EdDSA; everything else, `none` among it, is refused. Nothing of a token is
//! believed before its signature is verified. No error repeats a token.

mod claims;
mod config;
mod grants;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::Deserialize;
use serde::de::IgnoredAny;

pub use claims::{Audience, Claims, GUEST_PREFIX, NAME_BYTES_MAX, Seconds};
pub use config::{AuthConfig, KeyConfig};
pub use grants::{GRANTS_MAX, Grant, GrantMode, Grants, Permission, Permissions};

/// Longest token, bytes.
pub const TOKEN_BYTES_MAX: usize = 8 << 10;
/// Shortest secret, bytes: as long as HS256's output.
pub const SECRET_BYTES_MIN: usize = 32;
/// How far ahead another's clock may be for `nbf` and `iat`, milliseconds. `exp` has no leeway.
const LEEWAY_MS: u64 = 5_000;

/// Who somebody is and what they may do.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The user id.
    pub user: Arc<str>,
    /// The display name; may be empty.
    pub name: Arc<str>,
    /// When this ends, milliseconds since 1970.
    pub expires_ms: u64,
    /// The rights; shared by all guests.
    pub grants: Arc<Grants>,
}

/// Why a token was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenError {
    /// Malformed, wrongly signed, or meant for somebody else; says what to correct.
    Bad(String),
    /// It has ended; a new one is needed.
    Expired,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad(reason) => write!(f, "the token is not valid: {reason}"),
            Self::Expired => f.write_str("the token has ended; get a new one"),
        }
    }
}

impl std::error::Error for TokenError {}

/// Why somebody may not enter as a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuestError {
    /// The configuration lets no guests in.
    NotAllowed,
    /// A guest's name is 1 to 64 bytes without control characters, not only spaces.
    BadName,
}

/// Why the configuration of tokens cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthConfigError {
    /// The server's secret is too short to sign with.
    #[error("the secret has {0} bytes where at least {SECRET_BYTES_MIN} are needed; delete the file to get a new one")]
    WeakSecret(usize),
    /// A key of `auth.keys` is not usable.
    #[error("auth.keys: the key with kid {kid:?} {reason}")]
    Key {
        /// Its name.
        kid: String,
        /// What is wrong, as the rest of a sentence.
        reason: String,
    },
    /// A room opened to guests has a name that no room can have.
    #[error("{0}")]
    GuestRoom(String),
}

/// Verifies and makes tokens. Keys are prepared once, here.
pub struct Auth {
    secret: DecodingKey,
    signing: EncodingKey,
    keys: HashMap<Box<str>, DecodingKey>,
    audience: String,
    issuer: String,
    /// `None` when guests are not let in.
    guests: Option<Guests>,
}

struct Guests {
    grants: Arc<Grants>,
    token_ms: u64,
}

/// What verification needs of a token's header.
#[derive(Deserialize)]
struct TokenHeader<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow, default)]
    kid: Option<Cow<'a, str>>,
    /// Extensions that must be understood; none is.
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

impl Auth {
    /// Prepares the keys. `guest_rooms` are the names of the rooms opened to guests.
    ///
    /// # Errors
    /// Names the key or the room that cannot work.
    pub fn new(config: &AuthConfig, secret: &[u8], guest_rooms: Vec<String>) -> Result<Self, AuthConfigError> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(AuthConfigError::WeakSecret(secret.len()));
        }
        let mut keys = HashMap::new();
        for key in &config.keys {
            let refuse = |reason: &str| AuthConfigError::Key { kid: key.kid.clone(), reason: reason.into() };
            let prepared = public_key(key).map_err(refuse)?;
            if keys.insert(key.kid.as_str().into(), prepared).is_some() {
                return Err(refuse("is there twice"));
            }
        }
        let guests = config.guests.then(|| guests(config, guest_rooms)).transpose()?;
        Ok(Self {
            secret: DecodingKey::from_secret(secret),
            signing: EncodingKey::from_secret(secret),
            keys,
            audience: config.audience.clone(),
            issuer: config.issuer.clone(),
            guests,
        })
    }

    /// Who the token says somebody is, if it is to be believed now.
    ///
    /// # Errors
    /// [`TokenError::Expired`] if time is all that is wrong with it, [`TokenError::Bad`] otherwise.
    pub fn verify(&self, token: &str, now_ms: u64) -> Result<Identity, TokenError> {
        let (claims, own) = self.open(token).map_err(TokenError::Bad)?;
        self.check(&claims, own).map_err(TokenError::Bad)?;
        let expires_ms = check_times(&claims, now_ms)?;
        let grants = match &self.guests {
            // What is open to guests is decided by today's configuration, not by that of the day they came.
            Some(guests) if claims.sub.starts_with(GUEST_PREFIX) => guests.grants.clone(),
            _ => Arc::new(claims.grants().map_err(TokenError::Bad)?),
        };
        Ok(Identity { user: claims.sub.into(), name: claims.name.into(), expires_ms, grants })
    }

    /// Makes a new guest, and the token that lets them come back as the same user.
    ///
    /// # Errors
    /// When guests are not let in, or not under this name.
    pub fn guest(&self, name: &str, now_ms: u64) -> Result<(String, Identity), GuestError> {
        let guests = self.guests.as_ref().ok_or(GuestError::NotAllowed)?;
        if name.trim().is_empty() || !claims::is_display_name(name) {
            return Err(GuestError::BadName);
        }
        let expires_ms = now_ms.saturating_add(guests.token_ms);
        let claims = Claims {
            sub: format!("{GUEST_PREFIX}{}", random_base32()),
            name: name.to_owned(),
            exp: Some(Seconds::from_ms(expires_ms)),
            ..Claims::default()
        };
        let token = self.sign(&claims).map_err(|_| GuestError::BadName)?;
        let identity = Identity {
            user: claims.sub.into(),
            name: claims.name.into(),
            expires_ms,
            grants: Arc::clone(&guests.grants),
        };
        Ok((token, identity))
    }

    /// Makes a token signed with the server's secret. `iss` and `aud` are filled in when absent.
    ///
    /// # Errors
    /// Says which claim [`Auth::verify`] would refuse; time is not looked at.
    pub fn mint(&self, claims: &Claims) -> Result<String, TokenError> {
        if claims.sub.starts_with(GUEST_PREFIX) {
            return Err(TokenError::Bad(format!("sub must not begin with {GUEST_PREFIX:?}, which is kept for guests")));
        }
        self.sign(claims)
    }

    fn sign(&self, claims: &Claims) -> Result<String, TokenError> {
        let mut claims = claims.clone();
        if claims.aud.is_none() && !self.audience.is_empty() {
            claims.aud = Some(Audience::One(self.audience.clone()));
        }
        if claims.iss.is_none() && !self.issuer.is_empty() {
            claims.iss = Some(self.issuer.clone());
        }
        self.check(&claims, true).map_err(TokenError::Bad)?;
        claims.grants().map_err(TokenError::Bad)?;
        if claims.exp.is_none() {
            return Err(TokenError::Bad("exp is missing".into()));
        }
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
            .map_err(|error| TokenError::Bad(error.to_string()))?;
        match token.len() <= TOKEN_BYTES_MAX {
            true => Ok(token),
            false => Err(TokenError::Bad(too_long(token.len()))),
        }
    }

    /// The claims of a rightly signed token, and whether the server's own secret signed it.
    fn open(&self, token: &str) -> Result<(Claims, bool), String> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(too_long(token.len()));
        }
        let (message, signature) = token.rsplit_once('.').ok_or("it does not consist of three parts")?;
        let (header, payload) = message.split_once('.').ok_or("it does not consist of three parts")?;
        let header = decode(header).ok_or("its header is not base64url")?;
        let header: TokenHeader<'_> = serde_json::from_slice(&header).map_err(|_| "its header cannot be read")?;
        if header.crit.is_some() {
            return Err("its header asks for extensions (crit), and none is known here".into());
        }
        let (key, algorithm, name) = match header.kid.as_deref() {
            None => (&self.secret, Algorithm::HS256, "HS256"),
            Some(kid) => (self.keys.get(kid).ok_or("its kid names no key of auth.keys")?, Algorithm::EdDSA, "EdDSA"),
        };
        if header.alg != name {
            return Err(format!("its alg must be {name} for this key"));
        }
        // Any error of the library here means that the signature could not be a right one.
        if !jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, algorithm).unwrap_or(false) {
            return Err("its signature is wrong".into());
        }
        let payload = decode(payload).ok_or("its claims are not base64url")?;
        let claims = serde_json::from_slice(&payload).map_err(|error| format!("its claims cannot be read: {error}"))?;
        Ok((claims, header.kid.is_none()))
    }

    /// Everything about claims but time and grants.
    fn check(&self, claims: &Claims, own: bool) -> Result<(), String> {
        claims.check_names()?;
        if claims.sub.starts_with(GUEST_PREFIX) && !own {
            return Err(format!("sub must not begin with {GUEST_PREFIX:?}, which is kept for guests"));
        }
        if claims.sub.starts_with(GUEST_PREFIX) && self.guests.is_none() {
            return Err("it is a guest's, and this server lets no guests in".into());
        }
        if !self.audience.is_empty() && !claims.aud.as_ref().is_some_and(|aud| aud.contains(&self.audience)) {
            return Err(format!("aud must be {:?}", self.audience));
        }
        if !self.issuer.is_empty() && claims.iss.as_ref() != Some(&self.issuer) {
            return Err(format!("iss must be {:?}", self.issuer));
        }
        Ok(())
    }
}

/// When the claims end, if they hold now.
fn check_times(claims: &Claims, now_ms: u64) -> Result<u64, TokenError> {
    let exp = claims.exp.ok_or_else(|| TokenError::Bad("exp is missing".into()))?.ms();
    for (name, time) in [("nbf", claims.nbf), ("iat", claims.iat)] {
        if time.is_some_and(|time| time.ms() > now_ms.saturating_add(LEEWAY_MS)) {
            return Err(TokenError::Bad(format!("{name} is in the future")));
        }
    }
    if exp <= now_ms { Err(TokenError::Expired) } else { Ok(exp) }
}

fn public_key(key: &KeyConfig) -> Result<DecodingKey, &'static str> {
    if key.kid.is_empty() {
        return Err("needs a kid");
    }
    let pem = key.pem.as_deref().ok_or("needs pem or pem_file")?;
    let not_ed25519 = "is not an Ed25519 public key in PEM; make one with `openssl pkey -in private.pem -pubout`";
    let prepared = DecodingKey::from_ed_pem(pem.as_bytes()).map_err(|_| not_ed25519)?;
    match prepared.try_get_as_bytes() {
        Ok(bytes) if bytes.len() == 32 => Ok(prepared),
        _ => Err(not_ed25519),
    }
}

fn guests(config: &AuthConfig, rooms: Vec<String>) -> Result<Guests, AuthConfigError> {
    use Permission::{Presence, Publish, Read, Signal};
    let allow = vec![Read, Publish, Signal, Presence];
    let rooms: Vec<_> = rooms.into_iter().map(|room| Grant { room, allow: allow.clone(), mode: None }).collect();
    let grants = Arc::new(Grants::new(&rooms).map_err(AuthConfigError::GuestRoom)?);
    Ok(Guests { grants, token_ms: config.guest_token_s.saturating_mul(1_000) })
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

fn too_long(length: usize) -> String {
    format!("it has {length} bytes where at most {TOKEN_BYTES_MAX} are allowed")
}

/// 16 characters that carry 80 random bits: nobody guesses another guest's id, and two never meet.
fn random_base32() -> String {
    let bits = rand::random::<u128>();
    (0..16).map(|i| b"abcdefghijklmnopqrstuvwxyz234567"[(bits >> (5 * i)) as usize & 31] as char).collect()
}

#[cfg(test)]
mod tests;
