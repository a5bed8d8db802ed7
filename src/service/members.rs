//! Who is in a dialog, and as what.
//!
//! Invariants: a dialog of many keeps at least one owner. Only owners make admins and owners, or unmake them. A change is
//! stored, then known to the core, then live sessions follow it, then those who watch are told.

use std::sync::Arc;

use konvert_protocol::ErrorCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::audit::Action;
use super::dialogs::{dialog_id, no_such_user, user_id};
use super::live::{dialog_path, member_path};
use super::page::{self, List, Page};
use super::people::{Shown, Within};
use super::view::PersonView;
use super::{Caller, Service, ServiceError};
use crate::broker::AccessChange;
use crate::directory::{DialogKind, DirectoryError, Member, MemberRole, Person, Standing};

/// A member, as the others see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MemberView {
    /// Who.
    pub user: PersonView,
    /// As what.
    pub role: MemberRole,
    /// Since when, milliseconds since 1970.
    pub joined_ms: u64,
}

/// Members to be added.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMembers {
    /// User ids, at most 100. Those who are members already stay what they are.
    pub members: Vec<String>,
    /// As what; absent: member.
    pub role: Option<MemberRole>,
}

/// What a member shall be.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleChange {
    /// As what.
    pub role: MemberRole,
}

/// A part of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// Most on this page, 1 to 100; absent: 50.
    pub limit: Option<u32>,
}

impl Service {
    /// One page of a dialog's members, by user id.
    ///
    /// # Errors
    /// `not_found` when the caller is none of them; `bad_request`.
    pub async fn members(&self, caller: &Caller, id: &str, query: PageQuery) -> Result<Page<MemberView>, ServiceError> {
        self.seat(caller, id, MemberRole::Reader).await?;
        let limit = page::limit(query.limit)?;
        let name = format!("members {id}");
        let list = List { name: &name, caller: &caller.identity.user };
        let after: Option<String> = list.after(query.cursor.as_deref())?;
        let members = self.directory.members(id, after.as_deref().unwrap_or_default(), limit + 1).await?;
        let page = Page::cut(members, limit, list, |(member, _)| member.user_id.clone());
        let me = &*caller.identity.user;
        let pairs: Vec<_> = page.items.iter().map(|(_, person)| (&*person.id, me)).collect();
        let shown = self.shown(Within::Dialog, &pairs).await?;
        Ok(page.map(|(member, person)| self.member_view(&member, &person, me, &shown)))
    }

    /// One member.
    ///
    /// # Errors
    /// `not_found` when the caller or the user is none.
    pub async fn member(&self, caller: &Caller, id: &str, user: &str) -> Result<MemberView, ServiceError> {
        self.seat(caller, id, MemberRole::Reader).await?;
        let kept = self.shelves.one(user_id(user)?, id).await?.ok_or(ErrorCode::NotFound)?;
        let person = self.directory.people(&[user]).await?.pop().ok_or(ErrorCode::NotFound)?;
        let me = &*caller.identity.user;
        let shown = self.shown(Within::Dialog, &[(user, me)]).await?;
        Ok(self.member_view(&kept.member, &person, me, &shown))
    }

    fn member_view(&self, member: &Member, person: &Person, viewer: &str, shown: &Shown) -> MemberView {
        MemberView { user: self.person_view(person, viewer, shown), role: member.role, joined_ms: member.joined_ms }
    }

