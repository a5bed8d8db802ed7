//! What does a page of the list of dialogs cost somebody who has very many?
//!
//! Hypothesis: memberships are in memory and where each room stands is in the journal's memory, so that putting ten
//! thousand dialogs in order is a loop over memory; what the page shows beside that is a fixed number of questions to the
//! directory. So a page costs milliseconds, however many dialogs there are behind it.
//!
//! Budget: p99 of 20 ms for a page of 50 of 10 000 dialogs, the first one and one in the middle.
//!
//! `cargo bench --bench dialogs`. SQLite in a temporary directory; the journal is the one without a disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use konvert::auth::{Auth, AuthConfig, Claims, Seconds};
use konvert::blobs::{Blobs, BlobsConfig};
use konvert::broker::{Broker, BrokerConfig, Fanout};
use konvert::directory::{Dialog, DialogKind, Directory, DirectoryConfig, MemberRole, Role, User, UserState};
use konvert::journal::{JournalConfig, MemoryJournal};
use konvert::service::{
    Caller, DialogsQuery, Ground, Limits, LimitsConfig, NewMessage, Roster, Service, ServiceConfig, Webhooks,
    WebhooksConfig,
};

const DIALOGS: usize = 10_000;
const LOOKS: usize = 1_000;
const P99_MAX: Duration = Duration::from_millis(20);

fn now_ms() -> u64 {
    konvert::gateway::now_ms()
}

/// The id of a dialog: 16 letters, as the server makes them.
fn dialog_id(n: usize) -> String {
    let letters = format!("{n:016}").bytes().map(|digit| (digit - b'0' + b'a') as char).collect::<String>();
    format!("dialog-{letters}")
}

fn user(n: usize) -> User {
    User {
        id: format!("user-{n}"),
        login: Some(format!("user-{n}")),
        name: format!("User {n}"),
        email: None,
        about: String::new(),
        avatar: None,
        password: None,
        role: Role::User,
        state: UserState::Active,
        origin: "account".into(),
        created_ms: 1,
        seen_ms: 1,
    }
}

/// Every tenth dialog is a direct one with somebody of its own; the others are groups of three.
async fn fill(directory: &Directory, broker: &Broker) {
    for n in 0..=DIALOGS {
        directory.add_user(&user(n)).await.expect("a user");
    }
    for n in 1..=DIALOGS {
        let is_direct = n % 10 == 0;
        let dialog = Dialog {
            id: dialog_id(n),
            kind: if is_direct { DialogKind::Direct } else { DialogKind::Group },
            e2ee: false,
            title: if is_direct { String::new() } else { format!("Group {n}") },
            about: String::new(),
            avatar: None,
            pair: is_direct.then(|| ("user-0".to_owned(), format!("user-{n}"))),
            created_by: "user-0".into(),
            created_ms: n as u64,
        };
        let mut members = vec![("user-0".to_owned(), MemberRole::Member), (format!("user-{n}"), MemberRole::Member)];
        if !is_direct {
            members.push((format!("user-{}", n % DIALOGS + 1), MemberRole::Member));
        }
        broker.ensure(&dialog.id, false).await.expect("a room");
        directory.add_dialog(&dialog, &members).await.expect("a dialog");
    }
}

async fn measure(what: &str, service: &Service, caller: &Caller, query: impl Fn() -> DialogsQuery) -> bool {
    let mut took = Vec::with_capacity(LOOKS);
    for _ in 0..LOOKS {
        let begun = Instant::now();
        let page = service.dialogs(caller, query()).await.expect("a page");
        took.push(begun.elapsed());
        assert_eq!(page.items.len(), 50, "{what}");
    }
    took.sort();
    let at = |share: usize| took[LOOKS * share / 100 - 1];
    println!("{what}: p50 {:?}, p99 {:?}, most {:?}; budget p99 {P99_MAX:?}", at(50), at(99), took[LOOKS - 1]);
    at(99) <= P99_MAX
}

async fn run() -> bool {
    let data = tempfile::tempdir().expect("a temporary directory");
    let fanout = Fanout::new(Vec::new());
    let journal = Arc::new(MemoryJournal::new(&JournalConfig::default(), fanout.clone()).expect("a journal"));
    let directory = Directory::open(&DirectoryConfig::default(), data.path()).await.expect("a directory");
    let config = ServiceConfig::default();
    let (limits, _) =
        Limits::load(directory.clone(), LimitsConfig::default(), 1_000, now_ms).await.expect("the limits");
    let blobs = Arc::new(Blobs::open(BlobsConfig::default(), data.path(), 0).expect("a place for files"));
    let runtime = tokio::runtime::Handle::current();
    let roster = Roster::new(directory.clone(), runtime, &config, limits).await.expect("a roster");
    let broker = Broker::new(BrokerConfig::default(), journal, fanout, Arc::new(roster.clone()));
    let auth = Arc::new(Auth::new(&AuthConfig::default(), &[7; 32], Vec::new()).expect("keys"));
    let webhooks = Webhooks::new(WebhooksConfig::default()).expect("settings");
    let (tables, core, keys) = (directory.clone(), broker.clone(), auth.clone());
    let ground = Ground { directory: tables, roster, broker: core, auth: keys, blobs, webhooks, now_ms };
    let service = Service::new(config, ground);
    fill(&directory, &broker).await;

    let expires = Some(Seconds::from_ms(now_ms() + 3_600_000));
    let claims = Claims { sub: "user-0".into(), exp: expires, ..Claims::default() };
    let token = auth.mint(&claims).expect("a token");
    let identity = service.identify(&token).expect("an identity");
    let caller = Caller { identity, address: [127, 0, 0, 1].into() };
    for n in 1..=DIALOGS {
        let text = Some(format!("message in {n}"));
        service
            .publish(&caller, &dialog_id(n), NewMessage { text, ..NewMessage::default() })
            .await
            .expect("it is stored");
    }

    let first = service.dialogs(&caller, DialogsQuery::default()).await.expect("a page");
    let mut cursor = first.next;
    for _ in 0..99 {
        let page = service.dialogs(&caller, DialogsQuery { cursor, ..DialogsQuery::default() }).await;
        cursor = page.expect("a page").next;
    }
    let mut holds = measure("first page", &service, &caller, DialogsQuery::default).await;
    holds &= measure("page 101 of 200", &service, &caller, || DialogsQuery {
        cursor: cursor.clone(),
        ..DialogsQuery::default()
    })
    .await;
    holds &= measure("found by title", &service, &caller, || DialogsQuery {
        query: Some("group 1".into()),
        ..DialogsQuery::default()
    })
    .await;
    holds
}

fn main() {
    // Tests build benches too, and need not run them.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if !runtime.block_on(run()) {
        eprintln!("over the budget");
        std::process::exit(1);
    }
}
