//! PROTOCOL.md against the code: its tables and its reference are written from the source, its examples decode.
//! `UPDATE_DOCUMENT=1 cargo test -p konvert-protocol` rewrites the parts between `<!-- name: … -->` and `<!-- end -->`.

#[path = "support/schema.rs"]
mod schema;

use std::fmt::Write as _;
use std::path::PathBuf;

use bytes::Bytes;
use konvert_protocol::{CloseAdvice, CloseCode, Encoding, ErrorCode, Frame, v1};
use schema::Schema;
use serde_json::Value;

#[test]
fn written_parts_are_up_to_date() {
    let mut document = document();
    let before = document.clone();
    for (name, text) in [("errors", errors()), ("closes", closes()), ("reference", reference())] {
        document = replace(&document, name, &text);
    }
    if std::env::var_os("UPDATE_DOCUMENT").is_some() {
        std::fs::write(path(), &document).expect("PROTOCOL.md is writable");
        return;
    }
    for (written, there) in document.lines().zip(before.lines()) {
        assert_eq!(written, there, "PROTOCOL.md is behind the code: run with UPDATE_DOCUMENT=1");
    }
    assert_eq!(document.len(), before.len());
}

#[test]
fn examples_are_frames() {
    let mut examples = 0;
    for block in document().split("```session\n").skip(1) {
        let block = block.split("```").next().expect("split gives a part");
        let mut from_client = true;
        for line in block.lines() {
            let json = match line.split_at_checked('→'.len_utf8()) {
                Some(("→", rest)) => {
                    from_client = true;
                    rest
                }
                Some(("←", rest)) => {
                    from_client = false;
                    rest
                }
                _ => line,
            };
            if from_client {
                check_example::<v1::ClientFrame>(json)
            } else {
                check_example::<v1::ServerFrame>(json)
            }
            examples += 1;
        }
    }
    assert!(examples > 10, "only {examples} examples found: did the document change its form?");
}

/// What an example says must be all understood: unknown fields are ignored by decoding, so it is written again.
fn check_example<F: Frame>(json: &str) {
    let bytes = Bytes::copy_from_slice(json.trim().as_bytes());
    let frames: Vec<F> =
        Encoding::Json.decode(bytes).collect::<Result<_, _>>().unwrap_or_else(|e| panic!("{json}: {e}"));
    assert_eq!(frames.len(), 1, "{json}");
    let said: Value = serde_json::from_str(json).expect("decoded before");
    assert_eq!(said, serde_json::to_value(&frames[0]).expect("frames have JSON"));
}

#[test]
fn the_bytes_of_two_frames_are_right() {
    let frames = [v1::ClientFrame::new(1, v1::Ping {}), v1::ClientFrame::new(0, v1::Ping {})];
    for encoding in Encoding::ALL {
        let mut message = Vec::new();
        frames.iter().for_each(|frame| encoding.encode_into(frame, &mut message));
        let bytes: Vec<_> = message.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = encoding.subprotocol().rsplit('.').next().expect("split gives a part");
        let row = format!("| {name} | `{}` |", bytes.join(" "));
        assert!(document().contains(&row), "PROTOCOL.md has no {row}");
    }
}

#[test]
fn every_command_and_push_is_explained() {
    let document = document();
    let rows = |heading: &str| section(&document, heading).lines().filter_map(first_cell).collect::<Vec<_>>();
    let (commands, pushes) = (rows("## Commands"), rows("## Pushes"));
    let schema = Schema::read();
    let bodies =
        |frame: &str| schema.messages[frame].fields[1..].iter().map(|field| field.name.clone()).collect::<Vec<_>>();
    assert_eq!(commands, bodies("ClientFrame"));
    for body in bodies("ServerFrame") {
        let replies = section(&document, "## Commands").contains(&format!("| `{body}` |"));
        assert!(replies || body == "error" || pushes.contains(&body), "{body} is not explained");
    }
}

#[test]
fn names_of_errors_and_closes_in_the_text_exist() {
    let document = document();
    let prose = document.split("## Errors").next().expect("split gives a part");
    for row in section(prose, "## Commands").lines() {
        let Some(errors) = row.strip_prefix("| ").and_then(|row| row.split(" | ").nth(3)) else { continue };
        for name in errors.split('`').skip(1).step_by(2) {
            assert!(ErrorCode::ALL.iter().any(|code| code.name() == name), "{name} is no error");
        }
    }
    let words = prose.split("```").step_by(2).flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric()));
    for code in words.filter_map(|word| word.parse::<u16>().ok()) {
        let range_end = [4000, 4199, 4200, 4399, 4400, 4599].contains(&code);
        let known = CloseCode::ALL.iter().any(|close| close.number() == code);
        assert!(!(4000..4600).contains(&code) || known || range_end, "{code} is no close code");
    }
}

fn errors() -> String {
    let mut out = "| number | name | temporary | meaning |\n|---|---|---|---|\n".to_owned();
    for code in ErrorCode::ALL {
        let temporary = if code.is_temporary() { "yes" } else { "" };
        _ = writeln!(out, "| {} | `{}` | {temporary} | {} |", code.number(), code.name(), code.meaning());
    }
    out
}

fn closes() -> String {
    let mut out = "| code | name | then | meaning |\n|---|---|---|---|\n".to_owned();
    for code in CloseCode::ALL {
        let advice = match code.advice() {
            CloseAdvice::Resume => "resume",
            CloseAdvice::Later => "later",
            CloseAdvice::Stop => "stop",
        };
        _ = writeln!(out, "| {} | `{}` | {advice} | {} |", code.number(), code.name(), code.meaning());
    }
    out
}

fn reference() -> String {
    let schema = Schema::read();
    let mut out = String::new();
    for name in &schema.order {
        if let Some(message) = schema.messages.get(name) {
            _ = write!(out, "### {name}\n\n{}\n\n", message.comment);
            if message.fields.is_empty() {
                continue;
            }
            out.push_str("| no. | field | type | |\n|---|---|---|---|\n");
            for field in &message.fields {
                _ = writeln!(out, "| {} | `{}` | {} | {} |", field.number, field.name, field.kind, field.comment);
            }
        } else {
            let values = &schema.enums[name];
            _ = write!(out, "### {name}\n\n{}\n\n| no. | value | |\n|---|---|---|\n", values.comment);
            for (number, value, comment) in &values.values {
                _ = writeln!(out, "| {number} | `{value}` | {comment} |");
            }
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn replace(document: &str, name: &str, text: &str) -> String {
    let start = document.find(&format!("<!-- {name}: ")).unwrap_or_else(|| panic!("PROTOCOL.md has no part {name}"));
    let start = start + document[start..].find('\n').expect("a marker ends its line") + 1;
    let end = start + document[start..].find("<!-- end -->").expect("a part ends");
    format!("{}{text}{}", &document[..start], &document[end..])
}

/// A section from its heading to the next of the same level.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let start = document.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no section {heading}"));
    let body = &document[start + 1..];
    &body[..body[1..].find("\n## ").map_or(body.len(), |end| end + 1)]
}

/// `name` of a row that begins with | `name` |.
fn first_cell(row: &str) -> Option<String> {
    row.strip_prefix("| `")?.split('`').next().map(str::to_owned)
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../PROTOCOL.md")
}

fn document() -> String {
    std::fs::read_to_string(path()).expect("PROTOCOL.md is there")
}
