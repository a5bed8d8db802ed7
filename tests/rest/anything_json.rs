//! Any JSON at all, to the routes that are asked most: never a failure of the server, and the connection goes on.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestError, TestRunner};
use serde_json::{Map, Value, json};

use crate::api::{Api, PASSWORD};
use crate::dialogs::group;
use crate::raw::{self, Connection};
use crate::server::{Server, Setup};
use crate::trial::{Wanted, judge};

/// How many values each route is given.
const CASES: u32 = 200;

/// Texts that something somewhere might take for more than a text.
const TEXTS: &[&str] =
    &["", "\0", "..", "' OR 1=1 --", "\u{202e}", "\u{feff}", "direct", "group", "e2ee", "reply", "AA==", "*", "-1"];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![select(TEXTS).prop_map(str::to_owned), "\\PC{0,20}", any::<String>(), "[a-z]{1,2}{200}"]
}

/// Any value.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0_u64..5).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            btree_map(text(), inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Anything; or an object of the right fields with anything in them; or what is sound but for a field or two.
fn bodies(sound: &Value, others: &[&'static str]) -> impl Strategy<Value = Value> + use<> {
    let sound: Map<String, Value> = sound.as_object().cloned().expect("an object");
    let names: Vec<String> = sound.keys().cloned().chain(others.iter().map(|name| (*name).to_owned())).collect();
    let count = names.len();
    let fields = move |range| {
        let named = subsequence(names.clone(), range);
        (named, vec(anything(), count)).prop_map(|(names, values)| names.into_iter().zip(values).collect::<Map<_, _>>())
    };
    let but_for = fields(0..=2).prop_map(move |wrong| {
        let mut body = sound.clone();
        body.extend(wrong);
        Value::Object(body)
    });
    prop_oneof![1 => anything(), 2 => fields(0..=count).prop_map(Value::Object), 3 => but_for]
}

/// Gives a route as many values as there are cases, all by one connection.
fn check(server: &Server, runtime: &tokio::runtime::Runtime, who: &Api, path: &str, all: impl Strategy<Value = Value>) {
    let connection = tokio::sync::Mutex::new(runtime.block_on(Connection::open(server)));
    let config = Config { cases: CASES, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let taken = std::cell::Cell::new(0);
    let outcome = TestRunner::new(config).run(&all, |value| {
        let answers = runtime.block_on(async {
            let mut connection = connection.lock().await;
            let answer = connection.ask(raw::request(who, "POST", path, &value.to_string()).as_bytes(), true).await;
            let after = connection.ask(raw::request(who, "GET", "/api/health/live", "").as_bytes(), true).await;
            if after.is_none() {
                *connection = Connection::open(server).await;
            }
            (answer, after)
        });
        let Some(answer) = answers.0 else { return Err(TestCaseError::fail("no answer")) };
        judge(&answer, Wanted::NoFailure).map_err(TestCaseError::fail)?;
        let after = answers.1.map(|after| after.status.as_u16());
        prop_assert_eq!(after, Some(200), "the connection goes on");
        taken.set(taken.get() + u32::from(answer.status.is_success()));
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, value)) => panic!("POST {path} with {value}: {why}"),
        Err(TestError::Abort(why)) => panic!("POST {path}: {why}"),
    }
    assert!((1..CASES).contains(&taken.get()), "{path} took {} of {CASES}", taken.get());
}

#[test]
fn no_json_is_too_strange() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let many = 1_000_000;
    let setup = Setup::default().set("service.requests_per_second", many).set("service.requests_burst", many);
    let setup = setup.set("service.address_requests_per_second", many).set("service.address_requests_burst", many);
    let (server, ann, dialog) = runtime.block_on(async {
        let server = setup.start().await;
        let ann = Api::sign_up(&server, "ann").await;
        let dialog = group(&ann, "Talk", &[]).await;
        (server, ann, dialog)
    });
    let anybody = Api::new(&server);
    let message = ["message_id", "payload", "kind", "relation", "mentions", "blobs", "expected"];
    let publish = format!("/api/dialogs/{dialog}/messages");
    check(&server, &runtime, &ann, &publish, bodies(&json!({"text": "hello"}), &message));
    let account = json!({"login": "newcomer", "password": PASSWORD, "name": "New"});
    check(&server, &runtime, &anybody, "/api/auth/sign-up", bodies(&account, &["email", "agent"]));
    let wanted = json!({"kind": "group", "title": "Talk"});
    check(&server, &runtime, &ann, "/api/dialogs", bodies(&wanted, &["about", "avatar", "mode", "members"]));
    // What was taken can be shown.
    runtime.block_on(async {
        for path in [&*publish, "/api/dialogs?limit=100", "/api/auth/me"] {
            ann.get(path).await.ok();
        }
    });
}
