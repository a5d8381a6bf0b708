//! Stored procedures: queries that the configuration names, over connections of their own that can only read. Each has a bound of rows,
//! bytes and time. Text from outside is only ever bound to a parameter.
//!
//! A file of SQLite is read by connections that cannot write; our own database in PostgreSQL in transactions that cannot.

mod postgres;
mod sqlite;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ctigate_proto::message::{Number, Text, Value};
use thiserror::Error;
use tokio::time::timeout;

use super::schema::PUBLISHED;
use crate::config::{self, DatabaseUrl};

/// How long a statement waits for a program that writes the database.
const BUSY: Duration = Duration::from_secs(2);
/// Most procedures that run at a time over one database.
const AT_A_TIME: u32 = 4;
/// Most bytes of a result: what a tab may be told at once is of this order.
const MOST_BYTES: usize = 4 << 20;

/// The stored procedures of a configuration.
#[derive(Debug, Default)]
pub struct Procedures {
    /// By name in lower case.
    all: HashMap<String, Procedure>,
}

#[derive(Debug)]
struct Procedure {
    sql: Arc<str>,
    parameters: Vec<String>,
    rows: usize,
    time: Duration,
    over: Database,
}

/// What a procedure reads.
#[derive(Clone, Debug)]
enum Database {
    Sqlite(sqlite::Database),
    Postgres(postgres::Database),
}

/// A procedure cannot be used.
#[derive(Debug, Error)]
#[error("procedure \"{name}\": {why}")]
pub struct ProcedureError {
    name: String,
    why: String,
}

/// Why a procedure gave nothing.
#[derive(Debug, Error)]
pub enum Failed {
    /// There is none of that name.
    #[error("there is no such procedure")]
    Unknown,
    /// It took too long.
    #[error("it took longer than {0:?}")]
    Slow(Duration),
    /// It gave too much.
    #[error("it gave more than {0}")]
    Large(String),
    /// An input is of another type than the query wants.
    #[error("{0}")]
    Unfit(String),
    /// The database failed, or the query does not fit it.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
}

impl Procedures {
    /// Opens the databases and checks every query against them.
    ///
    /// # Errors
    /// [`ProcedureError`] for the first that cannot be used.
    pub async fn open(procedures: &[config::Procedure], store: &DatabaseUrl) -> Result<Self, ProcedureError> {
        let mut opened: HashMap<PathBuf, Database> = HashMap::new();
        let mut own = None;
        let mut all = HashMap::new();
        for procedure in procedures {
            let failed = |why: String| ProcedureError { name: procedure.name.clone(), why };
            let over = match (&procedure.database, store) {
                (Some(path), _) | (None, DatabaseUrl::Sqlite(path)) => match opened.get(path) {
                    Some(database) => database.clone(),
                    None => {
                        let database = sqlite::Database::open(path).await.map(Database::Sqlite);
                        let database =
                            database.map_err(|why| failed(format!("{} cannot be read: {why}", path.display())))?;
                        opened.entry(path.clone()).or_insert(database).clone()
                    }
                },
                (None, DatabaseUrl::Postgres(url)) => match &own {
                    Some(database) => Database::clone(database),
                    None => {
                        let database = postgres::Database::open(url).map(Database::Postgres);
                        let database = database.map_err(|why| failed(format!("{url} cannot be read: {why}")))?;
                        own.insert(database).clone()
                    }
                },
                (None, DatabaseUrl::Memory) => {
                    return Err(failed("the store is in memory and cannot be read".to_owned()));
                }
            };
            if procedure.database.is_none() {
                only_published(&over, &procedure.sql).await.map_err(failed)?;
            }
            let made = Procedure {
                sql: procedure.sql.numbered().into(),
                parameters: procedure.sql.parameters().to_vec(),
                rows: procedure.rows,
                time: procedure.timeout,
                over,
            };
            // What does not fit the database is told at the start, not to the first who asks.
            let fits = match &made.over {
                Database::Sqlite(database) => database.check(&made).await,
                Database::Postgres(database) => database.check(&made).await,
            };
            fits.map_err(|why| failed(format!("the query does not fit the database: {why}")))?;
            all.insert(procedure.name.to_lowercase(), made);
        }
        Ok(Self { all })
    }

