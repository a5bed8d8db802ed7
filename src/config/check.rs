//! Which values are possible, alone and together.
//!
//! Owns the allowed ranges and the contradictions. Every rule names the setting, its value, what is allowed, and what
//! would work. Refuses to change anything: a value that cannot work stops the start.

use std::collections::HashSet;
use std::fmt::Display;
use std::ops::RangeInclusive;

use konvert_protocol::{check_room, check_user};

use super::{Config, Problem};
use crate::address::network;
use crate::auth::{ACCOUNT_PREFIX, GUEST_PREFIX, KeyConfig};
use crate::broker::SHARDS_MAX;
use crate::journal::PAYLOAD_BYTES_MAX;
use crate::service::Network;

const DAY_S: u64 = 24 * 3_600;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What an envelope and a frame add to a payload, bytes: names of 128 bytes, an id of 64, numbers; and in
/// JSON 64 mentions, each character escaped, and 16 blobs.
const ENVELOPE_BYTES: u64 = 20 * KIB;

/// Everything wrong with the settings.
pub(super) fn check(config: &Config) -> Vec<Problem> {
    let mut problems = ranges(config);
    problems.extend(contradictions(config));
    problems.extend(rooms(config));
    problems.extend(origins(config));
    problems.extend(proxies(config));
    problems.extend(keys(config));
    problems.extend(networks(config));
    problems.extend(store(config));
    problems
}

/// Each number within what can work, told with its default.
fn ranges(config: &Config) -> Vec<Problem> {
    let (auth, gateway, broker, journal) = (&config.auth, &config.gateway, &config.broker, &config.journal);
    let (directory, service, webhooks) = (&config.directory, &config.service, &config.webhooks);
    let blobs = &config.blobs;
    let default = Config::default();
    let mut problems = Vec::new();
    macro_rules! within {
        ($($section:ident . $key:ident in $range:expr, $unit:literal;)+) => {
            $(problems.extend(range(
                concat!(stringify!($section), ".", stringify!($key)),
                u64::try_from($section.$key).unwrap_or(u64::MAX),
                $range,
                $unit,
                &default.$section.$key,
            ));)+
        };
    }
    within! {
        auth.guest_token_s in 60..=3_650 * DAY_S, "seconds";
        gateway.shards in 0..=SHARDS_MAX as u64, "threads";
        gateway.connections_max in 1..=10_000_000, "connections";
        gateway.connections_per_user in 1..=10_000_000, "connections";
        gateway.pending_per_address in 1..=10_000_000, "connections";
        gateway.pending_max in 1..=10_000_000, "connections";
        gateway.connect_timeout_ms in 100..=60_000, "milliseconds";
        gateway.heartbeat_ms in 1_000..=600_000, "milliseconds";
        gateway.message_bytes in 2 * KIB..=16 * MIB, "bytes";
        gateway.frames_per_message in 1..=65_536, "frames";
        gateway.rooms_per_connection in 1..=1_000_000, "rooms";
        gateway.commands_per_second in 1..=1_000_000, "commands";
        gateway.publishes_per_second in 1..=1_000_000, "publishes";
        gateway.signals_per_second in 1..=1_000_000, "signals";
        gateway.outbox_count in 16..=1_000_000, "frames";
        gateway.outbox_bytes in 16 * KIB..=GIB, "bytes";
        gateway.outbox_stall_ms in 100..=600_000, "milliseconds";
        gateway.drain_jitter_ms in 0..=600_000, "milliseconds";
        broker.payload_bytes in 1..=PAYLOAD_BYTES_MAX as u64, "bytes";
        broker.signal_bytes in 1..=MIB, "bytes";
        broker.history_page in 1..=10_000, "messages";
        broker.history_page_bytes in KIB..=16 * MIB, "bytes";
        broker.presence_tick_ms in 10..=60_000, "milliseconds";
        broker.presence_linger_ms in 0..=600_000, "milliseconds";
        broker.presence_list_max in 0..=1_000_000, "users";
        broker.rooms_max in 1..=100_000_000, "rooms";
        directory.connections_max in 1..=1_000, "connections";
        service.access_token_s in 60..=DAY_S, "seconds";
        service.device_s in DAY_S..=3_650 * DAY_S, "seconds";
        service.requests_per_second in 1..=1_000_000, "requests";
        service.requests_burst in 1..=1_000_000, "requests";
        service.address_requests_per_second in 1..=1_000_000, "requests";
        service.address_requests_burst in 1..=1_000_000, "requests";
        service.audit_s in DAY_S..=36_500 * DAY_S, "seconds";
        service.memberships_cached_max in 1_000..=1_000_000_000, "memberships";
        service.members_max in 2..=10_000_000, "members";
        service.memberships_per_user in 1..=1_000_000, "dialogs";
        service.key_requests_per_second in 1..=1_000_000, "requests";
        webhooks.give_up_after_s in 1..=365 * DAY_S, "seconds";
        webhooks.retry_ms in 10..=3_600_000, "milliseconds";
        webhooks.waiting_max in 1..=10_000_000, "deliveries";
        blobs.answer_s in 1..=600, "seconds";
        blobs.size_bytes_max in 1..=1_024 * GIB, "bytes";
        blobs.uploads_per_user in 1..=10_000, "uploads";
        blobs.upload_expires_s in 1..=365 * DAY_S, "seconds";
        blobs.unreferenced_s in 1..=3_650 * DAY_S, "seconds";
        journal.queue_count in 16..=16_000_000, "entries";
        journal.queue_bytes in MIB..=16 * GIB, "bytes";
        journal.recent_bytes in 0..=1_024 * GIB, "bytes";
        journal.cache_bytes in MIB..=1_024 * GIB, "bytes";
        journal.free_bytes_min in MIB..=1_024 * GIB, "bytes";
        journal.ballast_bytes in 0..=GIB, "bytes";
        journal.partition_bytes in 16 * MIB..=1_024 * GIB, "bytes";
        journal.erase_within_ms in 1_000..=365 * DAY_S * 1_000, "milliseconds";
    }
    problems
}

