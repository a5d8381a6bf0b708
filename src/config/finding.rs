//! What is wrong with a configuration, told so that a person can put it right without asking.

use std::fmt;
use std::path::PathBuf;

/// One thing that is wrong, or that deserves a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The keys it is about, like `link[1].mode`; the first is the one to look at. Empty when it is about the whole file.
    pub keys: Vec<String>,
    /// Where the first key was set.
    pub place: Place,
    /// What was found and what is allowed.
    pub message: String,
    /// What to do; empty when the message says it.
    pub help: String,
}

/// Where a value comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Nobody set it.
    #[default]
    Default,
    /// A place in the file.
    File {
        /// The file; `None` for settings that stand in none.
        file: Option<PathBuf>,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// How many characters of the line are meant; at least 1.
        length: usize,
        /// The line as it stands there, without what may be a secret.
        text: String,
    },
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl Finding {
    /// A finding about some keys; its place is looked up later.
    pub(super) fn new<K: Into<String>>(keys: impl IntoIterator<Item = K>, message: impl Into<String>) -> Self {
        Self {
            keys: keys.into_iter().map(Into::into).collect(),
            place: Place::Default,
            message: message.into(),
            help: String::new(),
        }
    }

    /// The same with what to do about it.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// Writes it over several lines, with the line of the file and a caret where there is one.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn write(&self, to: &mut impl fmt::Write, severity: &str) -> fmt::Result {
        write!(to, "{severity}: ")?;
        if !self.keys.is_empty() {
            write!(to, "{}: ", self.keys.join(", "))?;
        }
        writeln!(to, "{}", self.message)?;
        match &self.place {
            Place::Default => {}
            Place::Environment(name) => writeln!(to, "  --> environment variable {name}")?,
            Place::Flag(name) => writeln!(to, "  --> {name} on the command line")?,
            Place::File { file, line, column, length, text } => {
                let name = file.as_ref().map_or_else(|| "configuration".into(), |f| f.display().to_string());
                let gutter = line.to_string().len();
                writeln!(to, "{:gutter$}--> {name}:{line}:{column}", "")?;
                writeln!(to, "{:gutter$} |", "")?;
                writeln!(to, "{line} | {text}")?;
                writeln!(to, "{:gutter$} | {:before$}{}", "", "", "^".repeat(*length), before = column - 1)?;
            }
        }
        if !self.help.is_empty() {
            writeln!(to, "  help: {}", self.help)?;
        }
        Ok(())
    }
}

/// A configuration that cannot be used: everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong; never empty.
    pub errors: Vec<Finding>,
    /// What else was noticed.
    pub warnings: Vec<Finding>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for finding in &self.errors {
            finding.write(&mut text, "error")?;
        }
        for finding in &self.warnings {
            finding.write(&mut text, "warning")?;
        }
        f.write_str(text.trim_end())
    }
}

impl std::error::Error for Refused {}
