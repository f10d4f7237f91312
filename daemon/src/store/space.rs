//! How much room is left.

use std::path::Path;

use super::StoreError;

/// Bytes that this process may still write to the file system of `path`.
///
/// # Errors
/// [`StoreError::Io`] where the file system does not say.
pub fn free_bytes(path: &Path) -> Result<u64, StoreError> {
    let found = rustix::fs::statvfs(path).map_err(|e| StoreError::io("asking for free space of", path, e))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}
