//! Serde of the two frames. The schema's `oneof body` becomes one key beside `id`: `{"id": 1, "publish": {…}}`.
//! Unknown keys are ignored, as in Protobuf, so that an older side understands a newer one; two bodies are an error.

use std::fmt;

use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::v1::{ClientFrame, ServerFrame, client_frame, server_frame};

macro_rules! frame_serde {
    ($frame:ident, $body:ident, { $($key:literal => $variant:ident),+ $(,)? }) => {
        impl Serialize for $frame {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let len = usize::from(self.id != 0) + usize::from(self.body.is_some());
                let mut map = serializer.serialize_map(Some(len))?;
                if self.id != 0 {
                    map.serialize_entry("id", &self.id)?;
                }
                match &self.body {
                    $(Some($body::Body::$variant(body)) => map.serialize_entry($key, body)?,)+
                    None => {}
                }
                map.end()
            }
        }

        impl<'de> Deserialize<'de> for $frame {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct FrameVisitor;

                impl<'de> Visitor<'de> for FrameVisitor {
                    type Value = $frame;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a frame: a map with `id` and one body")
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$frame, A::Error> {
                        let mut frame = $frame::default();
                        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
                            let body = match key.as_ref() {
                                "id" => {
                                    frame.id = map.next_value()?;
                                    continue;
                                }
                                $($key => $body::Body::$variant(map.next_value()?),)+
                                _ => {
                                    map.next_value::<IgnoredAny>()?;
                                    continue;
                                }
                            };
                            if frame.body.replace(body).is_some() {
                                return Err(A::Error::custom("a frame has exactly one body"));
                            }
                        }
                        Ok(frame)
                    }
                }

                deserializer.deserialize_map(FrameVisitor)
            }
        }
    };
}

frame_serde!(ClientFrame, client_frame, {
    "connect" => Connect,
    "refresh" => Refresh,
    "subscribe" => Subscribe,
    "unsubscribe" => Unsubscribe,
    "publish" => Publish,
    "signal" => Signal,
    "history" => History,
    "presence" => Presence,
    "presence_update" => PresenceUpdate,
    "read" => Read,
    "ping" => Ping,
});

frame_serde!(ServerFrame, server_frame, {
    "error" => Error,
    "connected" => Connected,
    "refreshed" => Refreshed,
    "subscribed" => Subscribed,
    "unsubscribed" => Unsubscribed,
    "published" => Published,
    "signaled" => Signaled,
    "history" => History,
    "presence" => Presence,
    "read" => Read,
    "pong" => Pong,
    "message" => Message,
    "signal" => Signal,
    "presence_diff" => PresenceDiff,
    "read_marker" => ReadMarker,
    "room_changed" => RoomChanged,
    "membership_changed" => MembershipChanged,
    "token_expiring" => TokenExpiring,
    "closing" => Closing,
    "changed" => Changed,
});

macro_rules! body_from {
    ($body:ident, $($type:ident => $variant:ident),+ $(,)?) => {$(
        impl From<crate::v1::$type> for $body::Body {
            fn from(body: crate::v1::$type) -> Self {
                Self::$variant(body)
            }
        }
    )+};
}

body_from!(client_frame,
    Connect => Connect, Refresh => Refresh, Subscribe => Subscribe, Unsubscribe => Unsubscribe, Publish => Publish,
    Signal => Signal, History => History, Presence => Presence, PresenceUpdate => PresenceUpdate, Read => Read,
    Ping => Ping,
);
body_from!(server_frame,
    Error => Error, Connected => Connected, Refreshed => Refreshed, Subscribed => Subscribed,
    Unsubscribed => Unsubscribed, Published => Published, Signaled => Signaled, HistoryPage => History,
    PresenceState => Presence, Pong => Pong, Message => Message, SignalPush => Signal, PresenceDiff => PresenceDiff,
    RoomChanged => RoomChanged, MembershipChanged => MembershipChanged, TokenExpiring => TokenExpiring,
    Closing => Closing, Changed => Changed,
);

impl ClientFrame {
    /// A command with the id that its reply will echo.
    pub fn new(id: u32, body: impl Into<client_frame::Body>) -> Self {
        Self { id, body: Some(body.into()) }
    }
}

impl ServerFrame {
    /// The reply to command `id`.
    pub fn reply(id: u32, body: impl Into<server_frame::Body>) -> Self {
        Self { id, body: Some(body.into()) }
    }

    /// A push: nobody asked for it.
    pub fn push(body: impl Into<server_frame::Body>) -> Self {
        Self::reply(0, body)
    }
}
