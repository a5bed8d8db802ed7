//! Users whom others vouch for: keys that a server publishes, secrets shared with a backend, and tokens that only look
//! like theirs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::encoding::AsDer as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::api::Api;
use crate::server::{Server, Setup};

const ISSUER: &str = "https://login.example";

/// Whoever publishes keys.
struct Publisher {
    url: String,
    /// The status and the body that are answered.
    answer: Arc<Mutex<(u16, String)>>,
    fetched: Arc<AtomicUsize>,
}

impl Publisher {
    async fn start(keys: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/jwks.json", listener.local_addr().expect("an address"));
        let answer = Arc::new(Mutex::new((200, json!({"keys": keys}).to_string())));
        let fetched = Arc::new(AtomicUsize::new(0));
        let (told, counted) = (answer.clone(), fetched.clone());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (status, body) = told.lock().clone();
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = socket.read(&mut [0; 4_096]).await;
                let length = body.len();
                let text =
                    format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
                let _ = socket.write_all(text.as_bytes()).await;
            }
        });
        Self { url, answer, fetched }
    }
}

fn rsa() -> EncodingKey {
    let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("a key");
    let der = STANDARD.encode(pair.as_der().expect("its form").as_ref());
    EncodingKey::from_rsa_pem(format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n").as_bytes())
        .expect("a key")
}

fn ed25519() -> EncodingKey {
    let pkcs8_of_a_seed = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    EncodingKey::from_ed_der(&[&pkcs8_of_a_seed[..], &rand::random::<[u8; 32]>()].concat())
}

/// The public half as it is published.
fn published(kid: &str, key: &EncodingKey, algorithm: Algorithm) -> Value {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(key, algorithm).expect("a key")).expect("JSON");
    jwk["kid"] = kid.into();
    jwk
}

fn claims(changes: Value) -> Value {
    let exp = konvert::gateway::now_ms() / 1_000 + 600;
    let mut claims = json!({"iss": ISSUER, "aud": ["chat", "other"], "exp": exp, "uid": "anna",
        "profile": {"name": "Anna"}, "chat": {"grants": [{"room": "lobby", "allow": ["read"]}]}});
    for (name, value) in changes.as_object().expect("changes") {
        claims[name] = value.clone();
    }
    claims
}

fn token(header: Value, claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&header), part(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).expect("a signature");
    format!("{message}.{signature}")
}

fn setup(publisher: &Publisher, refresh_s: u32) -> Setup {
    Setup::default().set(
        "auth.jwks",
        format!(
            "[{{ url = \"{}\", issuer = \"{ISSUER}\", audience = \"chat\", prefix = \"corp-\", refresh_s = {refresh_s}, \
             claims = {{ user = \"uid\", name = \"profile.name\", grants = \"chat.grants\" }} }}]",
            publisher.url
        ),
    )
}

