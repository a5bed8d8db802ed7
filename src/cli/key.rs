//! `konvert key`: the keys by which programs come in. Works beside a running server too: what is changed here holds for
//! its next request.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};

use super::token::duration_ms;
use super::{Done, Failure, Settings, now_ms, print};
use crate::auth::random_base32;
use crate::config::Config;
use crate::directory::{AuditEntry, Directory};
use crate::service::{Action, KeyView, NewKey, Scope, make_key};

#[derive(Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key and print it; it cannot be printed again.
    Create(Create),
    /// List the keys, the newest first.
    List(List),
    /// Take a key back. A running server refuses it from the next request on.
    Revoke(Revoke),
}

#[derive(Args)]
#[command(after_help = "\
Scopes: publish, broadcast, history, presence, disconnect, tokens, webhooks, dialogs.
Rooms:  a name, the beginning of names and *, or * for every room. Those of dialogs need the scope dialogs too.

Example:
  konvert key create --name shop --scope publish --scope tokens --rooms 'shop-*'")]
pub(super) struct Create {
    /// What people call it.
    #[arg(long, value_name = "TEXT")]
    name: String,
    /// What it may do; may be repeated.
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = scope)]
    scopes: Vec<Scope>,
    /// In which rooms.
    #[arg(long, default_value = "*", value_name = "ROOMS")]
    rooms: String,
    /// How long it holds: 30s, 15m, 12h, 7d. For ever if absent.
    #[arg(long, value_name = "TIME", value_parser = duration_ms)]
    ttl: Option<u64>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    settings: Settings,
}

#[derive(Args)]
pub(super) struct Revoke {
    /// The key's id.
    id: String,
    #[command(flatten)]
    settings: Settings,
}

fn scope(name: &str) -> Result<Scope, String> {
    Scope::of(name).ok_or_else(|| format!("there is no scope {name:?}"))
}

impl KeyCommand {
    pub(super) fn run(self) -> Done {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            match self {
                Self::Create(create) => create.run().await,
                Self::List(list) => list.run().await,
                Self::Revoke(revoke) => revoke.run().await,
            }
        })
    }
}

async fn open(config: &Config) -> Result<Directory, Failure> {
    std::fs::create_dir_all(&config.server.data)?;
    Ok(Directory::open(&config.directory, &config.server.data).await?)
}

/// The operator's actions stand in the audit like those of administrators.
async fn record(directory: &Directory, action: Action, key: &str) -> Done {
    let entry = AuditEntry {
        id: format!("aud-{}", random_base32()),
        at_ms: now_ms(),
        actor: String::new(),
        action: action.name().to_owned(),
        target: key.to_owned(),
        address: String::new(),
        detail: "on the command line".to_owned(),
    };
    Ok(directory.add_audit(&entry).await?)
}

impl Create {
    async fn run(self) -> Done {
        let directory = open(&self.settings.load()?).await?;
        let now_ms = now_ms();
        let new = NewKey {
            name: self.name,
            scopes: self.scopes.into_iter().collect::<BTreeSet<_>>(),
            rooms: self.rooms,
            expires_ms: self.ttl.map(|ttl_ms| now_ms + ttl_ms),
        };
        let made = make_key(&directory, new, "the command line", now_ms).await.map_err(|error| error.message)?;
        record(&directory, Action::KeyCreated, &made.key.id).await?;
        directory.close().await;
        print(made.secret);
        Ok(())
    }
}

impl List {
    async fn run(self) -> Done {
        const PAGE: u64 = 500;
        let directory = open(&self.settings.load()?).await?;
        let mut before = (i64::MAX as u64, String::new());
        loop {
            let keys = directory.api_keys((before.0, &before.1), PAGE).await?;
            let Some(last) = keys.last() else { break };
            before = (last.created_ms, last.id.clone());
            keys.into_iter().map(KeyView::from).for_each(|key| print(line(&key)));
        }
        directory.close().await;
        Ok(())
    }
}

fn line(key: &KeyView) -> String {
    let scopes = key.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(",");
    let state = match (key.revoked_ms, key.expires_ms) {
        (1.., _) => "revoked",
        (_, expires_ms) if expires_ms > 0 && expires_ms <= now_ms() => "ended",
        _ => "holds",
    };
    format!("{}  {state:<7}  {}  {scopes}  {}", key.id, key.rooms, key.name)
}

impl Revoke {
    async fn run(self) -> Done {
        let directory = open(&self.settings.load()?).await?;
        let held = directory.revoke_api_key(&self.id, now_ms()).await?;
        if held {
            record(&directory, Action::KeyRevoked, &self.id).await?;
        }
        directory.close().await;
        match held {
            true => Ok(()),
            false => Err(Failure(format!("there is no key {:?} that holds; `konvert key list` tells", self.id))),
        }
    }
}
