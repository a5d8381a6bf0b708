//! Stored procedures: queries that the configuration names, over connections of their own that can only read. Each has a bound of rows,
//! bytes and time. Text from outside is only ever bound to a parameter.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ctigate_proto::message::{Number, Text, Value};
use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Column, ConnectOptions, Executor, Row, SqlSafeStr, TypeInfo, ValueRef};
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
/// How often a running query looks at the time, in steps of SQLite.
const STEPS: i32 = 10_000;

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
    pool: SqlitePool,
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
        let mut pools: HashMap<PathBuf, SqlitePool> = HashMap::new();
        let mut all = HashMap::new();
        for procedure in procedures {
            let failed = |why: String| ProcedureError { name: procedure.name.clone(), why };
            let path = match (&procedure.database, store) {
                (Some(path), _) | (None, DatabaseUrl::Sqlite(path)) => path.clone(),
                (None, DatabaseUrl::Memory) => {
                    return Err(failed("the store is in memory and cannot be read".to_owned()));
                }
            };
            let pool = match pools.get(&path) {
                Some(pool) => pool.clone(),
                None => {
                    let pool = connect(&path).await;
                    let pool = pool.map_err(|e| failed(format!("{} cannot be read: {e}", path.display())))?;
                    pools.insert(path.clone(), pool.clone());
                    pool
                }
            };
            if procedure.database.is_none() {
                only_published(&pool, &procedure.sql).await.map_err(failed)?;
            }
            // What does not fit the database is told at the start, not to the first who asks.
            let prepared = pool.prepare(AssertSqlSafe(procedure.sql.numbered().to_owned()).into_sql_str()).await;
            prepared.map_err(|error| failed(format!("the query does not fit the database: {error}")))?;
            all.insert(
                procedure.name.to_lowercase(),
                Procedure {
                    sql: procedure.sql.numbered().into(),
                    parameters: procedure.sql.parameters().to_vec(),
                    rows: procedure.rows,
                    time: procedure.timeout,
                    pool,
                },
            );
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
        let mut connection = self.pool.acquire().await?;
        // Dropping the future leaves the query running in the connection's thread: it ends itself by the clock.
        connection.lock_handle().await?.set_progress_handler(STEPS, move || Instant::now() < deadline);
        let mut arguments = SqliteArguments::default();
        for parameter in &self.parameters {
            let value = input.iter().find(|(name, _)| **name == **parameter).map_or(&Value::Null, |(_, value)| value);
            bind(&mut arguments, value)?;
        }
        let mut table = Vec::new();
        let mut bytes = 0;
        let mut rows = sqlx::query_with(AssertSqlSafe(self.sql.to_string()), arguments).fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            if table.is_empty() {
                table.push(names(row.columns().iter().map(Column::name)));
            }
            if table.len() > self.rows {
                return Err(Failed::Large(format!("{} rows", self.rows)));
            }
            let row = Value::Array((0..row.len()).map(|at| value(&row, at)).collect::<Result<_, _>>()?);
            bytes += row.weight();
            if bytes > MOST_BYTES {
                return Err(Failed::Large(format!("{MOST_BYTES} bytes")));
            }
            table.push(row);
        }
        drop(rows);
        if table.is_empty() {
            let described = (&mut *connection).prepare(AssertSqlSafe(self.sql.to_string()).into_sql_str()).await?;
            table.push(names(sqlx::Statement::columns(&described).iter().map(Column::name)));
        }
        connection.lock_handle().await?.remove_progress_handler();
        Ok(vec![Value::Array(table)])
    }
}

fn names<'a>(columns: impl Iterator<Item = &'a str>) -> Value {
    Value::Array(columns.map(|name| Value::from(name.to_owned())).collect())
}

async fn connect(path: &Path) -> Result<SqlitePool, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .create_if_missing(false)
        .busy_timeout(BUSY)
        .pragma("query_only", "ON")
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging();
    SqlitePoolOptions::new().max_connections(AT_A_TIME).acquire_timeout(BUSY).connect_with(options).await
}

/// Whether a query over our own store names nothing but the published views. Whatever could name a table is looked at, so an
/// alias or text that is spelled like one of our tables is refused too.
async fn only_published(pool: &SqlitePool, sql: &config::Sql) -> Result<(), String> {
    let rows = sqlx::query("SELECT name FROM sqlite_schema").fetch_all(pool).await;
    let rows = rows.map_err(|error| format!("the store cannot be read: {error}"))?;
    let private: HashSet<String> = rows
        .iter()
        .filter_map(|row| row.try_get::<String, _>(0).ok())
        .map(|name| name.to_lowercase())
        .filter(|name| !PUBLISHED.contains(&name.as_str()))
        .collect();
    let inner = |name: &str| name.starts_with("sqlite_") || name.starts_with("pragma_") || name == "dbstat";
    match sql.names().iter().find(|name| private.contains(*name) || inner(name)) {
        None => Ok(()),
        Some(name) => Err(format!(
            "found \"{}\", which is not for procedures; of the gateway's own store they read {}",
            name.escape_debug(),
            PUBLISHED.join(", ")
        )),
    }
}

fn bind(arguments: &mut SqliteArguments, value: &Value) -> Result<(), sqlx::Error> {
    let done = match value {
        Value::Bool(flag) => arguments.add(i64::from(*flag)),
        Value::Number(number) if number.is_int() && number.as_i64().is_some() => arguments.add(number.as_i64()),
        Value::Number(number) => arguments.add(number.as_f64()),
        Value::String(text) => arguments.add(text.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => arguments.add(None::<i64>),
    };
    done.map_err(sqlx::Error::Encode)
}

/// A value of a row: what SQLite holds, without loss. Bytes come as hex digits.
fn value(row: &SqliteRow, at: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    Ok(match raw.type_info().name() {
        "INTEGER" | "BOOLEAN" => Value::from(row.try_get_unchecked::<i64, _>(at)?),
        "REAL" => {
            let number = row.try_get_unchecked::<f64, _>(at)?;
            Number::parse(number.to_string()).map_or(Value::Null, Value::Number)
        }
        "BLOB" => {
            let bytes = row.try_get_unchecked::<Vec<u8>, _>(at)?;
            Value::from(bytes.iter().map(|b| format!("{b:02x}")).collect::<String>())
        }
        _ => Value::from(row.try_get_unchecked::<String, _>(at)?),
    })
}
