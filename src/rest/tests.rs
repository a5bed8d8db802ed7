//! The routes answer as documented.

use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;
use crate::auth::{Auth, AuthConfig};
use crate::blobs::{Blobs, BlobsConfig};
use crate::broker::{Broker, BrokerConfig, Fanout};
use crate::directory::{Directory, DirectoryConfig};
use crate::journal::{JournalConfig, MemoryJournal};
use crate::service::{Ground, Limits, LimitsConfig, Roster, ServiceConfig, Webhooks, WebhooksConfig};

struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn ask(facts: HealthFacts, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let data = tempfile::tempdir().unwrap();
    let state = RestState { health: Arc::new(move || facts.clone()), ..state(data.path()).await };
    let router = router(state);
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    // What is compressed is no text.
    Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
}

/// The real parts, but for the disk of the journal.
async fn state(data: &std::path::Path) -> RestState {
    let fanout = Fanout::new(Vec::new());
    let journal = Arc::new(MemoryJournal::new(&JournalConfig::default(), fanout.clone()).unwrap());
    let directory = Directory::open(&DirectoryConfig::default(), data).await.unwrap();
    let (config, runtime) = (ServiceConfig::default(), tokio::runtime::Handle::current());
    let (limits, _) = Limits::load(directory.clone(), LimitsConfig::default(), 1_000, || 0).await.unwrap();
    let blobs = Arc::new(Blobs::open(BlobsConfig::default(), data, 0).unwrap());
    let roster = Roster::new(directory.clone(), runtime.clone(), &config, limits).await.unwrap();
    let broker = Broker::new(BrokerConfig::default(), journal, fanout, Arc::new(roster.clone()));
    let auth = Arc::new(Auth::new(&AuthConfig::default(), &[7; 32], Vec::new()).unwrap());
    let webhooks = Webhooks::new(WebhooksConfig::default()).unwrap();
    let ground = Ground { directory, roster, broker, auth, blobs, webhooks, now_ms: || 0 };
    let service = Arc::new(Service::new(config, ground));
    let health = Arc::new(HealthFacts::default);
    let edge = Arc::new(Edge::default());
    RestState { edge, health, metrics: crate::metrics::install(), started: Instant::now(), service, runtime }
}

async fn get_path(path: &str) -> Answer {
    ask(HealthFacts::default(), "GET", path, &[]).await
}

#[tokio::test]
async fn health_tells_reasons() {
    let fine = HealthFacts { free_bytes: Some(3 << 20), free_bytes_min: 1 << 20, ..HealthFacts::default() };
    for (facts, status, want) in [
        (fine.clone(), 200, vec![]),
        (
            HealthFacts { read_only: Some("disk full".into()), ..fine.clone() },
            503,
            vec!["journal read-only: disk full"],
        ),
        (HealthFacts { draining: true, ..fine.clone() }, 503, vec!["draining: the server is shutting down"]),
        (
            HealthFacts { directory: Some("it does not answer".into()), ..fine.clone() },
            503,
            vec!["directory unavailable: it does not answer"],
        ),
        (
            HealthFacts { files: Some("it answers 500".into()), ..fine.clone() },
            200,
            vec!["files unavailable: it answers 500"],
        ),
        (HealthFacts { damage: vec!["room 3".into()], ..fine.clone() }, 200, vec!["journal damaged: room 3"]),
        (
            HealthFacts { free_bytes: Some((2 << 20) - 1), ..fine.clone() },
            200,
            vec!["low disk: 1 MiB free, the journal turns read-only below 1 MiB"],
        ),
        (HealthFacts { free_bytes: None, ..fine.clone() }, 200, vec![]),
    ] {
        for path in ["/api/health", "/api/health/ready"] {
            let answer = ask(facts.clone(), "GET", path, &[]).await;
            assert_eq!(answer.status, status, "{facts:?}");
            let health = answer.json();
            assert_eq!(health["status"], if status == 200 { "ready" } else { "not_ready" });
            assert_eq!(health["reasons"], serde_json::json!(want));
            assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
            assert!(health["uptime_s"].is_u64());
        }
        let live = ask(facts, "GET", "/api/health/live", &[]).await;
        assert_eq!((live.status.as_u16(), live.json()["status"].as_str()), (200, Some("live")));
    }
}

