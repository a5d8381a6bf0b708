//! The words of `user` and `key`: people, and programs that act for them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};

use crate::config::{Right, RightChange, Role};

use super::{Choice, Target, days};

/// What `user` does.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum UserOrder {
    /// Add an account
    Add {
        /// The login
        login: String,
        #[command(flatten)]
        person: Person,
        #[command(flatten)]
        password: Password,
        #[command(flatten)]
        choice: Choice,
    },
    /// Change an account
    Set {
        /// The login
        login: String,
        #[command(flatten)]
        person: Person,
        #[command(flatten)]
        password: Password,
        /// Ask for another password
        #[arg(long = "password", conflicts_with_all = ["password_stdin", "generate"])]
        ask: bool,
        /// Take the second factor of the console away
        #[arg(long)]
        no_second_factor: bool,
        #[command(flatten)]
        choice: Choice,
    },
    /// Remove an account, with its second factor, sessions and widgets
    Remove {
        /// The login
        login: String,
        #[command(flatten)]
        choice: Choice,
    },
    /// Show all accounts
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Add and change accounts from a table: CSV with a header
    #[command(after_help = "\
The first line names the columns: login, name, number, department, role, password, password_hash, subordinates, rights,
api_call_enabled, must_change_password, id. Commas or semicolons, UTF-8. Several logins or rights in a cell stand apart by blanks. A
cell that is empty changes nothing. When a line does not fit, nothing is changed.

Examples:
  ctigate user import people.csv --try
  ctigate user import people.csv
  generate-people | ctigate user import -")]
    Import {
        /// The table; - is standard input
        file: PathBuf,
        /// Change nothing, say what would be
        #[arg(long = "try")]
        only_try: bool,
        #[command(flatten)]
        choice: Choice,
    },
}

/// What an account says of a person.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Person {
    /// The name people see
    #[arg(long)]
    pub(in crate::cli) name: Option<String>,
    /// The phone number; empty: none
    #[arg(long)]
    pub(in crate::cli) number: Option<String>,
    /// The department; empty: none
    #[arg(long)]
    pub(in crate::cli) department: Option<String>,
    /// agent, supervisor, integrator or admin
    #[arg(long)]
    pub(in crate::cli) role: Option<Role>,
    /// A right added to those of the role (+ghost) or taken from them (-journal); may be repeated
    #[arg(long, value_name = "+RIGHT|-RIGHT", allow_hyphen_values = true)]
    pub(in crate::cli) right: Vec<RightChange>,
    /// The login of somebody whom this person supervises; may be repeated, replaces all; empty: nobody
    #[arg(long, value_name = "LOGIN")]
    pub(in crate::cli) subordinate: Option<Vec<String>>,
    /// Whether programs may start calls in this person's name
    #[arg(long, value_name = "yes|no", value_parser = yes_or_no)]
    pub(in crate::cli) api_calls: Option<bool>,
    /// The person must choose another password before anything else
    #[arg(long, value_name = "yes|no", num_args = 0..=1, default_missing_value = "yes", require_equals = true, value_parser = yes_or_no)]
    pub(in crate::cli) must_change: Option<bool>,
    /// The userid, a UUID
    #[arg(long, value_name = "UUID")]
    pub(in crate::cli) id: Option<String>,
}

/// Where a password comes from.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Password {
    /// Take the password from the first line of standard input
    #[arg(long, conflicts_with = "generate")]
    pub(in crate::cli) password_stdin: bool,
    /// Make a password and print it, once
    #[arg(long)]
    pub(in crate::cli) generate: bool,
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" | "true" | "1" => Ok(true),
        "no" | "false" | "0" => Ok(false),
        _ => Err("write yes or no".to_owned()),
    }
}

/// What `key` does.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum KeyOrder {
    /// Make a key and print it, once
    Add {
        /// Its name
        client_id: String,
        /// service: all people in its numbers; widget: one person, one number
        #[arg(long, value_enum, default_value_t = KeyKind::Service)]
        kind: KeyKind,
        /// The person of a widget
        #[arg(long)]
        login: Option<String>,
        /// The numbers of a service, like 100-199,300; without it all
        #[arg(long)]
        numbers: Option<String>,
        /// What it may do; may be repeated. Without it call, state, queue, journal, users, and for a service dynamic and forms
        #[arg(long, value_name = "RIGHT")]
        right: Vec<Right>,
        /// When it ends; without it never
        #[arg(long, value_name = "TIME", value_parser = days)]
        expires: Option<Duration>,
        #[command(flatten)]
        choice: Choice,
    },
    /// Make another key under the same name; the old one counts no more
    Replace {
        /// Its name
        client_id: String,
        #[command(flatten)]
        choice: Choice,
    },
    /// Take a key away
    Remove {
        /// Its name
        client_id: String,
        #[command(flatten)]
        choice: Choice,
    },
    /// Show all keys, without the keys themselves
    List {
        #[command(flatten)]
        target: Target,
    },
}

/// Whom a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum KeyKind {
    Service,
    Widget,
}
