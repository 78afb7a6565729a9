//! The series that everyone shows: families of counters with two labels of the length that devices have.

/// How the series of a page are spread.
#[derive(Clone, Copy)]
pub struct Shape {
    pub families: usize,
    pub rows: usize,
}

impl Shape {
    pub const fn series(self) -> usize {
        self.families * self.rows
    }
}

/// The three sizes that are compared.
pub const SHAPES: [Shape; 3] =
    [Shape { families: 2, rows: 10 }, Shape { families: 10, rows: 100 }, Shape { families: 100, rows: 1000 }];

pub const LABELS: [&str; 2] = ["interface", "endpoint"];

pub const HELP: &str = "Requests that the device has answered since it was started.";

/// Lives as long as the program, as the text in a program's own source does.
pub fn forever(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

pub fn family_name(family: usize) -> &'static str {
    forever(format!("device_part_{family:03}_requests_total"))
}

/// The label values of a row.
pub fn labels(row: usize) -> [&'static str; 2] {
    const INTERFACES: [&str; 5] = ["eth0", "wlan0", "br-lan", "wwan0", "lo"];
    [
        INTERFACES[row % INTERFACES.len()],
        forever(format!("/api/v1/sensors/{:04}/state", row / INTERFACES.len())),
    ]
}

/// Values of all lengths up to nine digits, in no order.
pub fn value(family: usize, row: usize) -> u64 {
    let mut mixed = (family as u64) << 32 | row as u64;
    mixed = (mixed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^= mixed >> 29;
    mixed % 10_u64.pow((mixed >> 40) as u32 % 9 + 1)
}

/// The pages that the servers serve: what a small device shows, and a large one.
pub const SMALL: Shape = Shape { families: 2, rows: 15 };
pub const LARGE: Shape = Shape { families: 10, rows: 108 };

/// The page in the Prometheus text format.
pub fn page(shape: Shape) -> Vec<u8> {
    use std::fmt::Write;
    let mut page = String::new();
    for family in 0..shape.families {
        let name = family_name(family);
        let _ = write!(page, "# HELP {name} {HELP}\n# TYPE {name} counter\n");
        for row in 0..shape.rows {
            let ([interface, endpoint], value) = (labels(row), value(family, row));
            let _ = writeln!(page, "{name}{{interface=\"{interface}\",endpoint=\"{endpoint}\"}} {value}");
        }
    }
    page.into_bytes()
}

/// The rows of a hundred in an order without a pattern, for look-ups.
pub fn hundred_shuffled() -> Vec<[&'static str; 2]> {
    (0..100).map(|at| labels(at * 37 % 100)).collect()
}

/// The default bounds of the reference client for Python.
pub const BOUNDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Observations that fall into all buckets, most into the lower ones.
pub fn observations() -> [f64; 64] {
    core::array::from_fn(|at| {
        let spread = (at * 29 % 64) as f64 / 64.0;
        0.002 * (1.0 + spread * spread * spread * 6000.0)
    })
}
