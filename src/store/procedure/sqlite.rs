//! Procedures over a file of SQLite.

use std::path::Path;
use std::time::Instant;

use ctigate_proto::message::{Text, Value};
use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Column, ConnectOptions, Executor, Row, SqlSafeStr, TypeInfo, ValueRef};

use super::{AT_A_TIME, BUSY, Failed, Procedure, Table, hex, real};

/// How often a running query looks at the time, in steps of SQLite.
const STEPS: i32 = 10_000;

/// A file that is only read.
#[derive(Clone, Debug)]
pub(super) struct Database(SqlitePool);

impl Database {
    pub(super) async fn open(path: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .create_if_missing(false)
            .busy_timeout(BUSY)
            .pragma("query_only", "ON")
            .pragma("trusted_schema", "OFF")
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new().max_connections(AT_A_TIME).acquire_timeout(BUSY);
        pool.connect_with(options).await.map(Self)
    }

    /// The names of all tables, views and indexes.
    pub(super) async fn tables(&self) -> Result<Vec<String>, sqlx::Error> {
        let rows = sqlx::query("SELECT name FROM sqlite_schema").fetch_all(&self.0).await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }

    pub(super) async fn check(&self, procedure: &Procedure) -> Result<(), String> {
        let prepared = self.0.prepare(AssertSqlSafe(procedure.sql.to_string()).into_sql_str()).await;
        prepared.map(drop).map_err(|error| error.to_string())
    }

    pub(super) async fn run(
        &self,
        procedure: &Procedure,
        input: &[(Text, Value)],
        deadline: Instant,
        table: &mut Table,
    ) -> Result<(), Failed> {
        let mut connection = self.0.acquire().await?;
        // Dropping the future leaves the query running in the connection's thread: it ends itself by the clock.
        connection.lock_handle().await?.set_progress_handler(STEPS, move || Instant::now() < deadline);
        let mut arguments = SqliteArguments::default();
        for (_, value) in procedure.arguments(input) {
            bind(&mut arguments, value)?;
        }
        let text = || AssertSqlSafe(procedure.sql.to_string());
        let mut rows = sqlx::query_with(text(), arguments).fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            if table.is_empty() {
                table.head(row.columns().iter().map(Column::name));
            }
            table.add((0..row.len()).map(|at| value(&row, at)).collect::<Result<_, _>>()?)?;
        }
        drop(rows);
        if table.is_empty() {
            let described = (&mut *connection).prepare(text().into_sql_str()).await?;
            table.head(sqlx::Statement::columns(&described).iter().map(Column::name));
        }
        connection.lock_handle().await?.remove_progress_handler();
        Ok(())
    }
}

/// Whether a name is one of SQLite's own tables.
pub(super) fn is_inner(name: &str) -> bool {
    name.starts_with("sqlite_") || name.starts_with("pragma_") || name == "dbstat"
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
        "REAL" => real(row.try_get_unchecked::<f64, _>(at)?),
        "BLOB" => hex(&row.try_get_unchecked::<Vec<u8>, _>(at)?),
        _ => Value::from(row.try_get_unchecked::<String, _>(at)?),
    })
}
