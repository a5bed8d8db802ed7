//! The record of what was done that matters for security: who, what, to whom, from where.
//!
//! Owns the list of what is recorded. Invariants: never a secret in it, nor anything that names a person but their id, so that
//! it may stay when an account goes. An action whose record fails has still been done; the failure is in the log.

use std::net::IpAddr;

use super::Service;
use crate::auth::random_base32;
use crate::directory::AuditEntry;

macro_rules! actions {
    ($($variant:ident = $name:literal, $meaning:literal;)+) => {
        /// Something that matters for security. docs/directory.md tells of each by which request it is done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action {
            $(#[doc = $meaning] $variant,)+
        }

        impl Action {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// What it is called in the table and in answers.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it tells.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }
        }
    };
}

actions! {
    SignUp = "sign_up", "Somebody made an account.";
    SignIn = "sign_in", "Somebody signed in.";
    SignInFailed = "sign_in_failed", "Somebody tried to, with a wrong login or password, or blocked or deleted.";
    SignOut = "sign_out", "A sign-in was ended by whose it is.";
    SignOutEverywhere = "sign_out_everywhere", "All of them were.";
    RefreshTokenReused = "refresh_token_reused", "A refresh token came a second time, so that its sign-in was ended.";
    PasswordChanged = "password_changed", "Somebody changed their password.";
    PasswordWrong = "password_wrong", "Somebody who is signed in gave a wrong password.";
    EmailChanged = "email_changed", "Somebody changed or removed their e-mail address.";
    AccountDeleted = "account_deleted", "Somebody deleted their account.";
    FirstAdministrator = "first_administrator", "The first administrator came by the code.";
    FirstAdministratorRefused = "first_administrator_refused", "Somebody tried to, with a wrong code.";
    UserCreated = "user_created", "An administrator made an account.";
    RoleChanged = "role_changed", "An administrator changed what a user may do on the server.";
    Blocked = "blocked", "An administrator blocked a user.";
    Unblocked = "unblocked", "An administrator let a user in again.";
    PasswordReset = "password_reset", "An administrator gave a user another password.";
    SignInsEnded = "sign_ins_ended", "An administrator ended all sign-ins of a user.";
    LimitsChanged = "limits_changed", "An administrator changed what a role or a user may use up.";
    MemberRoleChanged = "member_role_changed", "What a member of a dialog may do there was changed.";
    MembersAdded = "members_added", "Users were taken into a dialog.";
    MemberRemoved = "member_removed", "A member was removed from a dialog.";
    MemberLeft = "member_left", "A member left a dialog.";
    DialogRemoved = "dialog_removed", "A dialog was ended for everybody.";
    InviteCreated = "invite_created", "An invite into a dialog was made.";
    InviteRevoked = "invite_revoked", "It was taken back.";
    InviteUsed = "invite_used", "Somebody came in by it.";
    KeyCreated = "key_created", "An API key was made.";
    KeyRevoked = "key_revoked", "An API key was taken back.";
    TokenMade = "token_made", "A program made a token for a user.";
    UserVouched = "user_vouched", "A program added or renamed a user that it vouches for.";
    UserDisconnected = "user_disconnected", "A program ended a user's connections.";
    RoomCreated = "room_created", "A program made a room.";
    WebhookCreated = "webhook_created", "A webhook was made.";
    WebhookChanged = "webhook_changed", "A webhook was changed.";
    WebhookRemoved = "webhook_removed", "A webhook was removed.";
    DeliveryRetried = "delivery_retried", "A delivery that was given up was sent again.";
}

impl Service {
    /// Records an action. `actor` is the id of a user or of an API key, or empty when nobody is known; `target` an id, or
    /// empty; `detail` what else one would want to know, without names and secrets.
    pub async fn audit(&self, actor: &str, action: Action, target: &str, address: IpAddr, detail: &str) {
        let entry = AuditEntry {
            id: format!("aud-{}", random_base32()),
            at_ms: (self.now_ms)(),
            actor: actor.to_owned(),
            action: action.name().to_owned(),
            target: target.to_owned(),
            address: address.to_string(),
            detail: detail.to_owned(),
        };
        let action = action.name();
        tracing::debug!(actor, action, target, %address, detail, "audit");
        if let Err(error) = self.directory.add_audit(&entry).await {
            tracing::error!(%error, action, "an action could not be recorded");
        }
    }
}
