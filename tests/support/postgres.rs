//! A PostgreSQL of the tests' own: a cluster in a temporary directory, reached by a Unix socket, with a fresh database for
//! every server. It ends, and its directory goes, with the process that asked for it, however that ends.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Says `ready` and the directory; lives until its input ends. Nothing is synced: only servers are killed, not this.
const KEEPER: &str = r#"
set -e
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"$1/initdb" -D "$dir/data" -U konvert -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
"$1/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c max_connections=500 -c fsync=off >"$dir/log" 2>&1 &
until "$1/pg_isready" -q -h "$dir"; do kill -0 $! || { cat "$dir/log" >&2; exit 1; }; sleep 0.05; done
echo "ready $dir"
read -r _ || true
kill -QUIT $!
wait $! || true
"#;

struct Cluster {
    programs: PathBuf,
    directory: String,
    /// Holds its input open.
    _keeper: Child,
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
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let cluster = CLUSTER.get_or_init(start);
    let name = format!("konvert{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let mut create = Command::new(cluster.programs.join("createdb"));
    create.args(["-h", &cluster.directory, "-U", "konvert", &name]);
    assert!(create.status().expect("createdb runs").success(), "no database {name}");
    format!("postgres://konvert@localhost/{name}?host={}", cluster.directory)
}

fn start() -> Cluster {
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
    Cluster { programs, directory, _keeper: keeper }
}
