//! The content coding of a request's body: as it is, or zstd (RFC 8878, RFC 9659).
//!
//! Promises: a body that grows beyond its bound while it is unpacked is refused there, whatever it would have
//! become; memory is asked for before it is taken; half a frame, or anything behind the last one, is refused.
//! It must not know events.

use super::answer::Refusal;
use axum::http::{HeaderMap, header};
use std::io::Read;

/// The base-2 logarithm of the largest window that a zstd frame may ask for: 8 MiB, which RFC 9659 makes the
/// bound for senders and receivers.
const MAX_WINDOW_LOG: u32 = 23;
/// What is taken first for an unpacked body; doubled where it is too small.
const FIRST: usize = 64 * 1024;

/// How a body is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Identity,
    Zstd,
}

/// Finds the coding from the headers alone, so that a wrong one is refused before the body is read.
pub(crate) fn coding(headers: &HeaderMap) -> Result<Coding, Refusal> {
    let declared: Vec<_> = headers.get_all(header::CONTENT_ENCODING).iter().collect();
    let declared: Vec<&str> = declared.iter().map(|value| value.to_str().unwrap_or("?")).collect();
    let declared = declared.join(", ");
    let is = |coding: &str| declared.trim().eq_ignore_ascii_case(coding);
    match () {
        () if is("") || is("identity") => Ok(Coding::Identity),
        () if is("zstd") => Ok(Coding::Zstd),
        () => Err(Refusal::Encoding(declared.chars().take(32).collect())),
    }
}

/// Unpacks the zstd frames of a body to at most `max` bytes. `room` is asked before memory is taken: the number
/// of bytes that the body then has in all.
pub(crate) fn unpack(
    packed: &[u8],
    max: usize,
    mut room: impl FnMut(usize) -> Result<(), Refusal>,
) -> Result<Vec<u8>, Refusal> {
    let mut frames = zstd::Decoder::with_buffer(packed).map_err(Refusal::Zstd)?;
    frames.window_log_max(MAX_WINDOW_LOG).map_err(Refusal::Zstd)?;
    let (mut body, mut filled) = (Vec::new(), 0_usize);
    loop {
        if filled == body.len() {
            if filled > max {
                return Err(Refusal::TooLarge);
            }
            // One byte more than the bound, so that reaching it and passing it can be distinguished.
            let size = filled.saturating_mul(2).clamp(FIRST.min(max), max + 1);
            room(size.min(max))?;
            body.reserve_exact(size - filled);
            body.resize(size, 0);
        }
        match frames.read(body.get_mut(filled..).unwrap_or_default()).map_err(Refusal::Zstd)? {
            0 => break,
            read => filled += read,
        }
    }
    body.truncate(filled);
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (header::CONTENT_ENCODING, value.parse().unwrap())).collect()
    }

    fn plain(packed: &[u8], max: usize) -> Result<Vec<u8>, Refusal> {
        unpack(packed, max, |_| Ok(()))
    }

    #[test]
    fn only_one_coding_and_only_zstd_is_taken() {
        for values in [&[][..], &["identity"], &[""], &["Identity "]] {
            assert_eq!(coding(&headers(values)).ok(), Some(Coding::Identity), "{values:?}");
        }
        for values in [&["zstd"], &["ZStd"]] {
            assert_eq!(coding(&headers(values)).ok(), Some(Coding::Zstd), "{values:?}");
        }
        for values in [
            &["gzip"][..],
            &["br"],
            &["zstd, gzip"],
            &["zstd", "gzip"],
            &["identity", "gzip"],
            &["zstd,zstd"],
        ] {
            assert!(matches!(coding(&headers(values)), Err(Refusal::Encoding(_))), "{values:?}");
        }
    }

    #[test]
    fn frames_are_joined_and_the_bound_is_exact() {
        let text: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        let (first, second) = text.split_at(777_777);
        let packed = [zstd::encode_all(first, 3).unwrap(), zstd::encode_all(second, 19).unwrap()].concat();
        assert!(plain(&packed, text.len()).unwrap() == text);
        assert!(matches!(plain(&packed, text.len() - 1), Err(Refusal::TooLarge)));
        assert!(plain(&zstd::encode_all(&b""[..], 3).unwrap(), 9).unwrap().is_empty());
    }

    #[test]
    fn memory_is_asked_for_before_it_is_taken() {
        let packed = zstd::encode_all(&vec![7_u8; 500_000][..], 3).unwrap();
        let mut asked = Vec::new();
        unpack(&packed, 1 << 20, |size| {
            asked.push(size);
            Ok(())
        })
        .unwrap();
        assert_eq!(asked, [65_536, 131_072, 262_144, 524_288]);
        let refused =
            unpack(&packed, 1 << 20, |size| if size > 300_000 { Err(Refusal::Busy) } else { Ok(()) });
        assert!(matches!(refused, Err(Refusal::Busy)));
    }

    #[test]
    fn what_is_no_whole_frame_is_refused() {
        let packed = zstd::encode_all(&b"text"[..], 3).unwrap();
        let garbage = |end: &[u8]| [&packed, end].concat();
        for (name, bytes) in [
            ("nothing", Vec::new()),
            ("no zstd", b"{}".to_vec()),
            ("a byte behind", garbage(b"\n")),
            ("text behind", garbage(b"trailing garbage")),
            ("half a frame behind", garbage(&packed[..packed.len() - 1])),
        ] {
            assert!(matches!(plain(&bytes, 100), Err(Refusal::Zstd(_))), "{name}");
        }
        for end in 0..packed.len() {
            assert!(matches!(plain(&packed[..end], 100), Err(Refusal::Zstd(_))), "cut at {end}");
        }
    }
}
