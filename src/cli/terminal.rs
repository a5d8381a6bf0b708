//! Writing for people: lines, tables, colours. Colours only on a terminal, and not where `NO_COLOR` is set. What comes from
//! peers is escaped, so that nobody paints on the terminal from afar.

use std::io::{self, IsTerminal, Write};

use crate::config::Finding;
use crate::telemetry::logging::{colours_wanted, tame};

/// Standard output or standard error.
pub(super) struct Terminal {
    to: Box<dyn Write>,
    colours: bool,
}

/// How a text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Style {
    #[default]
    Plain,
    Good,
    Warn,
    Bad,
    Dim,
    Bold,
}

/// A cell of a table.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(super) fn styled(text: impl AsRef<str>, style: Style) -> Self {
        Self { text: tame(text.as_ref()), style }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::Plain)
    }
}

/// A text of somebody else, for a line.
pub(super) fn escaped(text: &str) -> String {
    tame(text)
}

impl Terminal {
    /// Standard output.
    pub(super) fn new() -> Self {
        Self { colours: io::stdout().is_terminal() && colours_wanted(), to: Box::new(io::stdout()) }
    }

    /// Standard error.
    pub(super) fn errors() -> Self {
        Self { colours: io::stderr().is_terminal() && colours_wanted(), to: Box::new(io::stderr()) }
    }

    /// One line, as it is.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.to, "{text}")?;
        self.to.flush()
    }

    /// Bytes of our own, as they are.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)?;
        self.to.flush()
    }

    /// A text in a style, for a line.
    pub(super) fn paint(&self, text: &str, style: Style) -> String {
        let code = match style {
            Style::Plain => return text.to_owned(),
            Style::Good => "32",
            Style::Warn => "33",
            Style::Bad => "31",
            Style::Dim => "2",
            Style::Bold => "1",
        };
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Rows with aligned columns, under their names if they have any. Nothing when there are no rows.
    pub(super) fn table(&mut self, names: &[&str], rows: Vec<Vec<Cell>>) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let head: Vec<Cell> = names.iter().map(|name| Cell::styled(name, Style::Dim)).collect();
        let mut all = rows;
        if names.iter().any(|name| !name.is_empty()) {
            all.insert(0, head);
        }
        let width = |column: usize| {
            all.iter().map(|row| row.get(column).map_or(0, |cell| cell.text.chars().count())).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..names.len()).map(width).collect();
        let mut text = String::new();
        for row in &all {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let blanks = width + 2 - cell.text.chars().count();
                line.push_str(&self.paint(&cell.text, cell.style));
                line.extend(std::iter::repeat_n(' ', blanks));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        self.to.write_all(text.as_bytes())?;
        self.to.flush()
    }

    /// What is wrong with a configuration.
    pub(super) fn findings(&mut self, errors: &[Finding], warnings: &[Finding]) -> io::Result<()> {
        let kinds = [(errors, "error", Style::Bad), (warnings, "warning", Style::Warn)];
        for (findings, severity, style) in kinds {
            for finding in findings {
                let mut text = String::new();
                // Writing to a String does not fail.
                let _ = finding.write(&mut text, &self.paint(severity, style));
                self.line(text.trim_end())?;
            }
        }
        Ok(())
    }

    /// Why a command failed.
    pub(super) fn failure(&mut self, message: &str, help: &str) -> io::Result<()> {
        if !message.is_empty() {
            let text = format!("{} {message}", self.paint("error:", Style::Bad));
            self.line(&text)?;
        }
        if !help.is_empty() {
            self.line(&format!("  help: {help}"))?;
        }
        Ok(())
    }
}
