//! `config.toml` tells the defaults of the code; sources override each other in the documented order; whatever cannot
//! work is refused with its place and a way out.

use std::path::Path;

use konvert::config::{Config, Flag};

fn load(text: &str, environment: &[(&str, &str)], flags: &[Flag]) -> Result<Config, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("k.toml");
    std::fs::write(&path, text).unwrap();
    let environment = environment.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    let prefix = format!("{}/", directory.path().display());
    Config::load(Some(&path), environment, flags).map_err(|error| error.to_string().replace(&prefix, ""))
}

fn error(text: &str, environment: &[(&str, &str)]) -> String {
    load(text, environment, &[]).expect_err(text)
}

#[test]
fn the_file_in_the_repository_tells_the_defaults_and_nothing_else() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml")).unwrap();
    let told: toml::Table = text.parse().unwrap();
    let real = toml::Table::try_from(Config::default()).unwrap();
    // Both ways, and recursively: a missing key differs as a wrong value does.
    assert_eq!(told, real);
    assert_eq!(Config::load(None, [], &[]).unwrap(), Config::default());
    assert_eq!(load(&text, &[], &[]).unwrap(), Config::default());
}

#[test]
fn every_setting_in_the_file_has_a_sentence() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml")).unwrap();
    let lines: Vec<_> = text.lines().collect();
    for pair in lines.windows(2) {
        let is_setting = !pair[1].starts_with(['#', '[']) && pair[1].contains(" = ");
        assert!(!is_setting || pair[0].starts_with('#'), "no sentence above: {}", pair[1]);
    }
}

