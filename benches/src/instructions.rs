//! Instructions, counted by callgrind: the same on a busy machine as on an idle one.

use std::process::{Command, Stdio};

/// User-space instructions per repetition of `program arguments… --times N`.
///
/// Counted is only what [`counted_repetitions`] does, in two runs of different length. None where there is no valgrind.
pub fn per_repetition(arguments: &[&str], few: u64, many: u64) -> Option<f64> {
    let program = std::env::current_exe().ok()?;
    let run = |times: u64| -> Option<u64> {
        let output = Command::new("valgrind")
            .args([
                "--tool=callgrind",
                "--callgrind-out-file=/dev/null",
                "--toggle-collect=counted_repetitions",
            ])
            .arg(&program)
            .args(arguments)
            .args(["--times", &times.to_string()])
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            eprintln!("{text}");
            return None;
        }
        collected(&text)
    };
    let (low, high) = (run(few)?, run(many)?);
    Some((high as f64 - low as f64) / (many - few) as f64)
}

/// Repeats; callgrind counts while this function runs, and knows it by its name.
#[unsafe(no_mangle)]
#[inline(never)]
#[allow(improper_ctypes_definitions)]
pub extern "C" fn counted_repetitions(run: &crate::rounds::Repeat, times: u64) {
    run(times);
}

/// The total in callgrind's closing lines.
pub fn collected(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}
