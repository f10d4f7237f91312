//! The files as such: all there, none more, each as the manifest says.

use proto::hash::Hash;

use crate::transcript::invalid::{At, hold};
use crate::transcript::manifest::is_listed;
use crate::transcript::{Files, Invalid, LARGEST, LARGEST_FILE, MOST_FILES, Manifest, SCHEMA, Step, name};

/// Bounds first, so that nothing after this is larger than what is allowed for.
pub(super) fn bounded(files: &Files) -> Result<(), Invalid> {
    let step = Step::Files;
    hold(files.len() <= MOST_FILES, step, || {
        format!("{} files, at most {MOST_FILES} are read", files.len())
    })?;
    let mut total = 0_usize;
    for (path, bytes) in files {
        hold(bytes.len() <= LARGEST_FILE, step, || format!("{path} has more than {LARGEST_FILE} bytes"))?;
        total = total.saturating_add(bytes.len());
    }
    hold(total <= LARGEST, step, || format!("the files have {total} bytes, at most {LARGEST} are read"))
}

pub(super) fn find<'f>(files: &'f Files, path: &str) -> Result<&'f [u8], Invalid> {
    files.get(path).map(Vec::as_slice).at(Step::Files, format_args!("{path} is missing"))
}

/// Reads a file that is text.
pub(super) fn text<'f>(files: &'f Files, path: &str, step: Step) -> Result<&'f str, Invalid> {
    std::str::from_utf8(find(files, path)?).at(step, path)
}

/// The manifest; the files are exactly those that it lists, and have the digests that it names.
pub(super) fn manifest(files: &Files) -> Result<Manifest, Invalid> {
    find(files, name::COMPLETED)?;
    let bytes = find(files, name::MANIFEST)?;
    let manifest = Manifest::parse(bytes).at(Step::Manifest, name::MANIFEST)?;
    hold(manifest.schema == SCHEMA, Step::Manifest, || {
        format!("the manifest has another schema than `{SCHEMA}`: use a newer version")
    })?;
    let sorted = manifest.files.windows(2).all(|pair| pair[0].path < pair[1].path);
    hold(sorted, Step::Manifest, || "the manifest does not list its files in order, each once".to_owned())?;
    for listed in &manifest.files {
        hold(is_listed(&listed.path), Step::Manifest, || format!("the manifest lists {}", listed.path))?;
        find(files, &listed.path)?;
    }
    let lists = |path: &String| manifest.files.binary_search_by(|listed| listed.path.cmp(path)).is_ok();
    if let Some(path) = files.keys().find(|path| is_listed(path) && !lists(path)) {
        return Err(Invalid::new(Step::Files, format!("{path} does not belong to this transcript")));
    }
    for listed in &manifest.files {
        let found = Hash::of(find(files, &listed.path)?);
        hold(found == listed.sha256, Step::Hashes, || {
            format!("{} has SHA-256 {found}, the manifest names {}", listed.path, listed.sha256)
        })?;
    }
    Ok(manifest)
}
