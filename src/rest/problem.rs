//! How an error looks over HTTP: problem details, RFC 9457. The only place that maps errors to statuses.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Nothing is here.
pub(super) fn not_found() -> Response {
    problem(StatusCode::NOT_FOUND, "not_found", "There is nothing under this path.")
}

/// Something is here, for another method. The `allow` header, set by the router, tells which.
pub(super) async fn method_not_allowed() -> Response {
    problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This path does not take this method.")
}

fn problem(status: StatusCode, name: &str, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or(name);
    let body =
        json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail, "name": name });
    let kind = HeaderValue::from_static("application/problem+json");
    (status, [(header::CONTENT_TYPE, kind)], body.to_string()).into_response()
}
