//! A PostgreSQL of the tests' own: a cluster in a temporary directory, reached by a Unix socket, with a fresh database for
//! every server. It ends, and its directory goes, with the process that asked for it, however that ends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Says `ready` and the directory; then does what it is told and says `done`, until its input ends. Nothing is synced:
/// only servers are killed, not this.
const KEEPER: &str = r#"
set -e
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
begin() {
    "$1/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c max_connections=500 -c fsync=off >>"$dir/log" 2>&1 &
    pid=$!
    until "$1/pg_isready" -q -h "$dir"; do kill -0 $pid || { cat "$dir/log" >&2; exit 1; }; sleep 0.05; done
}
finish() {
    kill -$1 $pid
    wait $pid || true
}
"$1/initdb" -D "$dir/data" -U konvert -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
begin "$1"
echo "ready $dir"
while read -r told; do
    case $told in
        stop) finish INT ;;
        start) begin "$1" ;;
    esac
    echo done
done
finish QUIT
"#;

/// One of its own.
pub struct Cluster {
    programs: PathBuf,
    directory: String,
    keeper: Child,
    output: BufReader<ChildStdout>,
    databases: AtomicU32,
}

/// Whether the tests are to use it.
pub fn is_wanted() -> bool {
    std::env::var("KONVERT_TEST_DATABASE").is_ok_and(|database| database == "postgres")
}

/// Where its programs are, if it is installed.
pub fn find() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = versions.map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = debian.chain(std::env::split_paths(&path)).collect();
    places.into_iter().find(|place| place.join("initdb").is_file() && place.join("postgres").is_file())
}

/// The address of a database that nobody has used.
pub fn fresh_database() -> String {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start).fresh_database()
}

/// Runs the tests of this program again that these arguments leave, with PostgreSQL under the servers, unless this is
/// such a run.
pub fn again(arguments: &[&str]) {
    if is_wanted() {
        return;
    }
    if find().is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI has no PostgreSQL: install the package postgresql");
        println!("No PostgreSQL: passed over. Install the package postgresql to run everything on it too.");
        return;
    }
    let mut again = Command::new(std::env::current_exe().expect("this program"));
    let output = again.env("KONVERT_TEST_DATABASE", "postgres").args(arguments).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "on PostgreSQL:\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("test result: ok") && !text.contains(" 0 passed"), "{text}");
}

impl Cluster {
    /// Starts one.
    pub fn start() -> Self {
        let programs =
            find().expect("PostgreSQL is wanted: install the package postgresql, or unset KONVERT_TEST_DATABASE");
        // It refuses to run as root.
        let mut keeper = match rustix::process::geteuid().is_root() {
            true => {
                let mut keeper = Command::new("setpriv");
                keeper.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh"]);
                keeper
            }
            false => Command::new("sh"),
        };
        keeper.args(["-c", KEEPER, "sh"]).arg(&programs).env_remove("TMPDIR").current_dir("/");
        let mut keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell runs");
        let mut line = String::new();
        let mut output = BufReader::new(keeper.stdout.take().expect("stdout is piped"));
        output.read_line(&mut line).expect("its output");
        let directory = line.trim().strip_prefix("ready ").expect("PostgreSQL starts").to_owned();
        Self { programs, directory, keeper, output, databases: AtomicU32::new(0) }
    }

    /// The address of a database that nobody has used.
    pub fn fresh_database(&self) -> String {
        let name = format!("konvert{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut create = Command::new(self.programs.join("createdb"));
        create.args(["-h", &self.directory, "-U", "konvert", &name]);
        assert!(create.status().expect("createdb runs").success(), "no database {name}");
        format!("postgres://konvert@localhost/{name}?host={}", self.directory)
    }

    /// `stop` ends it as an operator would who does not wait for anybody, `start` brings it back.
    pub fn tell(&mut self, what: &str) {
        let mut input = self.keeper.stdin.as_ref().expect("stdin is piped");
        writeln!(input, "{what}").expect("it listens");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("its output");
        assert_eq!(line.trim(), "done", "{what}");
    }
}