    /// Adds members.
    ///
    /// # Errors
    /// `not_found`, `forbidden` without the role of an admin, `not_possible` in a direct dialog or a full one.
    pub async fn add_members(&self, caller: &Caller, id: &str, wanted: NewMembers) -> Result<(), ServiceError> {
        self.seat(caller, id, MemberRole::Admin).await?;
        let people = self.others(&caller.identity.user, &wanted.members).await?;
        self.must_be_willing(&caller.identity.user, &people).await?;
        let members = self.roster.members(id).await?;
        let new = people.iter().map(|person| &*person.id).filter(|user| !members.contains_key(*user));
        self.must_hold_more(&new.collect::<Vec<_>>()).await?;
        let (role, most) = (wanted.role.unwrap_or(MemberRole::Member), self.config.members_max);
        let (mut came, mut outcome) = (Vec::new(), Ok(()));
        for person in &people {
            let add = move |now: Standing| match now.user {
                Some(role) => Ok(Some(role)),
                None if now.members >= most => Err(full(most)),
                None => may_make(now.by, role).map(|()| Some(role)),
            };
            match self.store_member(caller, id, &person.id, add).await {
                Ok((None, Some(_))) => came.push(&*person.id),
                Ok(_) => {}
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        // Also of a batch that was broken off: who came has come.
        self.members_came(id, &came, role).await;
        self.audit_members(caller, id, &came, role).await;
        outcome
    }

    /// Records who was taken into a dialog, if anybody was.
    pub(super) async fn audit_members(&self, caller: &Caller, id: &str, came: &[&str], role: MemberRole) {
        if !came.is_empty() {
            let detail = format!("{} as {}", came.join(" "), role.name());
            self.audit(&caller.identity.user, Action::MembersAdded, id, caller.address, &detail).await;
        }
    }

    /// Changes what a member is.
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `not_possible` when no owner would be left.
    pub async fn change_role(
        &self,
        caller: &Caller,
        id: &str,
        user: &str,
        role: MemberRole,
    ) -> Result<MemberView, ServiceError> {
        self.seat(caller, id, MemberRole::Member).await?;
        let change = move |now: Standing| {
            let before = now.user.ok_or(ErrorCode::NotFound)?;
            may_make(now.by, role)?;
            may_make(now.by, before)?;
            keeps_owner(now, Some(role))?;
            Ok(Some(role))
        };
        if let (Some(before), Some(after)) = self.change_member(caller, id, user_id(user)?, change).await?
            && before != after
        {
            let detail = format!("{id}: {} to {}", before.name(), after.name());
            self.audit(&caller.identity.user, Action::MemberRoleChanged, user, caller.address, &detail).await;
        }
        self.member(caller, id, user).await
    }

    /// Removes a member; everybody may remove themselves. A direct dialog is put away instead.
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `not_possible` when no owner would be left.
    pub async fn remove_member(&self, caller: &Caller, id: &str, user: &str) -> Result<(), ServiceError> {
        let me = caller.identity.user.clone();
        let kept = self.shelves.one(&me, dialog_id(id)?).await?.ok_or(ErrorCode::NotFound)?;
        if kept.dialog.kind == DialogKind::Direct && user == &*me {
            return self.put_away(&me, id).await;
        }
        if user != &*me {
            self.seat(caller, id, MemberRole::Admin).await?;
        }
        let leaves = user == &*me;
        let remove = move |now: Standing| {
            let before = now.user.ok_or(ErrorCode::NotFound)?;
            if !leaves {
                may_make(now.by, before)?;
            }
            keeps_owner(now, None)?;
            Ok(None)
        };
        self.change_member(caller, id, user_id(user)?, remove).await?;
        match leaves {
            true => self.audit(&me, Action::MemberLeft, id, caller.address, "").await,
            false => self.audit(&me, Action::MemberRemoved, user, caller.address, id).await,
        }
        Ok(())
    }

    /// Returns what the user was and what they are.
    async fn change_member(
        &self,
        caller: &Caller,
        id: &str,
        user: &str,
        decide: impl FnOnce(Standing) -> Result<Option<MemberRole>, ServiceError> + Send,
    ) -> Result<(Option<MemberRole>, Option<MemberRole>), ServiceError> {
        let changed = self.store_member(caller, id, user, decide).await?;
        match changed {
            (before, after) if before == after => {}
            (None, Some(role)) => self.members_came(id, &[user], role).await,
            (_, Some(role)) => {
                self.reread_some(id, &[user]).await;
                self.members_are(id, &[user], role).await;
            }
            (_, None) => {
                if !crate::sabotage::is("keep_members") {
                    self.reread_some(id, &[user]).await;
                    self.access_changed(id, [user]);
                    self.member_gone(id, user).await;
                }
                self.tell_member_gone(id, user).await;
                self.tell_members(id).await;
            }
        }
        Ok(changed)
    }

    /// What a user was in a dialog and what they are.
    async fn store_member(
        &self,
        caller: &Caller,
        id: &str,
        user: &str,
        decide: impl FnOnce(Standing) -> Result<Option<MemberRole>, ServiceError> + Send,
    ) -> Result<(Option<MemberRole>, Option<MemberRole>), ServiceError> {
        let by = &*caller.identity.user;
        let changed = self.directory.change_member(id, by, user, (self.now_ms)(), decide).await;
        changed.map_err(|error: ServiceError| match error.code {
            // The row of the user is gone since it was looked for.
            ErrorCode::NotFound => no_such_user(),
            _ => error,
        })
    }

    /// After users have become members: what was said before is not unread for them.
    pub(super) async fn members_came(&self, id: &str, users: &[&str], role: MemberRole) {
        if users.is_empty() {
            return;
        }
        self.reread_some(id, users).await;
        if let Some(info) = self.broker.find(id)
            && let Ok(bounds) = self.broker.bounds(info.id)
            && bounds.last > 0
        {
            let marks = users.iter().map(|user| {
                let (broker, info, user) = (&self.broker, &info, Arc::from(*user));
                async move { broker.mark_and_wait(info, &user, bounds.last).await }
            });
            for error in futures_util::future::join_all(marks).await.into_iter().filter_map(Result::err) {
                // They are members all the same, and only see too much as unread.
                let error = ServiceError::from(error);
                tracing::warn!(%error, dialog = id, "what was said before a member came is unread for them");
            }
        }
        self.members_are(id, users, role).await;
    }

    /// Has everybody follow what members are now. It is stored, so nothing here may fail any more.
    pub(super) async fn members_are(&self, id: &str, users: &[&str], role: MemberRole) {
        self.access_changed(id, users.iter().copied());
        let watching = self.watching(id).await.unwrap_or_default();
        for &user in users {
            self.shelves.refresh(user, id).await;
            self.webhook_member(id, user, Some(role)).await;
            if let Err(error) = self.tell_member(id, user, &watching).await {
                tracing::debug!(%error, dialog = id, "a member was not told");
            }
        }
        self.tell_members(id).await;
    }

    /// After somebody has ceased to be a member, and their sessions were told to look again: their list forgets the dialog.
    pub(super) async fn member_gone(&self, id: &str, user: &str) {
        self.webhook_member(id, user, None).await;
        self.shelves.refresh(user, id).await;
        self.tell_gone(user, dialog_path(id));
    }

    /// Tells those who watch that somebody is a member no more.
    pub(super) async fn tell_member_gone(&self, id: &str, user: &str) {
        for watcher in self.watching(id).await.unwrap_or_default() {
            self.tell_gone(&watcher, member_path(id, user));
        }
    }

    /// Tells those in a dialog who watch what a member is now.
    pub(super) async fn tell_member(&self, id: &str, user: &str, watching: &[Arc<str>]) -> Result<(), DirectoryError> {
        let pairs: Vec<_> = watching.iter().map(|watcher| (user, &**watcher)).collect();
        // Without an answer nobody learns whether they are there.
        let shown = self.shown(Within::Dialog, &pairs).await.unwrap_or_default();
        // Last, so that nothing comes between this and telling it: they may have left, or be something else there.
        let ids = [user];
        let (kept, people) = tokio::try_join!(self.shelves.one(user, id), self.directory.people(&ids))?;
        if let (Some(kept), [person]) = (kept, &people[..]) {
            for watcher in watching {
                let view = self.member_view(&kept.member, person, watcher, &shown);
                self.tell(watcher, member_path(id, user), &view);
            }
        }
        Ok(())
    }

    /// Has the roster read a dialog's members again. The change is stored, so nothing may go wrong with telling it any
    /// more: after a failure nothing is known of the dialog, and whoever asks waits until it is.
    pub(super) async fn reread(&self, id: &str) {
        if let Err(error) = self.roster.reload(id).await {
            tracing::error!(%error, "memberships could not be read after a change");
        }
    }

    /// The same for users of a dialog of many, of whom alone something is different.
    async fn reread_some(&self, id: &str, users: &[&str]) {
        if let Err(error) = self.roster.reload_some(id, users).await {
            tracing::error!(%error, "memberships could not be read after a change");
        }
    }

    /// Has the live sessions of users follow what they may do in a dialog now.
    pub(super) fn access_changed<'a>(&self, id: &str, users: impl IntoIterator<Item = &'a str>) {
        if let Some(room) = self.broker.find(id) {
            let users = Arc::new(users.into_iter().map(Arc::from).collect());
            self.broker.access_changed(AccessChange::Members { room, users });
        }
    }
}

/// Whether somebody may make others this, or unmake them.
fn may_make(by: Option<MemberRole>, role: MemberRole) -> Result<(), ServiceError> {
    let may = match by {
        Some(MemberRole::Owner) => true,
        Some(MemberRole::Admin) => role <= MemberRole::Member,
        _ => false,
    };
    if may { Ok(()) } else { Err(ErrorCode::Forbidden.into()) }
}

/// Whether an owner is left when the user becomes this.
fn keeps_owner(now: Standing, after: Option<MemberRole>) -> Result<(), ServiceError> {
    let is_last = now.user == Some(MemberRole::Owner) && now.owners <= 1 && after != Some(MemberRole::Owner);
    if !is_last {
        return Ok(());
    }
    let why = "The last owner stays: make somebody else owner first, or delete the dialog.";
    Err(ServiceError::because(ErrorCode::NotPossible, why))
}

pub(super) fn full(most: u64) -> ServiceError {
    ServiceError::because(ErrorCode::NotPossible, format!("The dialog is full: {most} members at most."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_makes_whom_what() {
        use MemberRole::{Admin, Member, Owner, Reader};
        for (by, roles) in [
            (None, vec![]),
            (Some(Reader), vec![]),
            (Some(Member), vec![]),
            (Some(Admin), vec![Reader, Member]),
            (Some(Owner), vec![Reader, Member, Admin, Owner]),
        ] {
            for role in [Reader, Member, Admin, Owner] {
                assert_eq!(may_make(by, role).is_ok(), roles.contains(&role), "{by:?} {role:?}");
            }
        }
    }

    #[test]
    fn the_last_owner_stays() {
        use MemberRole::{Member, Owner};
        let now = |user, owners| Standing { by: None, user, owners, members: 9 };
        assert!(keeps_owner(now(Some(Owner), 1), None).is_err());
        assert!(keeps_owner(now(Some(Owner), 1), Some(Member)).is_err());
        assert!(keeps_owner(now(Some(Owner), 1), Some(Owner)).is_ok());
        assert!(keeps_owner(now(Some(Owner), 2), None).is_ok());
        assert!(keeps_owner(now(Some(Member), 1), None).is_ok());
    }
}
