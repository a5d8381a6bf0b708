//! Statements and rows, the same for SQLite and PostgreSQL. `mod.rs` says what a statement may hold.

use std::borrow::Cow;

use ctigate_proto::message::Text;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Column, ColumnIndex, Row as _, SqlSafeStr, SqlStr, TypeInfo, ValueRef};

/// A statement with what is bound to its `$1`, `$2`…
#[derive(Debug)]
pub(super) struct Statement<'a> {
    text: Cow<'static, str>,
    arguments: Vec<Argument<'a>>,
}

/// Begins a statement.
pub(super) const fn sql<'a>(text: &'static str) -> Statement<'a> {
    Statement { text: Cow::Borrowed(text), arguments: Vec::new() }
}

impl<'a> Statement<'a> {
    /// Binds the next `$N`: a text, a number, or an `Option` of either, where `None` is NULL.
    pub(super) fn bind(mut self, argument: impl Into<Argument<'a>>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds our own text, never anybody else's: what comes from outside is bound.
    pub(super) fn push(&mut self, text: impl AsRef<str>) -> &mut Self {
        self.text.to_mut().push_str(text.as_ref());
        self
    }

    /// Adds `$N` and binds it.
    pub(super) fn push_bind(&mut self, argument: impl Into<Argument<'a>>) -> &mut Self {
        self.arguments.push(argument.into());
        let place = format!("${}", self.arguments.len());
        self.push(place)
    }

    pub(super) fn for_sqlite(self) -> Result<(SqlStr, SqliteArguments), sqlx::Error> {
        let mut all = SqliteArguments::default();
        for argument in self.arguments {
            match argument {
                Argument::Text(text) => all.add(text.map(Cow::into_owned)),
                Argument::Int(number) => all.add(number),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        Ok((text(self.text), all))
    }

    pub(super) fn for_postgres(self) -> Result<(SqlStr, PgArguments), sqlx::Error> {
        let mut all = PgArguments::default();
        for argument in self.arguments {
            match argument {
                Argument::Text(text) => all.add(text.map(without_zero)),
                Argument::Int(number) => all.add(number),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        Ok((text(self.text), all))
    }
}

fn text(text: Cow<'static, str>) -> SqlStr {
    match text {
        Cow::Borrowed(text) => text.into_sql_str(),
        Cow::Owned(text) => AssertSqlSafe(text).into_sql_str(),
    }
}

/// PostgreSQL keeps no zero character; one that it refused would hold up all that waits behind it.
fn without_zero(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text }
}

/// What can be bound.
#[derive(Clone, Debug)]
pub(super) enum Argument<'a> {
    Text(Option<Cow<'a, str>>),
    Int(Option<i64>),
}

impl<'a> From<&'a str> for Argument<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl<'a> From<&'a Text> for Argument<'a> {
    fn from(text: &'a Text) -> Self {
        Self::from(&**text)
    }
}

impl<'a> From<&'a String> for Argument<'a> {
    fn from(text: &'a String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<String> for Argument<'_> {
    fn from(text: String) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl<'a> From<Option<&'a str>> for Argument<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text.map(Into::into))
    }
}

impl From<i64> for Argument<'_> {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<Option<i64>> for Argument<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Argument<'_> {
    fn from(yes: bool) -> Self {
        Self::Int(Some(yes.into()))
    }
}

/// A row that was read.
#[derive(Debug)]
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// A column by name, or by number from 0.
pub(super) trait At: ColumnIndex<SqliteRow> + ColumnIndex<PgRow> {}

impl<T: ColumnIndex<SqliteRow> + ColumnIndex<PgRow>> At for T {}

impl Row {
    pub(super) fn text(&self, at: impl At) -> Result<Text, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get::<&str, _>(at).map(Text::from),
            Self::Postgres(row) => row.try_get::<&str, _>(at).map(Text::from),
        }
    }

    /// `None`: NULL.
    pub(super) fn maybe_text(&self, at: impl At) -> Result<Option<Text>, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get::<Option<&str>, _>(at).map(|text| text.map(Text::from)),
            Self::Postgres(row) => row.try_get::<Option<&str>, _>(at).map(|text| text.map(Text::from)),
        }
    }

    pub(super) fn int(&self, at: impl At) -> Result<i64, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(at),
            Self::Postgres(row) => row.try_get(at),
        }
    }

    /// The names of the columns.
    pub(super) fn columns(&self) -> Vec<String> {
        match self {
            Self::Sqlite(row) => row.columns().iter().map(|column| column.name().to_owned()).collect(),
            Self::Postgres(row) => row.columns().iter().map(|column| column.name().to_owned()).collect(),
        }
    }

    /// All columns, as what can be bound again.
    pub(super) fn cells(&self) -> Result<Vec<Argument<'_>>, sqlx::Error> {
        match self {
            Self::Sqlite(row) => (0..row.len())
                .map(|at| {
                    let raw = row.try_get_raw(at)?;
                    match (raw.is_null(), raw.type_info().name()) {
                        (true, _) => Ok(Argument::Text(None)),
                        (false, "INTEGER") => row.try_get(at).map(|number| Argument::Int(Some(number))),
                        (false, _) => row.try_get(at).map(|text: &str| Argument::Text(Some(text.into()))),
                    }
                })
                .collect(),
            Self::Postgres(row) => (0..row.len())
                .map(|at| {
                    let raw = row.try_get_raw(at)?;
                    match (raw.is_null(), raw.type_info().name()) {
                        (true, _) => Ok(Argument::Text(None)),
                        (false, "INT8") => row.try_get(at).map(|number| Argument::Int(Some(number))),
                        (false, _) => row.try_get(at).map(|text: &str| Argument::Text(Some(text.into()))),
                    }
                })
                .collect(),
        }
    }
}
