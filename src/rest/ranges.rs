//! Which bytes of a file a request wants: `Range`, RFC 9110. Pure.
//!
//! One stretch is served; a list of them, and what cannot be understood, counts as if nothing was said, which the
//! standard allows. Invariant: a stretch lies within the file and is not empty.

use std::ops::Range;

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Everything.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes that the file does not have.
    Nothing,
}

/// What the header means for a file of this size.
pub(super) fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let Some((unit, spec)) = header.and_then(|header| header.split_once('=')) else { return Wanted::Whole };
    let Some((first, last)) = spec.trim().split_once('-') else { return Wanted::Whole };
    let (Some(first), Some(last)) = (number(first), number(last)) else { return Wanted::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Wanted::Whole;
    }
    let range = match (first, last) {
        (None, None) => return Wanted::Whole,
        (None, Some(count)) => size.saturating_sub(count)..size,
        (Some(first), None) => first..size,
        (Some(first), Some(last)) if first > last => return Wanted::Whole,
        (Some(first), Some(last)) => first..last.saturating_add(1).min(size),
    };
    if range.is_empty() { Wanted::Nothing } else { Wanted::Part(range) }
}

/// Digits; `Some(None)` for none at all. What is too much for a number is as good as the highest.
fn number(text: &str) -> Option<Option<u64>> {
    match text.trim() {
        "" => Some(None),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => Some(Some(digits.parse().unwrap_or(u64::MAX))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stretches_of_ten_bytes() {
        for (header, want) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=0-", Wanted::Part(0..10)),
            ("bytes=9-", Wanted::Part(9..10)),
            ("bytes=3-5", Wanted::Part(3..6)),
            ("bytes=3-99999999999999999999999", Wanted::Part(3..10)),
            ("bytes=-1", Wanted::Part(9..10)),
            ("bytes=-10", Wanted::Part(0..10)),
            ("bytes=-11", Wanted::Part(0..10)),
            ("BYTES = 1 - 2 ", Wanted::Part(1..3)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=10-11", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-3", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes=--1", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("nonsense", Wanted::Whole),
        ] {
            assert_eq!(wanted(Some(header), 10), want, "{header}");
        }
        assert_eq!(wanted(None, 10), Wanted::Whole);
    }

    proptest! {
        /// Whatever two numbers say, it is what reading the bytes one by one says.
        #[test]
        fn a_stretch_is_what_it_says(first in prop::option::of(0_u64..30), last in prop::option::of(0_u64..30), size in 1_u64..20) {
            let text = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
            let is_meant = |at: u64| match (first, last) {
                (None, Some(count)) => size - at <= count,
                (Some(first), last) => at >= first && last.is_none_or(|last| at <= last),
                (None, None) => true,
            };
            let bytes: Vec<u64> = (0..size).filter(|at| is_meant(*at)).collect();
            match wanted(Some(&format!("bytes={}-{}", text(first), text(last))), size) {
                Wanted::Whole => prop_assert!(matches!((first, last), (None, None)) || first > last && last.is_some()),
                Wanted::Part(range) => prop_assert_eq!(range.collect::<Vec<_>>(), bytes),
                Wanted::Nothing => prop_assert!(bytes.is_empty()),
            }
        }

        #[test]
        fn nothing_leads_out_of_the_file(header in "(bytes=)?[0-9 ,+-]{0,30}", size in any::<u64>()) {
            if let Wanted::Part(range) = wanted(Some(&header), size) {
                prop_assert!(range.start < range.end && range.end <= size);
            }
        }
    }
}
