//! The table of limits in PROTOCOL.md tells the defaults that the code has.

use konvert::broker::BrokerConfig;
use konvert::gateway::GatewayConfig;

#[test]
fn the_table_tells_the_defaults() {
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/PROTOCOL.md")).expect("PROTOCOL.md");
    // A sentence may go over the end of a line.
    let document = document.split_whitespace().collect::<Vec<_>>().join(" ");
    let (rooms, edge) = (BrokerConfig::default(), GatewayConfig::default());
    for (limit, value) in [
        ("payload of a publish (`payload_bytes`)", format!("{} bytes", spaced(rooms.payload_bytes))),
        ("payload of a signal (`signal_bytes`)", format!("{} bytes", spaced(rooms.signal_bytes))),
        ("WebSocket message from a client (`message_bytes`)", format!("{} bytes", spaced(edge.message_bytes))),
        ("frames in one message (`frames_per_message`)", spaced(edge.frames_per_message)),
        ("rooms of one connection (`rooms_per_connection`)", spaced(edge.rooms_per_connection)),
        ("publishes per second (`publishes_per_second`)", burst(edge.publishes_per_second)),
        ("signals per second (`signals_per_second`)", burst(edge.signals_per_second)),
        ("commands per second", burst(edge.commands_per_second)),
        (
            "messages in one page (`history_page`)",
            format!("{}, and {} KiB of payload", rooms.history_page, rooms.history_page_bytes >> 10),
        ),
        ("time to `connect`", format!("{} s", edge.connect_timeout_ms / 1_000)),
        ("connections of one user", spaced(edge.connections_per_user)),
        (
            "what waits for a slow reader",
            format!(
                "{} MiB or {} frames, or nothing taken for {} s",
                edge.outbox_bytes >> 20,
                spaced(edge.outbox_count),
                edge.outbox_stall_ms / 1_000
            ),
        ),
    ] {
        let row = format!("| {limit} | {value} |");
        assert!(document.contains(&row), "PROTOCOL.md has no {row:?}");
    }
    for said in [
        format!("gathered for a moment ({} ms", rooms.presence_tick_ms),
        format!("shown for {} s more", rooms.presence_linger_ms / 1_000),
        format!("than the server lists ({})", rooms.presence_list_max),
    ] {
        assert!(document.contains(&said), "PROTOCOL.md does not say {said:?}");
    }
}

fn burst(rate: u32) -> String {
    format!("{}, twice as many in a burst", spaced(rate as usize))
}

/// 65536 → `65 536`.
fn spaced(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}
