//! Paths, queries and methods that lead nowhere: each is refused with its number, by every route, and nothing has changed.
//!
//! Made of the rows of the matrix and of the served description, so that a new route is tried without being named here.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{Api, PASSWORD};
use crate::dialogs::group;
use crate::raw::{self, Connection};
use crate::trial::{BAD, Shot, Trial, Wanted};
use crate::world::{Who, rows};

/// What names nothing, in any place of a path. As it is sent: clients would tidy up the dots.
const NAMES: &[&str] = &[
    "..",
    "%2e%2e",
    "%2e%2e%2f",
    "..%2f..%2f..%2fetc%2fpasswd",
    "..%5c..%5c",
    "%00",
    "a%00b",
    "'%20OR%201=1--",
    "%27%3B%20DROP%20TABLE%20users%3B--",
    "%22%20UNION%20SELECT%20password%20FROM%20users--",
    "%FF%FE",
    "%ED%A0%80",
    "-1",
    "1e999",
    "18446744073709551616",
    "%0d%0ax-injected:%20yes",
    "%E2%80%AE",
    "%25s%25n",
    "*",
    "null",
];
/// Longer than any name, and within what a request may be.
const LONG: usize = 10 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_path_leads_where_no_name_does() {
    let mut trial = Trial::begin().await;
    let (hers, before) = (trial.world.hers().await, trial.world.things().await);
    let mut connection = Connection::open(&trial.world.server).await;
    let long = "a".repeat(LONG);
    for (who, method, path, body) in rows() {
        let (_, api) = trial.callers(who).remove(0);
        let body = if body.is_null() { String::new() } else { trial.sound(method, path, &body).to_string() };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        assert!(query.is_empty() || !path.contains('{'), "{path}: a query would be lost");
        for place in path.split('/').filter(|part| part.starts_with('{')) {
            for name in NAMES.iter().copied().chain([&*long]) {
                let target = trial.world.fill(&path.replacen(place, name, 1));
                let what = format!("{method} {}", target.chars().take(100).collect::<String>());
                let request = raw::request(&api, method, &target, &body);
                let answer = match connection.ask(request.as_bytes(), method != "HEAD").await {
                    Some(answer) => answer,
                    None => {
                        // An answer that was given early may have ended the connection.
                        connection = Connection::open(&trial.world.server).await;
                        let answer = connection.ask(request.as_bytes(), method != "HEAD").await;
                        answer.unwrap_or_else(|| panic!("{what}: no answer"))
                    }
                };
                if answer.headers.contains_key("x-injected") {
                    trial.wrong.push(format!("{what}: a header of the asker's"));
                }
                match method {
                    "HEAD" if (400..500).contains(&answer.status.as_u16()) => {}
                    _ => trial.note(&what, Some(&answer), Wanted::Refused),
                }
            }
        }
        if path.contains('{') {
            trial.unchanged(&before, &format!("{method} {path}")).await;
        }
    }
    trial.end(&hers).await;
}

