//! What a page can look like: the syntax, the escaping of UTF-8 names, and the media type that announces both.

/// The syntax of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Syntax {
    /// Prometheus text format 0.0.4, which every reader knows.
    Text0_0_4,
    /// Prometheus text format 1.0.0: as 0.0.4, with a choice of escaping.
    Text1_0_0,
    /// OpenMetrics 1.0.0: units, exemplars, and an end marker.
    OpenMetrics1_0_0,
}

/// How a name outside the classic character set is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Escaping {
    /// As it is, in quotes: `{"board.temperature"} 41`.
    AllowUtf8,
    /// `_` for every other character: `board_temperature`.
    Underscores,
    /// `_dot_` for a dot, two underscores for one and for any other character: `board_dot_temperature`.
    Dots,
    /// Reversible: `U__board_2e_temperature`.
    Values,
}

/// What a page looks like. The default is text 0.0.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Format {
    /// The syntax.
    pub syntax: Syntax,
    /// How names outside the classic set are shown. Text 0.0.4 always uses underscores.
    pub escaping: Escaping,
    /// Whether `_created` samples are written. Off by default: they double the counters for little use.
    pub created: bool,
    /// Whether the media type names the escaping; a client that gave no version is not told one.
    pub announce_escaping: bool,
}

impl Format {
    /// Text 0.0.4.
    pub const TEXT: Self = Self::new(Syntax::Text0_0_4, Escaping::Underscores);
    /// OpenMetrics 1.0.0 with underscores.
    pub const OPENMETRICS: Self = Self::new(Syntax::OpenMetrics1_0_0, Escaping::Underscores);

    /// A format without `_created` samples.
    #[must_use]
    pub const fn new(syntax: Syntax, escaping: Escaping) -> Self {
        let escaping = match syntax {
            Syntax::Text0_0_4 => Escaping::Underscores,
            _ => escaping,
        };
        Self { syntax, escaping, created: false, announce_escaping: true }
    }

    /// The same format with or without `_created` samples.
    #[must_use]
    pub const fn with_created(mut self, created: bool) -> Self {
        self.created = created;
        self
    }

    /// The value of the `Content-Type` header.
    #[must_use]
    pub const fn content_type(&self) -> &'static str {
        match (self.syntax, self.escaping) {
            (Syntax::Text0_0_4, _) => "text/plain; version=0.0.4; charset=utf-8",
            (Syntax::Text1_0_0, Escaping::AllowUtf8) => {
                "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
            }
            (Syntax::Text1_0_0, Escaping::Underscores) => {
                "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"
            }
            (Syntax::Text1_0_0, Escaping::Dots) => "text/plain; version=1.0.0; charset=utf-8; escaping=dots",
            (Syntax::Text1_0_0, Escaping::Values) => {
                "text/plain; version=1.0.0; charset=utf-8; escaping=values"
            }
            (Syntax::OpenMetrics1_0_0, _) if !self.announce_escaping => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
            (Syntax::OpenMetrics1_0_0, Escaping::AllowUtf8) => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
            }
            (Syntax::OpenMetrics1_0_0, Escaping::Underscores) => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
            }
            (Syntax::OpenMetrics1_0_0, Escaping::Dots) => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=dots"
            }
            (Syntax::OpenMetrics1_0_0, Escaping::Values) => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=values"
            }
        }
    }

    /// Whether the syntax is OpenMetrics.
    #[must_use]
    pub const fn is_openmetrics(&self) -> bool {
        matches!(self.syntax, Syntax::OpenMetrics1_0_0)
    }
}

impl Default for Format {
    fn default() -> Self {
        Self::TEXT
    }
}
