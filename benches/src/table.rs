//! Markdown tables.

pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|&cell| cell.to_owned()).collect()] }
    }

    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub fn print(&self) {
        let columns = self.rows[0].len();
        let width =
            |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (at, row) in self.rows.iter().enumerate() {
            print!("|");
            for (cell, &width) in row.iter().zip(&widths) {
                print!(" {cell:<width$} |");
            }
            println!();
            if at == 0 {
                print!("|");
                for (column, &width) in widths.iter().enumerate() {
                    print!("{}{}|", "-".repeat(width + 1), if column == 0 { "-" } else { ":" });
                }
                println!();
            }
        }
        println!();
    }
}

/// Three significant digits.
pub fn short(value: f64) -> String {
    if !value.is_finite() {
        "–".into()
    } else if value >= 99.95 {
        format!("{value:.0}")
    } else if value >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

pub fn ratio(value: f64) -> String {
    if value.is_finite() { format!("{}×", short(value)) } else { "–".into() }
}

pub fn maybe(value: Option<f64>) -> String {
    value.map_or_else(|| "–".into(), short)
}
