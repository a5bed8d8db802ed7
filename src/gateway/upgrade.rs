//! From an HTTP request to a socket: checks the handshake of RFC 6455 §4.2.1, the origin and the subprotocol, answers
//! 101, and hands the raw stream to the shard.

use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, Request, Response, StatusCode, Version};
use konvert_protocol::Encoding;
use tungstenite::handshake::derive_accept_key;

use crate::origin;

/// Where the socket is.
pub const PATHS: [&str; 2] = ["/api/websocket", "/ws"];

const USAGE: &str = "This is Konvert's socket. Connect with WebSocket and one of the subprotocols konvert.v1.protobuf, \
                     konvert.v1.msgpack, konvert.v1.json; the first frame is `connect`. See PROTOCOL.md.\n";

/// A handshake that is right.
#[derive(Debug)]
pub struct Handshake {
    /// As negotiated; JSON when the client named none.
    pub encoding: Encoding,
    /// Whether the request named an origin.
    pub has_origin: bool,
    /// The 101.
    pub response: Response<Body>,
}

/// Checks a request for the socket.
///
/// # Errors
/// The response that says what is wrong.
pub fn check(request: &Request<impl Sized>, origins: &[String]) -> Result<Handshake, Box<Response<Body>>> {
    let headers = request.headers();
    if request.method() != Method::GET || request.version() != Version::HTTP_11 {
        return Err(refuse(StatusCode::METHOD_NOT_ALLOWED, USAGE));
    }
    if !has_token(headers, header::UPGRADE, "websocket") || !has_token(headers, header::CONNECTION, "upgrade") {
        let mut response = refuse(StatusCode::UPGRADE_REQUIRED, USAGE);
        response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        return Err(response);
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let mut response = refuse(StatusCode::UPGRADE_REQUIRED, "Only version 13 of WebSocket is spoken here.\n");
        response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        return Err(response);
    }
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24) else {
        return Err(refuse(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in base64.\n"));
    };
    let origin = headers.get(header::ORIGIN);
    if let Some(origin) = origin
        && !is_allowed(origin, headers, origins)
    {
        return Err(refuse(
            StatusCode::FORBIDDEN,
            "Pages of this origin may not connect. The operator allows origins in gateway.origins.\n",
        ));
    }
    let (encoding, chosen) = negotiate(headers)?;
    let mut response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()));
    if chosen {
        response = response.header(header::SEC_WEBSOCKET_PROTOCOL, encoding.subprotocol());
    }
    let response = response.body(Body::empty()).map_err(|_| refuse(StatusCode::BAD_REQUEST, USAGE))?;
    Ok(Handshake { encoding, has_origin: origin.is_some(), response })
}

/// The first of the offered subprotocols that is ours, and whether any was offered.
fn negotiate(headers: &HeaderMap) -> Result<(Encoding, bool), Box<Response<Body>>> {
    let mut offered = headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .peekable();
    if offered.peek().is_none() {
        return Ok((Encoding::Json, false));
    }
    match offered.find_map(Encoding::from_subprotocol) {
        Some(encoding) => Ok((encoding, true)),
        None => Err(refuse(StatusCode::BAD_REQUEST, USAGE)),
    }
}

/// Whether pages of the request's origin may connect.
pub fn is_allowed(origin: &HeaderValue, headers: &HeaderMap, origins: &[String]) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    origin.to_str().is_ok_and(|origin| origin::is_allowed(origin, host, origins))
}

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let values = headers.get_all(name);
    let mut tokens = values.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    tokens.any(|value| value.trim().eq_ignore_ascii_case(token))
}

fn refuse(status: StatusCode, text: &'static str) -> Box<Response<Body>> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Box::new(response)
}

/// The response when there is no place.
pub fn full() -> Response<Body> {
    let mut response = *refuse(StatusCode::SERVICE_UNAVAILABLE, "As many connections as this server may hold.\n");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request<()> {
        let base = [
            ("host", "chat.example:3001"),
            ("upgrade", "websocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let mut request = Request::builder().uri("/ws").body(()).expect("a request");
        for (name, value) in base.iter().chain(headers) {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            request.headers_mut().insert(name, HeaderValue::from_str(value).expect("a value"));
        }
        request
    }

    fn status(headers: &[(&str, &str)], origins: &[&str]) -> u16 {
        let origins: Vec<_> = origins.iter().map(|origin| (*origin).to_owned()).collect();
        match check(&request(headers), &origins) {
            Ok(handshake) => handshake.response.status().as_u16(),
            Err(response) => response.status().as_u16(),
        }
    }

    #[test]
    fn handshakes() {
        for (headers, want) in [
            (vec![], 101),
            (vec![("sec-websocket-protocol", "konvert.v1.msgpack")], 101),
            (vec![("sec-websocket-protocol", "graphql-ws, konvert.v1.json")], 101),
            (vec![("sec-websocket-protocol", "graphql-ws")], 400),
            (vec![("sec-websocket-version", "8")], 426),
            (vec![("upgrade", "h2c")], 426),
            (vec![("connection", "close")], 426),
            (vec![("sec-websocket-key", "short")], 400),
        ] {
            assert_eq!(status(&headers, &[]), want, "{headers:?}");
        }
        let accepted = check(&request(&[]), &[]).expect("a handshake").response;
        assert_eq!(accepted.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "RFC 6455 §1.3");
    }

    #[test]
    fn origins() {
        for (origin, allowed, want) in [
            ("http://chat.example:3001", &[][..], 101),
            ("https://evil.example", &[], 403),
            ("https://app.example", &["https://app.example"], 101),
            ("http://chat.example:3001", &["https://app.example"], 403),
        ] {
            assert_eq!(status(&[("origin", origin)], allowed), want, "{origin} with {allowed:?}");
        }
    }
}
