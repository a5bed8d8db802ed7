//! Keys that others sign with: single ones of the configuration, and sets that their owner publishes (JWKS, RFC 7517).
//!
//! Owns which key a token's `kid` means and what its owner's claims are called. Refuses to know where a set comes from:
//! its text is handed in. Invariant: the algorithm comes from the kind of the key alone, and a set has no secrets: an
//! Ed25519 key takes EdDSA, an RSA key of 2048 bits or more RS256, and everything else in a set is passed over.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use super::config::{AuthConfig, JwksConfig, KeyConfig};
use super::{AuthConfigError, Claims, SECRET_BYTES_MIN, decode};
use crate::auth::claims::fitting_name;

/// Most keys of one set; those behind are passed over.
const SET_KEYS_MAX: usize = 100;
/// Shortest modulus of an RSA key, bytes.
const RSA_BYTES_MIN: usize = 256;

/// A key and the one algorithm that it takes.
pub(super) struct Key {
    pub key: DecodingKey,
    pub algorithm: Algorithm,
}

/// All of them.
pub(super) struct Keys {
    single: HashMap<Box<str>, Key>,
    sets: Box<[Arc<KeySet>]>,
}

/// A published set.
pub(super) struct KeySet {
    config: JwksConfig,
    keys: ArcSwap<Vec<(Box<str>, Key)>>,
    /// Somebody came with a key that is not in it.
    is_missed: AtomicBool,
}

/// Who signed a token.
#[derive(Clone)]
pub(super) enum Signer {
    /// This server.
    Own,
    /// A single key of the configuration.
    Key(Box<str>),
    /// A key of a set.
    Set(Arc<KeySet>),
}

impl Signer {
    /// What the user's row tells of who vouches.
    pub fn origin(&self) -> &str {
        match self {
            Self::Own => "token",
            Self::Key(kid) => kid,
            Self::Set(set) => &set.config.issuer,
        }
    }
}

impl Keys {
    pub fn new(config: &AuthConfig) -> Result<Self, AuthConfigError> {
        let mut single = HashMap::new();
        for key in &config.keys {
            let refuse = |reason: &str| AuthConfigError::Key { kid: key.kid.clone(), reason: reason.into() };
            let prepared = prepare(key).map_err(refuse)?;
            if single.insert(key.kid.as_str().into(), prepared).is_some() {
                return Err(refuse("is there twice"));
            }
        }
        let set = |config: &JwksConfig| {
            let (keys, is_missed) = (ArcSwap::default(), AtomicBool::new(false));
            Arc::new(KeySet { config: config.clone(), keys, is_missed })
        };
        Ok(Self { single, sets: config.jwks.iter().map(set).collect() })
    }

    pub fn sets(&self) -> &[Arc<KeySet>] {
        &self.sets
    }

    /// Verifies with whatever keys have this name. `is_right` says whether a key made the signature.
    pub fn find(&self, kid: &str, alg: &str, is_right: impl Fn(&Key) -> bool) -> Result<Signer, String> {
        let mut reason = None;
        let mut verify = |key: &Key| {
            let name = algorithm_name(key.algorithm);
            if alg != name {
                reason = Some(format!("its alg must be {name} for this key"));
                return false;
            }
            reason = Some("its signature is wrong".to_owned());
            is_right(key)
        };
        if let Some(key) = self.single.get(kid)
            && verify(key)
        {
            return Ok(Signer::Key(kid.into()));
        }
        for set in &self.sets {
            if set.keys.load().iter().any(|(name, key)| **name == *kid && verify(key)) {
                return Ok(Signer::Set(set.clone()));
            }
        }
        Err(reason.unwrap_or_else(|| {
            self.sets.iter().for_each(|set| set.is_missed.store(true, Ordering::Relaxed));
            "its kid names no key of auth.keys or auth.jwks".to_owned()
        }))
    }
}

impl KeySet {
    pub fn config(&self) -> &JwksConfig {
        &self.config
    }

