//! `/api/admin/keys`: the keys by which programs come in.

use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;
use super::request::{Json, Params, Path};
use crate::service::{Caller, KeyView, MadeKey, NewKey, Page, ServiceError};

pub(super) fn router() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke))
}

/// Which part of a list is wanted.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct Part {
    /// `next` of the page before.
    cursor: Option<String>,
    /// At most so many, 1 to 100; 50 if absent.
    limit: Option<u32>,
}

/// The API keys, the newest first
///
/// Also those that were taken back. For administrators.
#[utoipa::path(get, path = "/api/admin/keys", tag = "admin", params(Part),
    responses((status = 200, body = Page<KeyView>)))]
async fn list(
    State(state): State<RestState>,
    caller: Caller,
    Params(part): Params<Part>,
) -> Result<axum::Json<Page<KeyView>>, ServiceError> {
    Ok(axum::Json(state.service.list_keys(&caller, part.cursor.as_deref(), part.limit).await?))
}

/// Make an API key
///
/// The answer is the only place where the whole key is ever told. For administrators.
#[utoipa::path(post, path = "/api/admin/keys", tag = "admin", request_body = NewKey,
    responses((status = 201, body = MadeKey)))]
async fn create(
    State(state): State<RestState>,
    caller: Caller,
    Json(new): Json<NewKey>,
) -> Result<(StatusCode, axum::Json<MadeKey>), ServiceError> {
    Ok((StatusCode::CREATED, axum::Json(state.service.create_key(&caller, new).await?)))
}

/// Take an API key back
///
/// It is refused from the next request on. For administrators.
#[utoipa::path(delete, path = "/api/admin/keys/{id}", tag = "admin",
    params(("id" = String, Path, description = "The key's id.")), responses((status = 204)))]
async fn revoke(
    State(state): State<RestState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ServiceError> {
    state.service.revoke_key(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
