//! Messages: `/api/dialogs/{id}/messages/…`, for dialogs and for rooms that grants open; `/api/chat/message`.

use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;
use super::problem::Problem;
use super::request::{InRooms, Json, Params, Path};
use crate::service::{
    Caller, ChatMessage, History, HistoryQuery, MessageRelation, NewMessage, Published, ReadUpTo, Receipt,
    RelationView, ServiceError,
};

type Answer<T> = Result<axum::Json<T>, ServiceError>;

pub(super) fn router() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(history, publish))
        .routes(routes!(edit, delete))
        .routes(routes!(react))
        .routes(routes!(take_back_reaction))
        .routes(routes!(read))
        .routes(routes!(receipts))
        .routes(routes!(say))
}

/// Part of the history, with edits, reactions and deletes as they were stored.
#[utoipa::path(get, path = "/api/dialogs/{id}/messages", tag = "messages", params(HistoryQuery), responses(
    (status = 200, body = History), (status = "4XX", body = Problem)))]
async fn history(
    State(state): State<RestState>,
    InRooms(caller): InRooms,
    Path(id): Path<String>,
    Params(query): Params<HistoryQuery>,
) -> Answer<History> {
    state.service.history(&caller, &id, query).await.map(axum::Json)
}

/// Says something; the answer means that it is on disk.
#[utoipa::path(post, path = "/api/dialogs/{id}/messages", tag = "messages", request_body = NewMessage, responses(
    (status = 200, body = Published), (status = "4XX", body = Problem), (status = "5XX", body = Problem)))]
async fn publish(
    State(state): State<RestState>,
    InRooms(caller): InRooms,
    Path(id): Path<String>,
    Json(message): Json<NewMessage>,
) -> Answer<Published> {
    state.service.publish(&caller, &id, message).await.map(axum::Json)
}

/// Replaces what a message says.
#[utoipa::path(put, path = "/api/dialogs/{id}/messages/{offset}", tag = "messages", request_body = NewMessage, responses(
    (status = 200, body = Published), (status = "4XX", body = Problem)))]
async fn edit(
    State(state): State<RestState>,
    InRooms(caller): InRooms,
    Path((id, offset)): Path<(String, String)>,
    Json(message): Json<NewMessage>,
) -> Answer<Published> {
    relate(&state, &caller, &id, &offset, MessageRelation::Edit, message).await
}

/// Erases a message with its edits and appended parts.
#[utoipa::path(delete, path = "/api/dialogs/{id}/messages/{offset}", tag = "messages", responses(
    (status = 200, body = Published), (status = "4XX", body = Problem)))]
async fn delete(
    State(state): State<RestState>,
    InRooms(caller): InRooms,
    Path((id, offset)): Path<(String, String)>,
) -> Answer<Published> {
    relate(&state, &caller, &id, &offset, MessageRelation::Delete, NewMessage::default()).await
}

/// Remarks on a message. To take the remark back, delete it at the offset that the answer tells.
#[utoipa::path(post, path = "/api/dialogs/{id}/messages/{offset}/reactions", tag = "messages",
    request_body = NewMessage, responses((status = 200, body = Published), (status = "4XX", body = Problem)))]
async fn react(
    State(state): State<RestState>,
    InRooms(caller): InRooms,
    Path((id, offset)): Path<(String, String)>,
    Json(message): Json<NewMessage>,
) -> Answer<Published> {
    relate(&state, &caller, &id, &offset, MessageRelation::Reaction, message).await
}

/// Takes a remark on a message back; `reaction` is its own offset.
#[utoipa::path(delete, path = "/api/dialogs/{id}/messages/{offset}/reactions/{reaction}", tag = "messages", responses(
    (status = 200, body = Published), (status = "4XX", body = Problem)))]
async fn take_back_reaction(
    State(state): State<RestState>,
    InRooms(caller): InRooms,
    Path((id, offset, reaction)): Path<(String, String, String)>,
) -> Answer<Published> {
    let (offset, reaction) = (number(&offset)?, number(&reaction)?);
    state.service.take_back_reaction(&caller, &id, offset, reaction).await.map(axum::Json)
}

async fn relate(
    state: &RestState,
    caller: &Caller,
    id: &str,
    offset: &str,
    kind: MessageRelation,
    message: NewMessage,
) -> Answer<Published> {
    if message.relation.is_some() {
        return Err(ServiceError::bad("The path says what it relates to: give no `relation`."));
    }
    let relation = Some(RelationView { kind, offset: number(offset)? });
    state.service.publish(caller, id, NewMessage { relation, ..message }).await.map(axum::Json)
}

/// An offset in a path; what is none names nothing.
fn number(text: &str) -> Result<u64, ServiceError> {
    text.parse().map_err(|_| konvert_protocol::ErrorCode::NotFound.into())
}

/// Moves one's read marker; it never moves back.
#[utoipa::path(put, path = "/api/dialogs/{id}/read", tag = "messages", request_body = ReadUpTo, responses(
    (status = 200, body = Receipt), (status = "4XX", body = Problem)))]
async fn read(
    State(state): State<RestState>,
    InRooms(caller): InRooms,
    Path(id): Path<String>,
    Json(up_to): Json<ReadUpTo>,
) -> Answer<Receipt> {
    state.service.read(&caller, &id, up_to).await.map(axum::Json)
}

/// How far the members have read
///
/// Of the first members by id, as many as `broker.presence_list_max` says (500 unless the operator set it otherwise), those who
/// have read something. In larger dialogs the others are not told of.
#[utoipa::path(get, path = "/api/dialogs/{id}/receipts", tag = "messages", responses(
    (status = 200, body = Vec<Receipt>), (status = "4XX", body = Problem)))]
async fn receipts(State(state): State<RestState>, caller: Caller, Path(id): Path<String>) -> Answer<Vec<Receipt>> {
    state.service.receipts(&caller, &id).await.map(axum::Json)
}

/// Says a text to somebody, or into a dialog.
#[utoipa::path(post, path = "/api/chat/message", tag = "messages", request_body = ChatMessage, responses(
    (status = 200, body = Published), (status = "4XX", body = Problem)))]
async fn say(
    State(state): State<RestState>,
    InRooms(caller): InRooms,
    Json(message): Json<ChatMessage>,
) -> Result<(StatusCode, axum::Json<Published>), ServiceError> {
    Ok((StatusCode::OK, axum::Json(state.service.say(&caller, message).await?)))
}
