//! Reading what the command line names: files, digests, pairs, keys, times.
//!
//! Promises: bad input is told what was expected, before anything is sent or written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use jiff::{SignedDuration, Timestamp, civil};
use proto::algorithm::HashAlgorithm;
use proto::digest::{Digest, Digests};
use proto::name::{KeyName, VersionName};
use proto::proof::public_key::PublicKey;
use proto::record::detail::{ANNOTATIONS, LONGEST_ANNOTATION};
use proto::time::Time;

use super::complaint::Complaint;
use crate::seen::{Followed, Memory};
use crate::settings::{self, Partial, Setting, partial};
use crate::verify::Content;

/// Files larger than this are hashed piece by piece and never held whole.
const HELD: u64 = 64 * 1024 * 1024;

/// A whole file, at most `most` bytes.
///
/// # Errors
/// Where it cannot be read or is larger.
pub fn file(path: &Path, most: u64) -> Result<Vec<u8>, Complaint> {
    let mut content = Vec::new();
    open(path)?.take(most + 1).read_to_end(&mut content).map_err(|cause| unreadable(path, &cause))?;
    if content.len() as u64 > most {
        return Err(Complaint::usage(format!("{} has more than {most} bytes", path.display())));
    }
    Ok(content)
}

/// A text file.
///
/// # Errors
/// Where it cannot be read, is too large or is not UTF-8.
pub fn text(path: &Path, most: u64) -> Result<String, Complaint> {
    String::from_utf8(file(path, most)?)
        .map_err(|_bytes| Complaint::usage(format!("{} is not text", path.display())))
}

/// Opens a file.
///
/// # Errors
/// Where it cannot be opened or is a directory.
pub fn open(path: &Path) -> Result<File, Complaint> {
    let file = File::open(path).map_err(|cause| unreadable(path, &cause))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(
            Complaint::usage(format!("{} is a directory", path.display())).advise("name the files in it")
        );
    }
    Ok(file)
}

fn unreadable(path: &Path, cause: &std::io::Error) -> Complaint {
    Complaint::usage(format!("{} cannot be read", path.display())).because(cause.to_string())
}

/// What is in a file, as far as verifying needs it: the bytes of all but very large ones, else the digests.
///
/// # Errors
/// Where it cannot be read.
pub fn content(path: &Path) -> Result<Content, Complaint> {
    let mut open = open(path)?;
    if open.metadata().is_ok_and(|metadata| metadata.len() <= HELD) {
        let mut bytes = Vec::new();
        open.read_to_end(&mut bytes).map_err(|cause| unreadable(path, &cause))?;
        return Ok(Content::Bytes(bytes));
    }
    let hashes = [&aws_lc_rs::digest::SHA256, &aws_lc_rs::digest::SHA384, &aws_lc_rs::digest::SHA512];
    let mut contexts = hashes.map(aws_lc_rs::digest::Context::new);
    let mut piece = vec![0; 1024 * 1024];
    loop {
        let read = open.read(&mut piece).map_err(|cause| unreadable(path, &cause))?;
        if read == 0 {
            break;
        }
        contexts.iter_mut().for_each(|context| context.update(&piece[..read]));
    }
    let digests = HashAlgorithm::ALL.into_iter().zip(contexts);
    let digests = digests
        .map(|(hash, context)| Digest::new(hash, context.finish().as_ref()))
        .collect::<Result<Vec<_>, _>>();
    let digests = digests.and_then(Digests::new).map_err(|cause| Complaint::failed(cause.to_string()))?;
    Ok(Content::Digests(digests))
}

/// Digests, each of another hash.
///
/// # Errors
/// Where one is not a digest, or two are of one hash.
pub fn digests(texts: &[String]) -> Result<Digests, Complaint> {
    let parse = |text: &String| {
        text.parse::<Digest>().map_err(|cause| {
            Complaint::usage(format!("`{text}` is not a digest: {cause}"))
                .advise("write it as sha256:HEX, sha384:HEX or sha512:HEX, in lower-case digits")
        })
    };
    let digests = texts.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    Digests::new(digests).map_err(|cause| Complaint::usage(cause.to_string()))
}

