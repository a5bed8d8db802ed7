//! Credentials in, identity and rights out.
//!
//! Owns the verification and the making of tokens; claims are described in `claims.rs`. Pure: keys and the time are
//! handed in, nothing is read or waited for. Knows neither sockets nor rooms.
//!
//! Invariants: the key decides the algorithm, never the token: no `kid` means the server's own secret and HS256, a
//! `kid` means that key of somebody else with its one algorithm (`keys.rs`); everything else, `none` among it, is
//! refused. Nothing of a token is believed before its signature is verified. No error repeats a token.

mod claims;
mod config;
mod grants;
mod keys;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::Sha256;

pub use claims::{ACCOUNT_PREFIX, Audience, Claims, GUEST_PREFIX, NAME_BYTES_MAX, Seconds};
pub use config::{AuthConfig, ClaimNames, JwksConfig, KeyConfig, Secret};
pub use grants::{GRANTS_MAX, Grant, GrantMode, Grants, Pattern, Permission, Permissions};

use keys::{KeySet, Keys, Signer};

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
    /// The rights; shared by all guests and by all accounts.
    pub grants: Arc<Grants>,
    /// For an account: the device it is signed in on.
    pub device: Option<Arc<str>>,
    /// Whether the grants are everything: nothing comes of what the user is a member of.
    pub rooms_only: bool,
    /// Who vouches: `account` and `guest` this server by its tables, `token` this server by its secret, otherwise the
    /// `kid` of a key or the issuer of a key set.
    pub origin: Arc<str>,
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
    root: Hmac<Sha256>,
    signing: EncodingKey,
    keys: Keys,
    audience: String,
    issuer: String,
    /// `None` when guests are not let in.
    guests: Option<Guests>,
    /// What every account may do beside its memberships: enter the rooms that are open to all.
    account_grants: Arc<Grants>,
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
        let open = open_rooms(guest_rooms)?;
        let guests = config
            .guests
            .then(|| Guests { grants: open.clone(), token_ms: config.guest_token_s.saturating_mul(1_000) });
        Ok(Self {
            secret: DecodingKey::from_secret(secret),
            root: keyed(secret),
            signing: EncodingKey::from_secret(secret),
            keys: Keys::new(config)?,
            audience: config.audience.clone(),
            issuer: config.issuer.clone(),
            guests,
            account_grants: open,
        })
    }

    /// Who the token says somebody is, if it is to be believed now.
    ///
    /// # Errors
    /// [`TokenError::Expired`] if time is all that is wrong with it, [`TokenError::Bad`] otherwise.
    pub fn verify(&self, token: &str, now_ms: u64) -> Result<Identity, TokenError> {
        let (claims, signer) = self.open(token).map_err(TokenError::Bad)?;
        let own = matches!(signer, Signer::Own);
        self.check(&claims, &signer).map_err(TokenError::Bad)?;
        let expires_ms = check_times(&claims, now_ms)?;
        let grants = match &self.guests {
            // What is open to guests is decided by today's configuration, not by that of the day they came.
            Some(guests) if claims.sub.starts_with(GUEST_PREFIX) => guests.grants.clone(),
            _ if own && claims.device.is_some() => self.account_grants.clone(),
            _ => Arc::new(claims.grants().map_err(TokenError::Bad)?),
        };
        let device = claims.device.filter(|_| own).map(Arc::from);
        let origin = match &device {
            Some(_) => "account",
            None if claims.sub.starts_with(GUEST_PREFIX) => "guest",
            None => signer.origin(),
        };
        Ok(Identity {
            user: claims.sub.into(),
            name: claims.name.into(),
            expires_ms,
            grants,
            device,
            rooms_only: claims.rooms_only,
            origin: origin.into(),
        })
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
            device: None,
            rooms_only: false,
            origin: "guest".into(),
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

    /// A key of its own for a purpose, from the server's secret: whoever knows it can make no tokens, and nothing of
    /// another purpose.
    pub fn derived_key(&self, purpose: &str) -> Hmac<Sha256> {
        let mut mac = self.root.clone();
        mac.update(b"konvert derived key: ");
        mac.update(purpose.as_bytes());
        keyed(&mac.finalize().into_bytes())
    }

    fn sign(&self, claims: &Claims) -> Result<String, TokenError> {
        let mut claims = claims.clone();
        if claims.aud.is_none() && !self.audience.is_empty() {
            claims.aud = Some(Audience::One(self.audience.clone()));
        }
        if claims.iss.is_none() && !self.issuer.is_empty() {
            claims.iss = Some(self.issuer.clone());
        }
        self.check(&claims, &Signer::Own).map_err(TokenError::Bad)?;
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

    /// The claims of a rightly signed token, and who signed it.
    fn open(&self, token: &str) -> Result<(Claims, Signer), String> {
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
        // Any error of the library here means that the signature could not be a right one.
        let verify = |key: &DecodingKey, algorithm| {
            jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, algorithm).unwrap_or(false)
        };
        let signer = match header.kid.as_deref() {
            None if header.alg != "HS256" => return Err("its alg must be HS256 for this key".into()),
            None if !verify(&self.secret, Algorithm::HS256) => return Err("its signature is wrong".into()),
            None => Signer::Own,
            Some(kid) => self.keys.find(kid, &header.alg, |key| verify(&key.key, key.algorithm))?,
        };
        let payload = decode(payload).ok_or("its claims are not base64url")?;
        let claims = match &signer {
            Signer::Set(set) => set.claims(&payload)?,
            _ => serde_json::from_slice(&payload).map_err(|error| format!("its claims cannot be read: {error}"))?,
        };
        Ok((claims, signer))
    }

    /// Everything about claims but time and grants.
    fn check(&self, claims: &Claims, signer: &Signer) -> Result<(), String> {
        claims.check_names()?;
        let own = matches!(signer, Signer::Own);
        for (prefix, whom) in [(GUEST_PREFIX, "guests"), (ACCOUNT_PREFIX, "this server's accounts")] {
            if claims.sub.starts_with(prefix) && !own {
                return Err(format!("sub must not begin with {prefix:?}, which is kept for {whom}"));
            }
        }
        if claims.sub.starts_with(GUEST_PREFIX) && self.guests.is_none() {
            return Err("it is a guest's, and this server lets no guests in".into());
        }
        let (audience, issuer) = match signer {
            Signer::Set(set) => (&set.config().audience, &set.config().issuer),
            _ => (&self.audience, &self.issuer),
        };
        if !audience.is_empty() && !claims.aud.as_ref().is_some_and(|aud| aud.contains(audience)) {
            return Err(format!("aud must be {audience:?}"));
        }
        if !issuer.is_empty() && claims.iss.as_ref() != Some(issuer) {
            return Err(format!("iss must be {issuer:?}"));
        }
        Ok(())
    }

    /// The settings of the published key sets, in order.
    pub fn key_sets(&self) -> impl ExactSizeIterator<Item = &JwksConfig> {
        self.keys.sets().iter().map(|set| set.config())
    }

    /// Puts what was published into the place of what a set had; how many keys it has now.
    ///
    /// # Errors
    /// When it is of no use; then what was known stays.
    pub fn replace_key_set(&self, index: usize, text: &[u8]) -> Result<usize, String> {
        self.keys.sets().get(index).map_or(Err("there is no such set".into()), |set: &Arc<KeySet>| set.replace(text))
    }

    /// Whether a token named a key that no set had, since this was last asked of this set.
    pub fn take_missed_key(&self, index: usize) -> bool {
        self.keys.sets().get(index).is_some_and(|set| set.take_missed())
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

/// What everybody may do in the rooms that are open to all.
fn open_rooms(rooms: Vec<String>) -> Result<Arc<Grants>, AuthConfigError> {
    use Permission::{Presence, Publish, Read, Signal};
    let allow = vec![Read, Publish, Signal, Presence];
    let rooms: Vec<_> = rooms.into_iter().map(|room| Grant { room, allow: allow.clone(), mode: None }).collect();
    Ok(Arc::new(Grants::new(&rooms).map_err(AuthConfigError::GuestRoom)?))
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // Any length is taken: what is longer than a block is hashed first.
    Hmac::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"))
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

fn too_long(length: usize) -> String {
    format!("it has {length} bytes where at most {TOKEN_BYTES_MAX} are allowed")
}

/// 16 characters that carry 80 random bits: nobody guesses another's id, and two never meet.
pub fn random_base32() -> String {
    let bits = rand::random::<u128>();
    (0..16).map(|i| b"abcdefghijklmnopqrstuvwxyz234567"[(bits >> (5 * i)) as usize & 31] as char).collect()
}

#[cfg(test)]
mod tests;
