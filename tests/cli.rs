//! The binary as an operator meets it: what it prints, what it refuses, how it ends. Also that what the container and
//! systemd run exists.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use konvert::auth::{Auth, AuthConfig};
use konvert::secrets;

const KONVERT: &str = env!("CARGO_BIN_EXE_konvert");

fn konvert(directory: &Path, args: &[&str]) -> Output {
    command(directory, args).output().unwrap()
}

fn command(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(KONVERT);
    command.args(args).current_dir(directory).env_remove("KONVERT_CONFIG");
    command
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Standard error of a run that failed with code 1.
fn refused(directory: &Path, args: &[&str]) -> String {
    let output = konvert(directory, args);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A running server; killed when the test ends early.
struct Server {
    child: Child,
    banner: String,
    port: String,
}

impl Server {
    fn start(directory: &Path, args: &[&str]) -> Self {
        Self::start_with(directory, args, &[])
    }

    fn start_with(directory: &Path, args: &[&str], environment: &[(&str, &Path)]) -> Self {
        let args = [&["serve", "--port", "0"], args].concat();
        let mut command = command(directory, &args);
        command.envs(environment.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut banner = String::new();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let address = loop {
            let line = lines.next().expect("the server ended before it was ready").unwrap();
            banner += &(line.clone() + "\n");
            if let Some(address) = line.strip_prefix("listening on http://") {
                break address.to_owned();
            }
        };
        let port = address.rsplit_once(':').unwrap().1.to_owned();
        Self { child, banner, port }
    }

    /// Asks it to end, and says how it did and what it logged.
    fn terminate(mut self) -> (Option<i32>, String) {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (status.code(), log)
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port.parse().unwrap())).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already when it was terminated.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn serve_needs_nothing_says_where_it_is_and_ends_well() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    for part in ["/api/websocket", "/api/health", "/metrics", "guests enter without a token: lobby", "not encrypted"] {
        assert!(server.banner.contains(part), "{part} is missing in {}", server.banner);
    }
    assert!(!server.banner.contains('\x1b'), "colours go to terminals only");
    let data = directory.path().join("data");
    assert!(server.banner.contains(data.canonicalize().unwrap().to_str().unwrap()), "{}", server.banner);
    for entry in std::fs::read_dir(&data).unwrap().map(Result::unwrap) {
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{entry:?} is for the server alone");
    }
    assert!(server.get("/").starts_with("HTTP/1.1 200"), "the page");
    let metrics = server.get("/metrics");
    for &(name, ..) in konvert::metrics::METRICS {
        // Those by code appear with the first of its code.
        let by_code = matches!(name, "konvert_closes_total" | "konvert_errors_total");
        assert!(by_code || metrics.contains(&format!("# TYPE {name} ")), "{name} is promised and not told");
    }

    let healthy = konvert(directory.path(), &["health", "--port", &server.port]);
    assert!(healthy.status.success() && out(&healthy).contains("\"ready\""), "{healthy:?}");

    let second = refused(directory.path(), &["serve", "--port", &server.port, "--data", "other"]);
    assert!(second.contains(&server.port), "{second}");

    let port = server.port.clone();
    let secret = std::fs::read_to_string(data.join("secret")).unwrap();
    let (code, log) = server.terminate();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains(secret.trim()), "{log}");

    // Nobody else gets the port: this does not listen.
    let place = tokio::net::TcpSocket::new_v4().unwrap();
    place.set_reuseaddr(true).unwrap();
    place.bind(format!("127.0.0.1:{port}").parse().unwrap()).unwrap();
    let down = refused(directory.path(), &["health", "--port", &port]);
    assert!(down.contains("is the server running"), "{down}");
}

#[test]
fn the_service_manager_is_told_and_logs_are_for_machines() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("notify");
    let manager = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    std::fs::write(directory.path().join("k.toml"), "[log]\nformat = 'json'").unwrap();
    let server = Server::start_with(directory.path(), &["--config", "k.toml"], &[("NOTIFY_SOCKET", &socket)]);
    let mut told = [0; 64];
    let length = manager.recv(&mut told).unwrap();
    assert_eq!(&told[..length], b"READY=1");
    // At once after it is ready: an end that came before the server listened for it was once not heard.
    let (code, log) = server.terminate();
    assert!(code == Some(0) && log.contains("draining"), "{code:?} {log}");
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["level"].is_string() && line["timestamp"].is_string() && line["message"].is_string(), "{line}");
    }
}

