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
    /// A row of the store, like `user ivanov`.
    Store(String),
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl Place {
    /// The layer: `default`, `file`, `store`, `env` or `flag`.
    pub const fn layer(&self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File { .. } => "file",
            Self::Store(_) => "store",
            Self::Environment(_) => "env",
            Self::Flag(_) => "flag",
        }
    }
}

/// Where it stands, in a few words; nothing for a default.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => Ok(()),
            Self::File { file, line, column, .. } => {
                let name = file.as_ref().map_or_else(|| "configuration".into(), |f| f.display().to_string());
                write!(f, "{name}:{line}:{column}")
            }
            Self::Store(row) => write!(f, "in the store, {row}"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "{name} on the command line"),
        }
    }
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
            place @ (Place::Store(_) | Place::Environment(_) | Place::Flag(_)) => writeln!(to, "  --> {place}")?,
            place @ Place::File { line, column, length, text, .. } => {
                let gutter = line.to_string().len();
                writeln!(to, "{:gutter$}--> {place}", "")?;
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
