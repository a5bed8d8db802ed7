//! Resumable uploads, by tus 1.0.0 with creation, checksum, expiration and termination: `/api/blobs`.

use std::time::{Duration, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use konvert_protocol::ErrorCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;
use super::problem::Problem;
use super::request::{InRooms, Path};
use crate::service::{NewUpload, PieceHead, ServiceError, UploadState};

/// Longest `Upload-Metadata`, bytes.
const METADATA_BYTES_MAX: usize = 4 << 10;

const VERSION: &str = "1.0.0";
const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
const TUS_CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("tus-checksum-algorithm");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
/// The hash under which the file is stored.
const KONVERT_BLOB: HeaderName = HeaderName::from_static("konvert-blob");

pub(super) fn router() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(options, begin)).routes(routes!(stand, proceed, give_up))
}

/// What of tus is spoken here.
#[utoipa::path(options, path = "/api/blobs", tag = "blobs", responses((status = 204)))]
async fn options(State(state): State<RestState>) -> Response {
    let headers = [
        (TUS_RESUMABLE, VERSION.to_owned()),
        (TUS_VERSION, VERSION.to_owned()),
        (TUS_EXTENSION, "creation,checksum,expiration,termination".to_owned()),
        (TUS_MAX_SIZE, state.service.blob_bytes_max().to_string()),
        (TUS_CHECKSUM_ALGORITHM, "sha256".to_owned()),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Begins an upload of `Upload-Length` bytes; `Upload-Metadata` may hold filename, filetype and the sha256 (hex) of the
/// whole. `Location` tells where the bytes go.
#[utoipa::path(post, path = "/api/blobs", tag = "blobs", responses(
    (status = 201), (status = "4XX", body = Problem)))]
async fn begin(State(state): State<RestState>, InRooms(caller): InRooms, headers: HeaderMap) -> Response {
    let begun = async {
        version(&headers)?;
        let size_bytes = length(&headers, &UPLOAD_LENGTH)?;
        let metadata = text(&headers, &UPLOAD_METADATA)?.unwrap_or_default().to_owned();
        let sha256 = announced_hash(&metadata)?;
        let begun = state.service.begin_upload(&caller, NewUpload { size_bytes, metadata, sha256 }).await?;
        let location = format!("/api/blobs/uploads/{}", begun.upload.id);
        Ok((StatusCode::CREATED, [(header::LOCATION, location)], expires(&begun)).into_response())
    };
    tus(begun.await)
}

/// How much of an upload has arrived: `Upload-Offset`. Once it is complete `Konvert-Blob` names the file.
#[utoipa::path(head, path = "/api/blobs/uploads/{id}", tag = "blobs", params(("id" = String, Path)), responses(
    (status = 200), (status = "4XX")))]
async fn stand(
    State(state): State<RestState>,
    InRooms(caller): InRooms,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let found = async {
        let upload = state.service.settled_upload(&caller, &id).await?;
        version(&headers)?;
        let mut response = (StatusCode::OK, [(header::CACHE_CONTROL, "no-store")], position(&upload)).into_response();
        let (length, metadata) = (upload.upload.size_bytes, &upload.upload.metadata);
        response.headers_mut().insert(UPLOAD_LENGTH, length.into());
        if let (false, Ok(metadata)) = (metadata.is_empty(), HeaderValue::from_str(metadata)) {
            response.headers_mut().insert(UPLOAD_METADATA, metadata);
        }
        Ok(response)
    };
    tus(found.await)
}

/// Adds the body to an upload at `Upload-Offset`. With `Upload-Checksum` (sha256) the piece is kept whole or not at all.
#[utoipa::path(patch, path = "/api/blobs/uploads/{id}", tag = "blobs", params(("id" = String, Path)),
    request_body(content_type = "application/offset+octet-stream"), responses(
    (status = 204), (status = "4XX", body = Problem)))]
async fn proceed(
    State(state): State<RestState>,
    InRooms(caller): InRooms,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let added = async {
        // What is not theirs is not there, whatever they say of it.
        state.service.upload(&caller, &id).await?;
        version(&headers)?;
        if text(&headers, &header::CONTENT_TYPE)? != Some("application/offset+octet-stream") {
            let text = "A piece of an upload has the type application/offset+octet-stream.";
            return Err(ServiceError::because(ErrorCode::UnsupportedType, text));
        }
        let size_bytes = text(&headers, &header::CONTENT_LENGTH)?.and_then(|length| length.parse().ok());
        let (offset, checksum) = (length(&headers, &UPLOAD_OFFSET)?, checksum(&headers)?);
        let piece = PieceHead { offset, size_bytes, checksum };
        let upload = state.service.continue_upload(&caller, &id, piece, body.into_data_stream()).await?;
        Ok((StatusCode::NO_CONTENT, position(&upload)).into_response())
    };
    tus(added.await)
}

