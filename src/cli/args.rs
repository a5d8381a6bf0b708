//! The words of the command line, and what they teach.

mod people;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand, ValueEnum};

use super::db::DbOrder;
use super::serve::CRM_PASSWORD;
use crate::config::Auth;
use crate::config::units::duration;

pub(super) use people::{KeyKind, KeyOrder, Password, Person, UserOrder};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

/// What `ctigate` alone says.
pub(super) const TEACHING: &str = "\
ctigate puts a telephone system into web CRMs. It speaks the Oktell Web-Socket protocol.

Try it, no files needed:
  ctigate demo                            starts with four agents, a telephone simulator and a demo CRM
  ctigate sim incoming 79001112233 500    lets a caller ring (in another terminal)
  ctigate status                          shows links, users and calls
  ctigate tail                            shows the messages, live

Run it:
  ctigate check-config                    says what is wrong with ctigate.toml, or sums it up
  ctigate serve                           runs with ./ctigate.toml, or with --config FILE
  ctigate doctor                          looks whether everything is there, and says what to do
  ctigate db backup today.backup          keeps what the gateway knows, while it runs
  ctigate call FindClient phone=1234567   asks the CRM by a dynamic method
  ctigate check-crm ws://127.0.0.1:9000/  plays the telephone server against a CRM, and says what it does wrong

Look after it:
  ctigate user add petrov --number 102    people; ctigate user import people.csv for many
  ctigate key add amo                     a program that hears events and acts for people
  ctigate audit                           shows who changed what

More:
  ctigate help                            all commands
  ctigate COMMAND --help                  one command, with examples

ctigate.example.toml shows every setting with its default.
";

/// A gateway between telephone systems and web CRMs.
#[derive(Debug, Parser)]
#[command(name = "ctigate", version, styles = STYLES, max_term_width = 100, disable_help_subcommand = false)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 wrong configuration, 4 no start, 5 unclean stop."
)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// Which messages to follow.
#[derive(Debug, clap::Args)]
pub(super) struct TailOf {
    /// Only messages of or to this user
    #[arg(long, value_name = "LOGIN")]
    pub(super) user: Option<String>,
    /// Only messages of or to this link
    #[arg(long, value_name = "NAME")]
    pub(super) link: Option<String>,
    /// Only messages of or to this tab: the number of its connection, or the tabid behind a link
    #[arg(long, value_name = "TAB")]
    pub(super) tab: Option<String>,
    /// Show the text as it went over the wire, XML where it is XML
    #[arg(long)]
    pub(super) wire: bool,
}

/// Which capture to play, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Replay {
    /// The capture
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Show the messages instead of playing
    #[arg(long)]
    pub(super) show: bool,
    /// Show them at this many times the speed at which they went; without it at once
    #[arg(long, value_name = "TIMES", requires = "show")]
    pub(super) speed: Option<f64>,
    /// Only up to this long after the beginning: 90s, 1h
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub(super) until: Option<Duration>,
    /// Show only messages of or to this user
    #[arg(long, value_name = "LOGIN", requires = "show")]
    pub(super) user: Option<String>,
    /// Show only messages of or to this link
    #[arg(long, value_name = "NAME", requires = "show")]
    pub(super) link: Option<String>,
    /// Show only messages of or to this tab
    #[arg(long, value_name = "TAB", requires = "show")]
    pub(super) tab: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What can be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Explained {
    /// A conversation
    Call,
    /// A person
    User,
    /// A form
    Form,
}

/// A language that people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    /// English
    En,
    /// Russian
    Ru,
}

/// Which configuration.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Choice {
    /// The configuration; without it ./ctigate.toml if there is one, else the defaults
    #[arg(long, short, value_name = "FILE", env = "CTIGATE_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Set a key, stronger than file and environment; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<Setting>,
}

/// Which running gateway.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    #[command(flatten)]
    pub(super) choice: Choice,
    /// Print for programs
    #[arg(long)]
    pub(super) json: bool,
}

/// `KEY=VALUE`
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) key: String,
    pub(super) value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                Ok(Self { key: key.trim().to_owned(), value: value.to_owned() })
            }
            _ => Err("write KEY=VALUE, like web.bind=127.0.0.1:4055".to_owned()),
        }
    }
}