#[test]
fn later_sources_win() {
    let file =
        "[server]\nport = 1\nbind = '127.0.0.1'\n[gateway]\nheartbeat_ms = 2000\norigins = ['https://a.example']";
    let environment = [
        ("KONVERT_SERVER__PORT", "2"),
        ("KONVERT_SERVER__DATA", "7"),
        ("KONVERT_GATEWAY__ORIGINS", r#"["https://b.example", "*"]"#),
        ("KONVERT_AUTH__GUESTS", "false"),
        ("KONVERT_LOG__LEVEL", "debug"),
        ("OTHER", "x"),
    ];
    let flags = [Flag { name: "--port", key: "server.port", value: 3.into() }];
    let config = load(file, &environment, &flags).unwrap();
    assert_eq!((config.server.port, config.server.bind.to_string().as_str()), (3, "127.0.0.1"));
    assert_eq!(config.server.data, Path::new("7"));
    assert_eq!(config.gateway.heartbeat_ms, 2_000);
    assert_eq!(config.gateway.origins, ["https://b.example", "*"]);
    assert!(!config.auth.guests);
    assert_eq!(config.broker, Config::default().broker);
}

#[test]
fn mistakes_are_told_with_their_place_and_a_way_out() {
    let mut wrong = Vec::new();
    for (text, want) in [
        (
            "[gateway]\nheartbeat_m = 1",
            "k.toml: gateway.heartbeat_m: there is no such setting. Did you mean `heartbeat_ms`?",
        ),
        ("[gatway]", "k.toml: gatway: there is no such setting. Did you mean `gateway`?"),
        (
            "[server]\nzzz = 1",
            "k.toml: server.zzz: there is no such setting. Possible here: bind, port, data, trusted_proxies.",
        ),
        ("[[broker.rooms]]\nnmae = 'x'", "k.toml: broker.rooms.0.nmae: there is no such setting. Did you mean `name`?"),
        (
            "[journal.retention]\nage = 1",
            "k.toml: journal.retention.age: there is no such setting. Did you mean `age_s`?",
        ),
        ("[log]\nlevel = 'inf'", "k.toml: log.level: \"inf\" is not possible. Did you mean `info`?"),
        ("[server]\nport = 'x'", "k.toml: server.port: invalid type: found string \"x\", expected u16."),
        ("[server]\nport = 70000", "k.toml: server.port: "),
        ("[server]\nbind = 'here'", "k.toml: server.bind: invalid IP address syntax."),
        ("[gateway]\nheartbeat_ms = -1", "k.toml: gateway.heartbeat_ms: "),
        ("[gateway\n", "k.toml: is not TOML: "),
        (
            "[gateway]\nheartbeat_ms = 0",
            "k.toml: gateway.heartbeat_ms: 0 is impossible, allowed are 1000 to 600000 milliseconds. The default is 25000.",
        ),
        ("[gateway]\nheartbeat_ms = 600001", "k.toml: gateway.heartbeat_ms: 600001 is impossible"),
        ("[gateway]\nconnections_max = 0", "k.toml: gateway.connections_max: 0 is impossible"),
        (
            "[broker]\npayload_bytes = 92161",
            "k.toml: broker.payload_bytes: 92161 is impossible, allowed are 1 to 92160",
        ),
        (
            "[gateway]\nmessage_bytes = 65536",
            "k.toml: gateway.message_bytes: 65536 is too little for `broker.payload_bytes`",
        ),
        (
            "[broker]\nsignal_bytes = 200000",
            "k.toml: gateway.message_bytes: 262144 is too little for `broker.signal_bytes`",
        ),
        ("[broker]\nhistory_page_bytes = 65535", "k.toml: broker.history_page_bytes: 65535 is too little"),
        ("[gateway]\noutbox_bytes = 16384", "k.toml: gateway.outbox_bytes: 16384 is too little"),
        ("[broker]\nrooms_max = 1\n[[broker.rooms]]\nname='a'\n[[broker.rooms]]\nname='b'", "Set it to 2 or more"),
        ("[[broker.rooms]]\nname = 'a b'", "k.toml: broker.rooms.0.name: \"a b\" must not contain ' '."),
        (
            "[[broker.rooms]]\nname='a'\n[[broker.rooms]]\nname='a'",
            "k.toml: broker.rooms.1.name: \"a\" is there twice.",
        ),
        (
            "[gateway]\norigins = ['https://a.example/']",
            "k.toml: gateway.origins.0: \"https://a.example/\" is not an origin.",
        ),
        ("[gateway]\norigins = ['chat.example']", "is not an origin. Write it like https://chat.example"),
        ("[[auth.keys]]\nkid = 'a'", "k.toml: auth.keys.0: needs exactly one of `pem`, `pem_file` and `secret`."),
        (
            "[[auth.keys]]\nkid = 'a'\npem = 'x'",
            "k.toml: auth: auth.keys: the key with kid \"a\" is not an Ed25519 public key",
        ),
        ("[[auth.keys]]\nkid = 'a'\npem_file = 'no.pem'", "k.toml: auth.keys.0.pem_file: no.pem cannot be read: "),
    ] {
        let got = error(text, &[]);
        if !got.contains(want) {
            wrong.push(format!("{text:?}:\n  got  {got}\n  want {want}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn mistakes_in_the_environment_name_the_variable() {
    for (name, value, want) in [
        (
            "KONVERT_GATEWAY__HEARTBEAT",
            "1",
            "environment variable KONVERT_GATEWAY__HEARTBEAT: gateway.heartbeat: there is no such setting. Did you mean `heartbeat_ms`?",
        ),
        (
            "KONVERT_GATEWAY_HEARTBEAT_MS",
            "1",
            "environment variable KONVERT_GATEWAY_HEARTBEAT_MS: there is no such setting. Did you mean KONVERT_GATEWAY__HEARTBEAT_MS?",
        ),
        (
            "KONVERT_GATEWAY__HEARTBEAT_MS",
            "soon",
            "gateway.heartbeat_ms: invalid type: found string \"soon\", expected u64.",
        ),
        (
            "KONVERT_GATEWAY__HEARTBEAT_MS",
            "5",
            "environment variable KONVERT_GATEWAY__HEARTBEAT_MS: gateway.heartbeat_ms: 5 is impossible",
        ),
        ("KONVERT_GATEWAY__ORIGINS", "https://a", "must be written as in TOML"),
    ] {
        let got = error("", &[(name, value)]);
        assert!(got.contains(want), "{name}:\n  got  {got}\n  want {want}");
    }
    // What container platforms add for a service of this name is no mistake.
    let platform = [
        ("KONVERT_PORT", "tcp://10.0.0.1:3001"),
        ("KONVERT_SERVER_PORT", "tcp://10.0.0.1:3001"),
        ("KONVERT_SERVICE_HOST", "10.0.0.1"),
    ];
    assert_eq!(load("", &platform, &[]).unwrap(), Config::default());
}

#[test]
fn every_problem_is_told_at_once() {
    let got = error(
        "[gateway]\nheartbeat_ms = 0\nshards = 2000\n[auth]\nguest_token_s = 1",
        &[("KONVERT_BROKER__ROOMS_MAX", "0")],
    );
    assert_eq!(got.lines().count(), 5, "{got}");
}

#[test]
fn a_missing_file_is_told() {
    let got = Config::load(Some(Path::new("/nowhere/k.toml")), [], &[]).unwrap_err().to_string();
    assert!(got.starts_with("/nowhere/k.toml: cannot be read: "), "{got}");
}

#[test]
fn key_files_are_read_beside_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEArjk8xd9ZzqqrRn5ojowFkBvw4eEeSmvrzkZxGGjXH9Y=\n-----END PUBLIC KEY-----\n";
    std::fs::write(directory.path().join("backend.pem"), pem).unwrap();
    let path = directory.path().join("k.toml");
    std::fs::write(&path, "[[auth.keys]]\nkid = 'backend'\npem_file = 'backend.pem'").unwrap();
    let config = Config::load(Some(&path), [], &[]).unwrap();
    assert_eq!((config.auth.keys[0].pem.as_deref(), config.auth.keys[0].pem_file.as_deref()), (Some(pem), None));
    // What `config print` prints can be used again.
    let printed = toml::to_string_pretty(&config).unwrap();
    assert_eq!(load(&printed, &[], &[]).unwrap(), config);
}
