//! Accounts, dialogs, memberships and all that belongs to them, in SQL.
//!
//! Owns the tables and every text that is sent to them. Refuses to know HTTP, sessions and rules: what may be done is
//! decided above. One file per table or two, each with the questions that are asked of it.
//!
//! Invariants: only this part names the database. What was confirmed survives a power cut. A newer form is refused.

mod audit;
mod blobs;
mod config;
mod contacts;
mod deliveries;
mod devices;
mod dialogs;
mod error;
mod facts;
mod followed;
mod invites;
mod keys;
mod limits;
mod members;
mod migration;
mod naming;
mod people;
mod readers;
mod row;
mod sql;
mod uploads;
mod users;
mod vouched;
mod webhooks;
mod words;

use std::path::Path;

pub use audit::AuditEntry;
pub use blobs::Blob;
pub use config::{DatabaseUrl, DirectoryConfig};
pub use contacts::{Contact, ContactState, Sides};
pub use deliveries::{Delivery, DeliveryState, WebhookRow};
pub use devices::Device;
pub use dialogs::{Dialog, DialogChange, DialogKind};
pub use error::DirectoryError;
pub use followed::{Batch, Followed, Mention};
pub use invites::{Accepted, Invite};
pub use keys::ApiKeyRow;
pub use limits::{LimitOf, Used};
pub use members::{Keeping, Member, MemberRole, Standing};
pub use naming::BlobRef;
pub use people::Person;
pub use uploads::{Refused, Upload};
pub use users::{Gone, Left, Role, User, UserState};
pub use webhooks::{Webhook, WebhookState};

use sql::Db;

/// The handle to the tables. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Directory {
    db: Db,
}

impl Directory {
    /// Opens the database that the settings name, in `data` if they name none, and brings it to today's form.
    ///
    /// # Errors
    /// When it cannot be reached, is newer than this server, or a migration fails; then it is as it was.
    pub async fn open(config: &DirectoryConfig, data: &Path) -> Result<Self, DirectoryError> {
        let db = match config.url.reveal() {
            "" => Db::sqlite(&data.join("directory.sqlite")).await?,
            url => Db::postgres(url, config.connections_max).await?,
        };
        if let Some(backup) = migration::migrate(&db, &data.join("backups")).await? {
            tracing::info!(backup, "the directory was copied before it was brought to a newer form");
        }
        let directory = Self { db };
        directory.fill_words().await?;
        Ok(directory)
    }

    /// Whether the database answers.
    pub async fn check(&self) -> Result<(), DirectoryError> {
        self.db.one(sql::sql("SELECT 1 AS x")).await.map(drop)
    }

    /// Waits for what is under way and closes.
    pub async fn close(&self) {
        self.db.close().await;
    }
}