/// A length of time as the configuration writes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time(pub(super) Duration);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        duration::parse(text).map(Self)
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the gateway
    #[command(after_help = "\
Examples:
  ctigate serve                                        with ./ctigate.toml, or the defaults
  ctigate serve --config /etc/ctigate/ctigate.toml
  ctigate serve --set web.bind=127.0.0.1:8055          a key for this run
  CTIGATE_WEB__BIND=127.0.0.1:8055 ctigate serve       the same by the environment
  ctigate serve --log info,ctigate::transport=debug

It runs on half of the cores, at most four; TOKIO_WORKER_THREADS in the environment says otherwise.
Ctrl-C or SIGTERM stops it in order; a second one ends it at once.")]
    Serve {
        #[command(flatten)]
        choice: Choice,
        /// What to log: error, warn, info, debug, trace, or by module: info,ctigate::transport=debug
        #[arg(long, value_name = "FILTER")]
        log: Option<String>,
        /// Write down all that happens in a new file that "ctigate replay" plays; no secrets; at most 4 GiB
        #[arg(long, value_name = "FILE")]
        record: Option<PathBuf>,
    },
    /// Run the gateway with four agents, a simulator and a demo CRM, on loopback
    #[command(after_help = "\
It prints the addresses to open. The people's passwords are known to everybody, so it listens on loopback only.

Examples:
  ctigate demo
  ctigate demo --set web.bind=127.0.0.1:8055")]
    Demo {
        /// Set a key; may be repeated
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<Setting>,
        /// What to log, as with serve
        #[arg(long, value_name = "FILTER")]
        log: Option<String>,
        /// Do not start the demo CRM: one of your own will connect
        #[arg(long)]
        alone: bool,
        /// Write down all that happens, as with serve
        #[arg(long, value_name = "FILE")]
        record: Option<PathBuf>,
    },
    /// Run the demo CRM alone: a CRM that knows nothing but the public protocol
    #[command(after_help = "\
Examples:
  ctigate demo --alone                                 the gateway, without its CRM
  ctigate demo-crm                                     the CRM, in another terminal")]
    DemoCrm(DemoCrm),
    /// Say what is wrong with a configuration, or sum it up
    #[command(after_help = "\
Examples:
  ctigate check-config
  ctigate check-config --config /etc/ctigate/ctigate.toml && systemctl restart ctigate

It reads the file, the environment and the flags as serve would, opens no port and touches no store. Exit code 3: it would not
start.")]
    CheckConfig {
        #[command(flatten)]
        choice: Choice,
    },
    /// Show the configuration in effect, with where each value comes from
    #[command(after_help = "\
Examples:
  ctigate print-config
  ctigate print-config > all-keys.toml

Secrets are masked.")]
    PrintConfig {
        #[command(flatten)]
        choice: Choice,
    },
    /// Look whether everything is there that the gateway needs, and say what to do where
    #[command(after_help = "\
It looks at the configuration, certificates, store, folders and ports, tries to connect to the CRMs that are dialed, and asks
Asterisk: whether the login works, which rights and modules are missing, whether the dialplan, phones and queues are there.
It changes nothing. While the gateway runs, the gateway itself is asked: it knows more, such as the state of its links and how long
its certificates last.

Examples:
  ctigate doctor
  ctigate doctor --config /etc/ctigate/ctigate.toml
  ctigate doctor --json | jq '.[] | select(.verdict == \"BAD\")'

Exit code 1: something does not work.")]
    Doctor {
        #[command(flatten)]
        choice: Choice,
        /// Print for programs
        #[arg(long)]
        json: bool,
    },
    /// The store: bring its tables up to date, make a backup, put one back
    #[command(after_help = "\
Examples:
  ctigate db migrate --list                  the steps of the tables, and which of them the store has
  ctigate db backup today.backup             while the gateway runs
  ctigate db backup - | gzip > today.gz      into another program
  ctigate db restore today.backup            into an empty store; SQLite and PostgreSQL take each other's

