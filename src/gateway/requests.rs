//! Sessions by plain requests, for those who get no socket through: what comes in is checked here, handed to the shard
//! that has the session, and answered.
//!
//! Knows HTTP, and of sessions only their pass. Invariant: a body is looked at whole before anything of it is done.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Method, Request, Response, StatusCode};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Either};
use hyper::body::Incoming;
use konvert_protocol::{Encoding, ErrorCode, v1};
use tokio::sync::oneshot;

use super::admission::Kind;
use super::connection::From;
use super::errands::Entrant;
use super::listen::{Desk, Visitor};
use super::pass::Pass;
use super::problem::{self, Refusal};
use super::transport::StreamBody;
use super::upgrade;
use crate::broker::{Act, Declined, Errand};

/// What a response is made of: something whole, or a session's stream.
pub type AnswerBody = Either<Body, StreamBody>;

/// Where a session's pass is shown.
const SESSION: HeaderName = HeaderName::from_static("konvert-session");
/// A body must be whole this long after it began: as long as a message on a socket may take.
const BODY: Duration = Duration::from_secs(30);
/// Of a body that is too large so many times the limit is read all the same, so that the answer is seen.
const PATIENCE: usize = 4;
/// Kinds of content that are lines of JSON or may be. A page may send `text/plain` without asking first.
const KINDS: [&str; 4] = ["application/json", "application/x-ndjson", "application/jsonl", "text/plain"];
const NOT_FRAMES: &str = "The body is not frames in JSON, one to a line. Nothing of it was done.";
const EVENTS: &str = "text/event-stream";
const USAGE: &str = "Konvert over plain requests, for those whom no WebSocket reaches. POST frames as lines of JSON, the \
                     first is `connect`, to /api/sse for a stream of events, or to /api/poll for the first of them; then \
                     with the header Konvert-Session to /api/send, /api/poll and /api/close. See PROTOCOL.md.\n";

/// One of the paths that are answered here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Begins a session with a stream.
    Stream,
    /// Begins a session that is polled, or polls.
    Poll,
    /// Frames for a session.
    Send,
    /// Goodbye.
    Close,
}

impl Route {
    /// What a path leads to, if it leads here.
    pub fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/api/sse" => Self::Stream,
            "/api/poll" => Self::Poll,
            "/api/send" => Self::Send,
            "/api/close" => Self::Close,
            _ => return None,
        })
    }
}

/// Answers a request to one of the paths.
pub async fn respond(route: Route, request: Request<Incoming>, visitor: &Visitor, desk: &Desk) -> Response<AnswerBody> {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let is_allowed = origin
        .as_ref()
        .is_none_or(|origin| upgrade::is_allowed(origin, request.headers(), &desk.shared.config.origins));
    let answered = match *request.method() {
        _ if !is_allowed => Err(problem::refuse(ErrorCode::OriginNotAllowed)),
        Method::POST => post(route, request, visitor, desk).await,
        Method::OPTIONS => Ok(preflight()),
        _ => Ok(usage()),
    };
    let mut response = answered.unwrap_or_else(|refusal| refusal.map(Either::Left));
    if let Some(origin) = origin.filter(|_| is_allowed) {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
    }
    response
}

async fn post(
    route: Route,
    request: Request<Incoming>,
    visitor: &Visitor,
    desk: &Desk,
) -> Result<Response<AnswerBody>, Refusal> {
    let (parts, body) = request.into_parts();
    check_kind(&parts.headers)?;
    let body = read(body, desk.shared.config.message_bytes).await?;
    // What a frame has besides is passed over: it must be text like the rest, as on a socket.
    if std::str::from_utf8(&body).is_err() {
        return Err(problem::refuse_bad(NOT_FRAMES));
    }
    let bytes = body.len();
    // One more than allowed, so that the session is told that there were too many.
    let frames = Encoding::Json.decode(body).take(desk.shared.config.frames_per_message + 1);
    let frames = frames.collect::<Result<Vec<_>, _>>().map_err(|_| problem::refuse_bad(NOT_FRAMES))?;
    let begins = route == Route::Stream || route == Route::Poll && !parts.headers.contains_key(SESSION);
    if frames.is_empty() && (begins || route == Route::Send) {
        return Err(problem::refuse_bad("The body has no frame."));
    }
    let act = match route {
        Route::Stream => return open_stream(&parts, frames, visitor, desk),
        Route::Poll if begins => return open_poll(&parts, frames, visitor, desk).await,
        Route::Poll => Act::Poll,
        Route::Send => Act::Send,
        Route::Close => Act::Close,
    };
    let said = ask(act, frames, bytes, &parts, visitor, desk).await.map_err(problem::declined)?;
    Ok(match act {
        Act::Poll => events_or_nothing(said),
        Act::Send => empty(StatusCode::ACCEPTED),
        Act::Close => empty(StatusCode::NO_CONTENT),
    })
}

