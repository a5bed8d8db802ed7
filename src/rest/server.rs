//! `/api/server`: what programs do with an API key.

use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;
use super::health;
use super::request::{Address, Json, Params};
use crate::service::{
    ApiKey, Broadcast, BroadcastResult, Disconnect, HistoryView, HistoryWish, MadeToken, NewRoom, NewToken,
    PresenceView, PresenceWish, Publication, PublishReceipt, RoomView, ServiceError, VouchedUser, VouchedView,
};

pub(super) fn router() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(publish))
        .routes(routes!(broadcast))
        .routes(routes!(history))
        .routes(routes!(presence))
        .routes(routes!(disconnect))
        .routes(routes!(token))
        .routes(routes!(room))
        .routes(routes!(user))
        .routes(routes!(server_health))
}

type Answer<T> = Result<axum::Json<T>, ServiceError>;

/// Publish a message
///
/// It is stored when the answer comes. Asked again with the same `message_id`, also after a failure that left it open, the
/// answer is that of the first time. Scope `publish`.
#[utoipa::path(post, path = "/api/server/publish", tag = "server",
    request_body = Publication, responses((status = 200, body = PublishReceipt)), security(("api_key" = [])))]
async fn publish(State(state): State<RestState>, key: ApiKey, Json(body): Json<Publication>) -> Answer<PublishReceipt> {
    Ok(axum::Json(state.service.key_publish(&key, body).await?))
}

/// Publish a message to many rooms
///
/// Each room has a result of its own; asked again with the same `message_id`, rooms that have it already say so. Scope
/// `broadcast`.
#[utoipa::path(post, path = "/api/server/broadcast", tag = "server",
    request_body = Broadcast, responses((status = 200, body = BroadcastResult)), security(("api_key" = [])))]
async fn broadcast(
    State(state): State<RestState>,
    key: ApiKey,
    Json(body): Json<Broadcast>,
) -> Answer<BroadcastResult> {
    Ok(axum::Json(state.service.key_broadcast(&key, body).await?))
}

/// Read a room's messages
///
/// Scope `history`.
#[utoipa::path(get, path = "/api/server/history", tag = "server", params(HistoryWish),
    responses((status = 200, body = HistoryView)), security(("api_key" = [])))]
async fn history(
    State(state): State<RestState>,
    key: ApiKey,
    Params(wish): Params<HistoryWish>,
) -> Answer<HistoryView> {
    Ok(axum::Json(state.service.key_history(&key, wish).await?))
}

/// See who is in a room
///
/// Scope `presence`.
#[utoipa::path(get, path = "/api/server/presence", tag = "server", params(PresenceWish),
    responses((status = 200, body = PresenceView)), security(("api_key" = [])))]
async fn presence(
    State(state): State<RestState>,
    key: ApiKey,
    Params(wish): Params<PresenceWish>,
) -> Answer<PresenceView> {
    Ok(axum::Json(state.service.key_presence(&key, &wish)?))
}

/// End a user's connections
///
/// Live ones are closed with 4403 within a second. Tokens go on holding. Scope `disconnect`.
#[utoipa::path(post, path = "/api/server/disconnect", tag = "server",
    request_body = Disconnect, responses((status = 204)), security(("api_key" = [])))]
async fn disconnect(
    State(state): State<RestState>,
    key: ApiKey,
    Address(address): Address,
    Json(whom): Json<Disconnect>,
) -> Result<StatusCode, ServiceError> {
    state.service.key_disconnect(&key, address, whom).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make a token for a user
///
/// For users that the program vouches for and nobody else, in rooms of the key only. Without the scope `dialogs` the token
/// opens rooms alone: what the user is a member of does not count. Scope `tokens`.
#[utoipa::path(post, path = "/api/server/tokens", tag = "server", request_body = NewToken,
    responses((status = 201, body = MadeToken)), security(("api_key" = [])))]
async fn token(
    State(state): State<RestState>,
    key: ApiKey,
    Address(address): Address,
    Json(new): Json<NewToken>,
) -> Result<(StatusCode, axum::Json<MadeToken>), ServiceError> {
    Ok((StatusCode::CREATED, axum::Json(state.service.key_token(&key, address, new).await?)))
}

/// Create a room
///
/// Or find it: asked again, the answer is the same. Scope `publish`.
#[utoipa::path(post, path = "/api/server/rooms", tag = "server", request_body = NewRoom,
    responses((status = 200, body = RoomView)), security(("api_key" = [])))]
async fn room(
    State(state): State<RestState>,
    key: ApiKey,
    Address(address): Address,
    Json(new): Json<NewRoom>,
) -> Answer<RoomView> {
    Ok(axum::Json(state.service.key_room_create(&key, address, new).await?))
}

/// Vouch for a user
///
/// Adds them, or changes their name, so that people can find them and take them into dialogs. Scope `tokens`.
#[utoipa::path(post, path = "/api/server/users", tag = "server", request_body = VouchedUser,
    responses((status = 200, body = VouchedView)), security(("api_key" = [])))]
async fn user(
    State(state): State<RestState>,
    key: ApiKey,
    Address(address): Address,
    Json(wanted): Json<VouchedUser>,
) -> Answer<VouchedView> {
    Ok(axum::Json(state.service.key_user(&key, address, wanted).await?))
}

/// Whether the server is well, and whether the key holds
///
/// Any key, no scope.
#[utoipa::path(get, path = "/api/server/health", tag = "server",
    responses((status = 200, body = health::Health), (status = 503, description = "Not ready", body = health::Health)),
    security(("api_key" = [])))]
async fn server_health(state: State<RestState>, _: ApiKey) -> axum::response::Response {
    health::ready(state).await
}
