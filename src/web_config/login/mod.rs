//! Basic authentication: who may log in, and whether somebody does.

mod authorization;
mod bcrypt_hash;
mod memory;
mod secret;
mod turns;
mod users;
mod verifier;

#[cfg(any(fuzzing, test))]
pub(super) use authorization::{Credentials, LONGEST};
pub(crate) use bcrypt_hash::BcryptHash;
#[cfg(feature = "exporter")]
pub(crate) use bcrypt_hash::{LONGEST_PASSWORD, generate};
#[cfg(feature = "exporter")]
pub(crate) use secret::Secret;
pub(crate) use users::Users;
pub(crate) use verifier::{Outcome, Verifier};
