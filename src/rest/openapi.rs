//! The description of everything under `/api`, for programs: `/api/openapi.json`; and the page that shows it to people.
//!
//! Owns what is the same of every operation: who must say who they are, how errors look, what operations are called.
//! Invariant: the page takes nothing from elsewhere and runs nothing inline.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use konvert_protocol::ErrorCode;
use serde_json::{Map, Value, json};

use super::{RestState, problem, sessions};
use crate::service::{Advice, EventKind};

/// What may be asked without a token; beginnings of paths.
const PUBLIC: &[&str] = &[
    "/api/auth/sign-up",
    "/api/auth/sign-in",
    "/api/auth/refresh",
    "/api/auth/guest",
    "/api/auth/first-administrator",
    "/api/health",
];

/// Health under the names that people and platforms try.
const ALIASES: &[(&str, &str)] =
    &[("/api/health/ready", "/api/health"), ("/api/system/health", "/api/health"), ("/api/v1/health", "/api/health")];

const INTRODUCTION: &str = "Everything of Konvert that is not live. What is live goes over the socket at \
    `/api/websocket`, described in PROTOCOL.md; where no \
    WebSocket gets through, by the requests under `live`.\n\n\
    Bodies are objects of JSON in UTF-8, names are snake_case, times are milliseconds since 1970. Send a token as \
    `Authorization: Bearer …`: people sign in at `/api/auth/sign-in`, programs use an API key.\n\n\
    What one may not know of answers as what does not exist. Every error is a problem document with a stable number.";

/// The tags in the order of the page.
const TAGS: &[(&str, &str)] = &[
    ("auth", "Sign up, sign in, and where one is signed in."),
    ("users", "Who there is."),
    ("contacts", "Who knows whom."),
    ("dialogs", "Rooms as their members see them."),
    ("messages", "What was said."),
    ("blobs", "Stored files."),
    ("limits", "How much one may do, and how much of it one has done."),
    ("server", "What programs do with an API key: `Authorization: Bearer kk_…`."),
    ("webhooks", "Telling programs what happens. docs/webhooks.md tells how to verify a delivery."),
    ("admin", "For administrators."),
    sessions::TAG,
    ("health", "Whether the server lives, and whether it should get traffic."),
];

/// The routes of the description and of the page.
pub(super) fn router(document: utoipa::openapi::OpenApi) -> Router<RestState> {
    let document = complete(document).to_string();
    let json = move || {
        let document = document.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], document) }
    };
    let file = |kind: &'static str, text: &'static str| {
        get(move || async move {
            ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response()
        })
    };
    Router::new()
        .route("/api", get(|| async { axum::Json(places()) }))
        .route("/api/openapi.json", get(json))
        .route("/api/docs", file("text/html; charset=utf-8", include_str!("docs/index.html")))
        .route("/api/docs/docs.css", file("text/css; charset=utf-8", include_str!("docs/docs.css")))
        .route("/api/docs/docs.js", file("text/javascript; charset=utf-8", include_str!("docs/docs.js")))
}

/// Where to go.
fn places() -> Value {
    json!({
        "name": "Konvert",
        "version": env!("CARGO_PKG_VERSION"),
        "documentation": "/api/docs",
        "openapi": "/api/openapi.json",
        "health": "/api/health",
        "websocket": "/api/websocket",
        "metrics": "/metrics",
    })
}

/// Adds what no operation says of itself.
fn complete(document: utoipa::openapi::OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    document["info"] = json!({
        "title": "Konvert",
        "version": env!("CARGO_PKG_VERSION"),
        "description": INTRODUCTION,
        "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
    });
    document["components"]["securitySchemes"] = json!({
        "bearer": {"type": "http", "scheme": "bearer", "description": "A user's token, from signing in or from your backend."},
        "api_key": {"type": "http", "scheme": "bearer", "description": "An API key, `kk_…`; made by an administrator."},
    });
    document["components"]["schemas"]["Problem"] = schema_of_problems();
    document["security"] = json!([{"bearer": []}]);
    document["x-errors"] = ErrorCode::ALL.iter().map(|&code| error(code)).collect();
    document["webhooks"] =
        EventKind::ALL.iter().map(|&kind| (kind.name().to_owned(), event(kind))).collect::<Map<_, _>>().into();
    if let Some(paths) = document["paths"].as_object_mut() {
        sessions::describe(paths);
        for (alias, path) in ALIASES {
            let item = paths.get(*path).cloned().unwrap_or_default();
            paths.insert((*alias).to_owned(), item);
        }
        for (path, item) in paths.iter_mut() {
            for (method, operation) in item.as_object_mut().into_iter().flatten() {
                complete_operation(path, method, operation);
            }
        }
    }
    document["tags"] =
        TAGS.iter().map(|(name, description)| json!({"name": name, "description": description})).collect();
    document
}

