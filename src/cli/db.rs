//! `db`: the store as a whole, with the gateway or without it.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Subcommand;

use super::args::Choice;
use super::terminal::{Cell, Style, Terminal};
use super::{Exit, Failure, block_on, sources, unusable};
use crate::config::{Config, DatabaseUrl, Store};
use crate::store::upkeep::{self, Progress, Step, UpkeepError};

/// How often it is told how far something has come.
const EVERY: Duration = Duration::from_secs(1);

/// What `db` does.
#[derive(Debug, Subcommand)]
pub(super) enum DbOrder {
    /// Bring the tables up to date, as a start of the gateway would; prints the steps
    #[command(after_help = "\
Examples:
  ctigate db migrate
  ctigate db migrate --list          only shows the steps, and which of them the store has

Before a step make a backup: ctigate of an older version does not know a newer store.")]
    Migrate {
        /// Change nothing, show the steps
        #[arg(long)]
        list: bool,
        #[command(flatten)]
        choice: Choice,
    },
    /// Write all that the store keeps into a file; the gateway may run
    #[command(after_help = "\
Examples:
  ctigate db backup today.backup
  ctigate db backup - | gzip > today.gz
  ctigate db backup --set store.url=postgres://cti@db/cti move.backup

The file holds password hashes and what people wrote: only its owner can read it, keep it so. Uploads, photos and recordings are
files of their own and not in it.")]
    Backup {
        /// The file to make; - for standard output
        file: PathBuf,
        /// Put it in place of a file of that name
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        choice: Choice,
    },
    /// Put a backup back; the gateway must not run
    #[command(after_help = "\
Examples:
  ctigate db restore today.backup                          into an empty store
  ctigate db restore --replace today.backup                in place of what the store keeps now
  gunzip < today.gz | ctigate db restore -
  ctigate db restore --set store.url=postgres://cti@db/cti move.backup

All of it is put back, or nothing is changed. The checksum of the backup is checked.")]
    Restore {
        /// The backup; - for standard input
        file: PathBuf,
        /// Remove what the store keeps now
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        choice: Choice,
    },
}

pub(super) fn db(order: DbOrder, terminal: &mut Terminal) -> Result<(), Failure> {
    match order {
        DbOrder::Migrate { list: true, choice } => list(&store(&choice)?, terminal),
        DbOrder::Migrate { list: false, choice } => migrate(&store(&choice)?, terminal),
        DbOrder::Backup { file, replace, choice } => backup(&store(&choice)?, &file, replace),
        DbOrder::Restore { file, replace, choice } => restore(&store(&choice)?, &file, replace),
    }
}

/// Where the store is. What else the configuration says does not matter here.
fn store(choice: &Choice) -> Result<Store, Failure> {
    let store = Config::store_of(&sources(choice)).map_err(|refused| unusable(&refused))?;
    if store.url == DatabaseUrl::Memory {
        let help = "set [store] url to a file or to PostgreSQL";
        return Err(Failure::new("the store is in memory: it ends with the gateway").help(help).exit(Exit::Config));
    }
    Ok(store)
}

fn list(store: &Store, terminal: &mut Terminal) -> Result<(), Failure> {
    let steps = block_on(async { upkeep::steps(&store.url).await.map_err(|error| failed(&error)) })?;
    let row = |step: &Step| {
        let (word, style) = if step.done { ("done", Style::Good) } else { ("open", Style::Warn) };
        vec![Cell::from(step.number.to_string()), Cell::styled(word, style), Cell::from(step.what)]
    };
    terminal.line(&store.url.to_string())?;
    Ok(terminal.table(&["step", "state", "what"], steps.iter().map(row).collect())?)
}

fn migrate(store: &Store, terminal: &mut Terminal) -> Result<(), Failure> {
    let done = block_on(async { upkeep::migrate(&store.url).await.map_err(|error| failed(&error)) })?;
    for step in &done {
        terminal.line(&format!("step {}: {}", step.number, step.what))?;
    }
    let what = if done.is_empty() { "was up to date" } else { "is up to date" };
    Ok(terminal.line(&format!("{} {what}", store.url))?)
}

fn backup(store: &Store, file: &Path, replace: bool) -> Result<(), Failure> {
    let mut told = Told::new("backup");
    let done = if file == Path::new("-") {
        let to = BufWriter::new(io::stdout().lock());
        block_on(async { upkeep::backup(&store.url, to, |at| told.tell(at)).await.map_err(|error| failed(&error)) })?
    } else {
        if file.exists() && !replace {
            let help = "choose another name, or use --replace";
            return Err(Failure::new(format!("there is a file {}", file.display())).help(help));
        }
        let draft = Draft::beside(file).map_err(|error| failed(&UpkeepError::Write(error)))?;
        let to = BufWriter::new(&draft.file);
        let done = block_on(async {
            upkeep::backup(&store.url, to, |at| told.tell(at)).await.map_err(|error| failed(&error))
        })?;
        draft.take_place_of(file).map_err(|error| failed(&UpkeepError::Write(error)))?;
        done
    };
    told.end(done);
    Ok(())
}

fn restore(store: &Store, file: &Path, replace: bool) -> Result<(), Failure> {
    let from: Box<dyn Read> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let opened = File::open(file).map_err(|error| {
            Failure::new(format!("the backup {} cannot be read: {error}", file.display()))
                .help("give the name of a file that ctigate db backup wrote, or - for standard input")
        })?;
        Box::new(opened)
    };
    let from = BufReader::with_capacity(1 << 16, from);
    let mut told = Told::new("restore");
    let url = &store.url;
    let done = block_on(async {
        upkeep::restore(url, from, replace, |at| told.tell(at)).await.map_err(|error| failed(&error))
    })?;
    told.end(done);
    Ok(())
}

fn failed(error: &UpkeepError) -> Failure {
    let mut message = error.to_string();
    if let UpkeepError::Store(error) = error {
        message = error.with_causes();
    }
    Failure::new(message).help(error.advice())
}

/// A file that becomes what it is meant to be only when it is whole; until then it is removed with this value.
struct Draft {
    file: File,
    path: PathBuf,
}

impl Draft {
    fn beside(path: &Path) -> io::Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(".part");
        let path = PathBuf::from(name);
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self { file: options.open(&path)?, path })
    }

    fn take_place_of(mut self, path: &Path) -> io::Result<()> {
        self.file.flush()?;
        self.file.sync_all()?;
        fs::rename(&self.path, path)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After it took its place there is nothing of this name.
        let _ = fs::remove_file(&self.path);
    }
}

/// Tells on standard error how far something has come, when it takes long.
struct Told {
    what: &'static str,
    began: Instant,
    last: Instant,
}

impl Told {
    fn new(what: &'static str) -> Self {
        let now = Instant::now();
        Self { what, began: now, last: now }
    }

    fn tell(&mut self, at: Progress) {
        // The clock is not asked for each row.
        if at.rows.is_multiple_of(256) && self.last.elapsed() >= EVERY {
            self.last = Instant::now();
            // Nobody is left to be told when this fails.
            let _ = Terminal::errors().line(&format!("{}: {} …", self.what, amount(at)));
        }
    }

    fn end(&self, done: Progress) {
        let took = self.began.elapsed().as_secs_f64();
        let _ = Terminal::errors().line(&format!("{}: {}, {took:.1} s", self.what, amount(done)));
    }
}

fn amount(at: Progress) -> String {
    format!("{} rows, {} KiB", at.rows, at.bytes.div_ceil(1024))
}
