//! Dialogs: made, found, changed, left.
//!
//! Invariants: a dialog's room is in the journal before its rows are in the directory, so that a crash between leaves an
//! empty room and nothing more. Two people have one direct dialog, whoever asks first. Who is no member learns nothing,
//! not even that it exists.

use std::sync::Arc;

use konvert_protocol::{ErrorCode, check_room, check_user};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::audit::Action;
use super::limits::LimitKind;
use super::view::{DialogMode, DialogView};
use super::{Caller, Service, ServiceError, texts};
use crate::auth::random_base32;
use crate::broker::DIALOG_PREFIX;
use crate::directory::{Dialog, DialogChange, DialogKind, DirectoryError, Keeping, MemberRole, Person, UserState};

/// Most members named when a dialog is made, and added at once.
pub(super) const MEMBERS_AT_ONCE: usize = 100;

/// A dialog to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDialog {
    /// What it is for.
    pub kind: DialogKind,
    /// What its messages are; fixed for ever.
    #[serde(default)]
    pub mode: DialogMode,
    /// Its title: 1 to 128 bytes; a direct one has none.
    #[serde(default)]
    pub title: String,
    /// What it is about: at most 1000 bytes.
    #[serde(default)]
    pub about: String,
    /// A blob: 64 hex digits.
    pub avatar: Option<String>,
    /// User ids of the others, at most 100; of a direct one exactly one.
    #[serde(default)]
    pub members: Vec<String>,
}

/// What of a dialog shall be different. What is not named stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DialogPatch {
    /// Its title: 1 to 128 bytes.
    pub title: Option<String>,
    /// What it is about: at most 1000 bytes.
    pub about: Option<String>,
    /// A blob: 64 hex digits; empty: none.
    pub avatar: Option<String>,
}

/// How one keeps a dialog from now on. What is not named stays.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DialogSettings {
    /// Whether it is put away.
    pub archived: Option<bool>,
    /// Whether it stands above the others.
    pub pinned: Option<bool>,
    /// Until when one wants no notice of it, milliseconds since 1970; 0: one does.
    pub muted_until_ms: Option<u64>,
}

impl Service {
    /// Makes a dialog; of a pair that has one, finds it. Says whether it is new.
    ///
    /// # Errors
    /// `bad_request`; `not_found` for users who are not there, and of a group for those who blocked the caller; of a direct
    /// one `not_allowed` where one blocked the other, `mode_mismatch` where a sealed one is wanted and the pair has another.
    pub async fn create_dialog(&self, caller: &Caller, wanted: NewDialog) -> Result<(DialogView, bool), ServiceError> {
        let me = &*caller.identity.user;
        let others = self.others(me, &wanted.members).await?;
        if wanted.kind == DialogKind::Direct {
            let [other] = &others[..] else {
                return Err(ServiceError::bad("A direct dialog has exactly one other member, and not oneself."));
            };
            if !(wanted.title.is_empty() && wanted.about.is_empty() && wanted.avatar.is_none()) {
                return Err(ServiceError::bad(
                    "A direct dialog has no title, about and avatar: it is called as the other user.",
                ));
            }
            return self.direct_dialog(me, &other.id, wanted.mode).await;
        }
        self.must_be_willing(me, &others).await?;
        let dialog = Dialog {
            id: new_id(),
            kind: wanted.kind,
            e2ee: wanted.mode == DialogMode::E2ee,
            title: texts::title(&wanted.title)?,
            about: texts::about(&wanted.about)?,
            avatar: match wanted.avatar.as_deref() {
                Some(avatar) => Some(self.avatar(caller, avatar).await?),
                None => None,
            },
            pair: None,
            created_by: me.to_owned(),
            created_ms: (self.now_ms)(),
        };
        let mut members = vec![(me.to_owned(), MemberRole::Owner)];
        members.extend(others.into_iter().map(|other| (other.id, MemberRole::Member)));
        self.add_dialog(&dialog, &members).await?;
        let came: Vec<_> = members[1..].iter().map(|(user, _)| user.as_str()).collect();
        self.audit_members(caller, &dialog.id, &came, MemberRole::Member).await;
        Ok((self.dialog(caller, &dialog.id).await?, true))
    }