/// Gives an upload up.
#[utoipa::path(delete, path = "/api/blobs/uploads/{id}", tag = "blobs", params(("id" = String, Path)), responses(
    (status = 204), (status = "4XX", body = Problem)))]
async fn give_up(
    State(state): State<RestState>,
    InRooms(caller): InRooms,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let gone = async {
        state.service.upload(&caller, &id).await?;
        version(&headers)?;
        state.service.delete_upload(&caller, &id).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    tus(gone.await)
}

/// An answer as tus has it.
fn tus(answer: Result<Response, ServiceError>) -> Response {
    let mut response = answer.unwrap_or_else(ServiceError::into_response);
    response.headers_mut().insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
    if response.status() == StatusCode::PRECONDITION_FAILED {
        response.headers_mut().insert(TUS_VERSION, HeaderValue::from_static(VERSION));
    }
    response
}

fn version(headers: &HeaderMap) -> Result<(), ServiceError> {
    match headers.get(TUS_RESUMABLE).is_some_and(|version| version == VERSION) {
        true => Ok(()),
        false => Err(ErrorCode::UploadVersion.into()),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ServiceError> {
    let text = headers.get(name).map(|value| value.to_str().map(str::trim));
    text.transpose().map_err(|_| ServiceError::bad(format!("`{name}` is not ASCII.")))
}

/// A header that must be there and be a whole number.
pub(super) fn length(headers: &HeaderMap, name: &HeaderName) -> Result<u64, ServiceError> {
    let number = text(headers, name)?.filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    number
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| ServiceError::bad(format!("`{name}` must be a whole number.")))
}

/// `sha256 <base64>`.
fn checksum(headers: &HeaderMap) -> Result<Option<[u8; 32]>, ServiceError> {
    let Some(text) = text(headers, &UPLOAD_CHECKSUM)? else { return Ok(None) };
    let hash = text.split_once(' ').filter(|(algorithm, _)| *algorithm == "sha256");
    let hash = hash.and_then(|(_, hash)| STANDARD.decode(hash.trim()).ok()?.try_into().ok());
    hash.map(Some).ok_or_else(|| ServiceError::bad("`Upload-Checksum` is `sha256` and the SHA-256 in base64."))
}

/// What the metadata say the SHA-256 is. All of it must be pairs of a word and a text in base64, each word once.
fn announced_hash(metadata: &str) -> Result<Option<String>, ServiceError> {
    let bad = || ServiceError::bad("`Upload-Metadata` is `key base64` pairs with commas between, at most 4 KiB.");
    if metadata.len() > METADATA_BYTES_MAX {
        return Err(bad());
    }
    let mut found = std::collections::BTreeMap::new();
    for pair in metadata.split(',').map(str::trim).filter(|_| !metadata.is_empty()) {
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let value = STANDARD.decode(value.trim()).ok().and_then(|value| String::from_utf8(value).ok());
        let value = value.filter(|value| !value.contains(char::is_control)).ok_or_else(bad)?;
        if key.is_empty() || found.insert(key, value).is_some() {
            return Err(bad());
        }
    }
    Ok(found.remove("sha256"))
}

fn position(state: &UploadState) -> HeaderMap {
    let mut headers = expires(state);
    headers.insert(UPLOAD_OFFSET, state.offset.into());
    if let Some(Ok(blob)) = state.upload.blob.as_deref().map(HeaderValue::from_str) {
        headers.insert(KONVERT_BLOB, blob);
    }
    headers
}

fn expires(state: &UploadState) -> HeaderMap {
    let at = UNIX_EPOCH + Duration::from_millis(state.upload.expires_ms);
    let date = HeaderValue::from_str(&httpdate::fmt_http_date(at));
    date.map(|date| (UPLOAD_EXPIRES, date)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_are_pairs() {
        let hash = |metadata: &str| announced_hash(metadata).ok();
        assert_eq!(hash(""), Some(None));
        assert_eq!(hash("filename YS9iLmdpZg==,is_secret"), Some(None));
        assert_eq!(hash("filename Li4vLi4v, sha256 YWI="), Some(Some("ab".into())));
        for bad in [",", "a b c", "a !", "a YQ==,a YQ==", "a AAA=", &format!("a {}", "A".repeat(4_096))] {
            assert_eq!(hash(bad), None, "{bad}");
        }
    }
}
