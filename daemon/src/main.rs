//! countersignd.

/// The argument that makes this binary a PKCS#11 host.
const HOST: &str = "pkcs11-host";

fn main() -> std::process::ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == HOST) {
        return match daemon::backend::pkcs11::host::run() {
            Ok(()) => std::process::ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("countersignd {HOST}: {error}");
                std::process::ExitCode::FAILURE
            }
        };
    }
    std::process::ExitCode::from(2)
}