    /// The direct dialog of two, which is made if they have none. Says whether it is new.
    pub(super) async fn direct_dialog(
        &self,
        me: &str,
        other: &str,
        mode: DialogMode,
    ) -> Result<(DialogView, bool), ServiceError> {
        if self.directory.is_blocked(me, other).await? {
            return Err(ServiceError::because(ErrorCode::NotAllowed, "There can be no dialog between the two of you."));
        }
        let dialog = Dialog {
            id: new_id(),
            kind: DialogKind::Direct,
            e2ee: mode == DialogMode::E2ee,
            title: String::new(),
            about: String::new(),
            avatar: None,
            pair: Some((me.to_owned(), other.to_owned())),
            created_by: me.to_owned(),
            created_ms: (self.now_ms)(),
        };
        let found = self.directory.dialog_of(me, other).await?;
        let is_new = match found {
            Some(_) => false,
            None => {
                let members = [me, other].map(|user| (user.to_owned(), MemberRole::Member));
                match self.add_dialog(&dialog, &members).await {
                    // Somebody was faster; the room that was made for it stays empty.
                    Err(error) if error.code == ErrorCode::Exists => false,
                    done => done.map(|()| true)?,
                }
            }
        };
        if is_new {
            return Ok((self.look(me, &dialog.id).await?, true));
        }
        let found = self.directory.dialog_of(me, other).await?.ok_or(DirectoryError::Missing)?;
        if mode == DialogMode::E2ee && !found.e2ee {
            let why = "The two of you have a dialog already, and the server can read it: a sealed one is not possible.";
            return Err(ServiceError::because(ErrorCode::ModeMismatch, why));
        }
        let kept = self.shelves.one(me, &found.id).await?.ok_or(DirectoryError::Missing)?;
        if kept.member.archived || kept.member.hidden_until > 0 {
            let back = Keeping { archived: Some(false), hidden_until: Some(0), ..Keeping::default() };
            self.keep(me, &found.id, back).await?;
            let view = self.look(me, &found.id).await?;
            self.tell(me, super::live::dialog_path(&found.id), &view);
            return Ok((view, false));
        }
        Ok((self.look(me, &found.id).await?, false))
    }

    async fn add_dialog(&self, dialog: &Dialog, members: &[(String, MemberRole)]) -> Result<(), ServiceError> {
        let users: Vec<_> = members.iter().map(|(user, _)| user.as_str()).collect();
        self.must_hold_more(&users).await?;
        let (limits, maker) = (self.roster.limits(), Arc::from(dialog.created_by.as_str()));
        limits.take(&maker, LimitKind::Dialogs).map_err(ServiceError::used_up)?;
        // A room is never given back, so whatever made one counts.
        let room = self.broker.ensure(&dialog.id, dialog.e2ee).await;
        room.inspect_err(|_| limits.give_back(&maker, LimitKind::Dialogs))?;
        self.directory.add_dialog(dialog, members).await?;
        self.reread(&dialog.id).await;
        for (user, role) in members {
            self.shelves.refresh(user, &dialog.id).await;
            self.webhook_member(&dialog.id, user, Some(*role)).await;
        }
        self.tell_members(&dialog.id).await;
        Ok(())
    }

    /// Refuses those who are members of as many dialogs as may be.
    pub(super) async fn must_hold_more(&self, users: &[&str]) -> Result<(), ServiceError> {
        let most = self.config.memberships_per_user;
        if self.directory.full_users(users, most).await?.is_empty() {
            return Ok(());
        }
        let why = format!("Somebody of these is a member of {most} dialogs, and no more may be.");
        Err(ServiceError::because(ErrorCode::NotPossible, why))
    }

    /// A dialog as the caller sees it.
    ///
    /// # Errors
    /// `not_found` when they are no member.
    pub async fn dialog(&self, caller: &Caller, id: &str) -> Result<DialogView, ServiceError> {
        self.look(&caller.identity.user, dialog_id(id)?).await
    }

