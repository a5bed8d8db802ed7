//! Whether the server lives, and whether it should get traffic.
//!
//! `live` answers as long as the process does: restart it when it does not. `ready` says no while the server drains, cannot
//! store, or has no directory: send traffic elsewhere. `/api/health` is `ready` under the name most people try first.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;

/// How the parts are.
#[derive(Debug, Clone, Default)]
pub struct HealthFacts {
    /// Why nothing can be stored, if so.
    pub read_only: Option<String>,
    /// Damage found since start.
    pub damage: Vec<String>,
    /// Why the directory of accounts and dialogs does not answer, if so.
    pub directory: Option<String>,
    /// Why stored files cannot be read or taken, if so.
    pub files: Option<String>,
    /// Free bytes on the journal's file system, where known.
    pub free_bytes: Option<u64>,
    /// Below this the journal turns read-only.
    pub free_bytes_min: u64,
    /// Whether the server is shutting down.
    pub draining: bool,
}

impl HealthFacts {
    /// Whether the server should get traffic. Damage of old messages does not speak against it: it is not served. Nor do files
    /// that are out of reach: everything else goes on, and another server would not reach them either.
    fn is_ready(&self) -> bool {
        !self.draining && self.read_only.is_none() && self.directory.is_none()
    }

    /// What an operator should look at, the worst first.
    fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.draining {
            reasons.push("draining: the server is shutting down".to_owned());
        }
        reasons.extend(self.read_only.iter().map(|reason| format!("journal read-only: {reason}")));
        reasons.extend(self.directory.iter().map(|reason| format!("directory unavailable: {reason}")));
        reasons.extend(self.files.iter().map(|reason| format!("files unavailable: {reason}")));
        if let Some(free) = self.free_bytes.filter(|&free| free < 2 * self.free_bytes_min) {
            let (free, least) = (free >> 20, self.free_bytes_min >> 20);
            reasons.push(format!("low disk: {free} MiB free, the journal turns read-only below {least} MiB"));
        }
        reasons.extend(self.damage.iter().map(|damage| format!("journal damaged: {damage}")));
        reasons
    }
}

/// How the server is.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Health {
    /// `live`, `ready` or `not_ready`.
    status: &'static str,
    /// What an operator should look at, the worst first.
    reasons: Vec<String>,
    /// The server's version.
    version: &'static str,
    /// How long it runs, seconds.
    uptime_s: u64,
}

pub(super) fn router() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(ready)).routes(routes!(live))
}

/// Whether the server lives
///
/// Answers as long as the process does: restart it when it does not.
#[utoipa::path(get, path = "/api/health/live", tag = "health", responses((status = 200, body = Health)))]
pub(super) async fn live(State(state): State<RestState>) -> Response {
    answer(StatusCode::OK, "live", Vec::new(), &state)
}

/// Whether the server should get traffic
///
/// No while it drains or cannot store. Also as `/api/health/ready`, `/api/system/health` and `/api/v1/health`.
#[utoipa::path(get, path = "/api/health", tag = "health",
    responses((status = 200, body = Health), (status = 503, description = "Send traffic elsewhere.", body = Health)))]
pub(super) async fn ready(State(state): State<RestState>) -> Response {
    let facts = (state.health)();
    let (code, status) = match facts.is_ready() {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
    };
    answer(code, status, facts.reasons(), &state)
}

fn answer(code: StatusCode, status: &'static str, reasons: Vec<String>, state: &RestState) -> Response {
    let uptime_s = state.started.elapsed().as_secs();
    let health = Health { status, reasons, version: env!("CARGO_PKG_VERSION"), uptime_s };
    (code, [(header::CACHE_CONTROL, "no-store")], Json(health)).into_response()
}
