//! Property: whatever is encoded comes back equal in each encoding, several frames to a message; and whatever bytes
//! come in, decoding ends without a panic.

use bytes::Bytes;
use konvert_protocol::{Encoding, v1};
use proptest::prelude::*;

fn payload() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from),
        "[a-zа-я {}\"\\\\\u{1F600}]{0,60}".prop_map(Bytes::from),
    ]
}

fn message() -> impl Strategy<Value = v1::Message> {
    (
        ("[a-z]{0,9}", 0u64..1 << 53, "[!-~]{0,20}", any::<String>(), payload(), any::<bool>()),
        (0..2i32, proptest::option::of((0..6i32, 0u64..1 << 53)), 0u64..1 << 53),
        (prop::collection::vec("[!-~]{1,20}", 0..4), prop::collection::vec("[0-9a-f]{64}", 0..3)),
    )
        .prop_map(|((room, offset, sender, sender_name, payload, erased), (kind, relation, ordinal), extras)| {
            v1::Message {
                room,
                offset,
                message_id: sender.clone(),
                sender,
                sender_name,
                payload,
                erased,
                kind,
                relation: relation.map(|(kind, offset)| v1::Relation { kind, offset }),
                ordinal,
                time_ms: offset,
                mentions: extras.0,
                blobs: extras.1,
            }
        })
}

fn server_frame() -> impl Strategy<Value = v1::ServerFrame> {
    prop_oneof![
        message().prop_map(v1::ServerFrame::push),
        (any::<u32>(), prop::collection::vec(message(), 0..4)).prop_map(|(id, messages)| {
            v1::ServerFrame::reply(id, v1::HistoryPage { messages, more: true, ..Default::default() })
        }),
        (any::<u32>(), any::<String>()).prop_map(|(id, message)| {
            v1::ServerFrame::reply(id, v1::Error { message, temporary: true, ..Default::default() })
        }),
        any::<u32>().prop_map(|id| v1::ServerFrame::reply(id, v1::Pong {})),
    ]
}

proptest! {
    #[test]
    fn frames_survive(frames in prop::collection::vec(server_frame(), 1..5)) {
        for encoding in Encoding::ALL {
            let mut bytes = Vec::new();
            for frame in &frames {
                encoding.encode_into(frame, &mut bytes);
            }
            let back: Vec<v1::ServerFrame> =
                encoding.decode(bytes.into()).collect::<Result<_, _>>().expect("own frames decode");
            prop_assert_eq!(&back, &frames, "{:?}", encoding);
        }
    }

    #[test]
    fn garbage_ends(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for encoding in Encoding::ALL {
            let count = encoding.decode::<v1::ClientFrame>(bytes.clone().into()).count();
            prop_assert!(count <= bytes.len());
        }
    }

    #[test]
    fn truncation_is_an_error_or_fewer_frames(frame in server_frame(), cut in 1usize..40) {
        for encoding in Encoding::ALL {
            let bytes = encoding.encode(&frame);
            let short = bytes[..bytes.len().saturating_sub(cut)].to_vec();
            if short.is_empty() { continue; }
            let back: Result<Vec<v1::ServerFrame>, _> = encoding.decode(short.into()).collect();
            prop_assert!(back.is_err(), "{:?} took {:?}", encoding, back);
        }
    }
}

#[test]
fn two_bodies_in_one_frame_are_refused() {
    let text = r#"{"id":1,"ping":{},"history":{"room":"lobby"}}"#;
    let back: Result<Vec<v1::ClientFrame>, _> = Encoding::Json.decode(Bytes::from_static(text.as_bytes())).collect();
    assert!(back.expect_err("two bodies").to_string().contains("exactly one body"));
}
