//! The tables, as numbered steps. A step that was ever released is never changed: a change is a new step. The SQL keeps to
//! what SQLite and PostgreSQL share; moments are milliseconds since 1970.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

const STEPS: &[(i64, &str, &str)] = &[
    (
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
    ),
    (
        2,
        "ledger, chats, passwords, people, and the views that stored procedures read",
        "CREATE TABLE call (
         chain TEXT PRIMARY KEY NOT NULL,
         body TEXT NOT NULL
     );
     CREATE TABLE journal (
         chain TEXT NOT NULL REFERENCES call (chain) ON DELETE CASCADE,
         talk TEXT NOT NULL,
         began_ms BIGINT NOT NULL,
         length_ms BIGINT NOT NULL,
         direction TEXT NOT NULL,
         outcome TEXT NOT NULL,
         caller TEXT NOT NULL,
         called TEXT NOT NULL,
         inside TEXT NOT NULL,
         outside TEXT NOT NULL,
         wait_ms BIGINT NOT NULL,
         queue TEXT NOT NULL,
         recording TEXT,
         PRIMARY KEY (chain, talk)
     );
     CREATE INDEX journal_began ON journal (began_ms, chain, talk);
     CREATE TABLE journal_number (
         chain TEXT NOT NULL,
         talk TEXT NOT NULL,
         number TEXT NOT NULL,
         inside BIGINT NOT NULL,
         PRIMARY KEY (number, inside, chain, talk),
         FOREIGN KEY (chain, talk) REFERENCES journal (chain, talk) ON DELETE CASCADE
     );
     CREATE INDEX journal_number_row ON journal_number (chain, talk);
     CREATE TABLE recording (
         link TEXT PRIMARY KEY NOT NULL,
         chain TEXT NOT NULL,
         talk TEXT NOT NULL,
         UNIQUE (chain, talk)
     );
     CREATE TABLE kept (
         kind TEXT NOT NULL,
         key TEXT NOT NULL,
         body TEXT NOT NULL,
         PRIMARY KEY (kind, key)
     );
     CREATE TABLE chat_text (
         message TEXT PRIMARY KEY NOT NULL,
         chat TEXT NOT NULL,
         number BIGINT NOT NULL,
         sender TEXT NOT NULL,
         text TEXT NOT NULL,
         at_ms BIGINT NOT NULL
     );
     CREATE INDEX chat_text_chat ON chat_text (chat, number);
     CREATE TABLE password (
         login TEXT PRIMARY KEY NOT NULL,
         hash TEXT NOT NULL,
         instead_of TEXT NOT NULL
     );
     CREATE TABLE person (
         login TEXT PRIMARY KEY NOT NULL,
         id TEXT NOT NULL,
         name TEXT NOT NULL,
         number TEXT NOT NULL,
         department TEXT NOT NULL,
         role TEXT NOT NULL
     );
     CREATE VIEW journal_v1 AS
         SELECT chain AS chainid, talk AS commutationid, began_ms, length_ms, direction AS connectiontype, outcome,
                caller AS callerid, called AS calledid, wait_ms, queue
         FROM journal;
     CREATE VIEW journal_numbers_v1 AS
         SELECT chain AS chainid, talk AS commutationid, number, inside FROM journal_number;
     CREATE VIEW users_v1 AS
         SELECT id AS userid, login AS userlogin, name AS username, number, department, role FROM person;",
    ),
    (
        3,
        "faxes",
        "CREATE TABLE fax (
         link TEXT PRIMARY KEY NOT NULL,
         chain TEXT NOT NULL REFERENCES call (chain) ON DELETE CASCADE,
         file TEXT NOT NULL,
         inside TEXT NOT NULL
     );
     CREATE INDEX fax_chain ON fax (chain);",
    ),
    (
        4,
        "accounts, links and settings of the store, integration keys, console sessions, audit trail, stories",
        "CREATE TABLE account (
         login TEXT PRIMARY KEY NOT NULL,
         body TEXT NOT NULL,
         changed_ms BIGINT NOT NULL,
         last_sign_in_ms BIGINT NOT NULL
     );
     CREATE TABLE second_factor (
         login TEXT PRIMARY KEY NOT NULL,
         secret TEXT NOT NULL,
         confirmed BIGINT NOT NULL,
         last_step BIGINT NOT NULL
     );
     CREATE TABLE link_setting (
         name TEXT PRIMARY KEY NOT NULL,
         body TEXT NOT NULL,
         changed_ms BIGINT NOT NULL
     );
     CREATE TABLE setting (
         key TEXT PRIMARY KEY NOT NULL,
         value TEXT NOT NULL,
         changed_ms BIGINT NOT NULL
     );
     CREATE TABLE api_key (
         client_id TEXT PRIMARY KEY NOT NULL,
         kind TEXT NOT NULL,
         hash TEXT NOT NULL,
         login TEXT NOT NULL,
         numbers TEXT NOT NULL,
         rights TEXT NOT NULL,
         made_ms BIGINT NOT NULL,
         expires_ms BIGINT NOT NULL,
         used_ms BIGINT NOT NULL,
         replaced_ms BIGINT NOT NULL
     );
     CREATE TABLE console_session (
         hash TEXT PRIMARY KEY NOT NULL,
         login TEXT NOT NULL,
         made_ms BIGINT NOT NULL,
         expires_ms BIGINT NOT NULL
     );
     CREATE TABLE audit (
         number BIGINT PRIMARY KEY NOT NULL,
         at_ms BIGINT NOT NULL,
         who TEXT NOT NULL,
         from_where TEXT NOT NULL,
         what TEXT NOT NULL,
         about TEXT NOT NULL,
         detail TEXT NOT NULL
     );
     CREATE INDEX audit_at ON audit (at_ms);
     CREATE TABLE story (
         id BIGINT PRIMARY KEY NOT NULL,
         at_ms BIGINT NOT NULL,
         chain TEXT NOT NULL,
         form TEXT NOT NULL,
         login TEXT NOT NULL,
         what TEXT NOT NULL,
         detail TEXT NOT NULL
     );
     CREATE INDEX story_at ON story (at_ms);
     CREATE INDEX story_chain ON story (chain, id);
     CREATE INDEX story_form ON story (form, id);
     CREATE INDEX story_login ON story (login, id);",
    ),
    (5, "the age of chats", "CREATE INDEX chat_text_at ON chat_text (at_ms);"),
];

