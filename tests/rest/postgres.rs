//! Everything here once more, on PostgreSQL.

use std::process::Command;

use crate::server::postgres;

/// The tests of this program are run again by this one, with another directory under the servers.
#[test]
fn the_same_holds_on_postgres() {
    if postgres::is_wanted() {
        return;
    }
    if postgres::find().is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI has no PostgreSQL: install the package postgresql");
        println!("No PostgreSQL: passed over. Install the package postgresql to run everything on it too.");
        return;
    }
    let mut again = Command::new(std::env::current_exe().expect("this program"));
    // Broken builds are for the tests' sake, not for the directory's.
    again.env("KONVERT_TEST_DATABASE", "postgres").args(["--skip", "would_be_seen"]);
    let output = again.output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "on PostgreSQL:\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("test result: ok"), "{text}");
}