fn check_kind(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    match KINDS.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
        true => Ok(()),
        false => Err(problem::refuse(ErrorCode::UnsupportedType)),
    }
}

/// The whole body, if it is within the limit and comes in time.
async fn read(mut body: Incoming, bytes_max: usize) -> Result<Bytes, Refusal> {
    let reading = async {
        let (mut whole, mut seen) = (BytesMut::new(), 0);
        while let Some(part) = body.frame().await {
            let Ok(part) = part.map_err(|_| problem::refuse_bad(NOT_FRAMES))?.into_data() else { continue };
            seen += part.len();
            if seen > PATIENCE * bytes_max {
                break;
            }
            if seen <= bytes_max {
                whole.extend_from_slice(&part);
            }
        }
        if seen > bytes_max { Err(problem::refuse(ErrorCode::BodyTooLarge)) } else { Ok(whole.freeze()) }
    };
    tokio::time::timeout(BODY, reading)
        .await
        .unwrap_or_else(|_| Err(problem::refuse_bad("The body was not whole in time.")))
}

fn entrant(
    parts: &Parts,
    frames: Vec<v1::ClientFrame>,
    kind: Kind,
    visitor: &Visitor,
    desk: &Desk,
) -> Result<Entrant, Refusal> {
    let full = || problem::refuse(ErrorCode::Overloaded);
    let pending = visitor.take_place(&desk.shared.admission).ok_or_else(full)?;
    let place = desk.shared.admission.connect(kind).ok_or_else(full)?;
    let has_origin = parts.headers.contains_key(header::ORIGIN);
    let address = visitor.address_by(&parts.headers, &desk.shared.trusted_proxies);
    Ok(Entrant { frames, from: From { has_origin, address }, pending, place })
}

fn open_stream(
    parts: &Parts,
    frames: Vec<v1::ClientFrame>,
    visitor: &Visitor,
    desk: &Desk,
) -> Result<Response<AnswerBody>, Refusal> {
    let entrant = entrant(parts, frames, Kind::Stream, visitor, desk)?;
    let body = desk.shard.borrow_mut().open_stream(entrant, visitor.begin_stream());
    let mut response = events(Either::Right(body));
    // The connection serves this stream and then nothing else, so that it holds no place without saying who it is.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(response)
}

async fn open_poll(
    parts: &Parts,
    frames: Vec<v1::ClientFrame>,
    visitor: &Visitor,
    desk: &Desk,
) -> Result<Response<AnswerBody>, Refusal> {
    let entrant = entrant(parts, frames, Kind::Poll, visitor, desk)?;
    let (answer, answered) = oneshot::channel();
    desk.shard.borrow_mut().open_poll(entrant, answer);
    let said = answered.await.unwrap_or(Err(Declined::Ended(None))).map_err(problem::declined)?;
    Ok(events_or_nothing(said))
}

/// Asks something of the session whose pass was shown, wherever it is.
async fn ask(
    act: Act,
    frames: Vec<v1::ClientFrame>,
    bytes: usize,
    parts: &Parts,
    visitor: &Visitor,
    desk: &Desk,
) -> Result<Bytes, Declined> {
    const NOBODY: Declined = Declined::Ended(None);
    let pass = parts.headers.get(SESSION).and_then(|pass| Pass::parse(pass.to_str().ok()?)).ok_or(NOBODY)?;
    let ((proven, is_proven), (result, is_done)) = (oneshot::channel(), oneshot::channel());
    let errand = Errand { session: pass.session, proof: pass.proof, act, frames, bytes, proven, result };
    match desk.inboxes.get(usize::from(pass.session.shard)) {
        Some(_) if pass.session.shard == desk.index => desk.shard.borrow_mut().on_errand(errand),
        Some(inbox) => inbox.put_errand(Box::new(errand)),
        None => return Err(NOBODY),
    }
    if is_proven.await.is_ok() {
        visitor.give_back_place();
    }
    is_done.await.unwrap_or(Err(NOBODY))
}

fn events(body: AnswerBody) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(EVENTS));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that gather answers before they pass them on, as nginx does, are asked not to.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

fn events_or_nothing(said: Bytes) -> Response<AnswerBody> {
    match said.is_empty() {
        true => empty(StatusCode::NO_CONTENT),
        false => events(Either::Left(Body::from(said))),
    }
}

fn empty(status: StatusCode) -> Response<AnswerBody> {
    let mut response = Response::new(Either::Left(Body::empty()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What a page's browser asks before it sends what pages of other origins may not simply send.
fn preflight() -> Response<AnswerBody> {
    let mut response = empty(StatusCode::NO_CONTENT);
    for (name, value) in [
        (header::ALLOW, "POST, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type, konvert-session, authorization"),
        (header::ACCESS_CONTROL_MAX_AGE, "7200"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn usage() -> Response<AnswerBody> {
    let mut response = Response::new(Either::Left(Body::from(USAGE)));
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST, OPTIONS"));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
