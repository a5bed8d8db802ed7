//! Everything over HTTP that is not live: accounts, dialogs and what belongs to them, health, metrics, the chat app.
//!
//! Owns translation only: requests become questions to the service, its answers become JSON. One file per resource, each
//! with its routes. Refuses to know rules, sessions and tables. Invariant: errors under `/api` are problem details
//! (RFC 9457); every answer carries the security headers; every route under `/api` is in the OpenAPI document.

mod admin;
mod assets;
mod auth;
mod blobs;
mod contacts;
mod dialogs;
mod edge;
mod health;
mod keys;
mod limits;
mod messages;
mod openapi;
mod problem;
mod ranges;
mod request;
mod server;
mod sessions;
mod uploads;
mod webhooks;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use konvert_protocol::ErrorCode;
use utoipa_axum::router::OpenApiRouter;

pub use edge::Edge;
pub use health::HealthFacts;

use crate::metrics::MetricsHandle;
use crate::service::{Service, ServiceError};

/// Longest body of a request, bytes, where the path takes no more.
const BODY_BYTES_MAX: usize = 128 << 10;

/// Longest body of a request that says something: a payload whose every byte is escaped in JSON (`\u0000`), and what comes
/// with it.
fn message_body(payload_bytes: usize) -> usize {
    6 * payload_bytes + BODY_BYTES_MAX
}

/// What the answers are made of.
#[derive(Clone)]
pub struct RestState {
    /// Asks the parts how they are; must answer at once.
    pub health: Arc<dyn Fn() -> HealthFacts + Send + Sync>,
    /// What `/metrics` tells.
    pub metrics: MetricsHandle,
    /// When the server started, for its uptime.
    pub started: Instant,
    /// From where requests may come.
    pub edge: Arc<Edge>,
    /// The rules.
    pub service: Arc<Service>,
    /// Where requests are worked on: the shards that accept them have other things to do.
    pub runtime: tokio::runtime::Handle,
}

/// The routes. The socket's are not among them; merge those of the gateway with these.
pub fn router(state: RestState) -> Router {
    let (resources, document) = resources(message_body(state.service.payload_bytes())).split_for_parts();
    resources
        .merge(openapi::router(document))
        .route("/api/health/ready", get(health::ready))
        .route("/api/system/health", get(health::ready))
        .route("/api/v1/health", get(health::ready))
        .route("/api/auth/first-administrator/form.js", get(admin::script_of_the_form))
        .route("/metrics", get(metrics))
        .route("/", get(assets::index))
        .method_not_allowed_fallback(problem::method_not_allowed)
        .fallback(elsewhere)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(state.clone(), apart))
        .layer(from_fn_with_state(state.clone(), edge::cors))
        .layer(map_response(secured))
        .with_state(state)
}

/// Every resource with its description; what says something has bodies of up to `message_bytes`.
fn resources(message_bytes: usize) -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .merge(admin::router())
        .merge(auth::router())
        .merge(blobs::router())
        .merge(contacts::router())
        .merge(dialogs::router())
        .merge(limits::router())
        .merge(messages::router().layer(DefaultBodyLimit::max(message_bytes)))
        .merge(health::router())
        .merge(keys::router())
        .merge(server::router().layer(DefaultBodyLimit::max(message_bytes)))
        .merge(webhooks::router())
        .merge(uploads::router())
}

/// Works on the request on the runtime that is there for it. A request that was begun is finished, also when nobody
/// waits for the answer any more.
async fn apart(State(state): State<RestState>, request: Request, next: Next) -> Response {
    state
        .runtime
        .spawn(next.run(request))
        .await
        .unwrap_or_else(|_| ServiceError::from(ErrorCode::Internal).into_response())
}

async fn metrics(State(state): State<RestState>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.metrics.render())
}

/// The app or a file of it, or nothing.
async fn elsewhere(method: Method, uri: Uri, headers: axum::http::HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if !matches!(method, Method::GET | Method::HEAD) || path.starts_with("api/") || path == "api" {
        return problem::not_found();
    }
    assets::file(path, &headers).unwrap_or_else(problem::not_found)
}

/// Scripts and styles only from here, none inline, nobody frames the page: text that a user wrote can never run.
/// Pictures that were fetched with a token are shown as `blob:`. `connect-src` names `ws:` and `wss:` because some
/// browsers do not count a socket to the page's own host as `'self'`.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; \
     img-src 'self' blob: data:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'";

async fn secured(mut response: Response) -> Response {
    let headers: [(HeaderName, &'static str); 4] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in headers {
        // Stored files have a stricter policy of their own.
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
