//! The text of an event stream (the HTML standard, "server-sent events"): what those get who have no socket.

use bytes::Bytes;
use konvert_protocol::{Encoding, v1};
use serde_json::json;

use crate::gateway::pass::Pass;

/// A frame. JSON has no line break of its own, so that a frame is one line.
pub fn frame(frame: &v1::ServerFrame) -> Bytes {
    let mut out = b"data: ".to_vec();
    let start = out.len();
    let json = Encoding::Json.encode(frame);
    out.reserve_exact(json.len() + 2);
    out.extend_from_slice(&json);
    debug_assert!(!out[start..].contains(&b'\n'));
    out.extend_from_slice(b"\n\n");
    out.into()
}

/// How to speak for the session from now on.
pub fn session(pass: &Pass) -> Bytes {
    format!("event: session\ndata: {}\n\n", json!({ "session": pass.text() })).into()
}

/// The last that is said.
pub fn close(number: u16, reason: &str) -> Bytes {
    format!("event: close\ndata: {}\n\n", json!({ "code": number, "reason": reason })).into()
}

/// A comment, so that nobody on the way takes the silence for an end.
pub fn comment() -> Bytes {
    Bytes::from_static(b":\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_whole() {
        let push = v1::ServerFrame::push(v1::Message {
            payload: Bytes::from_static(b"two\nlines\r\n\ndata: x"),
            ..Default::default()
        });
        let text = String::from_utf8(frame(&push).into()).expect("text");
        assert_eq!((text.matches('\n').count(), text.contains('\r')), (2, false), "{text:?}");
        assert_eq!(
            close(4001, "slow_consumer"),
            "event: close\ndata: {\"code\":4001,\"reason\":\"slow_consumer\"}\n\n"
        );
    }
}