Which store is what [store] url says.")]
    Db {
        #[command(subcommand)]
        order: DbOrder,
    },
    /// Help with the configuration of Asterisk
    Asterisk {
        #[command(subcommand)]
        order: AsteriskOrder,
    },
    /// Play the telephone server against a CRM, and say what it does wrong
    CheckCrm(CheckCrm),
    /// Make a password_hash for [[user]] or [[link]]
    #[command(after_help = "\
It asks for the password on the terminal without showing it, or takes the first line of standard input.

Examples:
  ctigate hash-password
  pwgen 20 1 | tee password.txt | ctigate hash-password

The hash is argon2id over the MD5 that clients send, so Digest cannot be checked with it: links with auth = \"digest\" need the
clear password.")]
    HashPassword,
    /// People: who may come in, and what they may do
    #[command(after_help = "\
Examples:
  ctigate user add petrov --name 'Petr Petrov' --number 102       asks for a password
  ctigate user add sidorova --number 103 --role supervisor --subordinate petrov --generate --must-change
  ctigate user set petrov --number 104 --right +ghost --right -files
  ctigate user set petrov --no-second-factor                      the telephone with the codes is lost
  ctigate user import people.csv --try                            says what it would do

They change the store, whether the gateway runs or not; one that runs is told. Whoever stands in ctigate.toml is changed there.")]
    User {
        #[command(subcommand)]
        order: UserOrder,
    },
    /// Integration keys: programs that hear events and act for people
    #[command(after_help = "\
Examples:
  ctigate key add amo --numbers 100-199,300                       a service: all people with these numbers
  ctigate key add widget-ivanov --kind widget --login ivanov --right call --expires 90d
  ctigate key replace amo                                         another key under the same name
  ctigate key list

A key is shown once. A program shows it as Authorization: Bearer KEY or as ?ticket=KEY.")]
    Key {
        #[command(subcommand)]
        order: KeyOrder,
    },
    /// Show who changed what
    Audit(Audit),
    /// Call a dynamic method of a CRM
    Call(Call),
    /// Make things happen in the telephone simulator
    #[command(after_help = "\
Examples:
  ctigate sim incoming 79001112233 500     a caller dials 500
  ctigate sim answer 101                   the phone of 101 is picked up
  ctigate sim hangup 101                   and put down
  ctigate sim play morning.timeline        a whole timeline")]
    Sim {
        #[command(flatten)]
        target: Target,
        #[command(subcommand)]
        order: Order,
    },
    /// Empty a running gateway before it is stopped
    #[command(after_help = "\
Nobody new is taken: /readyz says so, newcomers get 503 with Retry-After. Whoever is there goes, each at a moment of its own within
the time of --over, told to come back after --back-in. Calls and methods that wait for an answer get it first.

Examples:
  ctigate drain                                       over 30 s, back in 1 minute
  ctigate drain --over 2m --back-in 5m --wait && systemctl stop ctigate
  ctigate drain --cancel                              take everybody again")]
    Drain {
        #[command(flatten)]
        target: Target,
        /// Over which time connections are closed
        #[arg(long, value_name = "TIME", default_value = "30s")]
        over: Time,
        /// After how long they should come back
        #[arg(long, value_name = "TIME", default_value = "1m")]
        back_in: Time,
        /// Take newcomers again
        #[arg(long)]
        cancel: bool,
        /// Come back when nobody is left
        #[arg(long, conflicts_with = "cancel")]
        wait: bool,
    },
    /// Let a running gateway read its configuration again, and show what is another
    #[command(after_help = "\
File, store, environment and flags are read anew. Most changes count at once; a link whose own keys have changed is opened anew; ports,
store and telephone system count after the next start. Nothing else drops. A configuration with errors changes nothing.

Examples:
  ctigate reload
  ctigate reload --config /etc/ctigate/ctigate.toml
  ctigate reload --json | jq '.changes[] | select(.effect == \"restart\")'
  systemctl reload ctigate                            the same, told in the log

Exit code 3: the configuration has errors, nothing was changed.")]
    Reload {
        #[command(flatten)]
        target: Target,
    },
    /// Show links, users, forms and calls of a running gateway
    #[command(after_help = "\
Examples:
  ctigate status
  ctigate status --json | jq '.links[] | select(.state != \"up\")'")]
    Status {
        #[command(flatten)]
        target: Target,
    },
    /// Show the messages of a running gateway, live
    #[command(after_help = "\
