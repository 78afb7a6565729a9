//! A page in a file, for a job that ends before anyone can scrape it. The node exporter's textfile collector picks up
//! `*.prom`.

use std::path::PathBuf;

use scrapeport::{Counter, Gauge, Registry, write_to_textfile};

static FILES: Counter = Counter::new("backup_files_total", "Files copied by the last backup.");
static ENDED: Gauge = Gauge::new("backup_ended_seconds", "When the last backup ended, since the Unix epoch.");
static REGISTRY: Registry = Registry::new(&[&FILES, &ENDED]);

fn main() -> Result<(), scrapeport::Error> {
    let path =
        std::env::args_os().nth(1).map_or_else(|| std::env::temp_dir().join("backup.prom"), PathBuf::from);
    FILES.inc_by(1234);
    ENDED.set_to_current_time();
    // Readers see the old file or the new one, never a part of it.
    write_to_textfile(&path, &REGISTRY)?;
    println!("wrote {}", path.display());
    Ok(())
}
