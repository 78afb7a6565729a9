//! Who may log in: the section `basic_auth_users` of the file.

use std::boxed::Box;

use super::bcrypt_hash::BcryptHash;

/// What a guess costs if no user's hash can be verified; the reference's cost for unknown users.
const DEFAULT_COST: u32 = 10;

/// All users, with the hashes of their passwords.
pub(crate) struct Users {
    users: Box<[User]>,
    cost: u32,
}

/// One user.
pub(super) struct User {
    name: Box<str>,
    /// The hash as it stands in the file.
    pub(super) text: Box<str>,
    /// None if no password can match.
    pub(super) hash: Option<BcryptHash>,
}

impl Users {
    /// Takes names and hashes. A hash that cannot be verified does no harm to the other users: nobody gets in with it.
    pub(crate) fn new<N: Into<Box<str>>, H: Into<Box<str>>>(
        entries: impl IntoIterator<Item = (N, H)>,
    ) -> Self {
        let user = |(name, text): (N, H)| {
            let text: Box<str> = text.into();
            let hash = BcryptHash::parse(text.as_bytes()).ok().filter(|hash| hash.never().is_none());
            User { name: name.into(), text, hash }
        };
        let users: Box<[User]> = entries.into_iter().map(user).collect();
        let costs = users.iter().filter_map(|user| user.hash.as_ref()).map(BcryptHash::cost);
        let cost = costs.max().unwrap_or(DEFAULT_COST);
        Self { users, cost }
    }

    /// What every failed login costs: the highest cost among the hashes.
    pub(super) fn cost(&self) -> u32 {
        self.cost
    }

    /// Names are compared byte by byte; one with a colon never comes.
    pub(super) fn find(&self, name: &[u8]) -> Option<&User> {
        self.users.iter().find(|user| user.name.as_bytes() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COST_4: &str = "$2a$04$1dSlf/6E.eWnPSQIAwLY9evEVZhv1dnDSW80avsXvUAM6KajypPgK";
    const COST_5: &str = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

    #[test]
    fn names_are_exact() {
        let users = Users::new([("alice", COST_4), ("Älice", COST_5), ("", COST_4)]);
        assert_eq!(users.find(b"alice").unwrap().text.as_ref(), COST_4);
        assert_eq!(users.find("Älice".as_bytes()).unwrap().text.as_ref(), COST_5);
        assert!(users.find(b"").is_some(), "an empty name is a name");
        for other in [&b"Alice"[..], b"alice ", b"alic", b"\xc4lice"] {
            assert!(users.find(other).is_none());
        }
    }

    #[test]
    fn the_highest_cost_that_can_be_verified_counts() {
        let hopeless = &COST_4.replacen("$04$", "$31$", 1)[..59];
        assert_eq!(Users::new([("a", COST_4), ("b", COST_5), ("c", "no"), ("d", hopeless)]).cost(), 5);
        assert_eq!(Users::new([("c", "no")]).cost(), DEFAULT_COST);
    }
}
