//! Bodies that are not what a route takes: each is refused with its number, by every route, from everybody who may ask, and
//! nothing has changed.
//!
//! Made of the rows of the matrix and of the served description, so that a new route is tried without being named here.

use bytes::Bytes;
use reqwest::{Body, Method};
use serde_json::{Map, Value};

use crate::api::Api;
use crate::raw::{self, Connection};
use crate::trial::{BAD, OTHER_TYPE, Shot, Trial, Wanted};
use crate::world::{Who, rows};

/// More than any body may be, and little enough that it is sent although nobody reads it.
const HUGE_BYTES: usize = 700 << 10;
/// More than any text may be, and less than a body.
const LONG_BYTES: usize = 100 << 10;
const LINES: &str = "application/x-ndjson";

/// A value where another one belongs.
#[derive(Debug, Clone)]
struct Wrong {
    /// Where and what.
    what: String,
    /// As it is sent: not all of it is JSON that a program could hold.
    text: String,
    wanted: Wanted,
}

/// What is no JSON, or none that can be a body.
fn broken() -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("half an object", text("{")),
        ("half a name", text("{\"te")),
        ("a list", text("[]")),
        ("a list with something", text("[1, \"x\", {}]")),
        ("null", text("null")),
        ("a text", text("\"x\"")),
        ("a number", text("1")),
        ("a number beyond all", text("1e999")),
        ("no number", text("NaN")),
        ("two", text("{}{}")),
        ("a byte order mark", text("\u{feff}{}")),
        ("a comment", text("{} // all")),
        ("single quotes", text("{'text': 'x'}")),
        ("bytes that are no text", b"{\"text\": \"\xff\xfe\"}".to_vec()),
        ("half a character for a name", text("{\"\\ud800\": 1}")),
        ("UTF-16", "{\"text\": \"x\"}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("deep lists", text(&"[".repeat(LONG_BYTES))),
        ("deep objects", text(&"{\"a\":".repeat(LONG_BYTES / 5))),
    ]
}

impl Trial {
    /// What the description does not allow in a place.
    fn wrong_values(&self, schema: &Value) -> Vec<Wrong> {
        let forms = self.forms(schema);
        let is = |kind: &str| {
            forms.iter().any(|form| match &form["type"] {
                Value::Array(kinds) => kinds.iter().any(|one| one == kind),
                one => *one == kind,
            })
        };
        let is_free_text = is("string") && forms.iter().all(|form| form["enum"].is_null());
        let is_any_object = forms.iter().any(|form| form["type"] == "object" && form["required"].is_null());
        let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
        let values = [
            ("null", is("null")),
            ("true", is("boolean")),
            ("1", is("integer")),
            ("1.5", false),
            ("-1", false),
            ("1e999", false),
            ("18446744073709551616", false),
            ("\"x\"", is_free_text),
            ("\"\\ud800\"", false),
            ("\"\\x\"", false),
            ("[]", is("array")),
            ("{}", is_any_object),
            (&deep, false),
        ];
        let values = values.into_iter().filter(|(_, may_be)| !may_be);
        let wrong = |text: String, wanted| Wrong { what: text.chars().take(30).collect(), text, wanted };
        let mut all: Vec<_> = values.map(|(text, _)| wrong(text.to_owned(), BAD)).collect();
        if is_free_text {
            // Texts, but none that anything here is called by.
            all.push(wrong("\"a\\u0000b\"".to_owned(), Wanted::Refused));
            all.push(wrong(format!("\"{}\"", "x".repeat(LONG_BYTES)), Wanted::Refused));
        }
        for form in forms {
            let inside = |one: Wrong| Wrong { what: format!("[{}]", one.what), text: format!("[{}]", one.text), ..one };
            if !form["items"].is_null() {
                all.extend(self.wrong_values(&form["items"]).into_iter().map(inside));
            }
            all.extend(self.wrong_fields(form, &self.sample(form)));
        }
        all
    }

