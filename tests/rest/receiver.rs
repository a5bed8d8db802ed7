//! A program outside that is told what happens: a real HTTP server which writes down every delivery, verifies its signature
//! by a computation of its own, and answers as the test wants.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

use crate::api::Api;

/// Whatever takes longer than this will not happen.
pub const DEADLINE: Duration = Duration::from_secs(60);

type Judge = Box<dyn Fn(&[Told], &Value) -> u16 + Send>;

/// A delivery as it came, whatever was answered.
#[derive(Debug, Clone)]
pub struct Told {
    pub id: String,
    pub body: Value,
    /// What it was answered.
    pub status: u16,
    /// The three headers and the body, for whoever wants to verify it otherwise.
    pub raw: (String, String, String),
}

#[derive(Default)]
struct State {
    told: Vec<Told>,
    /// What to answer next; 200 when empty.
    answers: VecDeque<u16>,
    /// What to answer whatever is asked for above, by what came before and what comes now.
    judge: Option<Judge>,
    secret: Option<Vec<u8>>,
    wrong: Vec<String>,
}

/// The program.
#[derive(Clone)]
pub struct Receiver {
    pub port: u16,
    state: Arc<Mutex<State>>,
    /// Whoever has it keeps all answers back.
    gate: Arc<tokio::sync::Mutex<()>>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let receiver = Self { port, state: Arc::default(), gate: Arc::default() };
        let me = receiver.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let me = me.clone();
                let service = service_fn(move |request| {
                    let me = me.clone();
                    async move {
                        let response = me.take(request).await;
                        drop(me.gate.lock().await);
                        Ok::<_, Infallible>(response)
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service),
                );
            }
        });
        receiver
    }

    /// Makes a webhook that leads here; its id.
    pub async fn register(&self, api: &Api, events: &[&str], rooms: &str) -> String {
        let body = json!({"url": self.url(), "events": events, "rooms": rooms});
        let made = api.post("/api/admin/webhooks", body).await.ok();
        let secret = made["secret"].as_str().expect("a secret").strip_prefix("whsec_").expect("its form").to_owned();
        self.state.lock().expect("no panic").secret = Some(STANDARD.decode(secret).expect("base64"));
        made["webhook"]["id"].as_str().expect("an id").to_owned()
    }

    /// Where it is told.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// Stands in for another one, whose webhook will lead here.
    pub async fn start_for(other: &Self) -> Self {
        let receiver = Self::start().await;
        let secret = other.state.lock().expect("no panic").secret.clone();
        receiver.state.lock().expect("no panic").secret = secret;
        receiver
    }

    /// Keeps answers back until this is dropped.
    pub async fn hold(&self) -> tokio::sync::OwnedMutexGuard<()> {
        self.gate.clone().lock_owned().await
    }

    /// The secret of the webhook that leads here.
    pub fn secret(&self) -> String {
        let state = self.state.lock().expect("no panic");
        format!("whsec_{}", STANDARD.encode(state.secret.as_deref().expect("a webhook")))
    }

    /// What to answer to the next deliveries.
    pub fn answer(&self, statuses: impl IntoIterator<Item = u16>) {
        self.state.lock().expect("no panic").answers.extend(statuses);
    }

    /// Answers from now on as this says, by what came before and what comes now.
    pub fn answer_by(&self, judge: impl Fn(&[Told], &Value) -> u16 + Send + 'static) {
        self.state.lock().expect("no panic").judge = Some(Box::new(judge));
    }

    /// Answers well from now on.
    pub fn forget_answers(&self) {
        self.state.lock().expect("no panic").answers.clear();
    }

    /// Everything that came, in order. Panics if a signature was wrong.
    pub fn told(&self) -> Vec<Told> {
        let state = self.state.lock().expect("no panic");
        assert!(state.wrong.is_empty(), "{:?}", state.wrong);
        state.told.clone()
    }

    /// Waits until this holds of everything that came.
    pub async fn until(&self, holds: impl Fn(&[Told]) -> bool) -> Vec<Told> {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            let told = self.told();
            if holds(&told) {
                return told;
            }
            assert!(tokio::time::Instant::now() < deadline, "only this came: {told:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn take(&self, request: Request<Incoming>) -> axum::response::Response {
        let header = |name: &str| {
            request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let (id, timestamp, signature) =
            (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
        let body =
            axum::body::to_bytes(axum::body::Body::new(request.into_body()), 1 << 20).await.expect("the body arrives");
        let body = String::from_utf8(body.to_vec()).expect("the body is text");
        let mut state = self.state.lock().expect("no panic");
        let signed = format!("{id}.{timestamp}.{body}");
        let right = state.secret.as_deref().map(|key| format!("v1,{}", STANDARD.encode(hmac(key, signed.as_bytes()))));
        if right.as_deref() != Some(&*signature) {
            state.wrong.push(format!("{id}: {signature} is not {right:?}"));
        }
        let parsed: Value = serde_json::from_str(&body).expect("the body is JSON");
        let judged = state.judge.as_ref().map(|judge| judge(&state.told, &parsed));
        let status = judged.or_else(|| state.answers.pop_front()).unwrap_or(200);
        state.told.push(Told {
            id: id.clone(),
            body: parsed,
            status,
            raw: (format!("{id}.{timestamp}"), signature, body),
        });
        let mut response = axum::response::Response::new(axum::body::Body::from("noted"));
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        if status == 302 {
            let inside = http::HeaderValue::from_static("http://169.254.169.254/latest/meta-data/");
            response.headers_mut().insert("location", inside);
        }
        response
    }
}

/// HMAC-SHA256 as RFC 2104 writes it, so that the server's own is not verified by itself.
pub fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    assert!(key.len() <= 64);
    let pad = |with: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ with).collect() };
    let inner = Sha256::digest([pad(0x36), message.to_vec()].concat());
    Sha256::digest([pad(0x5c), inner.to_vec()].concat()).into()
}