Examples:
  ctigate tail
  ctigate tail --link crm
  ctigate tail --user ivanov --json | jq .method

Secrets in messages are masked. Ctrl-C ends it.")]
    Tail {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        of: TailOf,
    },
    /// Play a capture again, and compare what comes out with what had come out
    #[command(after_help = "\
Examples:
  ctigate serve --record monday.capture     (stop it with Ctrl-C)
  ctigate replay monday.capture
  ctigate replay monday.capture --show --user ivanov
  ctigate replay monday.capture --show --speed 10

A capture that was begun with the gateway is played on a clock of its own, as fast as it goes, and every output is compared. One that was
begun later (the inspector's) is played message by message, as it passed. Exit code 1: what came out is not the same. docs/replay.md describes the format.")]
    Replay(Replay),
    /// Explain what happened to a call, a user or a form, and why something did not happen
    #[command(after_help = "\
Examples:
  ctigate explain call --last
  ctigate explain call 79001112233
  ctigate explain user ivanov
  ctigate explain form clientcard --lang ru

A call is named by its chainid, the beginning of it, or a number that took part; a user by login, number or id; a form by
its id, the beginning of it, or its name. When more than one fits they are listed. docs/explain.md names every cause.")]
    Explain {
        #[command(flatten)]
        target: Target,
        /// What
        #[arg(value_enum)]
        kind: Explained,
        /// Which
        #[arg(value_name = "ID", required_unless_present = "last")]
        id: Option<String>,
        /// The newest
        #[arg(long, conflicts_with = "id")]
        last: bool,
        /// The language [default: that of the environment]
        #[arg(long, value_enum)]
        lang: Option<Language>,
    },
    /// Translate one message between JSON and XML
    #[command(after_help = "\
Examples:
  echo '[\"ping\",{\"qid\":1}]' | ctigate convert --to xml
  ctigate convert --to json message.xml")]
    Convert {
        /// Into which
        #[arg(long, value_enum)]
        to: Written,
        /// The message; without it standard input
        file: Option<PathBuf>,
    },
    /// Print what a shell needs to complete the commands
    #[command(after_help = "\
Examples:
  ctigate completions bash > /etc/bash_completion.d/ctigate
  ctigate completions zsh > ~/.zfunc/_ctigate
  ctigate completions fish > ~/.config/fish/completions/ctigate.fish")]
    Completions {
        /// Which shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(after_help = "\
Examples:
  ctigate man | man -l -                          read it
  ctigate man --folder /usr/local/share/man/man1  a page for each command")]
    Man {
        /// Write the pages of all commands into this folder
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Written {
    Json,
    Xml,
}

/// `demo-crm`
#[derive(Debug, clap::Args)]
pub(super) struct DemoCrm {
    /// The gateway's accepting link
    #[arg(long, default_value = "wss://127.0.0.1:4067")]
    pub(super) url: String,
    /// The link's login
    #[arg(long, default_value = "crm")]
    pub(super) login: String,
    /// The link's password
    #[arg(long, default_value = "demo-crm", env = CRM_PASSWORD, hide_env_values = true)]
    pub(super) password: String,
    /// The gateway's certificate, PEM
    #[arg(long, value_name = "FILE", default_value = "certs/server.pem")]
    pub(super) ca_file: PathBuf,
}

/// `check-crm`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It speaks to the CRM as a gateway would, needs no gateway and no configuration, and prints a table: what was looked at, what was
found, what to do. It runs one dynamic method (--method) a few times and opens one form for a user that does not exist, so use a
CRM that may be tried.

Examples:
  ctigate check-crm ws://127.0.0.1:9000/cti --auth basic --login crm --password secret
  ctigate check-crm wss://crm.example/cti --ca-file crm.pem
  ctigate check-crm http://127.0.0.1:8080/hook.php --format xml    posts to it
  ctigate check-crm --listen 127.0.0.1:4067                        waits for a CRM that connects
  ctigate check-crm --listen 127.0.0.1:4067 --tls --login crm --password secret
  ctigate check-crm ws://127.0.0.1:9000/ --method FindClient --input phone=79001112233
  ctigate check-crm ws://127.0.0.1:9000/ --json | jq '.[] | select(.verdict == \"BAD\")'

Exit codes: 0 nothing failed (remarks are no failure), 1 something failed or the CRM could not be reached, 2 wrong usage.")]
pub(super) struct CheckCrm {
    /// The CRM: ws:// or wss:// to dial it, http:// or https:// to post to it
    #[arg(required_unless_present = "listen", conflicts_with = "listen")]
    pub(super) url: Option<String>,
    /// Wait here for a CRM that connects by itself
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<SocketAddr>,
    /// With --listen: demand TLS
    #[arg(long, requires = "listen", conflicts_with = "url")]
    pub(super) tls: bool,
    /// With --tls: the certificate to show, PEM; made when missing
    #[arg(long, value_name = "FILE", default_value = "certs/server.pem")]
    pub(super) certificate: PathBuf,
    /// With --tls: its key, PEM
    #[arg(long, value_name = "FILE", default_value = "certs/server.key")]
    pub(super) key: PathBuf,
    /// With --listen: how long to wait for the CRM
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "60s")]
    pub(super) wait: Duration,
    /// What to show, or to demand with --listen: none, basic or digest; without it digest when there is a login, else none
    #[arg(long)]
    pub(super) auth: Option<Auth>,
    /// The login to show or demand
    #[arg(long, default_value = "")]
    pub(super) login: String,
    /// Its password
    #[arg(long, env = CRM_PASSWORD, hide_env_values = true)]
    pub(super) password: Option<String>,
    /// Which format to speak. With both, one is enough; a CRM that connects chooses by itself
    #[arg(long, value_enum, default_value_t = Formats::Both)]
    pub(super) format: Formats,
    /// The authorities to trust in place of the system's, PEM; may be the CRM's own certificate
    #[arg(long, value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
    /// Accept any certificate of the CRM
    #[arg(long)]
    pub(super) danger_accept_any_certificate: bool,
    /// The dynamic method to run; without it the first that the CRM carries out itself
    #[arg(long, value_name = "NAME")]
    pub(super) method: Option<String>,
    /// Its input: KEY=TEXT, or KEY:=JSON; may be repeated. What must be there and is not given is made up
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) input: Vec<Input>,
    /// How long to wait for an answer that has no deadline of its own
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "10s")]
    pub(super) timeout: Duration,
    /// Print for programs
    #[arg(long)]
    pub(super) json: bool,
}