fn range(key: &str, value: u64, allowed: RangeInclusive<u64>, unit: &str, default: &dyn Display) -> Option<Problem> {
    let (least, most) = (*allowed.start(), *allowed.end());
    (!allowed.contains(&value)).then(|| {
        let message = format!("{value} is impossible, allowed are {least} to {most} {unit}.");
        Problem::new(key, message, format!("The default is {default}."))
    })
}

/// Numbers that are possible alone but not together: what is accepted at one place must fit through the next.
fn contradictions(config: &Config) -> Vec<Problem> {
    let (gateway, broker, journal) = (&config.gateway, &config.broker, &config.journal);
    // JSON carries a payload as base64, 4 bytes for 3.
    let on_wire = |payload: usize| payload as u64 / 3 * 4 + ENVELOPE_BYTES;
    let at_least = [
        (
            "gateway.message_bytes",
            gateway.message_bytes as u64,
            on_wire(broker.payload_bytes),
            "broker.payload_bytes",
            "a message carries a payload as base64 and its envelope",
        ),
        (
            "gateway.message_bytes",
            gateway.message_bytes as u64,
            on_wire(broker.signal_bytes),
            "broker.signal_bytes",
            "a message carries a signal as base64 and its envelope",
        ),
        (
            "gateway.outbox_bytes",
            gateway.outbox_bytes as u64,
            2 * on_wire(broker.payload_bytes.max(broker.history_page_bytes)),
            "broker.history_page_bytes",
            "an outbox must hold two history pages",
        ),
        (
            "broker.history_page_bytes",
            broker.history_page_bytes as u64,
            broker.payload_bytes as u64,
            "broker.payload_bytes",
            "a history page must hold the longest message",
        ),
        (
            "journal.queue_bytes",
            journal.queue_bytes as u64,
            16 * (broker.payload_bytes as u64 + ENVELOPE_BYTES),
            "broker.payload_bytes",
            "the queue must hold 16 of the longest messages",
        ),
        (
            "broker.rooms_max",
            broker.rooms_max as u64,
            broker.rooms.len() as u64,
            "broker.rooms",
            "the rooms that exist from the start count",
        ),
        (
            "service.memberships_cached_max",
            config.service.memberships_cached_max as u64,
            5 * config.service.members_max,
            "service.members_max",
            "a full dialog must fit into a quarter of it",
        ),
    ];
    let broken = at_least.into_iter().filter(|&(_, value, least, ..)| value < least);
    let tell = |(key, value, least, other, why): (&str, u64, u64, &'static str, &str)| {
        let message = format!("{value} is too little for `{other}`: {why}.");
        let hint = format!("Set it to {least} or more, or lower `{other}`.");
        Problem { other: Some(other), ..Problem::new(key, message, hint) }
    };
    broken.map(tell).collect()
}

fn rooms(config: &Config) -> Vec<Problem> {
    let mut names = HashSet::new();
    let mut problems = Vec::new();
    for (i, room) in config.broker.rooms.iter().enumerate() {
        let key = format!("broker.rooms.{i}.name");
        if let Err(error) = check_room(&room.name) {
            let hint = "Room names are 1 to 128 of ASCII letters, digits and - _ . : @ / +";
            problems.push(Problem::new(key, format!("{:?} {error}.", room.name), hint));
        } else if !names.insert(&room.name) {
            problems.push(Problem::new(key, format!("{:?} is there twice.", room.name), "Remove one."));
        }
    }
    problems
}

