//! How much users may do: `/api/user-limits`, and for administrators `/api/admin/…`.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;
use super::problem::Problem;
use super::request::{InRooms, Json, Path};
use crate::service::{Caller, LimitRole, RoleMaxima, ServiceError, UserLimits, UserMaxima};

type Answer<T> = Result<axum::Json<T>, ServiceError>;

pub(super) fn router() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(mine)).routes(routes!(of_role, set_role)).routes(routes!(of_user, set_user))
}

/// How much one may do, and how much of it one has done. Days begin at midnight UTC.
#[utoipa::path(get, path = "/api/user-limits", tag = "limits", responses(
    (status = 200, body = UserLimits), (status = "4XX", body = Problem)))]
async fn mine(State(state): State<RestState>, InRooms(caller): InRooms) -> Answer<UserLimits> {
    state.service.user_limits(&caller).await.map(axum::Json)
}

/// How much everybody of a role may do.
#[utoipa::path(get, path = "/api/admin/limits/{role}", tag = "limits", params(("role" = String, Path, description = "guest, user, operator or administrator")), responses(
    (status = 200, body = RoleMaxima), (status = "4XX", body = Problem)))]
async fn of_role(State(state): State<RestState>, caller: Caller, Path(role): Path<LimitRole>) -> Answer<RoleMaxima> {
    state.service.role_limits(&caller, role).await.map(axum::Json)
}

/// Sets how much everybody of a role may do, at once.
#[utoipa::path(put, path = "/api/admin/limits/{role}", tag = "limits", params(("role" = String, Path, description = "guest, user, operator or administrator")),
    request_body = RoleMaxima, responses((status = 200, body = RoleMaxima), (status = "4XX", body = Problem)))]
async fn set_role(
    State(state): State<RestState>,
    caller: Caller,
    Path(role): Path<LimitRole>,
    Json(maxima): Json<RoleMaxima>,
) -> Answer<RoleMaxima> {
    state.service.set_role_limits(&caller, role, maxima).await.map(axum::Json)
}

/// What holds for one user in place of what holds for their role.
#[utoipa::path(get, path = "/api/admin/users/{id}/limits", tag = "limits", params(("id" = String, Path)), responses(
    (status = 200, body = UserMaxima), (status = "4XX", body = Problem)))]
async fn of_user(State(state): State<RestState>, caller: Caller, Path(id): Path<String>) -> Answer<UserMaxima> {
    state.service.limits_set_for(&caller, &id).await.map(axum::Json)
}

/// Sets what holds for one user, at once; what is absent holds as for the role.
#[utoipa::path(put, path = "/api/admin/users/{id}/limits", tag = "limits", params(("id" = String, Path)),
    request_body = UserMaxima, responses((status = 200, body = UserMaxima), (status = "4XX", body = Problem)))]
async fn set_user(
    State(state): State<RestState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(maxima): Json<UserMaxima>,
) -> Answer<UserMaxima> {
    state.service.set_limits_for(&caller, &id, maxima).await.map(axum::Json)
}