/// Name of a key.
///
/// # Errors
/// With the rule that the text breaks.
pub fn key(text: &str) -> Result<KeyName, Complaint> {
    text.parse().map_err(|cause| Complaint::usage(format!("`{text}` is not the name of a key: {cause}")))
}

/// `KEY` or `KEY@VERSION`.
///
/// # Errors
/// With the rule that the text breaks.
pub fn key_or_version(text: &str) -> Result<(KeyName, Option<u32>), Complaint> {
    if !text.contains('@') {
        return Ok((key(text)?, None));
    }
    let name: VersionName = text
        .parse()
        .map_err(|cause| Complaint::usage(format!("`{text}` is not a version of a key: {cause}")))?;
    Ok((name.key, Some(name.version)))
}

/// `NAME=VALUE`.
///
/// # Errors
/// Where there is no `=` or no name.
pub fn pair<'a>(flag: &str, text: &'a str) -> Result<(&'a str, &'a str), Complaint> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name, value)),
        _ => Err(Complaint::usage(format!("--{flag} `{text}`: expected NAME=VALUE"))),
    }
}

/// Annotations, within the bounds of a record's detail.
///
/// # Errors
/// Where there are too many, one is too long, or one is given twice.
pub fn annotations(flag: &str, texts: &[String]) -> Result<BTreeMap<String, String>, Complaint> {
    if texts.len() > ANNOTATIONS {
        return Err(Complaint::usage(format!(
            "--{flag} was given {} times; at most {ANNOTATIONS} are kept",
            texts.len()
        )));
    }
    let mut found = BTreeMap::new();
    for text in texts {
        let (name, value) = pair(flag, text)?;
        if name.len() + value.len() > LONGEST_ANNOTATION {
            return Err(Complaint::usage(format!(
                "--{flag} {name}: name and value together have at most {LONGEST_ANNOTATION} bytes"
            )));
        }
        if found.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(Complaint::usage(format!("--{flag} {name} was given twice")));
        }
    }
    Ok(found)
}

/// A public key, PEM.
///
/// # Errors
/// Where the file is not one.
pub fn public_key(path: &Path) -> Result<PublicKey, Complaint> {
    PublicKey::from_pem(&text(path, HELD)?).map_err(|cause| {
        Complaint::usage(format!("{}: {cause}", path.display()))
            .advise("`countersign keys public KEY` prints a public key")
    })
}

/// The largest file of ends of log keys: a thousand receipts of small records.
const LARGEST_ENDS: u64 = 16 * 1024 * 1024;

/// The keys of the log for offline checks, from the trusted one that is set: by the file that is named, else by what this client
/// has followed.
///
/// # Errors
/// Where no log key is set, or the file does not lead from it to others.
pub fn log_keys(places: &[Partial], ends: Option<&Path>) -> Result<Followed, Complaint> {
    let trusted = settings::log_key(places)?.ok_or(crate::connection::CallError::NoLogKey)?;
    if let Some(path) = ends {
        return Followed::read(&trusted, &text(path, LARGEST_ENDS)?).map_err(|cause| {
            Complaint::failed(format!("{} does not lead from the log key to others", path.display()))
                .because(cause.to_string())
                .advise("`countersign log keys --out FILE` writes what does")
        });
    }
    match partial::first(places, Setting::State) {
        Some(place) => Memory::at(&place.path())
            .followed(&trusted)
            .map_err(|cause| crate::trail::TrailError::from(cause).into()),
        None => Ok(Followed::none(&trusted)),
    }
}

