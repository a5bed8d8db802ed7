//! The form of the tables: an older one is copied and brought to today's, a newer one is refused and left alone.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Connection as _, PgConnection, Row as _, SqlSafeStr as _, SqliteConnection};

use serde_json::json;

use crate::api::{Api, PASSWORD};
use crate::server::{Server, Setup, postgres};

/// The forms that an early server knew.
const EARLY: [(i64, &str, &str); 3] = [
    (1, "accounts", include_str!("../../src/directory/migrations/0001_accounts.sql")),
    (2, "dialogs", include_str!("../../src/directory/migrations/0002_dialogs.sql")),
    (3, "contacts", include_str!("../../src/directory/migrations/0003_contacts.sql")),
];

/// The tables, without a server.
pub enum Database {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Database {
    pub async fn open(url: &str) -> Self {
        match url.starts_with("postgres:") {
            true => Self::Postgres(PgConnection::connect(url).await.expect("PostgreSQL answers")),
            false => Self::Sqlite(SqliteConnection::connect(url).await.expect("the file is a database")),
        }
    }

    async fn migrate(&mut self, migrator: &Migrator) {
        let done = match self {
            Self::Sqlite(database) => migrator.run(database).await,
            Self::Postgres(database) => migrator.run(database).await,
        };
        done.expect("the form");
    }

    pub async fn run(&mut self, text: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(database) => sqlx::query(text).execute(database).await.map(drop),
            Self::Postgres(database) => sqlx::query(text).execute(database).await.map(drop),
        }
    }

    /// The texts of the first column.
    async fn ask(&mut self, query: &'static str) -> Result<Vec<String>, sqlx::Error> {
        match self {
            Self::Sqlite(database) => {
                sqlx::query(query).fetch_all(database).await?.iter().map(|row| row.try_get(0)).collect()
            }
            Self::Postgres(database) => {
                sqlx::query(query).fetch_all(database).await?.iter().map(|row| row.try_get(0)).collect()
            }
        }
    }

    pub async fn close(self) {
        let closed = match self {
            Self::Sqlite(database) => database.close().await,
            Self::Postgres(database) => database.close().await,
        };
        closed.expect("it closes");
    }
}

/// The tables as the early server left them, with somebody in them.
async fn early(server: &Server) {
    let separator = if postgres::is_wanted() { "" } else { "?mode=rwc" };
    let mut database = Database::open(&format!("{}{separator}", server.directory_url())).await;
    let early = EARLY.iter().map(|&(version, name, text)| {
        Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    });
    database.migrate(&Migrator::with_migrations(early.collect())).await;
    for text in [
        "INSERT INTO users VALUES ('acc-anna', 'anna', 'Anna', 'anna anna', NULL, '', NULL, NULL, 'user', 'active', \
         'account', 1, 1, 0), ('acc-boris', 'boris', 'Boris', 'boris boris', NULL, '', NULL, NULL, 'user', 'active', \
         'account', 2, 2, 0)",
        "INSERT INTO contacts VALUES ('acc-anna', 'acc-boris', 'friend', 1)",
    ] {
        database.run(text).await.expect("a row");
    }
    database.close().await;
}

#[tokio::test]
async fn an_older_form_is_copied_before_it_changes() {
    let mut server = Setup::default().prepare();
    early(&server).await;
    server.start_again().await;
    let root = Api::administrator(&server).await;
    let found = root.get("/api/admin/users/acc-anna").await.ok();
    assert_eq!(found["name"], "Anna");
    assert_eq!(server.terminate().await, Some(0));

    let copy = match postgres::is_wanted() {
        // As an operator goes back: the older server is told to look there.
        true => format!("{}&options[search_path]=konvert_form_3", server.directory_url()),
        false => format!("sqlite://{}", server.data().join("backups/directory-form-3.sqlite").display()),
    };
    let mut copy = Database::open(&copy).await;
    assert_eq!(copy.ask("SELECT login FROM users ORDER BY login").await.expect("an answer"), ["anna", "boris"]);
    assert_eq!(copy.ask("SELECT CAST(MAX(version) AS TEXT) FROM _sqlx_migrations").await.expect("an answer"), ["3"]);
    copy.ask("SELECT id FROM api_keys").await.expect_err("the copy has the older form");
    // It is all of it: what refers to somebody goes with them, and a login is still anybody's only once.
    copy.run("DELETE FROM users WHERE id = 'acc-boris'").await.expect("nobody refers to them");
    assert_eq!(copy.ask("SELECT user_id FROM contacts").await.expect("an answer"), [""; 0]);
    let twice = "INSERT INTO users SELECT 'acc-other', login, name, search, email, about, avatar, password, role, state, \
                 origin, created_ms, changed_ms, seen_ms FROM users WHERE id = 'acc-anna'";
    copy.run(twice).await.expect_err("a login twice");
    copy.close().await;

    // What was done to the copy was not done to the tables.
    server.start_again().await;
    assert_eq!(root.get("/api/admin/users/acc-boris").await.ok()["name"], "Boris");
}

