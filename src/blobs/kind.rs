//! What a file is, by its first bytes. What somebody calls it is not looked at.
//!
//! Owns the types that are known, and which of them a browser may show by itself. Invariant: what a computer would run,
//! and markup that a browser would run, has a type that no setting allows and that is never shown.

/// Bytes from the beginning of a file that tell its type.
pub const HEAD_BYTES: usize = 8 << 10;

/// When nothing else is known.
pub const ANY: &str = "application/octet-stream";
/// What runs on a computer.
const PROGRAM: &str = "application/x-executable";
/// What runs in a browser, when it is shown.
const MARKUP: &[&str] = &["text/html", "image/svg+xml"];

/// Pictures that every browser shows and that hold no script.
const PICTURES: &[&str] = &["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"];

/// The type of a file that begins like this.
pub fn kind_of(head: &[u8]) -> &'static str {
    if is_program(head) {
        return PROGRAM;
    }
    if let Some(markup) = markup(head) {
        return markup;
    }
    match infer::get(head) {
        // Found by two bytes or so, which the bytes of any sealed file may begin with.
        Some(found) if found.matcher_type() == infer::MatcherType::App => ANY,
        Some(found) if found.mime_type().starts_with("text/") => "text/plain",
        Some(found) => found.mime_type(),
        None if is_text(head) => "text/plain",
        None => ANY,
    }
}

/// Whether a browser may show it by itself, rather than save it.
pub fn is_shown(kind: &str) -> bool {
    PICTURES.contains(&kind) || kind.starts_with("audio/") || kind.starts_with("video/")
}

/// As what a file of this kind is kept, if `types` allow it: as what it is, or else as mere bytes.
pub fn admit(types: &[String], kind: &'static str) -> Option<&'static str> {
    let is_allowed = |kind: &str| {
        types.iter().any(|allowed| match allowed.strip_suffix('*') {
            Some(beginning) => kind.starts_with(beginning),
            None => allowed == kind,
        })
    };
    match kind {
        PROGRAM => None,
        kind if MARKUP.contains(&kind) => None,
        kind if is_allowed(kind) => Some(kind),
        _ if is_allowed(ANY) => Some(ANY),
        _ => None,
    }
}

/// Whether it begins as programs do, by signatures long enough that chance does not make them.
fn is_program(head: &[u8]) -> bool {
    const SIGNATURES: &[&[u8]] = &[
        b"\x7fELF",
        b"\0asm",
        b"#!/",
        b"#! /",
        b"dex\n",
        // Mach-O of both widths and byte orders; for several machines, which is also the mark of Java classes.
        b"\xfe\xed\xfa\xce",
        b"\xfe\xed\xfa\xcf",
        b"\xce\xfa\xed\xfe",
        b"\xcf\xfa\xed\xfe",
        b"\xca\xfe\xba\xbe",
    ];
    SIGNATURES.iter().any(|signature| head.starts_with(signature)) || is_windows_program(head)
}

/// `MZ`, and where it points to, `PE`.
fn is_windows_program(head: &[u8]) -> bool {
    let Some(&[a, b, c, d]) = head.get(0x3c..0x40) else { return false };
    let at = u32::from_le_bytes([a, b, c, d]) as usize;
    head.starts_with(b"MZ") && at.checked_add(4).and_then(|end| head.get(at..end)) == Some(b"PE\0\0")
}

fn markup(head: &[u8]) -> Option<&'static str> {
    let start = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    if !start.starts_with(b"<") {
        return None;
    }
    let text = start[..start.len().min(1_024)].to_ascii_lowercase();
    let has = |word: &[u8]| text.windows(word.len()).any(|window| window == word);
    let is_html = [&b"<html"[..], b"<!doctype html", b"<script", b"<body", b"<head", b"<iframe"].into_iter().any(has);
    match (is_html, has(b"<svg")) {
        (true, _) => Some("text/html"),
        (false, true) => Some("image/svg+xml"),
        (false, false) => infer::get(start).filter(|found| found.mime_type() == "text/html").map(|_| "text/html"),
    }
}

/// UTF-8 without control characters; the last character may be cut.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\x0c'))
}

#[cfg(test)]
mod tests {
    use super::super::BlobsConfig;
    use super::*;

    #[test]
    fn bytes_tell_what_a_file_is() {
        let mut windows = vec![0; 0x80];
        windows[..2].copy_from_slice(b"MZ");
        windows[0x3c] = 0x40;
        windows[0x40..0x44].copy_from_slice(b"PE\0\0");
        let types = BlobsConfig::default().types;
        for (head, kind, kept) in [
            (&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], "image/png", Some("image/png")),
            (b"%PDF-1.7\n", "application/pdf", Some("application/pdf")),
            (b"PK\x03\x04\x14\0\0\0", "application/zip", Some("application/zip")),
            (b"ID3\x03\0\0\0\0", "audio/mpeg", Some("audio/mpeg")),
            ("grüße".as_bytes(), "text/plain", Some("text/plain")),
            (&"grüße".as_bytes()[..3], "text/plain", Some("text/plain")),
            (b"<?xml version=\"1.0\"?><a/>", "text/plain", Some("text/plain")),
            (b"\x01\x02\x03\xff", ANY, Some(ANY)),
            // Chance: sealed bytes that begin like something that runs.
            (b"MZ\x90\x11\xf0\x12", ANY, Some(ANY)),
            (b"\x30\x82\x01\x02\xff", ANY, Some(ANY)),
            (b"\x7fELF\x02\x01", PROGRAM, None),
            (b"#!/bin/sh\n", PROGRAM, None),
            (&windows, PROGRAM, None),
            (b"\xca\xfe\xba\xbe\0\0", PROGRAM, None),
            (b"  <!DOCTYPE html><p>", "text/html", None),
            (b"<a><script>1</script>", "text/html", None),
            (b"\xef\xbb\xbf<svg onload='x()'>", "image/svg+xml", None),
            (b"<?xml version='1.0'?>\n<!-- x -->\n<svg>", "image/svg+xml", None),
        ] {
            assert_eq!((kind_of(head), admit(&types, kind_of(head))), (kind, kept), "{}", head.escape_ascii());
        }
    }

    #[test]
    fn settings_choose_among_what_does_not_run() {
        let types = |types: &[&str]| types.iter().copied().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(admit(&types(&["image/*"]), "application/pdf"), None);
        assert_eq!(admit(&types(&["image/png"]), "image/png"), Some("image/png"));
        for everything in [types(&["*"]), types(&["image/svg+xml", "text/html", "application/x-executable"])] {
            assert_eq!(admit(&everything, "image/svg+xml"), None);
            assert_eq!(admit(&everything, PROGRAM), None);
        }
        assert!(is_shown("image/png") && is_shown("video/mp4"));
        assert!(!is_shown("image/svg+xml") && !is_shown("text/html") && !is_shown("application/pdf") && !is_shown(ANY));
    }
}