/// Asks until the keys have been fetched.
async fn until_believed(server: &Server, token: &str) -> Value {
    let (api, deadline) = (Api::new(server).with_token(token), Instant::now() + Duration::from_secs(60));
    loop {
        let answer = api.get("/api/auth/me").await;
        if answer.status == 200 {
            return answer.body;
        }
        assert!(Instant::now() < deadline, "{}", answer.body);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn published_keys_vouch_for_users() {
    let (rsa_key, ed_key) = (rsa(), ed25519());
    let keys = [
        published("r1", &rsa_key, Algorithm::RS256),
        published("e1", &ed_key, Algorithm::EdDSA),
        json!({"kty": "oct", "kid": "o1", "k": URL_SAFE_NO_PAD.encode([7; 32])}),
        json!({"kty": "??"}),
        json!(7),
    ];
    let publisher = Publisher::start(&keys).await;
    let server = setup(&publisher, 30).start().await;
    let by_rsa = |claims: &Value| token(json!({"alg": "RS256", "kid": "r1"}), claims, &rsa_key, Algorithm::RS256);
    let by_ed = |claims: &Value| token(json!({"alg": "EdDSA", "kid": "e1"}), claims, &ed_key, Algorithm::EdDSA);

    let me = until_believed(&server, &by_rsa(&claims(json!({})))).await;
    assert_eq!((&me["id"], &me["name"], &me["origin"]), (&json!("corp-anna"), &json!("Anna"), &json!(ISSUER)));
    assert_eq!((&me["role"], &me["login"]), (&json!("user"), &Value::Null));
    let me = until_believed(&server, &by_ed(&claims(json!({"profile": {"name": "Anna K"}})))).await;
    assert_eq!((&me["id"], &me["name"]), (&json!("corp-anna"), &json!("Anna K")), "the name is kept up to date");

    // Algorithm confusion, other people's keys, and claims that are not for us.
    let good = claims(json!({}));
    let public = keys[0]["n"].as_str().expect("a modulus");
    let hmac = |secret: &[u8]| EncodingKey::from_secret(secret);
    let unsigned = |alg: &str| {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(json!({"alg": alg, "kid": "r1"})), part(good.clone()))
    };
    for (what, token) in [
        ("none", unsigned("none")),
        ("RS256 without a signature", unsigned("RS256")),
        (
            "the public key as a secret",
            token(json!({"alg": "HS256", "kid": "r1"}), &good, &hmac(public.as_bytes()), Algorithm::HS256),
        ),
        ("a secret of the set", token(json!({"alg": "HS256", "kid": "o1"}), &good, &hmac(&[7; 32]), Algorithm::HS256)),
        ("another RSA algorithm", token(json!({"alg": "RS512", "kid": "r1"}), &good, &rsa_key, Algorithm::RS512)),
        ("another key", token(json!({"alg": "RS256", "kid": "r1"}), &good, &rsa(), Algorithm::RS256)),
        ("the other kind of key", token(json!({"alg": "EdDSA", "kid": "r1"}), &good, &ed_key, Algorithm::EdDSA)),
        ("no kid", token(json!({"alg": "RS256"}), &good, &rsa_key, Algorithm::RS256)),
        ("another issuer", by_rsa(&claims(json!({"iss": "https://evil.example"})))),
        ("another audience", by_rsa(&claims(json!({"aud": "bank"})))),
        ("nobody", by_rsa(&claims(json!({"uid": null})))),
        ("a user that is a list", by_rsa(&claims(json!({"uid": ["anna"]})))),
        ("a user with spaces", by_rsa(&claims(json!({"uid": "an na"})))),
        ("grants that are none", by_rsa(&claims(json!({"chat": {"grants": "all"}})))),
    ] {
        let answer = Api::new(&server).with_token(&token).get("/api/auth/me").await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["name"]),
            (401, &json!("bad_token")),
            "{what}: {}",
            answer.body
        );
    }
    let ended = by_rsa(&claims(json!({"exp": 1_000})));
    Api::new(&server).with_token(&ended).get("/api/auth/me").await.refused(401, "token_expired");

    // The publisher fails: what is known holds. It comes back with another key: that is fetched when it is missed.
    let next = ed25519();
    *publisher.answer.lock() = (500, "down".into());
    let fetched = publisher.fetched.load(Ordering::SeqCst);
    let by_next = token(json!({"alg": "EdDSA", "kid": "e2"}), &good, &next, Algorithm::EdDSA);
    Api::new(&server).with_token(&by_next).get("/api/auth/me").await.refused(401, "bad_token");
    while publisher.fetched.load(Ordering::SeqCst) == fetched {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    until_believed(&server, &by_rsa(&good)).await;
    *publisher.answer.lock() = (200, json!({"keys": [published("e2", &next, Algorithm::EdDSA)]}).to_string());
    until_believed(&server, &by_next).await;
    let old = Api::new(&server).with_token(&by_rsa(&good)).get("/api/auth/me").await;
    old.refused(401, "bad_token");
    assert!(publisher.fetched.load(Ordering::SeqCst) - fetched <= 3, "at most once in half a minute");
}

#[tokio::test]
async fn secrets_and_own_tokens_vouch_for_users() {
    let secret = "a-secret-of-a-backend-with-32-bytes!";
    let keys = format!("[{{ kid = \"backend\", secret = \"{secret}\" }}]");
    let server = Setup::default().set("auth.keys", keys).start().await;
    let exp = konvert::gateway::now_ms() / 1_000 + 600;
    let sign = |header: Value, sub: &str, secret: &[u8]| {
        let claims = json!({"sub": sub, "name": "Boris", "aud": "konvert", "exp": exp});
        token(header, &claims, &EncodingKey::from_secret(secret), Algorithm::HS256)
    };
    let header = || json!({"alg": "HS256", "kid": "backend"});
    let anybody = Api::new(&server);
    let me = anybody.with_token(&sign(header(), "u-1", secret.as_bytes())).get("/api/auth/me").await.ok();
    assert_eq!((&me["id"], &me["origin"]), (&json!("u-1"), &json!("backend")));
    let own = server.secret();
    let me = anybody.with_token(&sign(json!({"alg": "HS256"}), "u-2", &own)).get("/api/auth/me").await.ok();
    assert_eq!((&me["id"], &me["origin"]), (&json!("u-2"), &json!("token")));
    for (header, sub, secret) in [
        (header(), "u-1", &own[..]),
        (json!({"alg": "HS256"}), "u-1", secret.as_bytes()),
        (header(), "acc-abcdefghijklmnop", secret.as_bytes()),
        (header(), "guest-abcdefghijklmnop", secret.as_bytes()),
    ] {
        anybody.with_token(&sign(header, sub, secret)).get("/api/auth/me").await.refused(401, "bad_token");
    }
    // They have no password and no device here; an administrator can still keep them out.
    let vouched = anybody.with_token(&sign(header(), "u-1", secret.as_bytes()));
    vouched.post("/api/auth/sign-out", Value::Null).await.refused(409, "not_possible");
    let root = Api::administrator(&server).await;
    root.patch("/api/admin/users/u-1", json!({"state": "blocked"})).await.ok();
    vouched.get("/api/auth/me").await.refused(401, "revoked");
}
