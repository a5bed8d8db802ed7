//! Good tokens are believed; each way of being bad is refused, and says why.

use serde_json::{Value, json};

use super::*;

const SECRET: [u8; 32] = [7; 32];
const NOW_MS: u64 = 1_800_000_000_000;
const NOW_S: u64 = NOW_MS / 1_000;

/// The private half of an Ed25519 key, made from a seed.
fn ed_private(seed: u8) -> EncodingKey {
    let pkcs8_of_a_seed = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    EncodingKey::from_ed_der(&[&pkcs8_of_a_seed[..], &[seed; 32]].concat())
}

/// The public half, as an operator would put it into the configuration.
fn ed_public_pem(seed: u8) -> String {
    let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&ed_private(seed), Algorithm::EdDSA).unwrap();
    let x = serde_json::to_value(jwk).unwrap()["x"].as_str().map(decode).unwrap().unwrap();
    let der = [&b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"[..], &x].concat();
    let der = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n")
}

fn config() -> AuthConfig {
    let key = KeyConfig { kid: "partner".into(), pem: Some(ed_public_pem(1)), ..KeyConfig::default() };
    AuthConfig { keys: vec![key], issuer: "https://example".into(), ..AuthConfig::default() }
}

fn auth() -> Auth {
    Auth::new(&config(), &SECRET, vec!["lobby".into()]).unwrap()
}

fn claims() -> Value {
    json!({"sub": "anna", "name": "Anna", "exp": NOW_S + 60, "iat": NOW_S, "iss": "https://example", "aud": "konvert",
           "grants": [{"room": "team-*", "allow": ["read", "publish"], "mode": "e2ee"}], "extra": {"ignored": true}})
}