fn complete_operation(path: &str, method: &str, operation: &mut Value) {
    operation["operationId"] = operation_id(path, method).into();
    if operation.get("security").is_none() && PUBLIC.iter().any(|public| path.starts_with(public)) {
        operation["security"] = json!([]);
    }
    complete_parameters(path, operation);
    let is_health = operation["tags"][0] == "health";
    if let Some(responses) = operation["responses"].as_object_mut() {
        responses.remove("4XX");
        responses.remove("5XX");
        if !is_health {
            let problem = json!({"schema": {"$ref": "#/components/schemas/Problem"}});
            responses.insert(
                "default".into(),
                json!({
                    "description": "A problem; its number says which.",
                    "content": {"application/problem+json": problem},
                }),
            );
        }
    }
}

/// What stands in the path is needed, whether or not the operation says so.
fn complete_parameters(path: &str, operation: &mut Value) {
    let mut parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
    for name in path.split(['{', '}']).skip(1).step_by(2) {
        if !parameters.iter().any(|one| one["in"] == "path" && one["name"] == name) {
            parameters.push(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
        }
    }
    for one in &mut parameters {
        // Said to be in the path and not there: it stands behind the question mark.
        if one["in"] == "path" && !path.contains(&format!("{{{}}}", one["name"].as_str().unwrap_or_default())) {
            one["in"] = "query".into();
            one["required"] = false.into();
        }
    }
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
}

/// `get /api/dialogs/{id}/members` ▶ `get_dialogs_id_members`: unique, and as stable as the path.
fn operation_id(path: &str, method: &str) -> String {
    let path = path.strip_prefix("/api").unwrap_or(path);
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    [method].into_iter().chain(words).collect::<Vec<_>>().join("_")
}

fn error(code: ErrorCode) -> Value {
    json!({
        "code": code.number(),
        "name": code.name(),
        "status": problem::status(code).as_u16(),
        "temporary": code.is_temporary(),
        "meaning": code.meaning(),
    })
}

fn event(kind: EventKind) -> Value {
    json!({"post": {
        "summary": kind.name(),
        "description": kind.meaning(),
        "tags": ["webhooks"],
        "requestBody": {"content": {"application/json": {"schema": {
            "type": "object",
            "required": ["type", "time_ms", "data"],
            "properties": {
                "type": {"type": "string", "const": kind.name()},
                "time_ms": {"type": "integer", "description": "When, milliseconds since 1970."},
                "data": {"type": "object", "description": kind.meaning()},
            },
        }}}},
        "responses": {"2XX": {"description": "Taken; anything else is tried again."}},
    }})
}

fn schema_of_problems() -> Value {
    let text = |what: &str| json!({"type": "string", "description": what});
    let number = |what: &str| json!({"type": "integer", "description": what});
    json!({
        "type": "object",
        "description": "What went wrong, as RFC 9457 has it.",
        "required": ["type", "title", "status", "detail", "code", "name", "temporary"],
        "properties": {
            "type": text("Where the number is explained."),
            "title": text("The status in words."),
            "status": number("The status."),
            "detail": text("What to do."),
            "code": number("The stable number, the same as in frames."),
            "name": text("The stable name of the number."),
            "temporary": {"type": "boolean", "description": "The same request may succeed later."},
            "retry_after_ms": number("When to try again, milliseconds; absent when unknown."),
            "advice": {
                "type": "array",
                "description": "Of a weak password, what is wrong with it and what would make it better, for apps that say \
                    it in another language than `detail`; otherwise absent.",
                "items": {"type": "string", "enum": Advice::ALL},
            },
        },
        "example": {
            "type": "/api/docs#not_found", "title": "Not Found", "status": 404,
            "detail": ErrorCode::NotFound.meaning(), "code": 701, "name": "not_found", "temporary": false,
        },
    })
}
