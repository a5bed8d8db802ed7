//! Dialogs, their members and invites: `/api/dialogs/…`, `/api/invites/…`.

use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;
use super::problem::Problem;
use super::request::{Json, Params, Path};
use crate::service::{
    Caller, DialogPatch, DialogSettings, DialogView, DialogsQuery, InviteTarget, InviteView, MemberView, NewDialog,
    NewInvite, NewMembers, Page, PageQuery, RoleChange, ServiceError,
};

type Answer<T> = Result<axum::Json<T>, ServiceError>;
type Done = Result<StatusCode, ServiceError>;

pub(super) fn router() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, patch, delete))
        .routes(routes!(settings))
        .routes(routes!(leave))
        .routes(routes!(members, add_members))
        .routes(routes!(member, change_role, remove_member))
        .routes(routes!(invites, create_invite))
        .routes(routes!(remove_invite))
        .routes(routes!(invite))
        .routes(routes!(accept_invite))
}

/// One page of one's dialogs: pinned ones first, then by what happened last.
#[utoipa::path(get, path = "/api/dialogs", tag = "dialogs", params(DialogsQuery), responses(
    (status = 200, body = Page<DialogView>), (status = "4XX", body = Problem)))]
async fn list(
    State(state): State<RestState>,
    caller: Caller,
    Params(query): Params<DialogsQuery>,
) -> Answer<Page<DialogView>> {
    state.service.dialogs(&caller, query).await.map(axum::Json)
}

/// Makes a dialog. Of a direct one there is one per pair: when it exists already, it is found, with 200.
#[utoipa::path(post, path = "/api/dialogs", tag = "dialogs", request_body = NewDialog, responses(
    (status = 201, body = DialogView), (status = 200, body = DialogView), (status = "4XX", body = Problem)))]
async fn create(
    State(state): State<RestState>,
    caller: Caller,
    Json(wanted): Json<NewDialog>,
) -> Result<(StatusCode, axum::Json<DialogView>), ServiceError> {
    let (view, is_new) = state.service.create_dialog(&caller, wanted).await?;
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, axum::Json(view)))
}

/// A dialog.
#[utoipa::path(get, path = "/api/dialogs/{id}", tag = "dialogs", responses(
    (status = 200, body = DialogView), (status = "4XX", body = Problem)))]
async fn get(State(state): State<RestState>, caller: Caller, Path(id): Path<String>) -> Answer<DialogView> {
    state.service.dialog(&caller, &id).await.map(axum::Json)
}

/// Changes what everybody sees of a dialog; for its admins and owners.
#[utoipa::path(patch, path = "/api/dialogs/{id}", tag = "dialogs", request_body = DialogPatch, responses(
    (status = 200, body = DialogView), (status = "4XX", body = Problem)))]
async fn patch(
    State(state): State<RestState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(patch): Json<DialogPatch>,
) -> Answer<DialogView> {
    state.service.change_dialog(&caller, &id, patch).await.map(axum::Json)
}

/// Ends a dialog with all that was said in it; for its owners. A direct one is put away until something is said in it.
#[utoipa::path(delete, path = "/api/dialogs/{id}", tag = "dialogs", responses(
    (status = 204), (status = "4XX", body = Problem)))]
async fn delete(State(state): State<RestState>, caller: Caller, Path(id): Path<String>) -> Done {
    state.service.remove_dialog(&caller, &id).await.map(|()| StatusCode::NO_CONTENT)
}

/// Changes how one keeps a dialog: archived, pinned, muted.
#[utoipa::path(patch, path = "/api/dialogs/{id}/settings", tag = "dialogs", request_body = DialogSettings, responses(
    (status = 200, body = DialogView), (status = "4XX", body = Problem)))]
async fn settings(
    State(state): State<RestState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(settings): Json<DialogSettings>,
) -> Answer<DialogView> {
    state.service.keep_dialog(&caller, &id, settings).await.map(axum::Json)
}

/// Leaves a dialog. The last owner cannot; a direct one is put away until something is said in it.
#[utoipa::path(post, path = "/api/dialogs/{id}/leave", tag = "dialogs", responses(
    (status = 204), (status = "4XX", body = Problem)))]
async fn leave(State(state): State<RestState>, caller: Caller, Path(id): Path<String>) -> Done {
    let me = caller.identity.user.clone();
    state.service.remove_member(&caller, &id, &me).await.map(|()| StatusCode::NO_CONTENT)
}

/// One page of a dialog's members, by user id.
#[utoipa::path(get, path = "/api/dialogs/{id}/members", tag = "dialogs", params(PageQuery), responses(
    (status = 200, body = Page<MemberView>), (status = "4XX", body = Problem)))]
