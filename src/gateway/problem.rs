//! How an error looks to somebody who came by a plain request: problem details, RFC 9457, in the form that the REST
//! interface has too. The one place of the live edge that maps errors to statuses.

use axum::body::Body;
use axum::http::header::{self, HeaderValue};
use axum::http::{Response, StatusCode};
use konvert_protocol::{ErrorCode, v1};
use serde_json::json;

use crate::broker::Declined;

/// A response that says what is wrong.
pub type Refusal = Box<Response<Body>>;

/// The refusal for an error, in the words of its table.
pub fn refuse(code: ErrorCode) -> Refusal {
    refuse_because(&v1::Error::new(code), None)
}

/// The refusal of a request that cannot be understood.
pub fn refuse_bad(text: &str) -> Refusal {
    refuse_because(&v1::Error::because(ErrorCode::BadRequest, text), None)
}

/// The refusal for an errand that was not done.
pub fn declined(why: Declined) -> Refusal {
    match why {
        Declined::Ended(close_code) => refuse_because(&v1::Error::new(ErrorCode::SessionEnded), close_code),
        Declined::HasStream => {
            let text = "This session has a stream: what there is to say comes there, and nowhere else.";
            refuse_because(&v1::Error::because(ErrorCode::BadCommand, text), None)
        }
        Declined::TooMany(retry_after_ms) => {
            refuse_because(&v1::Error { retry_after_ms, ..v1::Error::new(ErrorCode::RateLimited) }, None)
        }
    }
}

fn refuse_because(error: &v1::Error, close_code: Option<u16>) -> Refusal {
    let status = status(error);
    let mut body = json!({
        "type": format!("/api/docs#{}", error.name),
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "detail": error.message,
        "code": error.code,
        "name": error.name,
        "temporary": error.temporary,
    });
    if error.retry_after_ms > 0 {
        body["retry_after_ms"] = error.retry_after_ms.into();
    }
    if let Some(close_code) = close_code {
        body["close_code"] = close_code.into();
    }
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if error.temporary {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(error.retry_after_ms.div_ceil(1_000).max(1)));
    }
    Box::new(response)
}

fn status(error: &v1::Error) -> StatusCode {
    let code = ErrorCode::ALL.iter().find(|code| code.number() == error.code);
    match code {
        Some(ErrorCode::SessionEnded) => StatusCode::GONE,
        Some(ErrorCode::OriginNotAllowed) => StatusCode::FORBIDDEN,
        Some(ErrorCode::UnsupportedType) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Some(ErrorCode::BodyTooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
        Some(ErrorCode::RateLimited) => StatusCode::TOO_MANY_REQUESTS,
        Some(ErrorCode::Overloaded) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}
