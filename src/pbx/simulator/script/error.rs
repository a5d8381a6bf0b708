//! Where a script is wrong, and what should have been there.

use std::fmt;

/// A place in a script, for people: both counted from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// The first mistake of a script. `Display` gives one line; [`Self::excerpt`] shows the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// Where.
    pub spot: Spot,
    /// What stands there.
    pub found: String,
    /// What should stand there.
    pub expected: String,
    /// The line as it was written.
    pub line: String,
}

impl ScriptError {
    /// The line with a mark under the place, for a terminal. No line break at the end.
    ///
    /// ```text
    ///   4 |     ask FindClient deadlin 5s
    ///     |                    ^
    /// ```
    pub fn excerpt(&self) -> String {
        let number = self.spot.line.to_string();
        let margin = " ".repeat(number.len());
        let before: String =
            self.line.chars().take(self.spot.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        format!("  {number} | {}\n  {margin} | {before}^", self.line)
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: found {}, expected {}", self.spot, self.found, self.expected)
    }
}

impl std::error::Error for ScriptError {}

/// A mistake before its line of text is looked up.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) spot: Spot,
    pub(super) found: String,
    pub(super) expected: String,
}

impl Mistake {
    pub(super) fn new(spot: Spot, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { spot, found: found.into(), expected: expected.into() }
    }

    /// The error, with the line of `source` it happened on.
    pub(super) fn within(self, source: &str) -> ScriptError {
        let line = source.lines().nth(self.spot.line.saturating_sub(1)).unwrap_or_default();
        ScriptError {
            spot: Spot { line: self.spot.line.max(1), column: self.spot.column.max(1) },
            found: self.found,
            expected: self.expected,
            line: shorten(line),
        }
    }
}

/// A line fit to be shown: long ones are cut, control characters but the tab become blanks.
fn shorten(line: &str) -> String {
    const LONGEST: usize = 200;
    line.chars().take(LONGEST).map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect()
}
