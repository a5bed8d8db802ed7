//! How an error looks over HTTP: problem details, RFC 9457. The only place that maps numbers to statuses.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use konvert_protocol::ErrorCode;
use serde::Serialize;

use crate::service::{Advice, ServiceError};

/// What went wrong, as RFC 9457 has it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Where the number is explained.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What to do.
    detail: String,
    /// The stable number, the same as in frames.
    code: u32,
    /// The stable name of the number.
    name: &'static str,
    /// The same request may succeed later.
    temporary: bool,
    /// When to try again, milliseconds; absent when unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u32>,
    /// Of a weak password, what is wrong with it and what would make it better; otherwise absent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    advice: Vec<Advice>,
}

impl IntoResponse for ServiceError {
    fn into_response(self) -> Response {
        let Self { code, message, retry_after_ms, advice } = self;
        let status = status(code);
        let problem = Problem {
            kind: format!("/api/docs#{}", code.name()),
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: message.into_owned(),
            code: code.number(),
            name: code.name(),
            temporary: code.is_temporary(),
            retry_after_ms: (retry_after_ms > 0).then_some(retry_after_ms),
            advice,
        };
        let mut response = (status, axum::Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if retry_after_ms > 0 {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after_ms.div_ceil(1_000)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Nothing is here.
pub(super) fn not_found() -> Response {
    ServiceError::from(ErrorCode::NotFound).into_response()
}

/// Something is here, for another method. The `allow` header, set by the router, tells which.
pub(super) async fn method_not_allowed() -> Response {
    ServiceError::from(ErrorCode::MethodNotAllowed).into_response()
}

/// The status of a number.
pub(super) fn status(code: ErrorCode) -> StatusCode {
    use ErrorCode as E;
    match code {
        E::BadToken | E::TokenExpired | E::Revoked | E::Unauthorized | E::WrongCredentials | E::TokenReused => {
            StatusCode::UNAUTHORIZED
        }
        E::GuestsNotAllowed | E::OtherUser | E::OriginNotAllowed | E::NotAllowed | E::Forbidden => {
            StatusCode::FORBIDDEN
        }
        E::UnknownRoom | E::NotFound => StatusCode::NOT_FOUND,
        E::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        E::Trimmed | E::EpochChanged | E::AheadOfLog | E::SessionEnded | E::InviteEnded => StatusCode::GONE,
        E::ModeMismatch
        | E::DuplicateConflict
        | E::Conflict
        | E::LoginTaken
        | E::Exists
        | E::NotPossible
        | E::OffsetMismatch => StatusCode::CONFLICT,
        E::PayloadTooLarge | E::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        E::UnsupportedType | E::TypeNotAllowed => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        E::BadCommand
        | E::IdRequired
        | E::NotConnected
        | E::AlreadyConnected
        | E::NotSubscribed
        | E::BadName
        | E::BadRequest => StatusCode::BAD_REQUEST,
        E::BadRelation | E::NotSealed | E::Sealed | E::WeakPassword | E::HashMismatch => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        // As tus has it; no other number is named so.
        E::PieceDamaged => StatusCode::from_u16(460).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY),
        E::NoSuchRange => StatusCode::RANGE_NOT_SATISFIABLE,
        E::UploadVersion => StatusCode::PRECONDITION_FAILED,
        E::TooManyRooms | E::RateLimited | E::TooManyFrames | E::QuotaExceeded => StatusCode::TOO_MANY_REQUESTS,
        E::Overloaded | E::ReadOnly | E::Unknown | E::ShuttingDown | E::Unreadable | E::Unavailable => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        E::Damaged | E::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
