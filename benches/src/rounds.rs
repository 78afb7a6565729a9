//! Wall time on a machine that others use too: many short interleaved rounds, medians, and ratios round by round.

use std::sync::Barrier;
use std::time::Instant;

/// Something to repeat; the argument is how often.
pub type Repeat = Box<dyn Fn(u64) + Send + Sync>;

/// One candidate in one comparison.
pub struct Case {
    pub name: &'static str,
    pub make: fn() -> Repeat,
    /// How many threads repeat it at the same time.
    pub threads: usize,
}

impl Case {
    pub const fn new(name: &'static str, make: fn() -> Repeat) -> Self {
        Self { name, make, threads: 1 }
    }

    pub const fn by_two(name: &'static str, make: fn() -> Repeat) -> Self {
        Self { name, make, threads: 2 }
    }
}

/// What was measured, in whatever unit went in; one entry a round.
#[derive(Clone, Default)]
pub struct Rounds(pub Vec<f64>);

impl Rounds {
    pub fn median(&self) -> f64 {
        median(&self.0)
    }

    pub fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub fn most(&self) -> f64 {
        self.0.iter().copied().fold(0.0, f64::max)
    }

    /// The median of the ratios of the rounds that ran side by side.
    pub fn ratio_to(&self, other: &Self) -> f64 {
        median(&self.0.iter().zip(&other.0).map(|(a, b)| a / b).collect::<Vec<_>>())
    }
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

/// Times each candidate `rounds` times, taking turns; nanoseconds per repetition.
///
/// A turn is made about `turn_ns` long.
pub fn take_turns(cases: &[(usize, Repeat)], rounds: usize, turn_ns: f64) -> Vec<Rounds> {
    let times: Vec<u64> = cases.iter().map(|(threads, run)| calibrate(*threads, run, turn_ns)).collect();
    let mut results = vec![Rounds::default(); cases.len()];
    for round in 0..rounds {
        for place in 0..cases.len() {
            // Each round begins elsewhere, so that nobody always follows the same neighbour.
            let at = (place + round) % cases.len();
            let (threads, run) = &cases[at];
            results[at].0.push(time(*threads, run, times[at]) / times[at] as f64);
        }
    }
    results
}

fn calibrate(threads: usize, run: &Repeat, turn_ns: f64) -> u64 {
    let mut times = 1;
    loop {
        let took = time(threads, run, times);
        if took >= turn_ns / 4.0 || times >= 1 << 30 {
            return ((times as f64 * turn_ns / took.max(1.0)) as u64).max(1);
        }
        times *= 4;
    }
}

fn time(threads: usize, run: &Repeat, times: u64) -> f64 {
    if threads == 1 {
        let begin = Instant::now();
        run(times);
        return begin.elapsed().as_nanos() as f64;
    }
    let together = Barrier::new(threads);
    let spans: Vec<f64> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    together.wait();
                    let begin = Instant::now();
                    run(times);
                    begin.elapsed().as_nanos() as f64
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    spans.into_iter().fold(0.0, f64::max)
}
