//! What people may call themselves and tell of themselves. Pure.
//!
//! Invariant: a text that passed can be shown anywhere: it is in one normal form, breaks no line, turns no direction and
//! hides nothing, so that two names that look the same by invisible characters alone cannot be.

use unicode_normalization::UnicodeNormalization as _;

use super::ServiceError;
use crate::auth::NAME_BYTES_MAX;

/// Longest text about oneself, bytes.
const ABOUT_BYTES_MAX: usize = 1_000;
/// Longest title of a dialog, bytes.
const TITLE_BYTES_MAX: usize = 128;
/// Longest e-mail address, bytes: RFC 5321.
const EMAIL_BYTES_MAX: usize = 254;
/// Longest description of a device, bytes; what is longer is cut.
const AGENT_BYTES_MAX: usize = 128;

/// A login in its one form, lower case.
///
/// # Errors
/// `bad_request` says what a login is.
pub(super) fn login(text: &str) -> Result<String, ServiceError> {
    let login = text.to_ascii_lowercase();
    let is_first = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_rest = |c: u8| is_first(c) || matches!(c, b'.' | b'_' | b'-');
    let is_login =
        (3..=32).contains(&login.len()) && login.bytes().next().is_some_and(is_first) && login.bytes().all(is_rest);
    match is_login {
        true => Ok(login),
        false => Err(ServiceError::bad("login: 3 to 32 of the letters a to z, digits, and . _ - after the first.")),
    }
}

/// A name to be shown, in normal form and with single spaces.
///
/// # Errors
/// `bad_request` says what a name is.
pub(super) fn name(text: &str) -> Result<String, ServiceError> {
    let shown = shown(text, &[]).map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    shown.filter(|name| !name.is_empty() && name.len() <= NAME_BYTES_MAX).ok_or_else(|| {
        ServiceError::bad(format!(
            "name: 1 to {NAME_BYTES_MAX} bytes, not only spaces, without control characters, invisible characters and \
             such as change the direction of writing."
        ))
    })
}

/// The title of a dialog, in normal form and with single spaces.
///
/// # Errors
/// `bad_request` says what a title is.
pub(super) fn title(text: &str) -> Result<String, ServiceError> {
    let shown = shown(text, &[]).map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    shown.filter(|title| !title.is_empty() && title.len() <= TITLE_BYTES_MAX).ok_or_else(|| {
        ServiceError::bad(format!(
            "title: 1 to {TITLE_BYTES_MAX} bytes, not only spaces, without control characters, invisible characters \
             and such as change the direction of writing."
        ))
    })
}

/// The name of a stored file.
///
/// # Errors
/// `bad_request` when it has not the form of one.
pub(super) fn blob(name: &str) -> Result<String, ServiceError> {
    match konvert_protocol::blob_digest(name) {
        Some(_) => Ok(name.to_owned()),
        None => Err(ServiceError::bad("avatar: the SHA-256 of a stored file, 64 lower-case hex digits.")),
    }
}

/// What somebody tells of themselves; may be empty and have lines.
///
/// # Errors
/// `bad_request` says what is possible.
pub(super) fn about(text: &str) -> Result<String, ServiceError> {
    shown(text, &['\n']).filter(|about| about.len() <= ABOUT_BYTES_MAX).ok_or_else(|| {
        ServiceError::bad(format!(
            "about: at most {ABOUT_BYTES_MAX} bytes, without control characters, invisible characters and such as \
             change the direction of writing."
        ))
    })
}

/// An e-mail address, as far as its form tells.
///
/// # Errors
/// `bad_request` when it has not the form of one.
pub(super) fn email(text: &str) -> Result<String, ServiceError> {
    let is_local = |local: &str| {
        (1..=64).contains(&local.len())
            && !local.starts_with('.')
            && !local.ends_with('.')
            && local.bytes().all(|c| c.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&c))
    };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_email = text.len() <= EMAIL_BYTES_MAX
        && text
            .split_once('@')
            .is_some_and(|(local, domain)| is_local(local) && domain.contains('.') && domain.split('.').all(is_label));
    match is_email {
        true => Ok(text.to_owned()),
        false => Err(ServiceError::bad("email: an address like anna@chat.example.")),
    }
}