#[tokio::test]
async fn metrics_are_text() {
    let answer = get_path("/metrics").await;
    assert!(answer.header("content-type").starts_with("text/plain"));
    assert!(answer.body.contains("process_resident_memory_bytes "), "{}", answer.body);
}

#[tokio::test]
async fn errors_are_problem_details() {
    for (method, path, status, name) in [
        ("GET", "/api/nothing", 404, "not_found"),
        ("GET", "/nothing.js", 404, "not_found"),
        ("GET", "/../Cargo.toml", 404, "not_found"),
        ("GET", "/..%2fCargo.toml", 404, "not_found"),
        ("GET", "/README.md", 404, "not_found"),
        ("GET", "/tests/x.js", 404, "not_found"),
        ("POST", "/nothing", 404, "not_found"),
        ("POST", "/api/health", 405, "method_not_allowed"),
        ("DELETE", "/metrics", 405, "method_not_allowed"),
    ] {
        let answer = ask(HealthFacts::default(), method, path, &[]).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{method} {path}");
        assert_eq!((&answer.json()["name"], &answer.json()["status"]), (&name.into(), &status.into()));
        assert_eq!(answer.header("allow").is_empty(), status == 404, "{method} {path}");
    }
}

#[tokio::test]
async fn the_page_is_kept_and_asked_for_again() {
    let page = get_path("/").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    let etag = page.header("etag").to_owned();
    for known in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".into()] {
        let again = ask(HealthFacts::default(), "GET", "/", &[("if-none-match", &known)]).await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0), "{known}");
    }
    let other = ask(HealthFacts::default(), "GET", "/", &[("if-none-match", "\"x\"")]).await;
    assert_eq!((other.status.as_u16(), other.body), (200, page.body));
}

#[tokio::test]
async fn every_address_of_the_app_answers_the_app() {
    let page = get_path("/").await;
    for path in ["/door", "/contacts", "/settings", "/d/dialog-a", "/room/lobby", "/invite/a.b", "/settings/sessions"] {
        let answer = get_path(path).await;
        assert_eq!((answer.status.as_u16(), &answer.body), (200, &page.body), "{path}");
        assert_eq!(answer.header("cache-control"), "no-cache", "{path}");
    }
    for path in ["/doors", "/d.js", "/index.html.br", "/assets/", "/assets/index.js"] {
        assert_eq!(get_path(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn what_is_named_by_its_content_is_kept_and_comes_compressed() {
    let page = get_path("/").await;
    let script = page.body.split('"').find(|text| text.ends_with(".js")).expect("the page has a script");
    let plain = get_path(script).await;
    assert_eq!(plain.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "accept-encoding"));
    for (accepted, encoding) in [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("GZIP;q=0.5, br;q=0", "gzip"),
        ("br; q=0.0, deflate", ""),
        ("identity", ""),
    ] {
        let answer = ask(HealthFacts::default(), "GET", script, &[("accept-encoding", accepted)]).await;
        assert_eq!(answer.header("content-encoding"), encoding, "{accepted}");
        assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8", "{accepted}");
        assert_eq!(answer.body == plain.body, encoding.is_empty(), "{accepted}");
        assert_eq!(answer.header("etag") == plain.header("etag"), encoding.is_empty(), "{accepted}");
    }
}

#[tokio::test]
async fn every_answer_is_secured() {
    for path in ["/", "/metrics", "/api/health", "/api/nothing", "/nothing"] {
        let answer = get_path(path).await;
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'self';") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
}