/// A moment: `2026-11-21T05:00:00Z`, a day (its beginning, UTC), or how long ago (`2h`, `3 days`).
///
/// # Errors
/// Where it is none of these.
pub fn time(flag: &str, text: &str, now: i64) -> Result<Time, Complaint> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(Time::from_microseconds(moment.as_microsecond()));
    }
    if let Ok(day) = text.parse::<civil::Date>()
        && let Ok(zoned) = day.to_zoned(jiff::tz::TimeZone::UTC)
    {
        return Ok(Time::from_microseconds(zoned.timestamp().as_microsecond()));
    }
    if let Some(ago) = ago(text) {
        return Ok(Time::from_microseconds(now.saturating_sub(ago)));
    }
    Err(Complaint::usage(format!("--{flag} `{text}` is not a time"))
        .advise("write 2026-11-21T05:00:00Z, 2026-11-21, or how long ago: 90s, 2h, 3d"))
}

/// Microseconds of `2h` or `3d`.
fn ago(text: &str) -> Option<i64> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<i64>().ok()).filter(|days| *days >= 0);
    let duration = match days {
        Some(days) => SignedDuration::from_hours(days.checked_mul(24)?),
        None => text.parse::<SignedDuration>().ok()?,
    };
    i64::try_from(duration.as_micros()).ok().filter(|micros| *micros >= 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]
    use super::*;

    #[test]
    fn times_are_moments_days_or_distances() {
        let now = 1_795_237_200_000_000; // 2026-11-21T05:00:00Z
        let read = |text| time("since", text, now).unwrap().to_string();
        assert_eq!(read("2026-11-20T01:02:03Z"), "2026-11-20T01:02:03.000000Z");
        assert_eq!(read("2026-11-20T01:02:03+01:00"), "2026-11-20T00:02:03.000000Z");
        assert_eq!(read("2026-11-20"), "2026-11-20T00:00:00.000000Z");
        assert_eq!(read("2h"), "2026-11-21T03:00:00.000000Z");
        assert_eq!(read("3d"), "2026-11-18T05:00:00.000000Z");
        for bad in ["", "yesterday", "-2h", "2026-13-01", "-3d"] {
            let complaint = time("since", bad, now).unwrap_err();
            assert_eq!(complaint.exit, crate::exit::Exit::Usage, "{bad}");
        }
    }

    #[test]
    fn annotations_are_bounded_before_they_are_sent() {
        let texts = |number: usize| (0..number).map(|n| format!("a{n}=b=c")).collect::<Vec<_>>();
        assert_eq!(annotations("annotation", &texts(16)).unwrap()["a3"], "b=c");
        assert!(annotations("annotation", &texts(17)).is_err());
        for bad in [
            vec!["a".to_owned()],
            vec!["=b".to_owned()],
            vec![format!("a={}", "b".repeat(256))],
            vec!["a=1".into(), "a=2".into()],
        ] {
            assert!(annotations("annotation", &bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn keys_versions_and_digests_are_told_what_was_expected() {
        assert_eq!(key_or_version("release/linux@3").unwrap().1, Some(3));
        assert_eq!(key_or_version("release/linux").unwrap().1, None);
        for bad in ["Release", "a@", "a@0", "a@x"] {
            assert!(key_or_version(bad).is_err(), "{bad}");
        }
        let complaint = digests(&["sha256:00".to_owned()]).unwrap_err();
        assert!(complaint.what.contains("32 bytes"), "{}", complaint.what);
        assert!(digests(&["md5:00".to_owned()]).is_err());
    }

    #[test]
    fn large_and_small_files_have_the_same_digests() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("large");
        let file = File::create(&path).unwrap();
        file.set_len(HELD + 1).unwrap();
        let Content::Digests(found) = content(&path).unwrap() else { panic!("held whole") };
        let zeros = vec![0; usize::try_from(HELD).unwrap() + 1];
        assert_eq!(found, Content::Bytes(zeros).digests());
        assert!(open(directory.path()).is_err());
    }
}
