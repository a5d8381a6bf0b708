//! Procedures over our own database in PostgreSQL: each in a transaction that can only read and that the server ends in time.

use std::time::Instant;

use ctigate_proto::message::{Text, Value};
use futures_util::TryStreamExt;
use sqlx::postgres::{PgArguments, PgPool, PgPoolOptions, PgRow};
use sqlx::{Arguments, AssertSqlSafe, Column, Either, Executor, Row, SqlSafeStr, Statement, TypeInfo, ValueRef};

use super::super::db::postgres_options;
use super::{AT_A_TIME, BUSY, Failed, Procedure, Table, hex, real};
use crate::config::PostgresUrl;

/// The types that come and go without loss.
const TYPES: &str = "TEXT, BIGINT, INT, SMALLINT, BOOLEAN, DOUBLE PRECISION and REAL";

/// A database that is only read.
#[derive(Clone, Debug)]
pub(super) struct Database(PgPool);

impl Database {
    pub(super) fn open(url: &PostgresUrl) -> Result<Self, sqlx::Error> {
        let options = postgres_options(url, "ctigate procedures")?.options([("default_transaction_read_only", "on")]);
        let pool = PgPoolOptions::new().max_connections(AT_A_TIME).acquire_timeout(BUSY);
        Ok(Self(pool.connect_lazy_with(options)))
    }

    /// The names of all tables, views and indexes that are not PostgreSQL's own.
    pub(super) async fn tables(&self) -> Result<Vec<String>, sqlx::Error> {
        let names = "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                     WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'";
        let rows = sqlx::query(names).fetch_all(&self.0).await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }

    pub(super) async fn check(&self, procedure: &Procedure) -> Result<(), String> {
        let text = AssertSqlSafe(procedure.sql.to_string()).into_sql_str();
        let prepared = self.0.prepare(text).await.map_err(|error| error.to_string())?;
        for (name, wanted) in procedure.parameters.iter().zip(wanted(&prepared)) {
            if !KNOWN.contains(&wanted.as_str()) || wanted == "BYTEA" {
                return Err(format!(
                    "the parameter :{name} is {wanted}; cast it to one of {TYPES}, as in CAST(:{name} AS TEXT)"
                ));
            }
        }
        for column in prepared.columns() {
            if !KNOWN.contains(&column.type_info().name()) {
                let (name, found) = (column.name(), column.type_info().name());
                return Err(format!("the column {name} is {found}; cast it to one of {TYPES}"));
            }
        }
        Ok(())
    }

    pub(super) async fn run(
        &self,
        procedure: &Procedure,
        input: &[(Text, Value)],
        deadline: Instant,
        table: &mut Table,
    ) -> Result<(), Failed> {
        let mut transaction = self.0.begin_with("BEGIN READ ONLY").await?;
        // Dropping the future leaves the query running in the server: it ends it by the clock, a moment after we do, who say why.
        let left = deadline.saturating_duration_since(Instant::now()).as_millis() + LATER_MS;
        let bound = format!("SET LOCAL statement_timeout = {left}");
        transaction.execute(AssertSqlSafe(bound)).await?;
        let text = || AssertSqlSafe(procedure.sql.to_string());
        let prepared = (&mut *transaction).prepare(text().into_sql_str()).await?;
        let mut arguments = PgArguments::default();
        for ((name, value), wanted) in procedure.arguments(input).zip(wanted(&prepared)) {
            bind(&mut arguments, name, value, &wanted)?;
        }
        table.head(prepared.columns().iter().map(Column::name));
        let mut rows = sqlx::query_with(text(), arguments).fetch(&mut *transaction);
        while let Some(row) = rows.try_next().await? {
            table.add((0..row.len()).map(|at| value(&row, at)).collect::<Result<_, _>>()?)?;
        }
        drop(rows);
        Ok(transaction.rollback().await?)
    }
}

/// By how much the server's clock for a query is behind ours: it counts whole milliseconds.
const LATER_MS: u128 = 100;

