//! `cargo xtask generate`: makes `proto/src/wire/generated` from `proto/proto`, without protoc.
//!
//! The output is checked in, so that building the product needs no protobuf compiler. The compiler takes 28 CPU
//! seconds to build and sits behind the feature `codegen`; without it this command runs itself again with it.
//!
//! Invariant: what is checked in is what the `.proto` files say (`checked_in_code_is_what_the_compiler_makes`).

#[cfg(feature = "codegen")]
mod compile;

/// Makes the generated files again.
///
/// # Errors
/// A sentence that says what failed: the compiler's complaint with file and line, or a file that cannot be
/// written.
#[cfg(feature = "codegen")]
pub fn run() -> Result<(), String> {
    compile::write(&compile::generated_directory()).map(|files| {
        for file in files {
            println!("made {}", file.display());
        }
    })
}

/// Runs this command again with the protobuf compiler built in.
///
/// # Errors
/// A sentence that says that the build or the run failed; cargo has said why.
#[cfg(not(feature = "codegen"))]
pub fn run() -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = std::process::Command::new(cargo)
        .args(["run", "--quiet", "--package", "xtask", "--features", "codegen", "--", "generate"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .map_err(|why| format!("cannot run cargo to build the protobuf compiler: {why}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`xtask generate` with the protobuf compiler: {status}"))
    }
}