    pub(super) async fn look(&self, user: &str, id: &str) -> Result<DialogView, ServiceError> {
        let kept = self.shelves.one(user, id).await?.ok_or(ErrorCode::NotFound)?;
        self.views(vec![kept]).await?.pop().ok_or_else(|| ErrorCode::NotFound.into())
    }

    /// Changes what everybody sees of a dialog.
    ///
    /// # Errors
    /// `not_found`, `forbidden` without the role of an admin, `not_possible` for a direct one, `bad_request`.
    pub async fn change_dialog(
        &self,
        caller: &Caller,
        id: &str,
        patch: DialogPatch,
    ) -> Result<DialogView, ServiceError> {
        self.seat(caller, id, MemberRole::Admin).await?;
        let change = DialogChange {
            title: patch.title.as_deref().map(texts::title).transpose()?,
            about: patch.about.as_deref().map(texts::about).transpose()?,
            avatar: match patch.avatar.as_deref() {
                Some("") => Some(None),
                Some(avatar) => Some(Some(self.avatar(caller, avatar).await?)),
                None => None,
            },
        };
        if !self.directory.change_dialog(id, &change, (self.now_ms)()).await? {
            return Err(ErrorCode::NotFound.into());
        }
        self.refresh_all(id).await?;
        self.tell_members(id).await;
        self.dialog(caller, id).await
    }

    /// Ends a dialog for everybody, with all that was said in it. A direct one is put away for the caller alone, until
    /// something is said in it.
    ///
    /// # Errors
    /// `not_found`, `forbidden` unless an owner asks.
    pub async fn remove_dialog(&self, caller: &Caller, id: &str) -> Result<(), ServiceError> {
        let me = &*caller.identity.user;
        let kept = self.shelves.one(me, dialog_id(id)?).await?.ok_or(ErrorCode::NotFound)?;
        if kept.dialog.kind == DialogKind::Direct {
            return self.put_away(me, id).await;
        }
        if kept.member.role != MemberRole::Owner {
            return Err(ErrorCode::Forbidden.into());
        }
        let members = self.roster.members(id).await?;
        self.directory.remove_dialog(id, (self.now_ms)()).await?;
        self.reread(id).await;
        self.access_changed(id, members.keys().map(|user| &**user));
        for user in members.keys() {
            self.member_gone(id, user).await;
        }
        self.audit(me, Action::DialogRemoved, id, caller.address, "").await;
        self.erase_removed(id).await;
        Ok(())
    }

    /// Erases what was said in a dialog that was removed. Nobody reads it any more, and what cannot be erased now is later,
    /// by [`Service::keep_up`]: so a failure is told to the operator alone.
    pub(super) async fn erase_removed(&self, id: &str) {
        if let Err(error) = self.erase(id).await {
            tracing::warn!(%error, "the messages of a removed dialog could not be erased; it is tried again");
        }
    }

    /// Erases everything that was said in a room, if it exists.
    pub(super) async fn erase(&self, id: &str) -> Result<(), ServiceError> {
        let Some(info) = self.broker.find(id) else { return Ok(()) };
        let broker = self.broker.clone();
        super::blocking(move || broker.trim_all(info.id)).await??;
        Ok(())
    }

    /// Until something new is said in it a dialog is in no list of the user.
    pub(super) async fn put_away(&self, user: &str, id: &str) -> Result<(), ServiceError> {
        let last =
            self.broker.find(id).and_then(|info| self.broker.bounds(info.id).ok()).map_or(0, |bounds| bounds.last);
        let away = Keeping { hidden_until: Some(last + 1), pinned_ms: Some(0), ..Keeping::default() };
        self.keep(user, id, away).await?;
        self.tell_gone(user, super::live::dialog_path(id));
        Ok(())
    }

    /// Changes how the caller keeps a dialog.
    ///
    /// # Errors
    /// `not_found` when they are no member.
    pub async fn keep_dialog(
        &self,
        caller: &Caller,
        id: &str,
        settings: DialogSettings,
    ) -> Result<DialogView, ServiceError> {
        let (me, id) = (&caller.identity.user, dialog_id(id)?);
        let keeping = Keeping {
            archived: settings.archived,
            muted_until_ms: settings.muted_until_ms.map(|until_ms| until_ms.min(i64::MAX as u64)),
            pinned_ms: settings.pinned.map(|pinned| if pinned { (self.now_ms)() } else { 0 }),
            hidden_until: None,
        };
        self.keep(me, id, keeping).await?;
        let view = self.look(me, id).await?;
        self.tell(me, super::live::dialog_path(id), &view);
        Ok(view)
    }