const KNOWN: [&str; 11] =
    ["TEXT", "VARCHAR", "CHAR", "NAME", "INT8", "INT4", "INT2", "BOOL", "FLOAT8", "FLOAT4", "BYTEA"];

/// The types that the server found for the parameters.
fn wanted(prepared: &impl Statement<Database = sqlx::Postgres>) -> Vec<String> {
    match prepared.parameters() {
        Some(Either::Left(types)) => types.iter().map(|wanted| wanted.name().to_owned()).collect(),
        Some(Either::Right(_)) | None => Vec::new(),
    }
}

/// Names of PostgreSQL's own tables, and its functions that read tables or files by a name in a text.
pub(super) fn is_inner(name: &str) -> bool {
    let beginnings = ["pg_", "lo_", "dblink"];
    beginnings.iter().any(|beginning| name.starts_with(beginning))
        || name.contains("_to_xml")
        || ["information_schema", "set_config", "u&"].contains(&name)
}

/// Binds a value as the type that the query wants.
fn bind(arguments: &mut PgArguments, name: &str, value: &Value, wanted: &str) -> Result<(), Failed> {
    let whole = || -> Result<Option<i64>, Failed> {
        match value {
            Value::Null | Value::Array(_) | Value::Object(_) => Ok(None),
            Value::Bool(flag) => Ok(Some(i64::from(*flag))),
            Value::Number(number) => number.as_i64().map(Some).ok_or_else(|| unfit(name, "a whole number")),
            Value::String(text) => text.trim().parse().map(Some).map_err(|_| unfit(name, "a whole number")),
        }
    };
    let done = match wanted {
        "INT8" => arguments.add(whole()?),
        "INT4" => {
            let fits = whole()?.map(i32::try_from).transpose();
            arguments.add(fits.map_err(|_| unfit(name, "a smaller number"))?)
        }
        "INT2" => {
            let fits = whole()?.map(i16::try_from).transpose();
            arguments.add(fits.map_err(|_| unfit(name, "a smaller number"))?)
        }
        "BOOL" => arguments.add(whole()?.map(|number| number != 0)),
        "FLOAT8" | "FLOAT4" => {
            let number = match value {
                Value::Number(number) => Some(number.as_f64()),
                Value::String(text) => Some(text.trim().parse().map_err(|_| unfit(name, "a number"))?),
                _ => whole()?.map(|flag| if flag == 0 { 0.0 } else { 1.0 }),
            };
            #[expect(clippy::cast_possible_truncation, reason = "that is what REAL is")]
            if wanted == "FLOAT4" {
                arguments.add(number.map(|number: f64| number as f32))
            } else {
                arguments.add(number)
            }
        }
        _ => arguments.add(match value {
            Value::Null | Value::Array(_) | Value::Object(_) => None,
            Value::Bool(flag) => Some(i64::from(*flag).to_string()),
            Value::Number(number) => Some(number.as_str().to_owned()),
            Value::String(text) => Some(text.replace('\0', "\u{fffd}")),
        }),
    };
    done.map_err(|error| Failed::Database(sqlx::Error::Encode(error)))
}

fn unfit(name: &str, wanted: &str) -> Failed {
    Failed::Unfit(format!("{name}: expected {wanted}"))
}

/// A value of a row, as SQLite would give it: yes and no are 1 and 0, bytes come as hex digits.
fn value(row: &PgRow, at: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    Ok(match raw.type_info().name() {
        "INT8" => Value::from(row.try_get::<i64, _>(at)?),
        "INT4" => Value::from(i64::from(row.try_get::<i32, _>(at)?)),
        "INT2" => Value::from(i64::from(row.try_get::<i16, _>(at)?)),
        "BOOL" => Value::from(i64::from(row.try_get::<bool, _>(at)?)),
        "FLOAT8" => real(row.try_get(at)?),
        "FLOAT4" => real(f64::from(row.try_get::<f32, _>(at)?)),
        "BYTEA" => hex(row.try_get(at)?),
        _ => Value::from(row.try_get::<String, _>(at)?),
    })
}
