//! The description of sessions by plain requests. The live edge answers them, and this part does not know it; they are
//! told here, so that they stand where everything else over HTTP does.

use serde_json::{Map, Value, json};

/// Where they stand on the page.
pub(super) const TAG: (&str, &str) =
    ("live", "Sessions where no WebSocket gets through. PROTOCOL.md tells of frames, events and when to use which.");

const EVENTS: &str = "text/event-stream";

/// Adds them.
pub(super) fn describe(paths: &mut Map<String, Value>) {
    let stream = json!({"200": {
        "description": "A stream of events for as long as the session lives. The first is the session's secret.",
        "content": {EVENTS: {"schema": {"type": "string"}}},
    }});
    let polled = json!({
        "200": {"description": "The events that waited.", "content": {EVENTS: {"schema": {"type": "string"}}}},
        "204": {"description": "Nothing came for a heartbeat."},
    });
    let taken = json!({"202": {"description": "Taken; replies come by the stream or the next poll."}});
    let ended = json!({"204": {"description": "The session has ended."}});
    for (path, summary, session, responses) in [
        ("/api/sse", "Begins a session with a stream of events; the first frame is `connect`.", None, stream),
        (
            "/api/poll",
            "Begins a session that is polled, its first frame being `connect`; or polls it.",
            Some(false),
            polled,
        ),
        ("/api/send", "Sends frames to a session.", Some(true), taken),
        ("/api/close", "Says goodbye: the session ends.", Some(true), ended),
    ] {
        let mut operation = json!({
            "summary": summary,
            "tags": [TAG.0],
            // Who one is stands in `connect`, afterwards in the session's secret.
            "security": [],
            "responses": responses,
        });
        if path != "/api/close" {
            operation["requestBody"] = json!({
                "description": "Frames as lines of JSON.",
                // A session that is polled may have nothing to say.
                "required": path != "/api/poll",
                "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
            });
        }
        if let Some(required) = session {
            operation["parameters"] = json!([{
                "name": "Konvert-Session", "in": "header", "required": required,
                "description": "The secret that the session's first event told.", "schema": {"type": "string"},
            }]);
        }
        paths.insert(path.to_owned(), json!({"post": operation}));
    }
}
