//! Where an account is signed in: each place with a short access token and a refresh token that changes at every use.
//!
//! A refresh token is `krt.<device>.<rotation>.<HMAC of both>`: nothing of it is stored but the number of the current
//! rotation. Invariants: of racing refreshes one rotates and the others get its token; a token from before that ends
//! the sign-in, because two must have it; whoever is signed out is refused within a second, on live connections too.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use konvert_protocol::ErrorCode;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use utoipa::ToSchema;

use super::accounts::Profile;
use super::audit::Action;
use super::{Caller, Service, ServiceError};
use crate::auth::{Claims, Seconds, random_base32};
use crate::broker::AccessChange;
use crate::directory::{Device, User, UserState};

/// For so long after a rotation the token before it gets the same answer again: the first may have been lost.
const LOST_ANSWER_MS: u64 = 30_000;
const TOKEN_PREFIX: &str = "krt";

/// Somebody who has just come in.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SignedIn {
    /// Who.
    pub user: Profile,
    /// With what.
    #[serde(flatten)]
    pub tokens: Tokens,
}

/// What a device needs to stay signed in.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Tokens {
    /// For requests and for `connect`.
    pub access_token: String,
    /// For `/api/auth/refresh`, once; keep only the newest.
    pub refresh_token: String,
    /// When the access token ends, milliseconds since 1970.
    pub expires_ms: u64,
}

/// A refresh token, presented.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshToken {
    /// The newest that the device got.
    pub refresh_token: String,
}

/// A place where one is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SignIn {
    /// Its id.
    pub id: String,
    /// What the device said of itself.
    pub agent: String,
    /// Where it signed in from.
    pub address: String,
    /// When, milliseconds since 1970.
    pub created_ms: u64,
    /// When its token was last refreshed, milliseconds since 1970.
    pub used_ms: u64,
    /// When it ends if it is not used, milliseconds since 1970.
    pub expires_ms: u64,
    /// Whether it is the one that asks.
    pub is_current: bool,
}

impl Service {
    /// Signs somebody in on a new device; `user` is the row whose password was proved.
    ///
    /// # Errors
    /// `wrong_credentials` when the password was changed meanwhile, or they may not come in any more.
    pub(super) async fn add_device(
        &self,
        user: User,
        agent: String,
        address: IpAddr,
    ) -> Result<SignedIn, ServiceError> {
        let now_ms = (self.now_ms)();
        let device = Device {
            id: format!("dev-{}", random_base32()),
            user_id: user.id.clone(),
            agent,
            address: address.to_string(),
            created_ms: now_ms,
            used_ms: now_ms,
            expires_ms: now_ms.saturating_add(self.config.device_s * 1_000),
            rotation: 1,
            rotated_ms: now_ms,
            revoked_ms: 0,
        };
        if !self.directory.add_device(&device, user.password.as_deref()).await? {
            return Err(ErrorCode::WrongCredentials.into());
        }
        let tokens = self.tokens(&user, &device.id, device.rotation)?;
        Ok(SignedIn { user: user.into(), tokens })
    }

    fn tokens(&self, user: &User, device: &str, rotation: u64) -> Result<Tokens, ServiceError> {
        let expires_ms = (self.now_ms)().saturating_add(self.config.access_token_s * 1_000);
        let claims = Claims {
            sub: user.id.clone(),
            name: user.name.clone(),
            device: Some(device.to_owned()),
            exp: Some(Seconds::from_ms(expires_ms)),
            ..Claims::default()
        };
        let access_token = self.auth.mint(&claims)?;
        Ok(Tokens { access_token, refresh_token: self.refresh_token(device, rotation), expires_ms })
    }

    fn refresh_token(&self, device: &str, rotation: u64) -> String {
        let signed = format!("{TOKEN_PREFIX}.{device}.{rotation}");
        let code = URL_SAFE_NO_PAD.encode(self.refresh_mac(&signed).finalize().into_bytes());
        format!("{signed}.{code}")
    }

    fn refresh_mac(&self, signed: &str) -> Hmac<Sha256> {
        let mut mac = self.refresh_key.clone();
        mac.update(signed.as_bytes());
        mac
    }