async fn members(
    State(state): State<RestState>,
    caller: Caller,
    Path(id): Path<String>,
    Params(query): Params<PageQuery>,
) -> Answer<Page<MemberView>> {
    state.service.members(&caller, &id, query).await.map(axum::Json)
}

/// Adds members; for admins and owners. Those who are members already stay what they are.
#[utoipa::path(post, path = "/api/dialogs/{id}/members", tag = "dialogs", request_body = NewMembers, responses(
    (status = 204), (status = "4XX", body = Problem)))]
async fn add_members(
    State(state): State<RestState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(wanted): Json<NewMembers>,
) -> Done {
    state.service.add_members(&caller, &id, wanted).await.map(|()| StatusCode::NO_CONTENT)
}

/// One member.
#[utoipa::path(get, path = "/api/dialogs/{id}/members/{user}", tag = "dialogs", responses(
    (status = 200, body = MemberView), (status = "4XX", body = Problem)))]
async fn member(
    State(state): State<RestState>,
    caller: Caller,
    Path((id, user)): Path<(String, String)>,
) -> Answer<MemberView> {
    state.service.member(&caller, &id, &user).await.map(axum::Json)
}

/// Changes what a member is. Admins make readers and members of each other, owners make everything of everybody.
#[utoipa::path(patch, path = "/api/dialogs/{id}/members/{user}", tag = "dialogs", request_body = RoleChange, responses(
    (status = 200, body = MemberView), (status = "4XX", body = Problem)))]
async fn change_role(
    State(state): State<RestState>,
    caller: Caller,
    Path((id, user)): Path<(String, String)>,
    Json(change): Json<RoleChange>,
) -> Answer<MemberView> {
    state.service.change_role(&caller, &id, &user, change.role).await.map(axum::Json)
}

/// Removes a member; their live sessions leave the room at once.
#[utoipa::path(delete, path = "/api/dialogs/{id}/members/{user}", tag = "dialogs", responses(
    (status = 204), (status = "4XX", body = Problem)))]
async fn remove_member(
    State(state): State<RestState>,
    caller: Caller,
    Path((id, user)): Path<(String, String)>,
) -> Done {
    state.service.remove_member(&caller, &id, &user).await.map(|()| StatusCode::NO_CONTENT)
}

/// One page of a dialog's invites; for admins and owners.
#[utoipa::path(get, path = "/api/dialogs/{id}/invites", tag = "dialogs", params(PageQuery), responses(
    (status = 200, body = Page<InviteView>), (status = "4XX", body = Problem)))]
async fn invites(
    State(state): State<RestState>,
    caller: Caller,
    Path(id): Path<String>,
    Params(query): Params<PageQuery>,
) -> Answer<Page<InviteView>> {
    state.service.invites(&caller, &id, query).await.map(axum::Json)
}

/// Makes an invite; its secret is told once, here.
#[utoipa::path(post, path = "/api/dialogs/{id}/invites", tag = "dialogs", request_body = NewInvite, responses(
    (status = 201, body = InviteView), (status = "4XX", body = Problem)))]
async fn create_invite(
    State(state): State<RestState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(wanted): Json<NewInvite>,
) -> Result<(StatusCode, axum::Json<InviteView>), ServiceError> {
    let view = state.service.create_invite(&caller, &id, wanted).await?;
    Ok((StatusCode::CREATED, axum::Json(view)))
}

/// Takes an invite back.
#[utoipa::path(delete, path = "/api/dialogs/{id}/invites/{invite}", tag = "dialogs", responses(
    (status = 204), (status = "4XX", body = Problem)))]
async fn remove_invite(
    State(state): State<RestState>,
    caller: Caller,
    Path((id, invite)): Path<(String, String)>,
) -> Done {
    state.service.remove_invite(&caller, &id, &invite).await.map(|()| StatusCode::NO_CONTENT)
}

/// Where an invite leads.
#[utoipa::path(get, path = "/api/invites/{secret}", tag = "dialogs", responses(
    (status = 200, body = InviteTarget), (status = "4XX", body = Problem)))]
async fn invite(State(state): State<RestState>, caller: Caller, Path(secret): Path<String>) -> Answer<InviteTarget> {
    state.service.invite(&caller, &secret).await.map(axum::Json)
}

/// Makes one a member by an invite.
#[utoipa::path(post, path = "/api/invites/{secret}/accept", tag = "dialogs", responses(
    (status = 200, body = DialogView), (status = "4XX", body = Problem)))]
async fn accept_invite(
    State(state): State<RestState>,
    caller: Caller,
    Path(secret): Path<String>,
) -> Answer<DialogView> {
    state.service.accept_invite(&caller, &secret).await.map(axum::Json)
}