#[test]
fn serve_refuses_to_start_on_what_cannot_work() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("k.toml"), "[gateway]\nheartbeet_ms = 1").unwrap();
    let error = refused(directory.path(), &["serve", "--config", "k.toml"]);
    let want = "konvert: k.toml: gateway.heartbeet_ms: there is no such setting. Did you mean `heartbeat_ms`?\n";
    assert_eq!(error, want);
    assert!(!directory.path().join("data").exists(), "nothing is made before the settings are right");

    secrets::load_or_create(&directory.path().join("data")).unwrap();
    let secret = directory.path().join("data/secret");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = refused(directory.path(), &["serve", "--port", "0"]);
    assert!(error.contains("chmod 600 data/secret"), "{error}");
}

#[test]
fn tokens_are_those_the_server_believes() {
    let directory = tempfile::tempdir().unwrap();
    let args =
        ["token", "--user", "anna", "--name", "Anna", "--room", "lobby", "--grant", "team-*=read,create", "--e2ee"];
    let output = konvert(directory.path(), &[&args[..], &["--ttl", "2h"]].concat());
    assert!(output.status.success(), "{output:?}");
    let secret = secrets::load_or_create(&directory.path().join("data")).unwrap();
    let auth = Auth::new(&AuthConfig::default(), &secret, vec![]).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    let identity = auth.verify(out(&output).trim(), now).unwrap();
    assert_eq!((&*identity.user, &*identity.name), ("anna", "Anna"));
    assert_eq!(identity.grants.allow("lobby").names(), ["read", "publish", "signal", "presence"]);
    assert_eq!(identity.grants.allow("team-1").names(), ["read", "create"]);
    assert!(identity.grants.e2ee("team-1"));
    assert!((7_195_000..=7_200_000).contains(&(identity.expires_ms - now)), "{}", identity.expires_ms - now);

    for (args, want) in [
        (&["token", "--user", "anna"][..], "the token would allow nothing"),
        (&["token", "--user", "an na", "--room", "a"][..], "sub must not contain ' '"),
        (&["token", "--user", "guest-a", "--room", "a"][..], "kept for guests"),
        (&["token", "--user", "a", "--room", "a*b"][..], "a*b"),
    ] {
        let error = refused(directory.path(), args);
        assert!(error.contains(want), "{args:?}: {error}");
    }
    for args in [["--grant", "a=fly"], ["--grant", "a"], ["--ttl", "0s"], ["--ttl", "soon"]] {
        let output = konvert(directory.path(), &[&["token", "--user", "a", "--room", "a"], &args[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
}

#[test]
fn config_is_checked_and_printed() {
    let directory = tempfile::tempdir().unwrap();
    let check = konvert(directory.path(), &["config", "check"]);
    assert!(check.status.success(), "{check:?}");
    let printed = out(&konvert(directory.path(), &["config", "print", "--port", "80", "--bind", "::1"]));
    std::fs::write(directory.path().join("k.toml"), &printed).unwrap();
    assert!(printed.contains("port = 80\n") && printed.contains("bind = \"::1\"\n"), "{printed}");
    assert_eq!(out(&konvert(directory.path(), &["config", "print", "--config", "k.toml"])), printed);
    let mut print = command(directory.path(), &["config", "print"]);
    let from_environment =
        out(&print.env("KONVERT_CONFIG", "k.toml").env("KONVERT_SERVER__PORT", "81").output().unwrap());
    assert_eq!(from_environment, printed.replace("port = 80\n", "port = 81\n"));
}

#[test]
fn the_doctor_tells_everything_it_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let output = konvert(directory.path(), &["doctor"]);
    let told = out(&output);
    for what in ["descriptors", "connect backlog", "clock", "data directory", "free space", "disk sync"] {
        assert!(told.lines().any(|line| line.contains(what)), "{what} is missing in {told}");
    }
    assert_eq!(output.status.success(), !told.contains("BAD "), "{told}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "it leaves nothing behind");
}

#[test]
fn health_of_something_else_is_bad() {
    let directory = tempfile::tempdir().unwrap();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = other.accept().unwrap();
        let mut request = [0; 1_024];
        assert!(stream.read(&mut request).unwrap() > 0);
        stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    let error = refused(directory.path(), &["health", "--port", &port]);
    assert!(error.contains("something else: HTTP/1.1 404"), "{error}");
    answering.join().unwrap();
    assert!(refused(directory.path(), &["health", "--port", "0"]).contains("free port"));
}

/// The words of a command line in exec form: `["konvert", "health"]`.
fn exec_form(line: &str) -> Vec<String> {
    serde_json::from_str(&line[line.find('[').unwrap()..]).unwrap()
}

/// A subcommand of this name exists, and its help names the flags.
fn exists(words: &[String]) {
    let (flags, names): (Vec<_>, Vec<_>) = words.iter().partition(|word| word.starts_with("--"));
    let subcommand = names.first().expect("a subcommand");
    let help = konvert(Path::new("."), &[subcommand, "--help"]);
    assert!(help.status.success(), "konvert {subcommand} does not exist");
    for flag in flags {
        assert!(out(&help).contains(flag), "konvert {subcommand} has no {flag}");
    }
}

#[test]
fn what_the_container_runs_exists() {
    let file = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Dockerfile")).unwrap();
    let line = |start: &str| file.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start}"));
    assert_eq!(exec_form(line("ENTRYPOINT")), ["konvert"]);
    exists(&exec_form(line("CMD")));
    let check = exec_form(line("HEALTHCHECK"));
    assert_eq!(check[0], "konvert");
    exists(&check[1..]);
    let port = line("EXPOSE").trim_start_matches("EXPOSE ").parse::<u16>().unwrap();
    assert_eq!(port, konvert::config::Config::default().server.port);

    // The variables it sets are settings.
    let (name, value) = line("ENV").trim_start_matches("ENV ").split_once('=').unwrap();
    let config = konvert::config::Config::load(None, [(name.to_owned(), value.to_owned())], &[]).unwrap();
    assert_eq!(config.server.data, Path::new("/data"));
}

#[test]
fn what_systemd_runs_exists() {
    let unit = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/konvert.service")).unwrap();
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/konvert ")).unwrap();
    exists(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
}

#[test]
fn help_shows_every_subcommand_and_examples() {
    let help = out(&konvert(Path::new("."), &["--help"]));
    for word in ["serve", "token", "config", "journal", "health", "doctor", "Examples:"] {
        assert!(help.contains(word), "{word} is missing in {help}");
    }
}

#[test]
fn the_journal_is_verified_when_the_server_is_down() {
    let directory = tempfile::tempdir().unwrap();
    let verify = ["journal", "verify"];
    assert!(refused(directory.path(), &verify).contains("data/journal"), "there is none yet");
    let server = Server::start(directory.path(), &[]);
    let in_use = refused(directory.path(), &verify);
    assert!(in_use.contains("another process uses") && in_use.contains("stop the server"), "{in_use}");
    server.terminate();

    let sound = konvert(directory.path(), &verify);
    assert!(sound.status.success(), "{sound:?}");
    assert_eq!(out(&sound), "rooms: 1, messages: 0\nsound\n");

    let manifest = directory.path().join("data/journal/manifest");
    let mut bytes = std::fs::read(&manifest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&manifest, bytes).unwrap();
    let damaged = konvert(directory.path(), &verify);
    assert_eq!(damaged.status.code(), Some(1), "{damaged:?}");
    assert!(String::from_utf8_lossy(&damaged.stderr).contains("problems: 1 "), "{damaged:?}");
}