/// What a device says of itself, made fit to be shown.
pub(super) fn agent(text: &str) -> String {
    let mut agent: String = text.chars().filter(|c| !c.is_control() && !is_invisible(*c)).collect();
    agent.truncate(agent.floor_char_boundary(AGENT_BYTES_MAX));
    agent
}

/// A name that somebody else vouches for, made to keep the rules; may be empty.
pub(super) fn vouched_name(text: &str) -> String {
    let shown: String = text.nfc().filter(|c| !c.is_control() && !is_invisible(*c)).collect();
    let mut name = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    name.truncate(name.floor_char_boundary(NAME_BYTES_MAX));
    name
}

/// The normal form of a text, if it may be shown.
fn shown(text: &str, controls: &[char]) -> Option<String> {
    let text: String = text.nfc().collect();
    let mut before = ' ';
    for c in text.chars() {
        // What joins and colours pictures is invisible, too, but after a letter it would only hide.
        let is_joint = matches!(c, '\u{200D}' | '\u{FE0F}') && !before.is_alphanumeric() && !before.is_whitespace();
        if (c.is_control() && !controls.contains(&c)) || (is_invisible(c) && !is_joint) {
            return None;
        }
        before = c;
    }
    Some(text)
}

/// Characters that show nothing, or turn what is around them.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins() {
        for (text, want) in [
            ("anna", Some("anna")),
            ("Anna.K_1-x", Some("anna.k_1-x")),
            ("007", Some("007")),
            ("ab", None),
            ("", None),
            (".anna", None),
            ("-anna", None),
            ("an na", None),
            ("аnna", None),  // begins with a Cyrillic letter
            ("ａnna", None), // a wide letter
            ("K\u{212A}elvin", None),
            ("anna\0", None),
            ("anna' OR 1=1 --", None),
        ] {
            assert_eq!(login(text).ok().as_deref(), want, "{text:?}");
        }
        assert!(login(&"a".repeat(32)).is_ok() && login(&"a".repeat(33)).is_err());
    }

    #[test]
    fn names() {
        for (text, want) in [
            ("Anna", Some("Anna")),
            ("  Anna \u{3000} K ", Some("Anna K")),
            ("A\u{308}nne", Some("Änne")),
            ("Robert'); DROP TABLE users;--", Some("Robert'); DROP TABLE users;--")),
            ("\u{2764}\u{FE0F}", Some("\u{2764}\u{FE0F}")),
            ("\u{1F469}\u{200D}\u{1F4BB}", Some("\u{1F469}\u{200D}\u{1F4BB}")),
            ("", None),
            (" \u{a0} ", None),
            ("An\nna", None),
            ("An\u{200D}na", None),
            ("Anna\u{FE0F}", None),
            ("An\u{200B}na", None),
            ("\u{202E}annA", None),
            ("Anna\u{2066}", None),
            ("\u{3164}", None),
            ("\u{2800}", None),
            ("An\0na", None),
        ] {
            assert_eq!(name(text).ok().as_deref(), want, "{text:?}");
        }
        assert!(name(&"ä".repeat(32)).is_ok() && name(&"ä".repeat(33)).is_err());
        assert_eq!(vouched_name(&format!(" \u{202E}{}x", "ä".repeat(40))), "ä".repeat(32));
    }

    #[test]
    fn emails_and_the_rest() {
        for good in ["a@b.example", "anna.k+chat@mail.chat.example"] {
            assert!(email(good).is_ok(), "{good}");
        }
        let long = format!("{}@chat.example", "a".repeat(65));
        for bad in [
            "",
            "a",
            "a@b",
            "@b.example",
            "a@@b.example",
            "a b@c.example",
            "a@b..example",
            "a@-b.example",
            ".a@b.c",
            &long,
        ] {
            assert!(email(bad).is_err(), "{bad}");
        }
        assert!(about("one\ntwo").is_ok() && about("a\u{202E}b").is_err() && about(&"a".repeat(1_001)).is_err());
        assert_eq!(agent("Fire\nfox\u{202E}"), "Firefox");
        assert_eq!(agent(&"ä".repeat(100)).len(), 128);
    }
}
