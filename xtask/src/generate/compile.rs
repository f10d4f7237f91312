//! The protobuf compiler: protox reads, `tonic-prost-build` writes.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The package, one file each under `proto/proto/countersign/v1`.
const SOURCES: [&str; 6] = ["ceremony", "enrollment", "incident", "keys", "log", "signing"];

/// The descriptor set with its imports, for server reflection.
const DESCRIPTOR: &str = "countersign.v1.binpb";

/// Fields that carry whole messages, records and hashes: `bytes::Bytes`, which are cut from the transport's buffer
/// and shared, where `Vec<u8>` would be copied once more.
const SHARED: [&str; 9] = [
    ".countersign.v1.SignRequest.message",
    ".countersign.v1.DsseInput.payload",
    ".countersign.v1.NotationInput.payload",
    ".countersign.v1.SignResponse.signed_bytes",
    ".countersign.v1.Receipt.record",
    ".countersign.v1.Receipt.leaf_hash",
    ".countersign.v1.Receipt.inclusion_path",
    ".countersign.v1.Record.leaf",
    ".countersign.v1.Record.detail",
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository").to_path_buf()
}

/// Where the generated files are checked in.
pub fn generated_directory() -> PathBuf {
    repository().join("proto/src/wire/generated")
}

/// Writes every generated file into `directory` and gives their paths.
///
/// # Errors
/// The compiler's complaint with file and line, or a file that cannot be written.
pub fn write(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let root = repository().join("proto/proto");
    let files = SOURCES.map(|name| root.join(format!("countersign/v1/{name}.proto")));
    let mut compiler = protox::Compiler::new([&root]).map_err(|why| why.to_string())?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(&files).map_err(|why| format!("{why:?}"))?;
    fs::create_dir_all(directory).map_err(|why| format!("cannot make {}: {why}", directory.display()))?;
    // The well-known types come from prost-types: their descriptors serve reflection, their code is not ours.
    let builder = tonic_prost_build::configure()
        .build_transport(false)
        .codec_path("crate::wire::codec::Whole")
        .btree_map(".")
        .out_dir(directory)
        .emit_rerun_if_changed(false);
    SHARED
        .iter()
        .fold(builder, |builder, path| builder.bytes(path))
        .compile_fds(compiler.file_descriptor_set())
        .map_err(|why| format!("cannot generate code: {why}"))?;
    compiler.include_source_info(false);
    let descriptor = directory.join(DESCRIPTOR);
    fs::write(&descriptor, compiler.encode_file_descriptor_set())
        .map_err(|why| format!("cannot write {}: {why}", descriptor.display()))?;
    Ok(vec![directory.join("countersign.v1.rs"), descriptor])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]
    use super::*;

    #[test]
    fn checked_in_code_is_what_the_compiler_makes() {
        let fresh = tempfile::tempdir().unwrap();
        for made in write(fresh.path()).unwrap() {
            let name = made.file_name().unwrap();
            let checked_in = fs::read(generated_directory().join(name)).unwrap();
            assert!(
                fs::read(&made).unwrap() == checked_in,
                "{} differs from what the .proto files say: run `cargo xtask generate`",
                name.display()
            );
        }
        let names = |directory: &Path| {
            let mut names: Vec<_> =
                fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(
            names(fresh.path()),
            names(&generated_directory()),
            "nothing else lies beside generated code"
        );
    }
}