    /// The device and the rotation that a refresh token of ours names.
    fn open_refresh<'a>(&self, token: &'a str) -> Option<(&'a str, u64)> {
        let (signed, code) = token.rsplit_once('.')?;
        let code = URL_SAFE_NO_PAD.decode(code).ok()?;
        // Compares in constant time.
        self.refresh_mac(signed).verify_slice(&code).ok()?;
        let mut parts = signed.split('.');
        let (TOKEN_PREFIX, device, rotation) = (parts.next()?, parts.next()?, parts.next()?) else { return None };
        Some((device, rotation.parse().ok()?))
    }

    /// New tokens for a device. The old refresh token is of no more use.
    ///
    /// # Errors
    /// `bad_token` for what is no token of ours; `revoked`, `token_expired`; `token_reused`, and then the device is
    /// signed out.
    pub async fn refresh(&self, token: &str, address: IpAddr) -> Result<SignedIn, ServiceError> {
        let bad = || ServiceError::because(ErrorCode::BadToken, "This is no refresh token of this server. Sign in.");
        let (id, rotation) = self.open_refresh(token).ok_or_else(bad)?;
        let now_ms = (self.now_ms)();
        let device = self.directory.device(id).await?.ok_or(ErrorCode::Revoked)?;
        let user = self.directory.user(&device.user_id).await?.ok_or(ErrorCode::Revoked)?;
        if device.revoked_ms > 0 || user.state != UserState::Active {
            return Err(ErrorCode::Revoked.into());
        }
        if device.expires_ms <= now_ms {
            return Err(ServiceError::because(ErrorCode::TokenExpired, "It was not used for too long. Sign in again."));
        }
        let expires_ms = now_ms.saturating_add(self.config.device_s * 1_000);
        let next = rotation.saturating_add(1);
        let is_next = self.directory.rotate(id, rotation, now_ms, expires_ms).await?
            // Somebody was faster, or the answer was lost.
            || self.directory.device(id).await?.is_some_and(|device| {
                device.rotation == next
                    && device.revoked_ms == 0
                    && now_ms.saturating_sub(device.rotated_ms) <= LOST_ANSWER_MS
            });
        if !is_next {
            self.sign_out_device(&user.id, id).await?;
            self.audit(&user.id, Action::RefreshTokenReused, id, address, "the sign-in was ended").await;
            return Err(ErrorCode::TokenReused.into());
        }
        let tokens = self.tokens(&user, id, next)?;
        Ok(SignedIn { user: user.into(), tokens })
    }

    /// Ends a sign-in. Returns whether there was one.
    async fn sign_out_device(&self, user: &str, device: &str) -> Result<bool, ServiceError> {
        let was_in = self.directory.revoke_device(user, device, (self.now_ms)()).await?;
        if was_in {
            self.cut_off_devices(user, &[device.to_owned()]);
        }
        Ok(was_in)
    }

    /// Ends every sign-in of somebody, but for one. Returns how many there were.
    pub(super) async fn sign_out_devices(&self, user: &str, but: Option<&str>) -> Result<usize, ServiceError> {
        let ended = self.directory.revoke_devices(user, but, (self.now_ms)()).await?;
        self.cut_off_devices(user, &ended);
        Ok(ended.len())
    }

    /// Refuses the tokens that devices still have, and closes their connections.
    fn cut_off_devices(&self, user: &str, devices: &[String]) {
        if devices.is_empty() || crate::sabotage::is("keep_revoked") {
            return;
        }
        let until_ms = (self.now_ms)().saturating_add(self.config.access_token_s * 1_000);
        devices.iter().for_each(|device| self.roster.revoke(device, until_ms));
        let devices = devices.iter().map(|device| Arc::from(device.as_str())).collect();
        self.broker.access_changed(AccessChange::Revoked { user: user.into(), devices: Some(devices) });
    }

    /// Refuses all tokens of somebody who is not active, or no longer; closes their connections.
    pub(super) fn cut_off(&self, user: &str, state: UserState) {
        if crate::sabotage::is("keep_revoked") {
            return;
        }
        self.roster.set_state(user, state);
        if state != UserState::Active {
            self.broker.access_changed(AccessChange::Revoked { user: user.into(), devices: None });
        }
    }

    /// Where the caller is signed in, the most recently used first.
    ///
    /// # Errors
    /// When the directory does not answer.
    pub async fn sign_ins(&self, caller: &Caller) -> Result<Vec<SignIn>, ServiceError> {
        let devices = self.directory.devices(&caller.identity.user, (self.now_ms)()).await?;
        let current = caller.identity.device.as_deref();
        let sign_in = |device: Device| {
            let is_current = current == Some(device.id.as_str());
            let Device { id, agent, address, created_ms, used_ms, expires_ms, .. } = device;
            SignIn { id, agent, address, created_ms, used_ms, expires_ms, is_current }
        };
        Ok(devices.into_iter().map(sign_in).collect())
    }

    /// Ends one of the caller's sign-ins.
    ///
    /// # Errors
    /// `not_found` when it is not one of theirs, or ended.
    pub async fn end_sign_in(&self, caller: &Caller, device: &str) -> Result<(), ServiceError> {
        if !self.sign_out_device(&caller.identity.user, device).await? {
            return Err(ErrorCode::NotFound.into());
        }
        self.audit(&caller.identity.user, Action::SignOut, device, caller.address, "").await;
        Ok(())
    }

    /// Ends the sign-in that the caller's token belongs to, or all of them.
    ///
    /// # Errors
    /// `not_possible` for tokens that others vouch for and guests': they are not kept here.
    pub async fn sign_out(&self, caller: &Caller, everywhere: bool) -> Result<(), ServiceError> {
        let device = caller.identity.device.as_deref().ok_or_else(no_account)?;
        if !everywhere {
            return self.end_sign_in(caller, device).await;
        }
        let user = &caller.identity.user;
        let count = self.sign_out_devices(user, None).await?;
        self.audit(user, Action::SignOutEverywhere, user, caller.address, &format!("{count} devices")).await;
        Ok(())
    }
}

/// What somebody without an account here is told when only an account has it.
pub(super) fn no_account() -> ServiceError {
    ServiceError::because(ErrorCode::NotPossible, "This token belongs to no account of this server.")
}
