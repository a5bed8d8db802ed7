//! Contacts and people: `/api/contacts/…`, `/api/users/…`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;
use super::problem::Problem;
use super::request::{Params, Path};
use crate::service::{Caller, ContactAct, ContactView, ContactsQuery, Page, PeopleQuery, PersonView, ServiceError};

type Answer<T> = Result<axum::Json<T>, ServiceError>;

pub(super) fn router() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, remove))
        .routes(routes!(request))
        .routes(routes!(accept))
        .routes(routes!(decline))
        .routes(routes!(cancel))
        .routes(routes!(block))
        .routes(routes!(unblock))
        .routes(routes!(find))
        .routes(routes!(person))
}

/// One page of one's contacts, by user id.
#[utoipa::path(get, path = "/api/contacts", tag = "contacts", params(ContactsQuery), responses(
    (status = 200, body = Page<ContactView>), (status = "4XX", body = Problem)))]
async fn list(
    State(state): State<RestState>,
    caller: Caller,
    Params(query): Params<ContactsQuery>,
) -> Answer<Page<ContactView>> {
    state.service.contacts(&caller, query).await.map(axum::Json)
}

/// One contact.
#[utoipa::path(get, path = "/api/contacts/{user}", tag = "contacts", responses(
    (status = 200, body = ContactView), (status = "4XX", body = Problem)))]
async fn get(State(state): State<RestState>, caller: Caller, Path(user): Path<String>) -> Answer<ContactView> {
    state.service.contact(&caller, &user).await.map(axum::Json)
}

/// Asks to be friends; when the other one has asked already, both are.
#[utoipa::path(post, path = "/api/contacts/{user}/request", tag = "contacts", responses(
    (status = 200, body = ContactView), (status = "4XX", body = Problem)))]
async fn request(State(state): State<RestState>, caller: Caller, Path(user): Path<String>) -> Acted {
    act(&state, &caller, &user, ContactAct::Request).await
}

/// Agrees to a request.
#[utoipa::path(post, path = "/api/contacts/{user}/accept", tag = "contacts", responses(
    (status = 200, body = ContactView), (status = "4XX", body = Problem)))]
async fn accept(State(state): State<RestState>, caller: Caller, Path(user): Path<String>) -> Acted {
    act(&state, &caller, &user, ContactAct::Accept).await
}

/// Refuses a request.
#[utoipa::path(post, path = "/api/contacts/{user}/decline", tag = "contacts", responses(
    (status = 204), (status = "4XX", body = Problem)))]
async fn decline(State(state): State<RestState>, caller: Caller, Path(user): Path<String>) -> Acted {
    act(&state, &caller, &user, ContactAct::Decline).await
}

/// Takes one's request back.
#[utoipa::path(post, path = "/api/contacts/{user}/cancel", tag = "contacts", responses(
    (status = 204), (status = "4XX", body = Problem)))]
async fn cancel(State(state): State<RestState>, caller: Caller, Path(user): Path<String>) -> Acted {
    act(&state, &caller, &user, ContactAct::Cancel).await
}

/// Ends a friendship.
#[utoipa::path(delete, path = "/api/contacts/{user}", tag = "contacts", responses(
    (status = 204), (status = "4XX", body = Problem)))]
async fn remove(State(state): State<RestState>, caller: Caller, Path(user): Path<String>) -> Acted {
    act(&state, &caller, &user, ContactAct::Remove).await
}

/// Wants nothing of a user any more; they see nothing of it.
#[utoipa::path(post, path = "/api/contacts/{user}/block", tag = "contacts", responses(
    (status = 200, body = ContactView), (status = "4XX", body = Problem)))]
async fn block(State(state): State<RestState>, caller: Caller, Path(user): Path<String>) -> Acted {
    act(&state, &caller, &user, ContactAct::Block).await
}

/// Takes that back; 200 when the user is a contact as before, 204 when they are none.
#[utoipa::path(post, path = "/api/contacts/{user}/unblock", tag = "contacts", responses(
    (status = 200, body = ContactView), (status = 204), (status = "4XX", body = Problem)))]
async fn unblock(State(state): State<RestState>, caller: Caller, Path(user): Path<String>) -> Acted {
    act(&state, &caller, &user, ContactAct::Unblock).await
}

type Acted = Result<Response, ServiceError>;

/// The contact as it is now, or nothing when there is none.
async fn act(state: &RestState, caller: &Caller, user: &str, act: ContactAct) -> Acted {
    Ok(match state.service.act(caller, user, act).await? {
        Some(contact) => axum::Json(contact).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

/// Finds people by the beginning of their login or of words of their name.
#[utoipa::path(get, path = "/api/users", tag = "contacts", params(PeopleQuery), responses(
    (status = 200, body = Page<PersonView>), (status = "4XX", body = Problem)))]
async fn find(
    State(state): State<RestState>,
    caller: Caller,
    Params(query): Params<PeopleQuery>,
) -> Answer<Page<PersonView>> {
    state.service.find_people(&caller, query).await.map(axum::Json)
}

/// What one may know of somebody.
#[utoipa::path(get, path = "/api/users/{id}", tag = "contacts", responses(
    (status = 200, body = PersonView), (status = "4XX", body = Problem)))]
async fn person(State(state): State<RestState>, caller: Caller, Path(id): Path<String>) -> Answer<PersonView> {
    state.service.person(&caller, &id).await.map(axum::Json)
}
