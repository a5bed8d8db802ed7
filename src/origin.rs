//! Which pages may talk to this server: a browser says where a page comes from, and whoever serves HTTP asks here. Pure;
//! knows neither requests nor answers.
//!
//! Invariant: an origin is compared whole. Nothing that merely begins or ends like an allowed one gets in.

/// Whether a page of `origin` may talk to a server that was asked under the name `host`: it is listed exactly, or
/// everybody is by `*`; where none is listed, it is served from here.
pub fn is_allowed(origin: &str, host: Option<&str>, origins: &[String]) -> bool {
    if origins.iter().any(|allowed| allowed == "*" || allowed == origin) {
        return true;
    }
    // A proxy may have taken TLS off, so that the scheme proves nothing; the host must be the one that was asked.
    let served_here = ["http://", "https://"].iter().find_map(|scheme| origin.strip_prefix(scheme));
    origins.is_empty() && served_here.is_some() && served_here == host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        for (origin, allowed, want) in [
            ("http://chat.example:3001", &[][..], true),
            ("https://chat.example:3001", &[], true),
            ("https://chat.example", &[], false),
            ("https://evil.example", &[], false),
            ("https://chat.example:3001.evil.example", &[], false),
            ("null", &[], false),
            ("", &[], false),
            ("https://app.example", &["https://app.example"], true),
            ("https://app.example.evil.example", &["https://app.example"], false),
            ("http://app.example", &["https://app.example"], false),
            ("http://chat.example:3001", &["https://app.example"], false),
            ("https://any.example", &["*"], true),
        ] {
            let allowed: Vec<_> = allowed.iter().map(|origin| (*origin).to_owned()).collect();
            assert_eq!(is_allowed(origin, Some("chat.example:3001"), &allowed), want, "{origin} with {allowed:?}");
        }
        assert!(!is_allowed("http://", None, &[]) && !is_allowed("http://chat.example", None, &[]));
    }
}
