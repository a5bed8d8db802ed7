//! The script of the documentation does what it says, against the real server, with nothing but curl.

use tokio::process::Command;

use crate::server::Server;

#[tokio::test]
async fn two_people_talk_with_nothing_but_curl() {
    let server = Server::start().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/first-dialog.sh");
    let run = Command::new("sh").arg(script).arg(format!("http://{}", server.address())).output().await;
    let output = run.expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for line in ["Boris has 1 unread message: Hello Boris", "Boris has read it: 0 unread"] {
        assert!(said.contains(line), "{said}");
    }
}
