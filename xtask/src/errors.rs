//! `docs/errors.md`, made from the one table of reasons: what each refusal means and what to do.

use std::fmt::Write;

use proto::reason::Reason;

use crate::run;

const PAGE: &str = "docs/errors.md";

const HEAD: &str = "\
<!-- Made by `cargo xtask generate` from proto/src/reason.rs; a test fails when it is not up to date. -->

# Errors

Every refusal carries `google.rpc.ErrorInfo` with one of these reasons, and `google.rpc.RetryInfo` where waiting helps. The
message beside it says what happened; its metadata names the rule, guard or limit that decided. Names are never renamed and
never used again for something else. The exit code is that of `countersign`: 0 done, 1 refused or failed, 2 usage, 3
unavailable, try again.

| reason | gRPC code | waiting helps | exit code | what to do |
| --- | --- | --- | --- | --- |
";

/// The page as it must be.
fn page() -> String {
    let mut page = HEAD.to_owned();
    for reason in Reason::ALL {
        let (code, wait) = (format!("{:?}", reason.code()), if reason.waiting_helps() { "yes" } else { "" });
        let row =
            (reason.name(), spelled(&code), wait, reason.exit_code(), reason.advice().replace('|', "\\|"));
        writeln!(page, "| `{}` | `{}` | {} | {} | {} |", row.0, row.1, row.2, row.3, row.4)
            .expect("a string takes everything");
    }
    page
}

/// `FailedPrecondition` as gRPC spells it: `FAILED_PRECONDITION`.
fn spelled(code: &str) -> String {
    let mut name = String::new();
    for letter in code.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// Makes the page again.
pub fn write() -> Result<(), String> {
    let path = run::root().join(PAGE);
    std::fs::write(&path, page()).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    println!("made {}", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{PAGE, page, spelled};
    use crate::run;

    #[test]
    fn the_page_is_up_to_date() {
        let there = std::fs::read_to_string(run::root().join(PAGE)).unwrap_or_default();
        assert!(there == page(), "{PAGE} is not what the reasons say: run `cargo xtask generate`");
    }

    #[test]
    fn codes_are_spelled_as_grpc_spells_them() {
        assert_eq!(spelled("FailedPrecondition"), "FAILED_PRECONDITION");
        assert_eq!(spelled("Aborted"), "ABORTED");
    }
}