    /// Runs one. Gives its tables: one, whose first row is the names of the columns.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn run(&self, name: &str, input: &[(Text, Value)]) -> Result<Vec<Value>, Failed> {
        let procedure = self.all.get(name).ok_or(Failed::Unknown)?;
        let deadline = Instant::now() + procedure.time;
        match timeout(procedure.time, procedure.run(input, deadline)).await {
            Ok(Err(Failed::Database(_))) | Err(_) if Instant::now() >= deadline => Err(Failed::Slow(procedure.time)),
            Ok(result) => result,
            Err(_) => Err(Failed::Slow(procedure.time)),
        }
    }
}

impl Procedure {
    async fn run(&self, input: &[(Text, Value)], deadline: Instant) -> Result<Vec<Value>, Failed> {
        let mut table = Table { rows: Vec::new(), most: self.rows, bytes: 0 };
        match &self.over {
            Database::Sqlite(database) => database.run(self, input, deadline, &mut table).await?,
            Database::Postgres(database) => database.run(self, input, deadline, &mut table).await?,
        }
        Ok(vec![Value::Array(table.rows)])
    }

    /// What is bound to each parameter, in order.
    fn arguments<'a>(&'a self, input: &'a [(Text, Value)]) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.parameters.iter().map(|parameter| {
            let given = input.iter().find(|(name, _)| **name == **parameter);
            (parameter.as_str(), given.map_or(&Value::Null, |(_, value)| value))
        })
    }
}

/// What a procedure has given so far, within its bounds.
struct Table {
    /// The first is the names of the columns.
    rows: Vec<Value>,
    most: usize,
    bytes: usize,
}

impl Table {
    fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn head<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        self.rows.push(Value::Array(names.map(|name| Value::from(name.to_owned())).collect()));
    }

    fn add(&mut self, row: Vec<Value>) -> Result<(), Failed> {
        if self.rows.len() > self.most {
            return Err(Failed::Large(format!("{} rows", self.most)));
        }
        let row = Value::Array(row);
        self.bytes += row.weight();
        if self.bytes > MOST_BYTES {
            return Err(Failed::Large(format!("{MOST_BYTES} bytes")));
        }
        self.rows.push(row);
        Ok(())
    }
}

/// A number with a fraction.
fn real(number: f64) -> Value {
    Number::parse(number.to_string()).map_or(Value::Null, Value::Number)
}

/// Bytes, as hex digits.
fn hex(bytes: &[u8]) -> Value {
    Value::from(bytes.iter().map(|b| format!("{b:02x}")).collect::<String>())
}

/// Whether a query over our own store names nothing but the published views. Whatever could name a table is looked at, so an
/// alias or text that is spelled like one of our tables is refused too.
async fn only_published(over: &Database, sql: &config::Sql) -> Result<(), String> {
    let names = match over {
        Database::Sqlite(database) => database.tables().await,
        Database::Postgres(database) => database.tables().await,
    };
    let names = names.map_err(|error| format!("the store cannot be read: {error}"))?;
    let private: HashSet<String> =
        names.iter().map(|name| name.to_lowercase()).filter(|name| !PUBLISHED.contains(&name.as_str())).collect();
    let inner = |name: &str| match over {
        Database::Sqlite(_) => sqlite::is_inner(name),
        Database::Postgres(_) => postgres::is_inner(name),
    };
    match sql.names().iter().find(|name| private.contains(*name) || inner(name)) {
        None => Ok(()),
        Some(name) => Err(format!(
            "found \"{}\", which is not for procedures; of the gateway's own store they read {}",
            name.escape_debug(),
            PUBLISHED.join(", ")
        )),
    }
}