    /// Puts what its owner published in the place of what was known. Returns how many keys it has now.
    ///
    /// # Errors
    /// When it is no set, or none of its keys is of use; then what was known stays.
    pub fn replace(&self, text: &[u8]) -> Result<usize, String> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(text).map_err(|error| format!("it is no key set: {error}"))?;
        let keys: Vec<_> = set.keys.into_iter().filter_map(published).take(SET_KEYS_MAX).collect();
        if keys.is_empty() {
            return Err("none of its keys is an Ed25519 or RSA key with a kid".to_owned());
        }
        let count = keys.len();
        self.keys.store(Arc::new(keys));
        self.is_missed.store(false, Ordering::Relaxed);
        Ok(count)
    }

    /// Whether a token named a key that was not in it, since it was last asked.
    pub fn take_missed(&self) -> bool {
        self.is_missed.swap(false, Ordering::Relaxed)
    }

    /// The claims in our words.
    pub fn claims(&self, payload: &[u8]) -> Result<Claims, String> {
        let all: Value =
            serde_json::from_slice(payload).map_err(|error| format!("its claims cannot be read: {error}"))?;
        let mut claims = Claims::deserialize(serde_json::json!({
            "exp": all["exp"], "nbf": all["nbf"], "iat": all["iat"], "iss": all["iss"], "aud": all["aud"],
        }))
        .map_err(|error| format!("its claims cannot be read: {error}"))?;
        let names = &self.config.claims;
        let user = match at(&all, &names.user) {
            Some(Value::String(user)) => user.clone(),
            Some(Value::Number(user)) => user.to_string(),
            _ => return Err(format!("the claim {:?} does not name the user", names.user)),
        };
        claims.sub = format!("{}{user}", self.config.prefix);
        claims.name = at(&all, &names.name).and_then(Value::as_str).map(fitting_name).unwrap_or_default();
        if let Some(grants) = at(&all, &names.grants) {
            claims.grants =
                Deserialize::deserialize(grants).map_err(|error| format!("its grants cannot be read: {error}"))?;
        }
        Ok(claims)
    }
}

/// A claim by its dotted path. A claim whose own name has dots, such as an address, goes before.
fn at<'a>(claims: &'a Value, path: &str) -> Option<&'a Value> {
    let found = claims.get(path).or_else(|| path.split('.').try_fold(claims, |value, name| value.get(name)));
    found.filter(|value| !value.is_null())
}

fn algorithm_name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::HS256 => "HS256",
        Algorithm::RS256 => "RS256",
        _ => "EdDSA",
    }
}

/// A key of a set, if it is of use.
fn published(key: Value) -> Option<(Box<str>, Key)> {
    let jwk: Jwk = serde_json::from_value(key).ok()?;
    if jwk.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
        return None;
    }
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) if decode(&rsa.n)?.len() >= RSA_BYTES_MIN => Algorithm::RS256,
        AlgorithmParameters::OctetKeyPair(pair)
            if pair.curve == EllipticCurve::Ed25519 && decode(&pair.x)?.len() == 32 =>
        {
            Algorithm::EdDSA
        }
        _ => return None,
    };
    let announced = jwk.common.key_algorithm.map(|algorithm| algorithm.to_string());
    if announced.is_some_and(|announced| announced != algorithm_name(algorithm)) {
        return None;
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    Some((jwk.common.key_id?.into(), Key { key, algorithm }))
}

fn prepare(key: &KeyConfig) -> Result<Key, &'static str> {
    if key.kid.is_empty() {
        return Err("needs a kid");
    }
    if let Some(secret) = &key.secret {
        return match secret.0.len() {
            SECRET_BYTES_MIN.. => {
                Ok(Key { key: DecodingKey::from_secret(secret.0.as_bytes()), algorithm: Algorithm::HS256 })
            }
            _ => Err("has a secret shorter than 32 bytes; make one with `openssl rand -base64 32`"),
        };
    }
    let pem = key.pem.as_deref().ok_or("needs pem, pem_file or secret")?;
    let not_ed25519 = "is not an Ed25519 public key in PEM; make one with `openssl pkey -in private.pem -pubout`";
    let prepared = DecodingKey::from_ed_pem(pem.as_bytes()).map_err(|_| not_ed25519)?;
    match prepared.try_get_as_bytes() {
        Ok(bytes) if bytes.len() == 32 => Ok(Key { key: prepared, algorithm: Algorithm::EdDSA }),
        _ => Err(not_ed25519),
    }
}