/// The good claims with some replaced; `null` removes one.
fn with(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

/// A token of exactly this header and these claims; the signature is made as `algorithm` says.
fn token(header: Value, claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&header), part(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

fn hs256(claims: &Value) -> String {
    token(json!({"alg": "HS256", "typ": "JWT"}), claims, &EncodingKey::from_secret(&SECRET), Algorithm::HS256)
}

fn eddsa(claims: &Value) -> String {
    token(json!({"alg": "EdDSA", "kid": "partner"}), claims, &ed_private(1), Algorithm::EdDSA)
}

#[test]
fn good_tokens_are_believed() {
    for (what, token) in [
        ("own secret", hs256(&claims())),
        ("partner's key", eddsa(&claims())),
        ("several audiences", hs256(&with(json!({"aud": ["other", "konvert"]})))),
        ("clock 5 s behind", hs256(&with(json!({"nbf": NOW_S + 5, "iat": NOW_S + 5})))),
        ("fractions", hs256(&with(json!({"exp": NOW_S as f64 + 60.0, "iat": NOW_S as f64 - 0.5})))),
    ] {
        let identity = auth().verify(&token, NOW_MS).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((&*identity.user, &*identity.name), ("anna", "Anna"), "{what}");
        assert_eq!(identity.expires_ms, NOW_MS + 60_000, "{what}");
        assert_eq!(identity.grants.allow("team-1").names(), ["read", "publish"], "{what}");
        assert!(identity.grants.e2ee("team-1") && identity.grants.allow("lobby").is_empty(), "{what}");
    }
    let last = auth().verify(&hs256(&with(json!({"exp": NOW_S + 1}))), NOW_MS + 999);
    assert_eq!(last.unwrap().expires_ms, NOW_MS + 1_000);
    let far = auth().verify(&hs256(&with(json!({"exp": 1e300}))), NOW_MS).unwrap();
    assert!(far.expires_ms < 1 << 53);
}

#[test]
fn bad_tokens_are_refused_with_the_reason() {
    let hs = |header: Value| token(header, &claims(), &EncodingKey::from_secret(&SECRET), Algorithm::HS256);
    let ed = |header: Value| token(header, &claims(), &ed_private(1), Algorithm::EdDSA);
    let good = hs256(&claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = good.split_once('.').unwrap();
    let public_as_secret = EncodingKey::from_secret(ed_public_pem(1).as_bytes());
    let other_claims = URL_SAFE_NO_PAD.encode(with(json!({"sub": "root"})).to_string());
    let cases = [
        ("empty", String::new(), "three parts"),
        ("one part", "x".into(), "three parts"),
        ("two parts", message.into(), ""),
        ("four parts", format!("{good}.x"), ""),
        ("garbage header", format!("!!.{}.{signature}", other_claims), "header is not base64url"),
        ("header not JSON", format!("eA.{other_claims}.{signature}"), "header cannot be read"),
        ("alg none", hs(json!({"alg": "none"})), "alg must be HS256"),
        (
            "alg none, unsigned",
            format!("{}.{other_claims}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#)),
            "alg must be",
        ),
        ("alg nOnE", hs(json!({"alg": "nOnE"})), "alg must be HS256"),
        ("no alg", hs(json!({"typ": "JWT"})), "header cannot be read"),
        ("HS512 announced", hs(json!({"alg": "HS512"})), "alg must be HS256"),
        ("EdDSA without kid", ed(json!({"alg": "EdDSA"})), "alg must be HS256"),
        ("HS256 with a kid", hs(json!({"alg": "HS256", "kid": "partner"})), "alg must be EdDSA"),
        (
            "public key as HMAC secret",
            token(json!({"alg": "HS256", "kid": "partner"}), &claims(), &public_as_secret, Algorithm::HS256),
            "alg must be EdDSA",
        ),
        (
            "public key as HMAC secret without kid",
            token(json!({"alg": "HS256"}), &claims(), &public_as_secret, Algorithm::HS256),
            "signature is wrong",
        ),
        ("unknown kid", ed(json!({"alg": "EdDSA", "kid": "stranger"})), "kid names no key"),
        ("empty kid", hs(json!({"alg": "HS256", "kid": ""})), "kid names no key"),
        ("crit", hs(json!({"alg": "HS256", "crit": ["b64"]})), "crit"),
        (
            "foreign secret",
            token(json!({"alg": "HS256"}), &claims(), &EncodingKey::from_secret(&[8; 32]), Algorithm::HS256),
            "signature is wrong",
        ),
        (
            "foreign private key",
            token(json!({"alg": "EdDSA", "kid": "partner"}), &claims(), &ed_private(2), Algorithm::EdDSA),
            "signature is wrong",
        ),
        ("other claims under the signature", format!("{header}.{other_claims}.{signature}"), "signature is wrong"),
        ("truncated", good[..good.len() - 1].into(), "signature is wrong"),
        ("padded", format!("{good}="), "signature is wrong"),
        ("no signature", format!("{message}."), "signature is wrong"),
        ("9 KiB", hs256(&with(json!({"pad": "x".repeat(9 << 10)}))), "at most 8192"),
        ("no sub", hs256(&with(json!({"sub": null}))), "sub must not be empty"),
        ("bad sub", hs256(&with(json!({"sub": "an na"}))), "sub must not contain ' '"),
        ("long sub", hs256(&with(json!({"sub": "a".repeat(129)}))), "sub must be at most 128"),
        ("a partner's guest", eddsa(&with(json!({"sub": "guest-a"}))), "kept for guests"),
        ("long name", hs256(&with(json!({"name": "n".repeat(65)}))), "name must be"),
        ("control characters in the name", hs256(&with(json!({"name": "a\u{7}"}))), "name must be"),
        ("no exp", hs256(&with(json!({"exp": null}))), "exp is missing"),
        ("exp as text", hs256(&with(json!({"exp": "tomorrow"}))), "claims cannot be read"),
        ("not yet", hs256(&with(json!({"nbf": NOW_S + 6}))), "nbf is in the future"),
        ("made tomorrow", hs256(&with(json!({"iat": NOW_S + 6}))), "iat is in the future"),
        ("no aud", hs256(&with(json!({"aud": null}))), "aud must be"),
        ("wrong aud", hs256(&with(json!({"aud": "konvert2"}))), "aud must be"),
        ("wrong audiences", hs256(&with(json!({"aud": ["a", "b"]}))), "aud must be"),
        ("no iss", hs256(&with(json!({"iss": null}))), "iss must be"),
        ("wrong iss", eddsa(&with(json!({"iss": "https://example.org"}))), "iss must be"),
        ("unknown right", hs256(&with(json!({"grants": [{"room": "a", "allow": ["fly"]}]}))), "fly"),
        ("bad pattern", hs256(&with(json!({"grants": [{"room": "a*b", "allow": []}]}))), "a*b"),
        ("claims not an object", hs256(&json!([1])), "claims cannot be read"),
    ];
    for (what, token, want) in cases {
        match auth().verify(&token, NOW_MS) {
            Err(TokenError::Bad(reason)) => assert!(reason.contains(want), "{what}: {reason}"),
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn the_end_is_exact() {
    let token = hs256(&claims());
    assert!(auth().verify(&token, NOW_MS + 59_999).is_ok());
    assert_eq!(auth().verify(&token, NOW_MS + 60_000).unwrap_err(), TokenError::Expired);
    assert_eq!(auth().verify(&hs256(&with(json!({"exp": -1}))), NOW_MS).unwrap_err(), TokenError::Expired);
    // A token that has ended and is wrong besides is wrong: a new one of the same kind would not help.
    assert!(matches!(auth().verify(&hs256(&with(json!({"exp": 1, "aud": "x"}))), NOW_MS), Err(TokenError::Bad(_))));
}

#[test]
fn what_is_minted_is_believed() {
    let grants = vec![Grant { room: "*".into(), allow: Permission::ALL.to_vec(), mode: None }];
    let exp = Some(Seconds::from_ms(NOW_MS + 1_500));
    let claims = Claims { sub: "ops".into(), exp, grants, ..Claims::default() };
    let identity = auth().verify(&auth().mint(&claims).unwrap(), NOW_MS).unwrap();
    assert_eq!((&*identity.user, &*identity.name, identity.expires_ms), ("ops", "", NOW_MS + 1_500));
    assert_eq!(identity.grants.allow("any"), Permissions::all());
    for bad in [
        Claims { sub: String::new(), ..claims.clone() },
        Claims { sub: "guest-me".into(), ..claims.clone() },
        Claims { exp: None, ..claims.clone() },
        Claims { aud: Some(Audience::One("other".into())), ..claims.clone() },
        Claims { grants: vec![Grant { room: "a b".into(), allow: vec![], mode: None }], ..claims.clone() },
        Claims { grants: vec![Grant { room: "r".repeat(100), allow: vec![], mode: None }; 100], ..claims.clone() },
    ] {
        assert!(auth().mint(&bad).is_err(), "{bad:?}");
    }
}

#[test]
fn guests_stay_who_they_are_and_where_they_may() {
    let (token, first) = auth().guest("Вася", NOW_MS).unwrap();
    let (_, second) = auth().guest("Вася", NOW_MS).unwrap();
    assert_ne!(first.user, second.user);
    assert_eq!(first.user.len(), "guest-".len() + 16);
    let again = auth().verify(&token, NOW_MS).unwrap();
    assert_eq!((&again.user, &again.name, again.expires_ms), (&first.user, &first.name, first.expires_ms));
    assert_eq!(again.grants.allow("lobby").names(), ["read", "publish", "signal", "presence"]);
    assert!(again.grants.allow("other").is_empty());

    // The configuration of today decides, whatever it was when the guest came.
    let moved = Auth::new(&config(), &SECRET, vec!["hall".into()]).unwrap().verify(&token, NOW_MS).unwrap();
    assert!(moved.grants.allow("lobby").is_empty() && !moved.grants.allow("hall").is_empty());
    let closed = Auth::new(&AuthConfig { guests: false, ..config() }, &SECRET, vec![]).unwrap();
    assert!(matches!(closed.verify(&token, NOW_MS), Err(TokenError::Bad(_))));
    assert_eq!(closed.guest("a", NOW_MS).unwrap_err(), GuestError::NotAllowed);

    for name in ["", "  ", "a\n", &"n".repeat(65)] {
        assert_eq!(auth().guest(name, NOW_MS).unwrap_err(), GuestError::BadName, "{name:?}");
    }
    assert!(auth().guest(&"n".repeat(64), NOW_MS).is_ok());
}

#[test]
fn configurations_that_cannot_work_are_refused() {
    let refused = |config: &AuthConfig, secret: &[u8], rooms: &[&str]| {
        let rooms = rooms.iter().map(|&room| room.to_owned()).collect();
        Auth::new(config, secret, rooms).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let key =
        |kid: &str, pem: Option<&str>| KeyConfig { kid: kid.into(), pem: pem.map(Into::into), ..KeyConfig::default() };
    let keys = |keys: &[KeyConfig]| AuthConfig { keys: keys.to_vec(), ..config() };
    let pem = ed_public_pem(1);
    let short = pem.replace('=', "");
    for (what, got, want) in [
        ("short secret", refused(&config(), &[0; 31], &[]), "31 bytes"),
        ("guest room", refused(&config(), &SECRET, &["a b"]), "a b"),
        ("no kid", refused(&keys(&[key("", Some(&pem))]), &SECRET, &[]), "needs a kid"),
        ("no key", refused(&keys(&[key("k", None)]), &SECRET, &[]), "needs pem"),
        ("no PEM", refused(&keys(&[key("k", Some("x"))]), &SECRET, &[]), "Ed25519 public key"),
        ("cut PEM", refused(&keys(&[key("k", Some(&short[..60]))]), &SECRET, &[]), "Ed25519 public key"),
        ("twice", refused(&keys(&[key("k", Some(&pem)), key("k", Some(&pem))]), &SECRET, &[]), "twice"),
    ] {
        assert!(got.contains(want), "{what}: {got:?}");
    }
}

mod any {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_is_refused_without_harm(text in ".{0,300}", parts in prop::collection::vec("[A-Za-z0-9_=-]{0,40}", 1..5)) {
            prop_assert!(auth().verify(&text, NOW_MS).is_err());
            prop_assert!(auth().verify(&parts.join("."), NOW_MS).is_err());
        }

        #[test]
        fn header_and_claims_are_refused_without_harm(header in "[ -~]{0,60}", claims in "[ -~]{0,60}") {
            let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
            let secret = EncodingKey::from_secret(&SECRET);
            let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &secret, Algorithm::HS256).unwrap();
            let token = format!("{message}.{signature}");
            prop_assert!(auth().verify(&token, NOW_MS).is_err());
        }

        #[test]
        fn every_character_of_a_token_counts(at in any::<prop::sample::Index>(), other in "[A-Za-z0-9_.-]", own in any::<bool>()) {
            let good = if own { hs256(&claims()) } else { eddsa(&claims()) };
            let at = at.index(good.len());
            let bad = format!("{}{other}{}", &good[..at], &good[at + 1..]);
            prop_assume!(bad != good);
            prop_assert!(auth().verify(&bad, NOW_MS).is_err(), "{bad}");
        }
    }
}
