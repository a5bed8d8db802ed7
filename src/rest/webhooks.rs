//! `/api/admin/webhooks`: who outside is told of what happens.

use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;
use super::request::{Json, Params, Path};
use crate::service::{
    DeliveryView, DeliveryWish, MadeWebhook, NewWebhook, Page, PingView, ServiceError, Steward, WebhookChange,
    WebhookList, WebhookView,
};

pub(super) fn router() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(one, change, remove))
        .routes(routes!(ping))
        .routes(routes!(deliveries))
        .routes(routes!(retry))
}

type Answer<T> = Result<axum::Json<T>, ServiceError>;

/// Every webhook
///
/// For administrators, and for keys with the scope `webhooks`.
#[utoipa::path(get, path = "/api/admin/webhooks", tag = "webhooks",
    responses((status = 200, body = WebhookList)), security(("bearer" = []), ("api_key" = [])))]
async fn list(State(state): State<RestState>, steward: Steward) -> Answer<WebhookList> {
    Ok(axum::Json(state.service.list_webhooks(&steward).await?))
}

/// Make a webhook
///
/// The answer is the only place where its secret is ever told. For administrators, and for keys with the scope `webhooks`.
#[utoipa::path(post, path = "/api/admin/webhooks", tag = "webhooks",
    request_body = NewWebhook, responses((status = 201, body = MadeWebhook)),
    security(("bearer" = []), ("api_key" = [])))]
async fn create(
    State(state): State<RestState>,
    steward: Steward,
    Json(new): Json<NewWebhook>,
) -> Result<(StatusCode, axum::Json<MadeWebhook>), ServiceError> {
    Ok((StatusCode::CREATED, axum::Json(state.service.create_webhook(&steward, new).await?)))
}

/// A webhook
///
/// For administrators, and for keys with the scope `webhooks`.
#[utoipa::path(get, path = "/api/admin/webhooks/{id}", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id.")), responses((status = 200, body = WebhookView)),
    security(("bearer" = []), ("api_key" = [])))]
async fn one(State(state): State<RestState>, steward: Steward, Path(id): Path<String>) -> Answer<WebhookView> {
    Ok(axum::Json(state.service.one_webhook(&steward, &id).await?))
}

/// Change a webhook
///
/// What is absent stays. What waits is tried at once. For administrators, and for keys with the scope `webhooks`.
#[utoipa::path(patch, path = "/api/admin/webhooks/{id}", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id.")), request_body = WebhookChange,
    responses((status = 200, body = WebhookView)), security(("bearer" = []), ("api_key" = [])))]
async fn change(
    State(state): State<RestState>,
    steward: Steward,
    Path(id): Path<String>,
    Json(change): Json<WebhookChange>,
) -> Answer<WebhookView> {
    Ok(axum::Json(state.service.change_webhook(&steward, &id, change).await?))
}

/// Remove a webhook
///
/// What waits for it is forgotten. For administrators, and for keys with the scope `webhooks`.
#[utoipa::path(delete, path = "/api/admin/webhooks/{id}", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id.")), responses((status = 204)),
    security(("bearer" = []), ("api_key" = [])))]
async fn remove(
    State(state): State<RestState>,
    steward: Steward,
    Path(id): Path<String>,
) -> Result<StatusCode, ServiceError> {
    state.service.remove_webhook(&steward, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Try a webhook
///
/// Sends an event of the type `ping` at once, beside the queue, and tells what came of it. For administrators, and for keys
/// with the scope `webhooks`.
#[utoipa::path(post, path = "/api/admin/webhooks/{id}/ping", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id.")), responses((status = 200, body = PingView)),
    security(("bearer" = []), ("api_key" = [])))]
async fn ping(State(state): State<RestState>, steward: Steward, Path(id): Path<String>) -> Answer<PingView> {
    Ok(axum::Json(state.service.ping_webhook(&steward, &id).await?))
}

/// What a webhook was told
///
/// The newest first: what waits, what was given up, and the last thousand that it has. For administrators, and for keys
/// with the scope `webhooks`.
#[utoipa::path(get, path = "/api/admin/webhooks/{id}/deliveries", tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id."), DeliveryWish),
    responses((status = 200, body = Page<DeliveryView>)), security(("bearer" = []), ("api_key" = [])))]
async fn deliveries(
    State(state): State<RestState>,
    steward: Steward,
    Path(id): Path<String>,
    Params(wish): Params<DeliveryWish>,
) -> Answer<Page<DeliveryView>> {
    Ok(axum::Json(state.service.deliveries(&steward, &id, wish).await?))
}

/// Try a delivery again that was given up
///
/// It goes before all later ones. For administrators, and for keys with the scope `webhooks`.
#[utoipa::path(post, path = "/api/admin/webhooks/{id}/deliveries/{number}/retry",
    tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id."), ("number" = u64, Path, description = "Which delivery.")),
    responses((status = 202)), security(("bearer" = []), ("api_key" = [])))]
async fn retry(
    State(state): State<RestState>,
    steward: Steward,
    Path((id, number)): Path<(String, u64)>,
) -> Result<StatusCode, ServiceError> {
    state.service.retry_delivery(&steward, &id, number).await?;
    Ok(StatusCode::ACCEPTED)
}
