//! The command `hash-password`.

use std::process::ExitCode;
use std::string::String;

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HashPassword {
    /// The work of a login, as a power of two: 4 to 31.
    pub(super) cost: u32,
    /// Whose entry to print; the bare hash without.
    pub(super) user: Option<String>,
}

pub(super) fn run(wanted: &HashPassword) -> ExitCode {
    let HashPassword { cost, user } = wanted;
    log::debug!("hash-password with cost {cost} for {user:?}");
    super::complain("passwords cannot be hashed yet");
    ExitCode::FAILURE
}