#[tokio::test]
async fn a_newer_form_is_refused_and_left_alone() {
    let mut server = Server::start().await;
    let anna = Api::sign_up(&server, "anna").await;
    assert_eq!(server.terminate().await, Some(0));
    let mut database = Database::open(&server.directory_url()).await;
    let newer = "INSERT INTO _sqlx_migrations SELECT 999, 'newer', installed_on, success, checksum, execution_time \
                 FROM _sqlx_migrations WHERE version = 1";
    database.run(newer).await.expect("a newer form");
    database.run("CREATE TABLE of_the_newer (id TEXT)").await.expect("a newer table");

    let said = server.refuses_to_start().await;
    assert!(said.contains("form 999 is newer than this server"), "{said}");
    assert_eq!(
        database.ask("SELECT CAST(MAX(version) AS TEXT) FROM _sqlx_migrations").await.expect("an answer"),
        ["999"]
    );
    assert_eq!(database.ask("SELECT login FROM users").await.expect("an answer"), ["anna"]);
    assert_eq!(database.ask("SELECT id FROM of_the_newer").await.expect("an answer"), [""; 0]);
    assert!(!server.data().join("backups").exists(), "nothing was to be changed, so that nothing was copied");

    // The newer server undid it: this one starts, and knows its users.
    for undo in ["DELETE FROM _sqlx_migrations WHERE version = 999", "DROP TABLE of_the_newer"] {
        database.run(undo).await.expect("it is undone");
    }
    database.close().await;
    server.start_again().await;
    anna.get("/api/auth/me").await.ok();
}

/// On PostgreSQL a statement ends after half a minute; a migration takes as long as it takes.
#[tokio::test]
async fn only_migrations_take_as_long_as_they_take() {
    if !postgres::is_wanted() {
        return;
    }
    let mut server = Setup::default().prepare();
    early(&server).await;
    let mut database = Database::open(&server.directory_url()).await;
    for text in [
        "CREATE FUNCTION must_be_unbounded() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF current_setting('statement_timeout') <> '0' THEN RAISE EXCEPTION 'a migration is bounded'; END IF; END $$",
        "CREATE FUNCTION must_be_bounded() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF current_setting('statement_timeout') <> '30s' THEN RAISE EXCEPTION 'a request is not bounded'; END IF; \
         RETURN NEW; END $$",
        "CREATE TRIGGER bounded BEFORE INSERT ON users EXECUTE FUNCTION must_be_bounded()",
        "CREATE EVENT TRIGGER unbounded ON ddl_command_start EXECUTE FUNCTION must_be_unbounded()",
    ] {
        database.run(text).await.expect("it is made");
    }
    database.run("SET statement_timeout = '30s'").await.expect("it is set");
    database.run("CREATE TABLE refused_too (id TEXT)").await.expect_err("the trigger works");
    database.close().await;
    server.start_again().await;
    // By every connection of the pool, also by the one that migrated.
    let root = Api::administrator(&server).await;
    let made = (0..16).map(|n| {
        let new = json!({"login": format!("user-{n}"), "password": PASSWORD, "name": "Made"});
        let root = &root;
        async move { root.post("/api/admin/users", new).await }
    });
    for answer in futures_util::future::join_all(made).await {
        answer.ok();
    }
}
