//! The tables, as numbered steps. A step that was ever released is never changed: a change is a new step. The SQL keeps to
//! what SQLite and PostgreSQL share; moments are milliseconds since 1970.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

const STEPS: &[(i64, &str, &str)] = &[(
    1,
    "sessions and forms",
    "CREATE TABLE session (
         hash TEXT PRIMARY KEY NOT NULL,
         login TEXT NOT NULL,
         expires_ms BIGINT NOT NULL,
         life_ms BIGINT NOT NULL
     );
     CREATE INDEX session_expires ON session (expires_ms);
     CREATE TABLE form (
         id TEXT PRIMARY KEY NOT NULL,
         login TEXT NOT NULL,
         expires_ms BIGINT NOT NULL,
         body TEXT NOT NULL
     );
     CREATE INDEX form_expires ON form (expires_ms);",
)];

/// Brings a database up to date.
pub(super) fn migrator() -> Migrator {
    let step = |(number, what, sql): &(i64, &'static str, &'static str)| {
        Migration::new(*number, (*what).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
    };
    Migrator::with_migrations(STEPS.iter().map(step).collect())
}
