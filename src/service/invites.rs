//! Invites: links that make members of those who follow them.
//!
//! Invariants: only the hash of a secret is kept, so that the tables open nothing. A use is counted with the membership
//! that it makes, or not at all.

use konvert_protocol::ErrorCode;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::audit::Action;
use super::members::PageQuery;
use super::page::{self, List, Page};
use super::view::{DialogMode, DialogView};
use super::{Caller, Service, ServiceError};
use crate::auth::random_base32;
use crate::directory::{Accepted, DialogKind, Invite, MemberRole};

/// An invite to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvite {
    /// The role of whoever comes by it; absent: member. Only owners invite admins, nobody invites owners.
    pub role: Option<MemberRole>,
    /// When it ends, milliseconds since 1970; 0 or absent: never.
    #[serde(default)]
    pub expires_ms: u64,
    /// How many may come by it; 0 or absent: as many as want.
    #[serde(default)]
    pub uses_max: u64,
}

/// An invite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct InviteView {
    /// Its id, for taking it back; it opens nothing.
    pub id: String,
    /// The secret of the link; told once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The role of whoever comes by it.
    pub role: MemberRole,
    /// Who made it.
    pub created_by: String,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// When it ends, milliseconds since 1970; 0: never.
    pub expires_ms: u64,
    /// How many may come by it; 0: as many as want.
    pub uses_max: u64,
    /// How many have.
    pub uses: u64,
}

/// Where an invite leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct InviteTarget {
    /// The dialog's title.
    pub title: String,
    /// What it is about.
    pub about: String,
    /// A blob: 64 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// What it is for.
    pub kind: DialogKind,
    /// What its messages are.
    pub mode: DialogMode,
    /// How many are in it.
    pub member_count: u64,
    /// What one would be.
    pub role: MemberRole,
    /// Whether one is a member already.
    pub member: bool,
}

impl Service {
    /// Makes an invite; its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// `not_found`, `forbidden` without the role for it, `not_possible` for a direct dialog, `bad_request`.
    pub async fn create_invite(
        &self,
        caller: &Caller,
        id: &str,
        wanted: NewInvite,
    ) -> Result<InviteView, ServiceError> {
        let mine = self.seat(caller, id, MemberRole::Admin).await?;
        let role = wanted.role.unwrap_or(MemberRole::Member);
        if role == MemberRole::Owner || (role == MemberRole::Admin && mine != MemberRole::Owner) {
            return Err(ErrorCode::Forbidden.into());
        }
        let now_ms = (self.now_ms)();
        if wanted.expires_ms > 0 && wanted.expires_ms <= now_ms {
            return Err(ServiceError::bad("`expires_ms` is in the past."));
        }
        // Two of eighty bits each.
        let secret = format!("{}{}", random_base32(), random_base32());
        let invite = Invite {
            id: format!("invite-{}", random_base32()),
            dialog_id: id.to_owned(),
            role,
            created_by: caller.identity.user.to_string(),
            created_ms: now_ms,
            expires_ms: wanted.expires_ms.min(i64::MAX as u64),
            uses_max: wanted.uses_max.min(i64::MAX as u64),
            uses: 0,
        };
        self.directory.add_invite(&invite, &hash(&secret)).await?;
        let detail = format!("{id} as {}", role.name());
        self.audit(&caller.identity.user, Action::InviteCreated, &invite.id, caller.address, &detail).await;
        Ok(InviteView { secret: Some(secret), ..view(invite) })
    }

    /// One page of a dialog's invites, ended ones too.
    ///
    /// # Errors
    /// `not_found`, `forbidden` without the role of an admin, `bad_request`.
    pub async fn invites(&self, caller: &Caller, id: &str, query: PageQuery) -> Result<Page<InviteView>, ServiceError> {
        self.seat(caller, id, MemberRole::Admin).await?;
        let limit = page::limit(query.limit)?;
        let name = format!("invites {id}");
        let list = List { name: &name, caller: &caller.identity.user };
        let after: Option<String> = list.after(query.cursor.as_deref())?;
        let invites = self.directory.invites(id, after.as_deref().unwrap_or_default(), limit + 1).await?;
        Ok(Page::cut(invites, limit, list, |last| last.id.clone()).map(view))
    }

    /// Takes an invite back.
    ///
    /// # Errors
    /// `not_found`, `forbidden` without the role of an admin.
    pub async fn remove_invite(&self, caller: &Caller, id: &str, invite: &str) -> Result<(), ServiceError> {
        self.seat(caller, id, MemberRole::Admin).await?;
        let is_name = konvert_protocol::check_room(invite).is_ok();
        if !(is_name && self.directory.remove_invite(id, invite).await?) {
            return Err(ErrorCode::NotFound.into());
        }
        self.audit(&caller.identity.user, Action::InviteRevoked, invite, caller.address, id).await;
        Ok(())
    }

    /// Where an invite leads.
    ///
    /// # Errors
    /// `not_found`, `invite_ended`.
    pub async fn invite(&self, caller: &Caller, secret: &str) -> Result<InviteTarget, ServiceError> {
        let invite = self.open(secret).await?;
        let dialog = self.directory.dialog(&invite.dialog_id).await?.ok_or(ErrorCode::NotFound)?;
        let members = self.roster.members(&dialog.id).await?;
        Ok(InviteTarget {
            title: dialog.title,
            about: dialog.about,
            avatar: dialog.avatar,
            kind: dialog.kind,
            mode: if dialog.e2ee { DialogMode::E2ee } else { DialogMode::ServerReadable },
            member_count: members.len() as u64,
            role: invite.role,
            member: members.contains_key(&*caller.identity.user),
        })
    }

    /// Makes the caller a member by an invite; a member stays what they are.
    ///
    /// # Errors
    /// `not_found`, `invite_ended`, `not_possible` when the dialog is full.
    pub async fn accept_invite(&self, caller: &Caller, secret: &str) -> Result<DialogView, ServiceError> {
        let me = &*caller.identity.user;
        let invite = self.open(secret).await?;
        let members = self.roster.members(&invite.dialog_id).await?;
        if members.len() as u64 >= self.config.members_max && !members.contains_key(me) {
            return Err(super::members::full(self.config.members_max));
        }
        if !members.contains_key(me) {
            self.must_hold_more(&[me]).await?;
        }
        match self.directory.accept_invite(&invite, me, (self.now_ms)()).await? {
            Accepted::Ended => return Err(ErrorCode::InviteEnded.into()),
            Accepted::Already => {}
            Accepted::Joined => {
                self.members_came(&invite.dialog_id, &[me], invite.role).await;
                self.audit(me, Action::InviteUsed, &invite.id, caller.address, &invite.dialog_id).await;
            }
        }
        self.look(me, &invite.dialog_id).await
    }

    async fn open(&self, secret: &str) -> Result<Invite, ServiceError> {
        let invite = self.directory.invite(&hash(secret)).await?.ok_or(ErrorCode::NotFound)?;
        match invite.has_ended((self.now_ms)()) {
            true => Err(ErrorCode::InviteEnded.into()),
            false => Ok(invite),
        }
    }
}

fn view(invite: Invite) -> InviteView {
    InviteView {
        id: invite.id,
        secret: None,
        role: invite.role,
        created_by: invite.created_by,
        created_ms: invite.created_ms,
        expires_ms: invite.expires_ms,
        uses_max: invite.uses_max,
        uses: invite.uses,
    }
}

fn hash(secret: &str) -> String {
    konvert_protocol::blob_name(&Sha256::digest(secret).into())
}
