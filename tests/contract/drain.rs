//! SIGTERM: what was published is acknowledged, everybody is told when to come back, the exit code is 0.

use konvert_protocol::v1::server_frame::Body as Reply;
use konvert_protocol::{CloseAdvice, CloseCode, v1};

use crate::server::Server;
use crate::user::{User, publish};

over_each!(a_drain_loses_nothing_and_tells_everybody);

async fn a_drain_loses_nothing_and_tells_everybody() {
    let mut server = Server::start().await;
    let mut ann = User::connect(&server, "ann").await;
    let mut others = Vec::new();
    for n in 0..20 {
        let mut user = User::connect(&server, &format!("user-{n}")).await;
        user.subscribe("room").await;
        others.push(user);
    }
    let mut asked = Vec::new();
    for n in 0..100 {
        asked.push(ann.tell(publish("room", &format!("{n}"), "text")).await);
    }
    // Now the server has all of them.
    assert!(matches!(ann.ask(v1::Ping {}).await, Reply::Pong(_)));
    assert!(matches!(ann.reply(asked[0]).await, Reply::Published(_)));
    // All of them listen at once: whoever polls has two seconds for it.
    let others: Vec<_> = others.into_iter().map(|user| tokio::spawn(is_told(user))).collect();
    let ending = tokio::spawn(async move {
        let code = server.terminate().await;
        (server, code)
    });
    let mut acked = 1;
    for command in asked.into_iter().skip(1) {
        match ann.reply(command).await {
            Reply::Published(_) => acked += 1,
            Reply::Error(error) => assert!(error.temporary, "{error:?}"),
            other => panic!("{other:?}"),
        }
    }
    for other in others {
        other.await.expect("everybody is told");
    }
    let (mut server, code) = ending.await.expect("the drain ends");
    assert_eq!(code, Some(0));
    server.start_again().await;
    let stored = User::connect(&server, "bob").await.history("room").await;
    assert!(stored.len() >= acked, "{acked} were acknowledged, {} are stored", stored.len());
}

/// Waits until a user is told when to come back, and closed.
async fn is_told(mut user: User) {
    let closing = loop {
        if let Reply::Closing(closing) = user.push().await {
            break closing;
        }
    };
    assert_eq!(closing.code, u32::from(CloseCode::Draining.number()));
    assert!(closing.reconnect_after_ms <= 3_000);
    let code = user.closed().await;
    assert_eq!((code, CloseAdvice::of(code)), (CloseCode::Draining.number(), Some(CloseAdvice::Resume)));
}
