//! The description of the API: the one in the repository is the one served, and it says of every operation what is needed
//! to use it. The page that shows it takes nothing from elsewhere.

use std::collections::HashSet;
use std::path::Path;

use serde_json::Value;

use crate::api::Api;
use crate::server::Server;

/// Set this to write what is served into the repository.
const UPDATE: &str = "KONVERT_UPDATE_OPENAPI";

#[tokio::test]
async fn the_description_in_the_repository_is_the_one_served() {
    let server = Server::start().await;
    let served = Api::new(&server).get("/api/openapi.json").await.ok();
    let served = format!("{}\n", serde_json::to_string_pretty(&served).expect("JSON"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &served).expect("the file can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == served, "docs/openapi.json is not what is served; run this test with {UPDATE}=1");
}

#[tokio::test]
async fn every_operation_tells_what_is_needed_to_use_it() {
    let server = Server::start().await;
    let api = Api::new(&server);
    let document = api.get("/api/openapi.json").await.ok();
    assert_eq!(document["info"]["title"], "Konvert");
    let tags: HashSet<_> = document["tags"].as_array().expect("tags").iter().map(|tag| tag["name"].clone()).collect();
    let mut ids = HashSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("an item") {
            let which = format!("{method} {path}");
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{which}: no summary");
            assert!(ids.insert(operation["operationId"].clone()), "{which}: its id is another's too");
            let named = operation["tags"].as_array().map_or(0, Vec::len);
            assert!(named == 1 && tags.contains(&operation["tags"][0]), "{which}: {}", operation["tags"]);
            let responses = operation["responses"].as_object().expect("responses");
            assert!(responses.keys().any(|status| status.starts_with('2')), "{which}: no good answer");
            let placed: HashSet<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let described: HashSet<&str> =
                parameters.filter(|one| one["in"] == "path").filter_map(|one| one["name"].as_str()).collect();
            assert_eq!(placed, described, "{which}: parameters of the path");
        }
    }
    references(&document, &document);
    // Whatever problems point to is on the page.
    let errors: HashSet<_> =
        document["x-errors"].as_array().expect("errors").iter().map(|one| one["name"].clone()).collect();
    let problem = api.get("/api/nothing").await.refused(404, "not_found");
    let anchor = problem["type"].as_str().expect("a type").strip_prefix("/api/docs#").expect("the page").to_owned();
    assert!(errors.contains(&Value::from(anchor)));
}

/// Every `$ref` leads to something.
fn references(value: &Value, document: &Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                let pointer = reference.strip_prefix('#').expect("a reference inside");
                assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
            }
            map.values().for_each(|value| references(value, document));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, document)),
        _ => {}
    }
}

#[tokio::test]
async fn the_page_runs_nothing_inline_and_asks_nobody_else() {
    let server = Server::start().await;
    let api = Api::new(&server);
    for (path, kind) in
        [("/api/docs", "text/html"), ("/api/docs/docs.js", "text/javascript"), ("/api/docs/docs.css", "text/css")]
    {
        let answer = Api::answer(api.request(reqwest::Method::GET, path)).await;
        assert!(answer.status.is_success(), "{path}");
        assert!(answer.headers["content-type"].to_str().expect("text").starts_with(kind), "{path}");
        let text = reqwest::get(format!("http://{}{path}", server.address())).await.expect("an answer");
        let text = text.text().await.expect("a body");
        for word in ["http://", "https://", "onclick=", "style=", "innerHTML", "eval("] {
            assert!(!text.contains(word), "{path} contains {word}");
        }
        assert!(path != "/api/docs" || !text.contains("<script>") && !text.contains("<style"), "{path}: inline");
    }
    let places = api.get("/api").await.ok();
    for place in ["documentation", "openapi", "health", "metrics"] {
        let path = places[place].as_str().expect("a path");
        assert!(api.get(path).await.status.is_success(), "{path}");
    }
    for health in ["/api/health", "/api/health/ready", "/api/system/health", "/api/v1/health"] {
        assert_eq!(api.get(health).await.ok()["status"], "ready", "{health}");
    }
}
