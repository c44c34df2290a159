//! The one place that reads the process's environment.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;

/// The variable `name`, if it is set and is text.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The command line, the program's name first.
pub(crate) fn arguments() -> Vec<OsString> {
    std::env::args_os().collect()
}

/// The program's name, as it was called.
pub(crate) fn program() -> String {
    let name = std::env::args_os().next();
    name.map_or_else(
        || "program".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// This program's own file.
pub(crate) fn executable() -> std::io::Result<PathBuf> {
    std::env::current_exe()
}

/// Whether somebody may be looking at stderr.
pub(crate) fn stderr_is_a_terminal() -> bool {
    std::io::stderr().is_terminal()
}