/// A table, for whoever reads or empties them all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// Its primary key, as `ORDER BY` takes it.
    pub(super) key: &'static str,
    /// The step that made it.
    pub(super) since: i64,
}

/// Every table, each after those that it refers to.
pub(super) const TABLES: [Table; 19] = [
    Table { name: "session", key: "hash", since: 1 },
    Table { name: "form", key: "id", since: 1 },
    Table { name: "call", key: "chain", since: 2 },
    Table { name: "journal", key: "chain, talk", since: 2 },
    Table { name: "journal_number", key: "number, inside, chain, talk", since: 2 },
    Table { name: "recording", key: "link", since: 2 },
    Table { name: "kept", key: "kind, key", since: 2 },
    Table { name: "chat_text", key: "message", since: 2 },
    Table { name: "password", key: "login", since: 2 },
    Table { name: "person", key: "login", since: 2 },
    Table { name: "fax", key: "link", since: 3 },
    Table { name: "account", key: "login", since: 4 },
    Table { name: "second_factor", key: "login", since: 4 },
    Table { name: "link_setting", key: "name", since: 4 },
    Table { name: "setting", key: "key", since: 4 },
    Table { name: "api_key", key: "client_id", since: 4 },
    Table { name: "console_session", key: "hash", since: 4 },
    Table { name: "audit", key: "number", since: 4 },
    Table { name: "story", key: "id", since: 4 },
];

/// The views that stored procedures may read of the gateway's own store.
pub(super) const PUBLISHED: [&str; 3] = ["journal_numbers_v1", "journal_v1", "users_v1"];

/// The table where the database notes which steps it has.
pub(super) const STEPS_DONE: &str = "_sqlx_migrations";

/// The number of the newest step.
pub(super) fn newest() -> i64 {
    STEPS.last().map_or(0, |(number, ..)| *number)
}

/// The steps: number and what it makes.
pub(super) fn steps() -> impl Iterator<Item = (i64, &'static str)> {
    STEPS.iter().map(|(number, what, _)| (*number, *what))
}

/// Brings a database up to date.
pub(super) fn migrator() -> Migrator {
    let step = |(number, what, sql): &(i64, &'static str, &'static str)| {
        Migration::new(*number, (*what).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
    };
    Migrator::with_migrations(STEPS.iter().map(step).collect())
}