/// Formats to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Formats {
    Json,
    Xml,
    Both,
}

/// `call`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ctigate call FindClient phone=79001112233
  ctigate call SetRating clientid=42 stars:=5          := takes JSON: numbers, true, lists
  ctigate call FindClient phone=1 --link crm --deadline 2s --fallback '{\"clientid\":\"\"}'

It prints the output. Exit code 0: there is a result (or the fallback); 1: there is none, and the message says why.")]
pub(super) struct Call {
    #[command(flatten)]
    pub(super) target: Target,
    /// The method's name
    pub(super) method: String,
    /// Input: KEY=TEXT, or KEY:=JSON
    #[arg(value_name = "KEY=VALUE")]
    pub(super) input: Vec<Input>,
    /// Ask this link; without it the first that offers the method
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(super) link: String,
    /// How long to wait; without it what the method declares
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(super) deadline: Option<Duration>,
    /// How long a late result is welcome to the CRM's log
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "0s")]
    pub(super) late: Duration,
    /// The user it is about, by login
    #[arg(long, value_name = "LOGIN", default_value = "")]
    pub(super) user: String,
    /// The conversation it belongs to
    #[arg(long, value_name = "ID", default_value = "")]
    pub(super) chain: String,
    /// What to answer instead of a failure, a JSON object
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    pub(super) fallback: Option<serde_json::Value>,
}

/// `KEY=TEXT` or `KEY:=JSON`
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub(super) key: String,
    pub(super) value: serde_json::Value,
}

impl FromStr for Input {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("write KEY=TEXT, or KEY:=JSON for numbers, true and lists")?;
        let (key, value) = match key.strip_suffix(':') {
            None => (key, serde_json::Value::from(value)),
            Some(key) => {
                (key, serde_json::from_str(value).map_err(|error| format!("\"{value}\" is not JSON: {error}"))?)
            }
        };
        if key.is_empty() { Err("the key is empty".to_owned()) } else { Ok(Self { key: key.to_owned(), value }) }
    }
}

