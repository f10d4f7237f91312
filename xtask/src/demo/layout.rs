//! A real OCI image layout (OCI image specification 1.1): one layer, a configuration, a manifest, an index.

use std::path::Path;

use proto::hash::Hash;
use serde_json::{Value, json};

/// Builds the layout with `content` as its one file and returns the manifest's digest, `sha256:<hex>`.
pub fn build(directory: &Path, content: &Path) -> Result<String, String> {
    let blobs = directory.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).map_err(|e| format!("cannot make {}: {e}", blobs.display()))?;
    let content = std::fs::read(content).map_err(|e| format!("cannot read {}: {e}", content.display()))?;
    let put = |bytes: &[u8]| {
        let digest = Hash::of(bytes);
        let path = blobs.join(digest.to_string());
        std::fs::write(&path, bytes).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        Ok::<_, String>((format!("sha256:{digest}"), bytes.len()))
    };
    let descriptor = |kind: &str, (digest, size): &(String, usize)| json!({"mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest, "size": size});
    let layer = put(&tar("artefact", &content))?;
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer.0]},
    });
    let config = put(&bytes(&config)?)?;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("config.v1+json", &config), "layers": [descriptor("layer.v1.tar", &layer)],
    });
    let manifest = put(&bytes(&manifest)?)?;
    let index = json!({"schemaVersion": 2, "manifests": [descriptor("manifest.v1+json", &manifest)]});
    let write = |name: &str, value: &Value| {
        let path = directory.join(name);
        std::fs::write(&path, bytes(value)?).map_err(|e| format!("cannot write {}: {e}", path.display()))
    };
    write("index.json", &index)?;
    write("oci-layout", &json!({"imageLayoutVersion": "1.0.0"}))?;
    println!("image layout {} with manifest {}", directory.display(), manifest.0);
    Ok(manifest.0)
}

fn bytes(value: &Value) -> Result<Vec<u8>, String> {
    serde_json::to_vec(value).map_err(|e| e.to_string())
}

/// A tar archive (POSIX ustar) of one file.
fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{:011o}", content.len()));
    put(136, "00000000000");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\u{0}00");
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic fails the test")]
    use super::*;

    #[test]
    fn every_descriptor_names_a_blob_of_that_digest_and_size() {
        let directory = tempfile::tempdir().unwrap();
        let content = directory.path().join("content");
        std::fs::write(&content, b"hello").unwrap();
        let image = directory.path().join("image");
        let manifest = build(&image, &content).unwrap();
        let read = |digest: &str| {
            std::fs::read(image.join("blobs/sha256").join(digest.trim_start_matches("sha256:"))).unwrap()
        };
        let value: Value = serde_json::from_slice(&read(&manifest)).unwrap();
        for descriptor in [&value["config"], &value["layers"][0]] {
            let blob = read(descriptor["digest"].as_str().unwrap());
            assert_eq!(descriptor["size"], blob.len());
            assert_eq!(descriptor["digest"], format!("sha256:{}", Hash::of(&blob)));
        }
        let listed = std::process::Command::new("tar")
            .arg("-tf")
            .arg(
                image
                    .join("blobs/sha256")
                    .join(value["layers"][0]["digest"].as_str().unwrap().trim_start_matches("sha256:")),
            )
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&listed.stdout), "artefact\n");
    }
}
