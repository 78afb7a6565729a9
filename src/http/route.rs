//! Where a request goes in a program that serves more than metrics. A higher floor implements it; without it every
//! path is the metrics path.

use std::borrow::Cow;

/// Finds what a path leads to. Comes after the gate.
pub(crate) trait Routes: Send + Sync {
    /// Decides by method and target, as they were sent.
    fn route(&self, method: &[u8], target: &[u8]) -> Route;
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// To the metrics, by the method table.
    Metrics,
    /// To something else.
    Document(Document),
}

/// A response whose body is known as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) status: u16,
    pub(crate) media: &'static str,
    /// Left out of the response to HEAD.
    pub(crate) body: Cow<'static, [u8]>,
    /// The value of `Location`: ASCII without control characters.
    pub(crate) location: Option<Cow<'static, str>>,
    /// The value of `Allow`.
    pub(crate) allow: Option<&'static str>,
}