fn json_object(text: &str) -> Result<serde_json::Value, String> {
    match serde_json::from_str(text) {
        Ok(value @ serde_json::Value::Object(_)) => Ok(value),
        Ok(_) => Err("this is JSON, but no object like {\"clientid\":\"42\"}".to_owned()),
        Err(error) => Err(format!("this is not JSON: {error}")),
    }
}

/// What `asterisk` does.
#[derive(Debug, Subcommand)]
pub(super) enum AsteriskOrder {
    /// Print ready-made pieces of Asterisk's configuration for this gateway
    #[command(after_help = "\
Examples:
  ctigate asterisk config                                                  all of it
  ctigate asterisk config manager                                          the account, for manager.conf
  ctigate asterisk config dialplan > /etc/asterisk/extensions_cti.conf     the places for calls, as they are
  ctigate asterisk config routes                                           what to choose from, for extensions.conf

The names, numbers and addresses are those of [pbx.asterisk], [[user]] and [[queue]]. No secret is printed.")]
    Config {
        /// Only this piece
        #[arg(value_enum)]
        piece: Option<Piece>,
        #[command(flatten)]
        choice: Choice,
    },
}

/// A piece of Asterisk's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Piece {
    /// The account, for manager.conf
    Manager,
    /// The file extensions_cti.conf
    Dialplan,
    /// Routes to choose from, for extensions.conf
    Routes,
    /// Hints for pjsip.conf and the phones
    Phones,
}

impl Piece {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Manager => "manager",
            Self::Dialplan => "dialplan",
            Self::Routes => "routes",
            Self::Phones => "phones",
        }
    }
}

/// A time that may have days: `90d`.
fn days(text: &str) -> Result<Duration, String> {
    match text.strip_suffix('d').map(str::parse::<u64>) {
        Some(Ok(days @ 1..=3650)) => Ok(Duration::from_secs(days * 24 * 3600)),
        Some(_) => Err("write 1d to 3650d".to_owned()),
        None => duration::parse(text),
    }
}

/// `audit`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ctigate audit
  ctigate audit --since 7d
  ctigate audit --since 30d --json | jq 'select(.what == \"user.add\")'")]
pub(super) struct Audit {
    #[command(flatten)]
    pub(super) target: Target,
    /// How far back
    #[arg(long, value_name = "TIME", value_parser = days, default_value = "7d")]
    pub(super) since: Duration,
    /// How many at most, the newest
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    pub(super) limit: u32,
}

/// What `sim` does.
#[derive(Debug, Subcommand)]
pub(super) enum Order {
    /// Let somebody outside dial a number
    Incoming {
        /// Who calls
        caller: String,
        /// Which number is dialled
        called: String,
    },
    /// Pick up the ringing phone of a number
    Answer {
        /// The inside number
        number: String,
    },
    /// Put down the phone of a number
    Hangup {
        /// The inside number
        number: String,
    },
    /// Play a timeline
    Play {
        /// The file
        file: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_words_fit_together() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_teaching_page_names_commands_that_exist() {
        let known: Vec<String> = Args::command().get_subcommands().map(|c| c.get_name().to_owned()).collect();
        for line in TEACHING.lines() {
            if let Some(rest) = line.strip_prefix("  ctigate ") {
                let word = rest.split_whitespace().next().unwrap();
                assert!(known.iter().any(|name| name == word) || ["help", "COMMAND"].contains(&word), "{word}");
            }
        }
    }

    #[test]
    fn input_is_text_or_json() {
        let input = |text: &str| text.parse::<Input>().map(|input| (input.key, input.value.to_string()));
        assert_eq!(input("a=5"), Ok(("a".to_owned(), "\"5\"".to_owned())));
        assert_eq!(input("a:=5"), Ok(("a".to_owned(), "5".to_owned())));
        assert_eq!(input("a=x=y"), Ok(("a".to_owned(), "\"x=y\"".to_owned())));
        assert!(input("a").is_err() && input("=5").is_err() && input("a:=x").is_err());
    }
}