/// What a parameter of a query cannot be; and what it can be, although nobody means it.
fn wrong_parameters(trial: &Trial, name: &str, schema: &Value) -> Vec<(String, Wanted)> {
    let form = trial.forms(schema)[0];
    let is = |kind: &str| form["type"] == kind || form["type"].as_array().is_some_and(|kinds| kinds[0] == kind);
    let refused: Vec<&str> = match name {
        _ if is("integer") => vec!["-1", "x", "", "1.5", "1e3", "18446744073709551616", "0x10", "%00", "1%00", "+1%20"],
        _ if is("boolean") => vec!["maybe", "", "2", "%00"],
        _ if !form["enum"].is_null() => vec!["nonsense", "", "%00"],
        "cursor" => vec!["x", "", "%00", "AAAAAAAAAAAAAAAA", "..%2f..%2f", "%F0%9F%98%80", "%FF"],
        _ => Vec::new(),
    };
    let taken = match name {
        "limit" => vec!["4294967295"],
        "from" => vec!["0", "9223372036854775808", "18446744073709551615"],
        "cursor" => Vec::new(),
        _ if is("string") && form["enum"].is_null() => {
            vec!["", "%00", "%FF", "'%20OR%201=1--", "%25_%5C", "%E2%80%AE", "*"]
        }
        _ => Vec::new(),
    };
    let mut all: Vec<_> = refused.into_iter().map(|value| (value.to_owned(), BAD)).collect();
    all.extend(taken.into_iter().map(|value| (value.to_owned(), Wanted::NoFailure)));
    match name {
        "limit" => all.push(("0".to_owned(), BAD)),
        "cursor" => all.push(("A".repeat(LONG), BAD)),
        // Who is asked after is there or is not.
        "users" => all.push(("a".repeat(LONG), Wanted::NoFailure)),
        _ if is("string") => all.push(("a".repeat(LONG), Wanted::Refused)),
        _ => {}
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_query_asks_for_what_is_not_there() {
    let mut trial = Trial::begin().await;
    let (hers, before) = (trial.world.hers().await, trial.world.things().await);
    let mut routes = 0;
    for (who, method, path, _) in rows() {
        let operation = trial.operation(method, path).clone();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let parameters: Vec<_> = parameters.filter(|parameter| parameter["in"] == "query").collect();
        if parameters.is_empty() {
            continue;
        }
        routes += 1;
        // What must be there, so that nothing is refused for the want of it.
        let (path, given) = path.split_once('?').unwrap_or((path, if path == "/api/users" { "query=ann" } else { "" }));
        for (as_what, api) in trial.callers(who) {
            let mut shots = Vec::new();
            let mut shoot = |query: String, wanted| {
                let target = trial.world.fill(&format!("{path}?{query}"));
                let what = format!("{method} {} as {as_what}", target.chars().take(160).collect::<String>());
                shots.push(Shot { what, request: api.request(Method::GET, &target), wanted });
            };
            for parameter in &parameters {
                let name = parameter["name"].as_str().expect("a name");
                let others = given.split('&').filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(name));
                let others: String = others.map(|pair| format!("{pair}&")).collect();
                for (value, wanted) in wrong_parameters(&trial, name, &parameter["schema"]) {
                    shoot(format!("{others}{name}={value}"), wanted);
                }
                shoot(format!("{others}{name}=1&{name}=1"), BAD);
                shoot(format!("{others}{name}"), Wanted::NoFailure);
            }
            shoot(format!("{given}&no_such_parameter=1"), BAD);
            trial.fire(shots).await;
        }
        trial.unchanged(&before, &format!("{method} {path}")).await;
    }
    assert!(routes > 10, "only {routes} were tried");
    trial.end(&hers).await;
}

/// A list, the cursor of whose second page somebody was given.
struct Paged {
    path: String,
    api: Api,
    /// Another one who may see the same list.
    other: Api,
    cursor: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_leads_on_in_its_own_list_only() {
    let trial = Trial::begin().await;
    let world = &trial.world;
    let path = format!("/api/dialogs/{}", world.dialog);
    // Of everything at least two, and for everything somebody else who may look.
    group(&world.ann, "Second", &[&world.member]).await;
    let admin = json!({"role": "admin"});
    world.ann.patch(&format!("{path}/members/{}", world.member.user), admin).await.ok();
    world.ann.post(&format!("{path}/invites"), json!({})).await.ok();
    world.ann.post(&format!("/api/contacts/{}/request", world.stranger.user), Value::Null).await.ok();
    for login in ["twin-1", "twin-2"] {
        let account = json!({"login": login, "name": "Twin", "password": PASSWORD, "role": "administrator"});
        trial.root.post("/api/admin/users", account).await.ok();
    }
    let key = json!({"name": "second", "scopes": ["webhooks"]});
    trial.root.post("/api/admin/keys", key).await.ok();
    let twin = Api::new(&world.server);
    let twin = twin.post("/api/auth/sign-in", json!({"login": "twin-1", "password": PASSWORD})).await.ok();
    let twin = Api::new(&world.server).signed_in(&twin);

    let mut lists = Vec::new();
    for (who, method, path, _) in rows() {
        let parameters = trial.operation(method, path)["parameters"].as_array();
        let is_paged = parameters.into_iter().flatten().any(|parameter| parameter["name"] == "cursor");
        // What waits for a program is there only while that program does not take it.
        if !is_paged || path.ends_with("/deliveries") {
            continue;
        }
        let (_, api) = trial.callers(who).remove(0);
        let other = match who {
            Who::AnyUser => world.stranger.clone(),
            Who::Member | Who::Manager => world.member.clone(),
            _ => twin.clone(),
        };
        let query = if path == "/api/users" { "query=twin&limit=1" } else { "limit=1" };
        let path = format!("{}?{query}", world.fill(path));
        let page = api.get(&path).await.ok();
        let cursor = page["next"].as_str().unwrap_or_else(|| panic!("{path} has one page: {page}")).to_owned();
        api.get(&format!("{path}&cursor={cursor}")).await.ok();
        lists.push(Paged { path, api, other, cursor });
    }
    let with = |path: &str, cursor: &str| format!("{path}&cursor={cursor}");
    for Paged { path, api, other, cursor } in &lists {
        other.get(path).await.ok();
        other.get(&with(path, cursor)).await.refused(400, "bad_request");
        // Nor on a list that is narrowed otherwise.
        if path.starts_with("/api/dialogs?") {
            api.get(&with(&format!("{path}&archived=true"), cursor)).await.refused(400, "bad_request");
        }
        for list in lists.iter().filter(|list| list.path != *path) {
            list.api.get(&with(&list.path, cursor)).await.refused(400, "bad_request");
        }
    }
    assert!(lists.len() >= 8, "only {} lists have pages", lists.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_methods_are_told_which_there_are_and_other_paths_that_there_is_nothing() {
    let mut trial = Trial::begin().await;
    let before = trial.world.hers().await;
    let ann = trial.world.ann.clone();
    let mut connection = Connection::open(&trial.world.server).await;
    for (path, mut methods) in trial.paths() {
        let is_live = matches!(&*path, "/api/sse" | "/api/poll" | "/api/send" | "/api/close");
        if is_live {
            // What a browser asks first is answered there itself.
            methods.push("OPTIONS".to_owned());
        }
        if methods.iter().any(|method| method == "GET") {
            methods.push("HEAD".to_owned());
        }
        let target = path.replace(['{', '}'], "");
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"] {
            if methods.iter().any(|one| one == method) {
                continue;
            }
            let request = raw::request(&ann, method, &target, "");
            let answer = connection.ask(request.as_bytes(), method != "HEAD").await.expect("an answer");
            let what = format!("{method} {path}");
            if method != "HEAD" && !is_live {
                trial.note(&what, Some(&answer), Wanted::Exactly(405, "method_not_allowed"));
            }
            let allow = answer.headers.get("allow").and_then(|allow| allow.to_str().ok()).unwrap_or_default();
            let allow: BTreeSet<_> = allow.split(',').map(str::trim).collect();
            if answer.status != 405 || allow != methods.iter().map(String::as_str).collect() {
                trial.wrong.push(format!("{what}: {} allows {allow:?}, not {methods:?}", answer.status));
            }
        }
        for other in [format!("{target}/"), format!("{target}/x/y/z/w"), format!("/{target}"), target.to_uppercase()] {
            for method in ["GET", "POST", "DELETE"] {
                let request = raw::request(&ann, method, &other, "");
                let answer = connection.ask(request.as_bytes(), true).await.expect("an answer");
                trial.note(&format!("{method} {other}"), Some(&answer), Wanted::Exactly(404, "not_found"));
            }
        }
    }
    trial.end(&before).await;
}