    /// An object with each of its fields wrong in turn.
    fn wrong_fields(&self, schema: &Value, sound: &Value) -> Vec<Wrong> {
        let Some(fields) = schema["properties"].as_object() else { return Vec::new() };
        let mut all = Vec::new();
        for (name, field) in fields {
            let of_field = self.wrong_values(field).into_iter().filter(|wrong| !is_taken(name, wrong));
            all.extend(of_field.map(|wrong| Wrong {
                what: format!("{name}: {}", wrong.what),
                text: with(sound, name, &wrong.text),
                ..wrong
            }));
        }
        all
    }

    /// What the description allows; of objects what is required.
    fn sample(&self, schema: &Value) -> Value {
        let form = self.forms(schema)[0];
        match form["type"].as_str() {
            Some("string") => form["enum"][0].as_str().unwrap_or("x").into(),
            Some("integer") => 1.into(),
            Some("array") => Value::Array(Vec::new()),
            Some("object") => {
                let names = form["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
                names
                    .map(|name| (name.to_owned(), self.sample(&form["properties"][name])))
                    .collect::<Map<_, _>>()
                    .into()
            }
            _ => Value::Null,
        }
    }

    /// Everything that is wrong for a route, with its sound body; and of which type bodies are.
    fn wrong_bodies(&self, operation: &Value, sound: &Value) -> Vec<(String, Vec<u8>, Wanted)> {
        let content = &operation["requestBody"]["content"];
        let is_json = !content["application/json"].is_null();
        let wanted = if is_json || !content[LINES].is_null() { BAD } else { Wanted::Refused };
        let mut all: Vec<_> = broken().into_iter().map(|(what, bytes)| (what.to_owned(), bytes, wanted)).collect();
        if !is_json {
            // Lines of JSON may be several, and what a frame has besides is not looked into; what a file holds is its own.
            let is_frame = |what: &str| matches!(what, "two" | "a byte order mark");
            all.retain(|(what, _, _)| content[LINES].is_null() || !is_frame(what));
            return all;
        }
        let schema = self.forms(&content["application/json"]["schema"])[0];
        let fields = self.wrong_fields(schema, sound).into_iter();
        all.extend(fields.map(|wrong| (wrong.what, wrong.text.into_bytes(), wrong.wanted)));
        let twice = schema["properties"].as_object().and_then(|fields| fields.keys().next()).expect("a field");
        let twice = format!("{{\"{twice}\": null, {}", &with(sound, twice, "null")[1..]);
        all.push(("a field twice".to_owned(), twice.into_bytes(), BAD));
        all.push(("an unknown field".to_owned(), with(sound, "no_such_field", "1").into_bytes(), BAD));
        all.push(("nothing".to_owned(), Vec::new(), BAD));
        all
    }
}

/// What is taken although a name could not be it, on purpose.
fn is_taken(name: &str, wrong: &Wrong) -> bool {
    match name {
        // A message says what it likes, as far as that goes.
        "text" | "payload" => wrong.text.contains("\\u0000"),
        // It is cut to what can be shown.
        "agent" => matches!(wrong.wanted, Wanted::Refused),
        _ => false,
    }
}

/// An object as text with one field replaced by what may be no JSON at all.
fn with(sound: &Value, name: &str, text: &str) -> String {
    let mut fields: Vec<_> = sound.as_object().into_iter().flatten().filter(|(other, _)| *other != name).collect();
    fields.sort_by_key(|(name, _)| *name);
    let fields = fields.into_iter().map(|(name, value)| format!("{}: {value}", Value::from(name.as_str())));
    let fields: Vec<_> = fields.chain([format!("\"{name}\": {text}")]).collect();
    format!("{{{}}}", fields.join(", "))
}

/// Types of content that are not taken.
fn other_types(content: &Value) -> Vec<Option<&'static str>> {
    let mut types = vec![Some("image/png"), Some("multipart/form-data; boundary=x"), Some("nonsense")];
    if content[LINES].is_null() {
        // Sessions take lines of JSON from pages that may not ask first, and those say nothing else.
        types.extend([None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("")]);
    }
    if !content["application/json"].is_null() {
        types.extend([
            Some("application/json; charset=utf-16"),
            Some("application/json;charset=\"iso-8859-1\""),
            Some("application/json; charset=utf-8; charset=latin1"),
            Some("application/jsonx"),
            Some("application/x-ndjson"),
        ]);
    }
    types
}