/// A browser sends `scheme://host[:port]`, in lower case and without a path; anything else would never match.
fn origins(config: &Config) -> Vec<Problem> {
    let possible = |origin: &str| {
        let Some((scheme, host)) = origin.split_once("://") else { return origin == "*" || origin == "null" };
        !scheme.is_empty()
            && !host.is_empty()
            && !origin.contains(|c: char| c.is_ascii_uppercase() || c.is_whitespace())
            && !host.contains(['/', '*', '?', '#', '@'])
    };
    let wrong = config.gateway.origins.iter().enumerate().filter(|(_, origin)| !possible(origin));
    let tell = |(i, origin): (usize, &String)| {
        let message = format!("{origin:?} is not an origin.");
        Problem::new(
            format!("gateway.origins.{i}"),
            message,
            "Write it like https://chat.example or *, without a path.",
        )
    };
    wrong.map(tell).collect()
}

fn proxies(config: &Config) -> Vec<Problem> {
    let wrong = config.server.trusted_proxies.iter().enumerate().filter(|(_, text)| network(text).is_none());
    let tell = |(i, text): (usize, &String)| {
        let message = format!("{text:?} is no address and no network.");
        Problem::new(format!("server.trusted_proxies.{i}"), message, "Write it like 127.0.0.1 or 10.0.0.0/8.")
    };
    wrong.map(tell).collect()
}

/// Where a key comes from. Whether it is one is seen when the real thing is made of it.
fn keys(config: &Config) -> Vec<Problem> {
    let sources = |key: &KeyConfig| {
        usize::from(key.pem.is_some()) + usize::from(key.pem_file.is_some()) + usize::from(key.secret.is_some())
    };
    let wrong = config.auth.keys.iter().enumerate().filter(|(_, key)| sources(key) != 1);
    let tell =
        |(i, _)| Problem::new(format!("auth.keys.{i}"), "needs exactly one of `pem`, `pem_file` and `secret`.", "");
    wrong.map(tell).chain(key_sets(config)).collect()
}

fn key_sets(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (i, set) in config.auth.jwks.iter().enumerate() {
        let mut tell = |name: &str, message: &str, hint| {
            problems.push(Problem::new(format!("auth.jwks.{i}.{name}"), message.to_owned(), hint));
        };
        if !set.url.starts_with("https://") && !set.url.starts_with("http://") {
            tell("url", "is not the address of a key set.", "Write it like https://login.example/jwks.json.");
        }
        if set.issuer.is_empty() {
            tell("issuer", "is needed: what the tokens' `iss` is.", "");
        }
        if set.claims.user.is_empty() {
            tell("claims.user", "is needed: which claim names the user.", "The default is sub.");
        }
        if !(30..=DAY_S).contains(&set.refresh_s) {
            tell("refresh_s", "is not possible. Allowed are 30 to 86400 seconds.", "The default is 3600.");
        }
        let is_kept = [ACCOUNT_PREFIX, GUEST_PREFIX].iter().any(|kept| set.prefix.starts_with(kept));
        if is_kept || (!set.prefix.is_empty() && check_user(&set.prefix).is_err()) {
            tell("prefix", "cannot begin a user id.", "Write it like corp-; acc- and guest- are kept.");
        }
    }
    problems
}

/// Where webhooks may go although it is private.
fn networks(config: &Config) -> Vec<Problem> {
    let networks = config.webhooks.allow_private.iter().enumerate();
    let wrong = networks.filter_map(|(i, network)| Some((i, network, network.parse::<Network>().err()?)));
    let tell =
        |(i, network, why)| Problem::new(format!("webhooks.allow_private.{i}"), format!("{network:?} {why}."), "");
    wrong.map(tell).collect()
}

/// Where files are kept.
fn store(config: &Config) -> Vec<Problem> {
    let blobs = &config.blobs;
    let mut problems = Vec::new();
    let bucket = blobs.url.strip_prefix("s3://").map(|rest| rest.split('/').next().unwrap_or_default());
    if !blobs.url.is_empty() && bucket.is_none_or(str::is_empty) {
        let message = format!("{:?} is no store.", blobs.url);
        problems.push(Problem::new("blobs.url", message, "Write it like s3://bucket/prefix, or leave it empty."));
    }
    let host = blobs.endpoint.strip_prefix("https://").or_else(|| blobs.endpoint.strip_prefix("http://"));
    if !blobs.endpoint.is_empty() && host.is_none_or(str::is_empty) {
        let message = format!("{:?} is no address.", blobs.endpoint);
        problems.push(Problem::new("blobs.endpoint", message, "Write it like https://minio.example:9000."));
    }
    problems
}
