//! What comes with a request: who asks, the body, the query. Everything that is wrong with it is a problem with a number.

use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use konvert_protocol::ErrorCode;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};

use super::RestState;
use crate::service::{ApiKey, Caller, KEY_PREFIX, ServiceError, Steward};

/// Who asks, also with a token that opens rooms only: for what such a token may do. Everything else takes a [`Caller`].
#[derive(Debug)]
pub(super) struct InRooms(pub Caller);

impl FromRequestParts<RestState> for Caller {
    type Rejection = ServiceError;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, ServiceError> {
        let InRooms(caller) = InRooms::from_request_parts(parts, state).await?;
        match caller.identity.rooms_only {
            false => Ok(caller),
            true => {
                let why =
                    "This token opens rooms only: messages and files there, and nothing of dialogs or the account.";
                Err(ServiceError::because(ErrorCode::Forbidden, why))
            }
        }
    }
}

impl FromRequestParts<RestState> for InRooms {
    type Rejection = ServiceError;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, ServiceError> {
        let address = state.edge.address(parts);
        let identity = match bearer(parts).and_then(|token| state.service.identify(token)) {
            Ok(identity) => identity,
            // Whoever tries tokens is slowed down like whoever tries passwords.
            Err(error) => return Err(state.service.pace_at(address).err().unwrap_or(error)),
        };
        state.service.pace_of(&identity.user)?;
        state.service.enter(&identity).await?;
        Ok(Self(Caller { identity, address }))
    }
}

/// What the `authorization` header carries.
fn bearer(parts: &Parts) -> Result<&str, ServiceError> {
    let authorization = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = authorization.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    Ok(token.ok_or(ErrorCode::Unauthorized)?)
}

impl FromRequestParts<RestState> for ApiKey {
    type Rejection = ServiceError;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, ServiceError> {
        match state.service.authenticate(bearer(parts)?).await {
            Ok(key) => Ok(key),
            Err(error) => Err(state.service.pace_at(state.edge.address(parts)).err().unwrap_or(error)),
        }
    }
}

impl FromRequestParts<RestState> for Steward {
    type Rejection = ServiceError;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, ServiceError> {
        match bearer(parts)?.starts_with(KEY_PREFIX) {
            true => Ok(Self::Program(ApiKey::from_request_parts(parts, state).await?, state.edge.address(parts))),
            false => Ok(Self::Person(Caller::from_request_parts(parts, state).await?)),
        }
    }
}

/// The address that counts for the audit; taking it takes from nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Address(pub IpAddr);

impl FromRequestParts<RestState> for Address {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, Self::Rejection> {
        Ok(Self(state.edge.address(parts)))
    }
}

/// Where a request without a token comes from. Taking it takes from what the address may ask.
#[derive(Debug, Clone, Copy)]
pub(super) struct From(pub IpAddr);

impl FromRequestParts<RestState> for From {
    type Rejection = ServiceError;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, ServiceError> {
        let address = state.edge.address(parts);
        state.service.pace_at(address)?;
        Ok(Self(address))
    }
}

/// A body of JSON: an object in UTF-8.
#[derive(Debug)]
pub(super) struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<RestState> for Json<T> {
    type Rejection = ServiceError;

    async fn from_request(request: Request, state: &RestState) -> Result<Self, ServiceError> {
        if !is_utf8(request.headers()) {
            return Err(ServiceError::because(ErrorCode::UnsupportedType, "The body must be in UTF-8."));
        }
        match axum::Json::<Object<T>>::from_request(request, state).await {
            Ok(axum::Json(Object(body))) => Ok(Self(body)),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(ErrorCode::UnsupportedType.into()),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(ErrorCode::BodyTooLarge.into())
            }
            Err(rejection) => Err(ServiceError::bad(rejection.body_text())),
        }
    }
}

/// Whether no other charset is announced than that which JSON has between programs.
fn is_utf8(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let parameters = kind.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let mut charsets = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    charsets.all(|(_, charset)| charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8"))
}

/// What is read from an object only. A list would be taken for the fields in the order they happen to have, and an empty
/// one for a change of nothing.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
    }
}

/// What the path names; what cannot be read names nothing that is there.
#[derive(Debug)]
pub(super) struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<RestState> for Path<T> {
    type Rejection = ServiceError;

    async fn from_request_parts(parts: &mut Parts, state: &RestState) -> Result<Self, ServiceError> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(names)| Self(names)).map_err(|_| ErrorCode::NotFound.into())
    }
}

/// What stands behind the question mark.
#[derive(Debug)]
pub(super) struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<RestState> for Params<T> {
    type Rejection = ServiceError;

    async fn from_request_parts(parts: &mut Parts, _: &RestState) -> Result<Self, ServiceError> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query.map(|Query(params)| Self(params)).map_err(|rejection| ServiceError::bad(rejection.body_text()))
    }
}
