//! `basic_auth_users`: who may log in.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::fault::{Fault, Scope, Warning, dotted};
use super::walk::Texts;
use crate::web_config::login::BcryptHash;

/// Someone who may log in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    /// The bcrypt hash as it is written.
    pub(crate) hash: String,
    pub(crate) line: u32,
}

/// A hash is not printed, not even by accident.
impl core::fmt::Debug for User {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.debug_struct("User").field("name", &self.name).field("line", &self.line).finish_non_exhaustive()
    }
}

pub(super) const FIELD: &str = "basic_auth_users";

/// Costs outside of this are worth a word: cheap to guess, or seconds of a small CPU for each login.
const USUAL_COSTS: core::ops::RangeInclusive<u32> = 8..=14;

pub(super) fn settle(texts: &Texts<'_>, faults: &mut Vec<Fault>, warnings: &mut Vec<Warning>) -> Vec<User> {
    let mut users = Vec::with_capacity(texts.len());
    for (name, text) in texts {
        let name = String::from_utf8_lossy(name).into_owned();
        let field = dotted(FIELD, &name);
        match BcryptHash::parse(&text.value) {
            Err(none) => {
                let problem = std::string::ToString::to_string(&none);
                faults.push(Fault::new(text.line, field, problem).reaching(Scope::User));
            }
            Ok(hash) => {
                let mut warn = |problem: String| warnings.push(Fault::new(text.line, field.clone(), problem));
                let cost = hash.cost();
                if let Some(never) = hash.never() {
                    warn(format!("nobody can log in with this: {never}"));
                }
                if hash.has_more() {
                    warn(String::from("what stands behind the 60 characters of the hash has no effect"));
                }
                if cost < *USUAL_COSTS.start() {
                    warn(format!("cost {cost} makes guessing cheap; 10 is usual"));
                }
                if cost > *USUAL_COSTS.end() {
                    warn(format!("cost {cost} takes a small CPU many seconds for each login; 10 is usual"));
                }
                if name.contains(':') {
                    warn(String::from("nobody can log in with a colon in the name"));
                }
            }
        }
        // Also one whose hash is none: without any user everybody would be let in.
        let hash = String::from_utf8_lossy(&text.value).into_owned();
        users.push(User { name, hash, line: text.line });
    }
    users
}
