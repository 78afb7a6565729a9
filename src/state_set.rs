//! State sets: one of several states.

use core::sync::atomic::Ordering::Relaxed;

use crate::cell::AtomicUsize;
use crate::metric::{Charset, Desc, Metric, Sealed, SeriesWriter, Value, begin};
use crate::text::name::{is_classic_label, reject, same};
use crate::text::{Kind, Number, Page};

/// One of several states; the first is the state at the start.
///
/// Each state is a sample whose label, named like the metric, tells the state, and whose value is 1 or 0.
///
/// ```
/// use scrapeport::StateSet;
///
/// static LINK: StateSet<3> = StateSet::new("app_link_state", "State of the uplink.", ["down", "dialling", "up"]);
///
/// assert!(LINK.set("up"));
/// assert!(!LINK.set("sideways"));
/// assert_eq!(LINK.get(), "up");
/// ```
pub type StateSet<const S: usize> = Metric<States<S>>;

/// The states of a [`StateSet`].
#[derive(Debug)]
pub struct States<const S: usize> {
    states: [&'static str; S],
    now: AtomicUsize,
}

impl<const S: usize> Metric<States<S>> {
    /// A state set in its first state.
    ///
    /// # Panics
    /// When compiled, if the name is not a classic label name, or there is no state, or one twice.
    #[track_caller]
    #[must_use]
    pub const fn new(name: &'static str, help: &'static str, states: [&'static str; S]) -> Self {
        assert!(S > 0, "a state set needs at least one state");
        if !is_classic_label(name) {
            reject("a state set's name is also its label and must match [a-zA-Z_][a-zA-Z0-9_]*", name);
        }
        let mut at = 0;
        while at < S {
            let mut other = 0;
            while other < at {
                if same(states[other], states[at]) {
                    reject("a state set has the same state twice", states[at]);
                }
                other += 1;
            }
            at += 1;
        }
        let desc = Desc::checked(name, help, Kind::StateSet, Charset::Classic);
        Self { desc, value: States { states, now: AtomicUsize::new(0) } }
    }
}

impl<const S: usize> States<S> {
    /// Enters a state; false, and nothing changes, if there is none of that name.
    pub fn set(&self, state: &str) -> bool {
        self.states.iter().position(|known| *known == state).is_some_and(|index| self.set_index(index))
    }

    /// Enters a state by its place in the list; false, and nothing changes, if there are not so many.
    pub fn set_index(&self, index: usize) -> bool {
        if index < S {
            self.now.store(index, Relaxed);
        }
        index < S
    }

    /// The state now.
    #[must_use]
    pub fn get(&self) -> &'static str {
        self.states[self.now.load(Relaxed)]
    }
}

impl<const S: usize> Sealed for States<S> {}

impl<const S: usize> Value for States<S> {
    fn encode(&self, desc: &Desc, page: &mut Page<'_>) {
        if !begin(desc, page) {
            return;
        }
        let now = self.now.load(Relaxed);
        for (index, state) in self.states.iter().enumerate() {
            let label = |line: &mut crate::text::Line<'_, '_>| line.label(desc.declared, state);
            let mut samples = SeriesWriter { page, desc, labels: b"", raw: Some(&label) };
            samples.sample("", Number::from(index == now));
        }
    }
}
