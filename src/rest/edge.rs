//! From where requests may come: which pages, and through which proxies.
//!
//! Invariant: a page of another origin reads nothing of `/api` unless the operator named it, exactly. Answers never
//! allow credentials that a browser keeps: there are none.

use std::net::IpAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;

use super::RestState;
use crate::{address, origin};

/// How long a browser may remember what was allowed, seconds.
const REMEMBER_S: &str = "600";

/// The settings of it.
#[derive(Debug, Clone, Default)]
pub struct Edge {
    /// Origins whose pages may ask, as `gateway.origins` has them.
    pub origins: Vec<String>,
    /// Proxies whose word counts for where somebody is.
    pub trusted_proxies: Vec<IpNet>,
}

impl Edge {
    /// Whether a request names the origin of a page that may ask.
    pub(super) fn is_page(&self, headers: &HeaderMap) -> bool {
        let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
        let host = headers.get(header::HOST).and_then(text);
        let origin = headers.get(header::ORIGIN).and_then(text);
        origin.is_some_and(|origin| origin::is_allowed(&origin, host.as_deref(), &self.origins))
    }

    /// The address that counts for limits and the audit.
    pub(super) fn address(&self, parts: &Parts) -> IpAddr {
        let peer = parts.extensions.get::<ConnectInfo<IpAddr>>();
        let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |ConnectInfo(address)| *address);
        let forwarded = parts.headers.get_all("x-forwarded-for").iter();
        let forwarded: Vec<_> = forwarded.map(|value| value.to_str().unwrap_or_default()).collect();
        address::canonical(address::of_request(peer, forwarded.into_iter(), &self.trusted_proxies))
    }
}

/// Lets pages of the origins named read the answers, and answers what browsers ask before they ask.
pub(super) async fn cors(State(state): State<RestState>, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/api/") {
        return next.run(request).await;
    }
    let headers = request.headers();
    let origin = headers.get(header::ORIGIN).filter(|_| state.edge.is_page(headers)).cloned();
    let asks_first = request.method() == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let wanted = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let mut response = if asks_first { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    let Some(origin) = origin else { return response };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
    if asks_first {
        let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(REMEMBER_S));
        headers.append(header::VARY, HeaderValue::from_static("access-control-request-headers"));
        if let Some(wanted) = wanted {
            // The origin is one that may; which headers its requests carry harms nobody.
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted);
        }
    }
    response
}
