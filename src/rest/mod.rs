//! Everything over HTTP that is not live: health, metrics, the chat page.
//!
//! Owns translation only: facts come in through [`RestState`], answers go out. Refuses to know rooms, sessions and the
//! journal. Invariant: errors under `/api` are problem details (RFC 9457); every answer carries the security headers.

mod assets;
mod health;
mod problem;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

pub use health::HealthFacts;

use crate::metrics::MetricsHandle;

/// What the answers are made of.
#[derive(Clone)]
pub struct RestState {
    /// Asks the parts how they are; must answer at once.
    pub health: Arc<dyn Fn() -> HealthFacts + Send + Sync>,
    /// What `/metrics` tells.
    pub metrics: MetricsHandle,
    /// When the server started, for its uptime.
    pub started: Instant,
}

/// The routes. The socket's are not among them; merge those of the gateway with these.
pub fn router(state: RestState) -> Router {
    Router::new()
        .route("/api/health", get(health::ready))
        .route("/api/health/live", get(health::live))
        .route("/api/health/ready", get(health::ready))
        .route("/metrics", get(metrics))
        .route("/", get(assets::index))
        .method_not_allowed_fallback(problem::method_not_allowed)
        .fallback(elsewhere)
        .layer(map_response(secured))
        .with_state(state)
}

async fn metrics(State(state): State<RestState>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.metrics.render())
}

/// A file of the page, or nothing.
async fn elsewhere(method: Method, uri: Uri, headers: axum::http::HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if !matches!(method, Method::GET | Method::HEAD) || path.starts_with("api/") || path == "api" {
        return problem::not_found();
    }
    assets::file(path, &headers).unwrap_or_else(problem::not_found)
}

/// Scripts and styles only from here, none inline, nobody frames the page: text that a user wrote can never run.
/// `connect-src` names `ws:` and `wss:` because some browsers do not count a socket to the page's own host as `'self'`.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; object-src 'none'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

async fn secured(mut response: Response) -> Response {
    let headers: [(HeaderName, &'static str); 4] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