/// A request to a path of the world, without a body yet.
fn to(trial: &Trial, api: &Api, method: &str, path: &str) -> reqwest::RequestBuilder {
    let method: Method = method.parse().expect("a method");
    api.request(method, &trial.world.fill(path))
        .header("konvert-session", trial.world.live.pass())
        .header("tus-resumable", "1.0.0")
}

/// Those who may ask. A file that does not come whole was an upload all the same, and hers are counted.
fn askers(trial: &Trial, who: Who, path: &str) -> Vec<(&'static str, Api)> {
    let all = trial.callers(who).into_iter();
    all.filter(|(_, api)| path != "/api/blobs/{blob}" || api.user != trial.world.ann.user).collect()
}

/// Routes that take a body: who may, the method, the path, a sound body, and of which type it is.
fn with_body(trial: &Trial) -> Vec<(Who, &'static str, &'static str, Value, Value)> {
    let rows = rows().into_iter().filter_map(|(who, method, path, body)| {
        let operation = trial.operation(method, path);
        let content = &operation["requestBody"]["content"];
        (!content.is_null()).then(|| (who, method, path, trial.sound(method, path, &body), operation.clone()))
    });
    let rows: Vec<_> = rows.collect();
    assert!(rows.len() > 30, "only {} routes take bodies", rows.len());
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_route_takes_what_is_not_its_body() {
    let mut trial = Trial::begin().await;
    let (hers, before) = (trial.world.hers().await, trial.world.things().await);
    let mut count = 0;
    for (who, method, path, sound, operation) in with_body(&trial) {
        let kind =
            operation["requestBody"]["content"].as_object().expect("types").keys().next().expect("a type").clone();
        let bodies = trial.wrong_bodies(&operation, &sound);
        for (as_what, api) in askers(&trial, who, path) {
            let shots = bodies.iter().map(|(what, bytes, wanted)| Shot {
                what: format!("{method} {path} as {as_what}: {what}"),
                request: to(&trial, &api, method, path).header("content-type", &kind).body(bytes.clone()),
                wanted: match (path, *wanted) {
                    // Each room has a result of its own.
                    ("/api/server/broadcast", Wanted::Refused) => Wanted::NoFailure,
                    (_, wanted) => wanted,
                },
            });
            let shots: Vec<_> = shots.collect();
            count += shots.len();
            trial.fire(shots).await;
        }
        trial.unchanged(&before, &format!("{method} {path}")).await;
    }
    assert!(count > 2_000, "only {count} were tried");
    trial.end(&hers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_route_takes_another_type_or_more_than_it_can() {
    let mut trial = Trial::begin().await;
    let (hers, before) = (trial.world.hers().await, trial.world.things().await);
    let mut large_bodies = 0;
    for (who, method, path, sound, operation) in with_body(&trial) {
        let content = &operation["requestBody"]["content"];
        let kind = content.as_object().expect("types").keys().next().expect("a type");
        let takes_any = kind == "application/octet-stream";
        let is_file = kind.ends_with("octet-stream");
        for (as_what, api) in askers(&trial, who, path) {
            let what = |what: &str| format!("{method} {path} as {as_what}: {what}");
            let types = other_types(content).into_iter().map(|other| {
                let request = to(&trial, &api, method, path).body(sound.to_string());
                let request = other.into_iter().fold(request, |request, other| request.header("content-type", other));
                // A file is what it is, whatever it is called.
                let wanted = if takes_any { Wanted::Refused } else { OTHER_TYPE };
                Shot { what: what(&format!("{other:?}")), request, wanted }
            });
            let huge = Bytes::from([vec![b' '; HUGE_BYTES], sound.to_string().into_bytes()].concat());
            let chunks: Vec<_> =
                huge.chunks(64 << 10).map(|chunk| Ok::<_, std::io::Error>(huge.slice_ref(chunk))).collect();
            let chunked = Body::wrap_stream(futures_util::stream::iter(chunks));
            let large = [("a long body", Body::from(huge.clone())), ("a long body in chunks", chunked)];
            let large = large.map(|(name, body)| Shot {
                what: what(name),
                request: to(&trial, &api, method, path).header("content-type", kind).body(body),
                wanted: Wanted::TooLarge { is_file },
            });
            large_bodies += large.len();
            let shots: Vec<_> = types.chain(large).collect();
            trial.fire(shots).await;
        }
        trial.unchanged(&before, &format!("{method} {path}")).await;
    }
    assert!(trial.closed * 2 < large_bodies, "{} of {large_bodies} had no answer", trial.closed);
    let renaming = to(&trial, &trial.world.ann, "PATCH", "/api/auth/me").body("{}");
    Api::answer(renaming.header("content-type", "Application/JSON; Charset=\"UTF-8\"")).await.ok();
    trial.end(&hers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_route_acts_on_half_a_body() {
    let mut trial = Trial::begin().await;
    let (hers, before) = (trial.world.hers().await, trial.world.things().await);
    for (who, method, path, sound, operation) in with_body(&trial) {
        let kind =
            operation["requestBody"]["content"].as_object().expect("types").keys().next().expect("a type").clone();
        for (as_what, api) in askers(&trial, who, path) {
            let head = format!(
                "{}content-type: {kind}\r\nkonvert-session: {}\r\ntus-resumable: 1.0.0\r\n",
                raw::head(&api, method, &trial.world.fill(path)),
                trial.world.live.pass()
            );
            // All that it would take is there, but more was promised.
            let text = sound.to_string();
            let counted = format!("{head}content-length: {}\r\n\r\n{text}", text.len() + 10);
            let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{text}\r\n", text.len());
            let torn = format!("{head}transfer-encoding: chunked\r\n\r\nno number\r\n{text}\r\n0\r\n\r\n");
            for (name, bytes) in [("half a body", counted), ("half a body in chunks", chunked), ("a torn chunk", torn)]
            {
                let mut connection = Connection::open(&trial.world.server).await;
                connection.send(bytes.as_bytes()).await;
                let answer = connection.end().await;
                trial.note(&format!("{method} {path} as {as_what}: {name}"), answer.as_ref(), Wanted::Refused);
            }
        }
        trial.unchanged(&before, &format!("{method} {path}")).await;
    }
    trial.end(&hers).await;
}

/// Numbers that are allowed and that nobody means. Some are taken; none is too much for the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_number_is_too_much() {
    let mut trial = Trial::begin().await;
    for (who, method, path, sound, operation) in with_body(&trial) {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let mut bodies = Vec::new();
        for form in trial.forms(schema) {
            for (name, field) in form["properties"].as_object().into_iter().flatten() {
                let inside = trial.forms(field);
                let numbers = inside.iter().flat_map(|form| form["properties"].as_object().into_iter().flatten());
                let numbers = numbers.filter(|(_, field)| field["format"] == "int64");
                for number in [i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX].map(|number| number.to_string()) {
                    if field["format"] == "int64" {
                        bodies.push((format!("{name}: {number}"), with(&sound, name, &number)));
                    }
                    let object = trial.sample(field);
                    bodies.extend(numbers.clone().map(|(inner, _)| {
                        (format!("{name}.{inner}: {number}"), with(&sound, name, &with(&object, inner, &number)))
                    }));
                }
            }
        }
        for (as_what, api) in askers(&trial, who, path) {
            let shots = bodies.iter().map(|(what, text)| Shot {
                what: format!("{method} {path} as {as_what}: {what}"),
                request: to(&trial, &api, method, path).header("content-type", "application/json").body(text.clone()),
                wanted: Wanted::NoFailure,
            });
            let shots: Vec<_> = shots.collect();
            trial.fire(shots).await;
        }
    }
    // All can still be read, which it could not if a number had come back as another one.
    trial.world.things().await;
    assert!(trial.wrong.is_empty(), "{}", trial.wrong.join("\n"));
}
