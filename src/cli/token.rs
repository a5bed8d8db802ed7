//! `konvert token`: a token for somebody, signed with the server's secret.

use clap::Args;

use super::{Done, Failure, Settings, now_ms, print};
use crate::auth::{Auth, Claims, Grant, GrantMode, Permission, Seconds};
use crate::secrets;

#[derive(Args)]
#[command(after_help = "\
Rights: read, publish, signal, presence, moderate, create, or all.
Rooms:  a name, the beginning of names and *, or * for every room.

Examples:
  konvert token --user anna --name Anna --room lobby --room team-1
  konvert token --user backend --grant '*=all' --ttl 365d
  konvert token --user boris --grant 'private-*=read,publish,create' --e2ee")]
pub(super) struct Token {
    /// The user's id: 1 to 128 bytes of printable ASCII without space.
    #[arg(long, value_name = "ID")]
    user: String,
    /// The user's name as others see it, at most 64 bytes.
    #[arg(long, default_value = "")]
    name: String,
    /// A room to read, publish, signal and be present in; may be repeated.
    #[arg(long = "room", value_name = "ROOM")]
    rooms: Vec<String>,
    /// Rights in a room; may be repeated.
    #[arg(long = "grant", value_name = "ROOM=RIGHT,…", value_parser = grant)]
    grants: Vec<Grant>,
    /// Rooms that come into being through these grants are end-to-end encrypted.
    #[arg(long)]
    e2ee: bool,
    /// How long the token holds: 30s, 15m, 12h, 7d.
    #[arg(long, default_value = "24h", value_name = "TIME", value_parser = duration_ms)]
    ttl: u64,
    #[command(flatten)]
    settings: Settings,
}

impl Token {
    pub(super) fn run(self) -> Done {
        let config = self.settings.load()?;
        let secret = secrets::load_or_create(&config.server.data)?;
        let auth = Auth::new(&config.auth, &secret, config.guest_rooms())?;
        let now = now_ms();
        let mut claims = Claims {
            sub: self.user,
            name: self.name,
            iat: Some(Seconds::from_ms(now / 1_000 * 1_000)),
            exp: Some(Seconds::from_ms((now / 1_000 * 1_000).saturating_add(self.ttl))),
            grants: self.grants,
            ..Claims::default()
        };
        claims.grants.extend(self.rooms.into_iter().map(everyday));
        if claims.grants.is_empty() {
            return Err(Failure(
                "the token would allow nothing; add --room lobby or --grant 'team-*=read,publish'".into(),
            ));
        }
        if self.e2ee {
            claims.grants.iter_mut().for_each(|grant| grant.mode = Some(GrantMode::E2ee));
        }
        print(auth.mint(&claims)?);
        Ok(())
    }
}

/// What most people need in a room.
fn everyday(room: String) -> Grant {
    use Permission::{Presence, Publish, Read, Signal};
    Grant { room, allow: vec![Read, Publish, Signal, Presence], mode: None }
}

fn grant(text: &str) -> Result<Grant, String> {
    let (room, rights) = text.split_once('=').ok_or("write it like 'team-*=read,publish'")?;
    let right = |name: &str| {
        let found = Permission::ALL.into_iter().find(|permission| permission.name() == name);
        found.ok_or_else(|| format!("there is no right {name:?}"))
    };
    let allow = match rights {
        "all" => Permission::ALL.to_vec(),
        rights => rights.split(',').map(right).collect::<Result<_, _>>()?,
    };
    Ok(Grant { room: room.to_owned(), allow, mode: None })
}

pub(super) fn duration_ms(text: &str) -> Result<u64, String> {
    let seconds = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];
    let parsed = seconds.into_iter().find_map(|(unit, seconds): (char, u64)| {
        text.strip_suffix(unit)?.parse::<u64>().ok().filter(|&n| n > 0)?.checked_mul(seconds * 1_000)
    });
    parsed.ok_or_else(|| "write it like 30s, 15m, 12h or 7d".to_owned())
}
