//! The house rules that a compiler does not know: who may use whom, who may look at the environment, the clock and the
//! disk, and how long a file may be. A rule that must give way gives way here, in the open, with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each part and those it may use. `config` is the sum of the parts' own settings, which is why it knows them;
/// `sabotage` and `metrics` may be used by all.
const MAY_USE: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    ("bin", &["cli"]),
    // Keys are also made by the operator, beside the server.
    ("cli", &["auth", "config", "directory", "journal", "secrets", "server", "service"]),
    (
        "server",
        &[
            "address",
            "auth",
            "blobs",
            "broker",
            "config",
            "directory",
            "gateway",
            "journal",
            "rest",
            "secrets",
            "service",
        ],
    ),
    ("config", &["address", "auth", "blobs", "broker", "directory", "gateway", "journal", "service"]),
    ("gateway", &["address", "auth", "broker", "journal", "origin", "rate_limit"]),
    ("rest", &["address", "origin", "service"]),
    // It answers the core's questions and tells it of changes.
    ("service", &["auth", "blobs", "broker", "directory", "journal", "rate_limit"]),
    ("directory", &[]),
    ("blobs", &[]),
    ("broker", &["auth", "journal"]),
    ("journal", &[]),
    ("auth", &[]),
    ("secrets", &[]),
    ("address", &[]),
    ("origin", &[]),
    ("rate_limit", &[]),
    ("metrics", &[]),
    ("sabotage", &[]),
];
const FOR_ALL: &[&str] = &["metrics", "sabotage"];

/// Words that must not occur outside the files named, and why.
const KEPT_TO: &[(&[&str], &[&str], &str)] = &[
    (
        &["std::env::", "env::var"],
        &["config/layers.rs", "cli/", "sabotage.rs"],
        "settings come from one place; only config and the command line read the environment",
    ),
    (
        &["SystemTime::now", "Instant::now"],
        &[
            // The command line is a shell: it measures the disk and dates tokens.
            "cli/",
            // The one clock of the live edge, handed on from there.
            "gateway/clock.rs",
            // The composition root: when the process started, the ticker.
            "server.rs",
            // How long a publish took, for the metrics.
            "gateway/dispatch.rs",
            // Threads of the journal that time their own work; records are dated by the caller.
            "journal/backlog.rs",
            "journal/engine.rs",
            "journal/group_commit.rs",
        ],
        "the core is told the time, so that it can be simulated",
    ),
    (&["sled::"], &["journal/"], "the engine stays behind the journal's seam"),
    (
        &["std::fs", "fs::", "File::"],
        &["journal/", "directory/migration.rs", "blobs/", "config.rs", "config/", "secrets.rs", "cli/", "metrics.rs"],
        "only the journal, the directory, the store of files and the settings open files; metrics reads /proc",
    ),
    (&["axum::", "hyper::", "hyper_util::"], &["gateway/", "rest/"], "the core knows no HTTP"),
    (
        &["tungstenite::", "TcpStream", "TcpListener"],
        &["gateway/", "server.rs", "cli/health.rs"],
        "the core knows no socket",
    ),
    (&["unbounded_channel", "mpsc::channel()", "unbounded("], &[], "every queue has a capacity"),
];

/// Longest file, lines, and those above it with what they may have at most. Numbers here only ever fall.
const LINES_MAX: usize = 400;
const LONGER: &[(&str, usize, &str)] = &[];

/// Routes that are not made with their description; all others are, and so come into `/api/openapi.json` and into the
/// matrix of who may do what. Those of the live edge are described by hand.
const PLAIN_ROUTES: &[(&str, &[&str])] = &[
    (
        "rest/mod.rs",
        &[
            "/",
            "/api/auth/first-administrator/form.js",
            "/api/health/ready",
            "/api/system/health",
            "/api/v1/health",
            "/metrics",
        ],
    ),
    ("rest/openapi.rs", &["/api", "/api/docs", "/api/docs/docs.css", "/api/docs/docs.js", "/api/openapi.json"]),
    ("gateway/requests.rs", &["/api/close", "/api/poll", "/api/send", "/api/sse"]),
    ("gateway/upgrade.rs", &["/api/websocket", "/ws"]),
];

struct Source {
    /// Relative to `src/`.
    path: String,
    /// Without comments and tests.
    code: String,
    text: String,
}

impl Source {
    /// The part of the house that the file belongs to.
    fn part(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("target") {
                waiting.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        Source { code: if is_test(&path) { String::new() } else { code(&text) }, path, text }
    };
    let sources: Vec<_> = rust_files(&src).into_iter().map(read).collect();
    assert!(sources.len() > 20, "the sources were not found");
    sources
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.contains("_tests")
}

/// What the compiler makes into the product: without comments, and without what follows `#[cfg(test)]`, which by our
/// custom stands at the end.
fn code(text: &str) -> String {
    let product = text.split("#[cfg(test)]").next().unwrap_or_default();
    product.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The parts that `crate::…` leads to: `crate::a::b`, `crate::{a, b::{c, d}}`.
fn uses(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, marker) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + marker.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group_heads(group)),
            None => found.extend(head(rest)),
        }
    }
    found
}

fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                heads.extend(head(group[start..at].trim()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    heads
}

fn head(path: &str) -> Option<String> {
    let name: String = path.chars().take_while(|&c| c.is_alphanumeric() || c == '_').collect();
    (!name.is_empty()).then_some(name)
}

#[test]
fn the_parser_of_imports_sees_them_all() {
    let code = code(
        "use crate::a::X;\nuse crate::{b, c::{d, e}, f as g};\nfn f() { crate::h::i(); mycrate::no(); }\n\
         // crate::comment\n#[cfg(test)]\nmod tests { use crate::test; }",
    );
    assert_eq!(uses(&code).into_iter().collect::<Vec<_>>(), ["a", "b", "c", "f", "h"]);
}

#[test]
fn parts_use_only_whom_they_may() {
    let may: BTreeMap<_, _> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.path != "lib.rs") {
        let part = source.part();
        let Some(allowed) = may.get(part) else {
            wrong.push(format!("src/{}: part {part:?} is not in the table; say whom it may use", source.path));
            continue;
        };
        let used = uses(&source.code.replace("konvert::", "crate::"));
        let known = |name: &&String| may.contains_key(name.as_str());
        for used in used.iter().filter(known) {
            if used != part && !allowed.contains(&used.as_str()) && !FOR_ALL.contains(&used.as_str()) {
                wrong.push(format!("src/{}: {part} may not use {used}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_protocol_and_its_users_outside_know_nothing_of_the_server() {
    let outside = ["protocol", "loadtest", "clients"].map(|directory| rust_files(&root().join(directory)));
    let mut wrong = Vec::new();
    for path in outside.into_iter().flatten() {
        let code = code(&fs::read_to_string(&path).unwrap());
        let words = code.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
        if words.into_iter().any(|word| word.starts_with("konvert::")) {
            wrong.push(path.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "may use konvert_protocol only: {}", wrong.join(", "));
}

#[test]
fn some_things_are_kept_to_some_files() {
    let (mut wrong, sources) = (Vec::new(), sources());
    for (words, files, _) in KEPT_TO {
        let is_needed = |file: &&str| {
            let uses = |source: &Source| words.iter().any(|word| source.code.contains(*word));
            sources.iter().any(|source| source.path.starts_with(*file) && uses(source))
        };
        wrong.extend(
            files.iter().filter(|file| !is_needed(file)).map(|file| format!("src/{file}: needs no {words:?} any more")),
        );
    }
    for source in sources {
        for (words, files, why) in KEPT_TO {
            let allowed =
                files.iter().any(|file| source.path == *file || file.ends_with('/') && source.path.starts_with(file));
            for word in words.iter().filter(|word| !allowed && source.code.contains(**word)) {
                wrong.push(format!("src/{}: {word}: {why}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_route_comes_with_its_description() {
    let mut plain: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources() {
        // What is routed, and what the live edge compares paths with.
        let is_edge = source.path.starts_with("gateway/");
        let lines = source.code.lines().filter(|line| line.contains(".route(") || is_edge);
        for path in lines.flat_map(|line| line.split('"').skip(1).step_by(2).map(str::to_owned)) {
            if (path.starts_with("/api") && !path.contains('#')) || path == "/ws" || !is_edge && path.starts_with('/') {
                plain.entry(source.path.clone()).or_default().insert(path);
            }
        }
        assert!(!source.code.contains(".route_service(") && !source.code.contains(".nest("), "src/{}", source.path);
    }
    let expected = PLAIN_ROUTES.iter().map(|(file, paths)| {
        let paths = paths.iter().map(|path| (*path).to_owned());
        ((*file).to_owned(), paths.collect::<BTreeSet<_>>())
    });
    assert_eq!(plain, expected.collect());
}

#[test]
fn every_file_says_what_it_owns() {
    let everywhere = ["src", "protocol", "loadtest", "tests", "benches", "clients"];
    let files = everywhere.into_iter().flat_map(|directory| rust_files(&root().join(directory)));
    let silent: Vec<_> = files.filter(|path| !fs::read_to_string(path).unwrap().starts_with("//!")).collect();
    assert!(silent.is_empty(), "no //! at the head of {silent:?}");
}

#[test]
fn files_stay_short() {
    let mut wrong = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        let most = LONGER.iter().find(|longer| longer.0 == source.path).map(|longer| longer.1);
        if lines > most.unwrap_or(LINES_MAX) {
            wrong.push(format!("src/{}: {lines} lines; split it by what it owns", source.path));
        }
        if most.is_some_and(|most| lines <= LINES_MAX || lines + 20 < most) {
            wrong.push(format!("src/{}: {lines} lines; lower its number in LONGER, or remove it", source.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
