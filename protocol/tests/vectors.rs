//! The golden vectors in `vectors/`: what every implementation, in any language, must read and this one must write.
//!
//! `frames.json` holds messages in all three encodings, `refused.json` bytes that must be refused, `tolerated.json`
//! bytes that nobody of ours writes and everybody must read. `UPDATE_VECTORS=1 cargo test -p konvert-protocol`
//! rewrites `frames.json` from `support/cases.rs`; the other two are written by hand.

#[path = "support/cases.rs"]
mod cases;
#[path = "support/schema.rs"]
mod schema;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use bytes::Bytes;
use konvert_protocol::{Encoding, Frame, v1};
use schema::Schema;
use serde_json::Value;

#[test]
fn frames_are_written_as_in_the_vectors() {
    let vectors: Vec<String> = cases::client()
        .iter()
        .map(|case| write("client", case))
        .chain(cases::server().iter().map(|case| write("server", case)))
        .collect();
    let text = format!("[\n{}\n]\n", vectors.join(",\n"));
    let path = path("frames.json");
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(&path, &text).expect("the vectors are writable");
    }
    let golden = std::fs::read_to_string(&path).expect("the vectors are there");
    for (written, golden) in text.lines().zip(golden.lines()) {
        assert_eq!(written, golden, "an encoding changed: clients in the field would not understand it");
    }
    assert_eq!(text, golden);
}

#[test]
fn frames_are_read_as_in_the_vectors() {
    let (client, server) = (cases::client(), cases::server());
    for vector in read("frames.json") {
        match text(&vector, "direction") {
            "client" => decodes_to(&vector, &client),
            "server" => decodes_to(&vector, &server),
            other => panic!("no such direction: {other}"),
        }
    }
}

#[test]
fn vectors_cover_the_whole_schema() {
    let schema = Schema::read();
    let mut seen = BTreeSet::new();
    for vector in read("frames.json") {
        let frame = if text(&vector, "direction") == "client" { "ClientFrame" } else { "ServerFrame" };
        for value in vector["frames"].as_array().expect("frames are a list") {
            note(&schema, frame, value, &mut seen);
        }
    }
    let fields = schema
        .messages
        .iter()
        .flat_map(|(name, message)| message.fields.iter().map(move |field| format!("{name}.{}", field.name)));
    // The first value of an enum is its default, which is written by leaving it out.
    let values = schema
        .enums
        .iter()
        .flat_map(|(name, of)| of.values[1..].iter().map(move |value| format!("{name}={}", value.1)));
    let missing: Vec<_> = fields.chain(values).filter(|item| !seen.contains(item)).collect();
    assert!(missing.is_empty(), "no vector carries {missing:?}");
}

#[test]
fn bad_bytes_are_refused() {
    for vector in read("refused.json") {
        let (encoding, bytes) = bytes_of(&vector);
        let refused = match text(&vector, "direction") {
            "client" => encoding.decode::<v1::ClientFrame>(bytes).any(|frame| frame.is_err()),
            _ => encoding.decode::<v1::ServerFrame>(bytes).any(|frame| frame.is_err()),
        };
        assert!(refused, "accepted: {}", text(&vector, "name"));
    }
}

#[test]
fn unusual_bytes_are_tolerated() {
    for vector in read("tolerated.json") {
        let (encoding, bytes) = bytes_of(&vector);
        let name = text(&vector, "name");
        let got = match text(&vector, "direction") {
            "client" => as_json(encoding.decode::<v1::ClientFrame>(bytes), name),
            _ => as_json(encoding.decode::<v1::ServerFrame>(bytes), name),
        };
        assert_eq!(Value::Array(got), vector["frames"], "{name}");
    }
}

fn write<F: Frame>(direction: &str, (name, frames): &cases::Case<F>) -> String {
    let json: Vec<_> = frames.iter().map(|frame| serde_json::to_string(frame).expect("frames have JSON")).collect();
    format!(
        "  {{\n    \"name\": {},\n    \"direction\": \"{direction}\",\n    \"frames\": [\n      {}\n    ],\n    \"protobuf\": \"{}\",\n    \"msgpack\": \"{}\"\n  }}",
        serde_json::to_string(name).expect("a name is a string"),
        json.join(",\n      "),
        hex(&message(Encoding::Protobuf, frames)),
        hex(&message(Encoding::Msgpack, frames)),
    )
}

fn decodes_to<F: Frame + PartialEq + std::fmt::Debug>(vector: &Value, cases: &[cases::Case<F>]) {
    let name = text(vector, "name");
    let (_, want) = cases.iter().find(|case| case.0 == name).unwrap_or_else(|| panic!("{name}: has no case"));
    let lines: Vec<_> = vector["frames"].as_array().expect("frames are a list").iter().map(Value::to_string).collect();
    for (encoding, bytes) in [
        (Encoding::Protobuf, unhex(text(vector, "protobuf"))),
        (Encoding::Msgpack, unhex(text(vector, "msgpack"))),
        (Encoding::Json, lines.join("\n").into()),
    ] {
        let got: Result<Vec<F>, _> = encoding.decode(bytes).collect();
        assert_eq!(got.as_ref(), Ok(want), "{name}: {encoding:?}");
    }
    let written: Vec<Value> = message(Encoding::Json, want)
        .split(|&byte| byte == b'\n')
        .map(|line| serde_json::from_slice(line).expect("one value to a line"))
        .collect();
    assert_eq!(Value::Array(written), vector["frames"], "{name}: JSON");
}

/// Notes which fields and enum values of the schema a frame carries.
fn note(schema: &Schema, message: &str, value: &Value, seen: &mut BTreeSet<String>) {
    for field in &schema.messages[message].fields {
        let Some(value) = value.get(&field.name) else { continue };
        seen.insert(format!("{message}.{}", field.name));
        let Some(of) = &field.of else { continue };
        let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for item in items {
            match item.as_str() {
                Some(name) => _ = seen.insert(format!("{of}={name}")),
                None => note(schema, of, item, seen),
            }
        }
    }
}

fn message<F: Frame>(encoding: Encoding, frames: &[F]) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in frames {
        encoding.encode_into(frame, &mut out);
    }
    out
}

fn as_json<F: Frame>(frames: konvert_protocol::Frames<F>, name: &str) -> Vec<Value> {
    frames
        .map(|frame| frame.unwrap_or_else(|error| panic!("{name}: {error}")))
        .map(|frame| serde_json::to_value(frame).expect("frames have JSON"))
        .collect()
}

/// The encoding and bytes of a vector that has only one of the three: `json` is text, the others are hex.
fn bytes_of(vector: &Value) -> (Encoding, Bytes) {
    match (vector["json"].as_str(), vector["msgpack"].as_str(), vector["protobuf"].as_str()) {
        (Some(json), None, None) => (Encoding::Json, Bytes::copy_from_slice(json.as_bytes())),
        (None, Some(hex), None) => (Encoding::Msgpack, unhex(hex)),
        (None, None, Some(hex)) => (Encoding::Protobuf, unhex(hex)),
        _ => panic!("{}: one of json, msgpack, protobuf", text(vector, "name")),
    }
}

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(file)
}

fn read(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path(file)).expect("the vectors are there");
    serde_json::from_str(&text).expect("the vectors are JSON")
}

fn text<'a>(vector: &'a Value, key: &str) -> &'a str {
    vector[key].as_str().unwrap_or_else(|| panic!("{vector}: no {key}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").expect("a String grows");
        out
    })
}

fn unhex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex")).collect()
}
