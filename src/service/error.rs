//! Why something was refused or failed: always a number of the protocol, with a sentence that says what to do.

use std::borrow::Cow;

use konvert_protocol::{ErrorCode, v1};

use super::Advice;
use crate::auth::TokenError;
use crate::broker::BrokerError;
use crate::directory::DirectoryError;

/// A refusal or a failure. It changed nothing, unless the number is that of an unknown outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", .code.name())]
pub struct ServiceError {
    /// The number.
    pub code: ErrorCode,
    /// What to do.
    pub message: Cow<'static, str>,
    /// When to try again, milliseconds; zero when unknown.
    pub retry_after_ms: u32,
    /// Of a weak password, what is wrong with it.
    pub advice: Vec<Advice>,
}

impl ServiceError {
    /// A number with a text of its own, which should say what to do.
    pub fn because(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), retry_after_ms: 0, advice: Vec::new() }
    }

    /// The request is not what is taken here.
    pub fn bad(message: impl Into<Cow<'static, str>>) -> Self {
        Self::because(ErrorCode::BadRequest, message)
    }

    /// Too fast, or too often; how long to wait, milliseconds.
    pub fn too_fast(retry_after_ms: u32) -> Self {
        Self { retry_after_ms, ..ErrorCode::RateLimited.into() }
    }

    /// Nothing is left of a quota; when there is again, milliseconds.
    pub fn used_up(retry_after_ms: u32) -> Self {
        Self { retry_after_ms, ..ErrorCode::QuotaExceeded.into() }
    }
}

impl From<ErrorCode> for ServiceError {
    fn from(code: ErrorCode) -> Self {
        Self::because(code, code.meaning())
    }
}

impl From<TokenError> for ServiceError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Expired => ErrorCode::TokenExpired.into(),
            TokenError::Bad(_) => Self::because(ErrorCode::BadToken, error.to_string()),
        }
    }
}

impl From<BrokerError> for ServiceError {
    fn from(error: BrokerError) -> Self {
        let error = v1::Error::from(error);
        let code = ErrorCode::ALL.iter().find(|code| code.number() == error.code).copied();
        Self {
            code: code.unwrap_or(ErrorCode::Internal),
            message: error.message.into(),
            retry_after_ms: error.retry_after_ms,
            advice: Vec::new(),
        }
    }
}

impl From<DirectoryError> for ServiceError {
    fn from(error: DirectoryError) -> Self {
        const RETRY_MS: u32 = 1_000;
        match error {
            DirectoryError::Exists => ErrorCode::Exists.into(),
            DirectoryError::Missing => ErrorCode::NotFound.into(),
            DirectoryError::Unavailable(reason) => {
                tracing::error!(reason, "the directory is out of reach");
                Self { retry_after_ms: RETRY_MS, ..ErrorCode::Unavailable.into() }
            }
            DirectoryError::Refused(reason) => {
                tracing::error!(reason, "the directory failed");
                ErrorCode::Internal.into()
            }
        }
    }
}
