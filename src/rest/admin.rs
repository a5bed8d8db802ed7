//! What administrators do: `/api/admin/…`, and the first of them.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;
use super::problem::Problem;
use super::request::{From, Json, Params, Path};
use crate::service::{
    AuditEntry, Caller, FirstAdministrator, NewPassword, NewUser, Page, PageOf, Profile, ServiceError, SignedIn,
    UserPatch, UserQuery,
};

type Answer<T> = Result<axum::Json<T>, ServiceError>;

pub(super) fn router() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(users, make_user))
        .routes(routes!(user, change_user))
        .routes(routes!(end_sessions))
        .routes(routes!(reset_password))
        .routes(routes!(audit))
        .routes(routes!(how_to_begin, begin))
}

/// Users, the newest first.
#[utoipa::path(get, path = "/api/admin/users", tag = "admin", params(UserQuery), responses(
    (status = 200, body = Page<Profile>), (status = "4XX", body = Problem)))]
async fn users(
    State(state): State<RestState>,
    caller: Caller,
    Params(query): Params<UserQuery>,
) -> Answer<Page<Profile>> {
    state.service.users(&caller, query).await.map(axum::Json)
}

/// Gives somebody an account; they sign in with the login and the password.
#[utoipa::path(post, path = "/api/admin/users", tag = "admin", request_body = NewUser,
    responses((status = 201, body = Profile), (status = "4XX", body = Problem)))]
async fn make_user(
    State(state): State<RestState>,
    caller: Caller,
    Json(wanted): Json<NewUser>,
) -> Result<(StatusCode, axum::Json<Profile>), ServiceError> {
    let profile = state.service.make_user(&caller, wanted).await?;
    Ok((StatusCode::CREATED, axum::Json(profile)))
}

/// A user.
#[utoipa::path(get, path = "/api/admin/users/{id}", tag = "admin", params(("id" = String, Path)), responses(
    (status = 200, body = Profile), (status = "4XX", body = Problem)))]
async fn user(State(state): State<RestState>, caller: Caller, Path(id): Path<String>) -> Answer<Profile> {
    state.service.user(&caller, &id).await.map(axum::Json)
}

/// Changes what a user may do, blocks or unblocks them.
#[utoipa::path(patch, path = "/api/admin/users/{id}", tag = "admin", params(("id" = String, Path)),
    request_body = UserPatch, responses((status = 200, body = Profile), (status = "4XX", body = Problem)))]
async fn change_user(
    State(state): State<RestState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(patch): Json<UserPatch>,
) -> Answer<Profile> {
    state.service.change_user(&caller, &id, patch).await.map(axum::Json)
}

/// Ends every sign-in of a user.
#[utoipa::path(delete, path = "/api/admin/users/{id}/sessions", tag = "admin", params(("id" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
async fn end_sessions(
    State(state): State<RestState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ServiceError> {
    state.service.end_sign_ins_of(&caller, &id).await.map(|()| StatusCode::NO_CONTENT)
}

/// Gives a user another password; every sign-in of theirs ends.
#[utoipa::path(put, path = "/api/admin/users/{id}/password", tag = "admin", params(("id" = String, Path)),
    request_body = NewPassword, responses((status = 204), (status = "4XX", body = Problem)))]
async fn reset_password(
    State(state): State<RestState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(new): Json<NewPassword>,
) -> Result<StatusCode, ServiceError> {
    state.service.reset_password(&caller, &id, new).await.map(|()| StatusCode::NO_CONTENT)
}

/// What was done that matters for security, the newest first.
#[utoipa::path(get, path = "/api/admin/audit", tag = "admin", params(PageOf), responses(
    (status = 200, body = Page<AuditEntry>), (status = "4XX", body = Problem)))]
async fn audit(
    State(state): State<RestState>,
    caller: Caller,
    Params(page): Params<PageOf>,
) -> Answer<Page<AuditEntry>> {
    state.service.audit_entries(&caller, page).await.map(axum::Json)
}

/// How the first administrator comes to be: what the link that the server printed shows. Browsers get a form, or the chat
/// app when there is an administrator.
#[utoipa::path(get, path = "/api/auth/first-administrator", tag = "admin", responses(
    (status = 200, content((String = "text/plain"), (String = "text/html"))), (status = 303),
    (status = "4XX", body = Problem)))]
async fn how_to_begin(
    State(state): State<RestState>,
    From(_address): From,
    headers: HeaderMap,
) -> Result<Response, ServiceError> {
    let accepts = headers.get(header::ACCEPT).and_then(|accepts| accepts.to_str().ok()).unwrap_or_default();
    let (kind, text) = match (accepts.contains("text/html"), state.service.has_administrator().await?) {
        (true, true) => return Ok(Redirect::to("/").into_response()),
        (true, false) => ("text/html; charset=utf-8", include_str!("first/index.html")),
        (false, true) => ("text/plain; charset=utf-8", HAS_BEGUN),
        (false, false) => ("text/plain; charset=utf-8", HOW_TO_BEGIN),
    };
    let head = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store"), (header::VARY, "accept")];
    Ok((head, text).into_response())
}

/// What the form does.
pub(super) async fn script_of_the_form() -> impl IntoResponse {
    let kind = (header::CONTENT_TYPE, "text/javascript; charset=utf-8");
    ([kind, (header::CACHE_CONTROL, "no-cache")], include_str!("first/first.js"))
}

const HOW_TO_BEGIN: &str = "You become the first administrator of this server by a request with the code of this link:\n\n\
         curl -H 'content-type: application/json' THIS_SERVER/api/auth/first-administrator \\\n  \
         -d '{\"code\": \"…\", \"login\": \"anna\", \"password\": \"…\", \"name\": \"Anna\"}'\n\n\
         The code holds until it is used or the server is started again.\n";

const HAS_BEGUN: &str = "This server has its administrator: no code holds any more. Sign in at /api/auth/sign-in.\n";

/// Makes the first administrator and signs them in.
#[utoipa::path(post, path = "/api/auth/first-administrator", tag = "admin", request_body = FirstAdministrator,
    responses((status = 201, body = SignedIn), (status = "4XX", body = Problem)))]
async fn begin(
    State(state): State<RestState>,
    From(address): From,
    Json(wanted): Json<FirstAdministrator>,
) -> Result<(StatusCode, axum::Json<SignedIn>), ServiceError> {
    let signed_in = state.service.first_administrator(wanted, address).await?;
    Ok((StatusCode::CREATED, axum::Json(signed_in)))
}