    async fn keep(&self, user: &str, id: &str, how: Keeping) -> Result<(), ServiceError> {
        if !self.directory.keep(id, user, how).await? {
            return Err(ErrorCode::NotFound.into());
        }
        self.shelves.refresh(user, id).await;
        Ok(())
    }

    /// What the caller is in a dialog, which is at least `least` of a dialog of many.
    ///
    /// # Errors
    /// `not_found` when they are no member, `forbidden` when they are less, `not_possible` for a direct dialog when more
    /// than a reader is wanted: nobody stands above the other there.
    pub(super) async fn seat(&self, caller: &Caller, id: &str, least: MemberRole) -> Result<MemberRole, ServiceError> {
        let kept = self.shelves.one(&caller.identity.user, dialog_id(id)?).await?.ok_or(ErrorCode::NotFound)?;
        if least > MemberRole::Reader && kept.dialog.kind == DialogKind::Direct {
            let why = "A direct dialog has no title, roles or invites, and its members stay.";
            return Err(ServiceError::because(ErrorCode::NotPossible, why));
        }
        match kept.member.role >= least {
            true => Ok(kept.member.role),
            false => Err(ErrorCode::Forbidden.into()),
        }
    }

    /// Has everybody's list show a dialog as it is now.
    pub(super) async fn refresh_all(&self, id: &str) -> Result<(), ServiceError> {
        for user in self.roster.members(id).await?.keys() {
            self.shelves.refresh(user, id).await;
        }
        Ok(())
    }

    /// Refuses to take those along who have blocked the caller; it looks as if they were not there.
    pub(super) async fn must_be_willing(&self, me: &str, others: &[Person]) -> Result<(), ServiceError> {
        let pairs: Vec<_> = others.iter().map(|other| (&*other.id, me)).collect();
        match self.directory.blocks(&pairs).await?.is_empty() {
            true => Ok(()),
            false => Err(no_such_user()),
        }
    }

    /// Who these are, without the caller, each once; all must be able to come in.
    pub(super) async fn others(&self, me: &str, ids: &[String]) -> Result<Vec<Person>, ServiceError> {
        if ids.len() > MEMBERS_AT_ONCE {
            return Err(ServiceError::bad(format!("At most {MEMBERS_AT_ONCE} members at once.")));
        }
        let mut others: Vec<&str> = ids.iter().map(String::as_str).filter(|id| *id != me).collect();
        others.sort_unstable();
        others.dedup();
        if others.iter().any(|id| check_user(id).is_err()) {
            return Err(no_such_user());
        }
        let people = self.directory.people(&others).await?;
        match people.len() == others.len() && people.iter().all(|person| person.state == UserState::Active) {
            true => Ok(people),
            false => Err(no_such_user()),
        }
    }
}

/// An id that a dialog could have.
///
/// # Errors
/// `not_found`: what cannot be is not there.
pub(super) fn dialog_id(id: &str) -> Result<&str, ServiceError> {
    match id.starts_with(DIALOG_PREFIX) && check_room(id).is_ok() {
        true => Ok(id),
        false => Err(ErrorCode::NotFound.into()),
    }
}

/// An id that a user could have.
///
/// # Errors
/// `not_found`: what cannot be is not there.
pub(super) fn user_id(id: &str) -> Result<&str, ServiceError> {
    match check_user(id) {
        Ok(()) => Ok(id),
        Err(_) => Err(ErrorCode::NotFound.into()),
    }
}

pub(super) fn no_such_user() -> ServiceError {
    ServiceError::because(ErrorCode::NotFound, "One of these users does not exist, or is you.")
}

fn new_id() -> String {
    format!("{DIALOG_PREFIX}{}", random_base32())
}
