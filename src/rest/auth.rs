//! Accounts and sign-ins: `/api/auth/…`.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use konvert_protocol::ErrorCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;
use super::problem::Problem;
use super::request::{From, InRooms, Json, Path};
use crate::service::{
    Caller, Credentials, GuestIn, NewAccount, NewGuest, PasswordChange, PasswordProof, Profile, ProfilePatch,
    RefreshToken, ServiceError, SignIn, SignedIn,
};

type Answer<T> = Result<axum::Json<T>, ServiceError>;

pub(super) fn router() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(sign_up))
        .routes(routes!(sign_in))
        .routes(routes!(refresh))
        .routes(routes!(sign_out))
        .routes(routes!(sign_out_everywhere))
        .routes(routes!(sessions))
        .routes(routes!(end_session))
        .routes(routes!(guest))
        .routes(routes!(password))
        .routes(routes!(me, change_me, delete_me))
}

/// Makes an account and signs it in.
#[utoipa::path(post, path = "/api/auth/sign-up", tag = "auth", request_body = NewAccount, responses(
    (status = 201, body = SignedIn), (status = "4XX", body = Problem)))]
async fn sign_up(
    State(state): State<RestState>,
    From(address): From,
    Json(wanted): Json<NewAccount>,
) -> Result<(StatusCode, axum::Json<SignedIn>), ServiceError> {
    let signed_in = state.service.sign_up(wanted, address).await?;
    Ok((StatusCode::CREATED, axum::Json(signed_in)))
}

/// Signs an account in on a new device.
#[utoipa::path(post, path = "/api/auth/sign-in", tag = "auth", request_body = Credentials, responses(
    (status = 200, body = SignedIn), (status = "4XX", body = Problem)))]
async fn sign_in(
    State(state): State<RestState>,
    From(address): From,
    Json(credentials): Json<Credentials>,
) -> Answer<SignedIn> {
    state.service.sign_in(credentials, address).await.map(axum::Json)
}

/// New tokens for a device; the refresh token given is of no more use.
#[utoipa::path(post, path = "/api/auth/refresh", tag = "auth", request_body = RefreshToken, responses(
    (status = 200, body = SignedIn), (status = "4XX", body = Problem)))]
async fn refresh(
    State(state): State<RestState>,
    From(address): From,
    Json(token): Json<RefreshToken>,
) -> Answer<SignedIn> {
    state.service.refresh(&token.refresh_token, address).await.map(axum::Json)
}

/// Signs this device out.
#[utoipa::path(post, path = "/api/auth/sign-out", tag = "auth", responses(
    (status = 204), (status = "4XX", body = Problem)))]
async fn sign_out(State(state): State<RestState>, caller: Caller) -> Result<StatusCode, ServiceError> {
    state.service.sign_out(&caller, false).await.map(|()| StatusCode::NO_CONTENT)
}

/// Signs all devices of the account out, this one too.
#[utoipa::path(post, path = "/api/auth/sign-out-everywhere", tag = "auth", responses(
    (status = 204), (status = "4XX", body = Problem)))]
async fn sign_out_everywhere(State(state): State<RestState>, caller: Caller) -> Result<StatusCode, ServiceError> {
    state.service.sign_out(&caller, true).await.map(|()| StatusCode::NO_CONTENT)
}

/// Where one is signed in, the most recently used first.
#[utoipa::path(get, path = "/api/auth/sessions", tag = "auth", responses(
    (status = 200, body = Vec<SignIn>), (status = "4XX", body = Problem)))]
async fn sessions(State(state): State<RestState>, caller: Caller) -> Answer<Vec<SignIn>> {
    state.service.sign_ins(&caller).await.map(axum::Json)
}

/// Ends one of one's sign-ins.
#[utoipa::path(delete, path = "/api/auth/sessions/{id}", tag = "auth", params(("id" = String, Path)), responses(
    (status = 204), (status = "4XX", body = Problem)))]
async fn end_session(
    State(state): State<RestState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ServiceError> {
    state.service.end_sign_in(&caller, &id).await.map(|()| StatusCode::NO_CONTENT)
}

/// Who one is.
#[utoipa::path(get, path = "/api/auth/me", tag = "auth", responses(
    (status = 200, body = Profile), (status = "4XX", body = Problem)))]
async fn me(State(state): State<RestState>, InRooms(caller): InRooms) -> Answer<Profile> {
    state.service.me(&caller).await.map(axum::Json)
}

/// Changes how one is shown; what is absent stays.
#[utoipa::path(patch, path = "/api/auth/me", tag = "auth", request_body = ProfilePatch, responses(
    (status = 200, body = Profile), (status = "4XX", body = Problem)))]
async fn change_me(State(state): State<RestState>, caller: Caller, Json(patch): Json<ProfilePatch>) -> Answer<Profile> {
    state.service.change_profile(&caller, patch).await.map(axum::Json)
}

/// Deletes one's account: see "Accounts" in the README for what is erased and what stays.
#[utoipa::path(delete, path = "/api/auth/me", tag = "auth", request_body = PasswordProof, responses(
    (status = 204), (status = "4XX", body = Problem)))]
async fn delete_me(
    State(state): State<RestState>,
    caller: Caller,
    Json(proof): Json<PasswordProof>,
) -> Result<StatusCode, ServiceError> {
    state.service.delete_account(&caller, proof).await.map(|()| StatusCode::NO_CONTENT)
}

/// Changes one's password; every other sign-in ends.
#[utoipa::path(put, path = "/api/auth/password", tag = "auth", request_body = PasswordChange, responses(
    (status = 204), (status = "4XX", body = Problem)))]
async fn password(
    State(state): State<RestState>,
    caller: Caller,
    Json(change): Json<PasswordChange>,
) -> Result<StatusCode, ServiceError> {
    state.service.change_password(&caller, change).await.map(|()| StatusCode::NO_CONTENT)
}

/// Lets a guest in who comes from a page: the request must name its origin, as on the socket.
#[utoipa::path(post, path = "/api/auth/guest", tag = "auth", request_body = NewGuest, responses(
    (status = 201, body = GuestIn), (status = "4XX", body = Problem)))]
async fn guest(
    State(state): State<RestState>,
    _counted: From,
    headers: HeaderMap,
    Json(wanted): Json<NewGuest>,
) -> Result<(StatusCode, axum::Json<GuestIn>), ServiceError> {
    if !state.edge.is_page(&headers) {
        let why = "A token is needed: guests come from pages, which name their origin.";
        return Err(ServiceError::because(ErrorCode::GuestsNotAllowed, why));
    }
    let guest = state.service.guest(wanted).await?;
    Ok((StatusCode::CREATED, axum::Json(guest)))
}
