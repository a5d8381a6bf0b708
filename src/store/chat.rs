//! What was written in chats.

use ctigate_proto::hub::archive::ChatText;
use ctigate_proto::message::Text;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, Transaction};

use super::db::{Db, text};
use super::{Store, StoreError};

const COLUMNS: &str = "SELECT chat, message, number, sender, text, at_ms FROM chat_text WHERE chat = $1";

pub(super) async fn write(to: &mut Transaction<'_, Sqlite>, text: &ChatText) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO chat_text (message, chat, number, sender, text, at_ms) VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (message) DO NOTHING";
    let query = sqlx::query(sql).bind(&*text.message).bind(&*text.chat).bind(text.number);
    query.bind(&*text.sender).bind(&*text.text).bind(text.at_ms).execute(&mut **to).await.map(drop)
}

impl Store {
    /// At most so many texts of a chat, newest first; with `before` only those written before that text.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn texts(&self, chat: &str, before: Option<&str>, limit: usize) -> Result<Vec<ChatText>, StoreError> {
        self.settled().await;
        let Db::Sqlite { pool, .. } = &self.db;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = match before {
            None => {
                let sql = concat_sql(" ORDER BY number DESC, at_ms DESC LIMIT $2");
                sqlx::query(sql).bind(chat).bind(limit).fetch_all(pool).await
            }
            Some(before) => {
                let sql = concat_sql(
                    " AND number < (SELECT number FROM chat_text WHERE chat = $1 AND message = $2)
                      ORDER BY number DESC, at_ms DESC LIMIT $3",
                );
                sqlx::query(sql).bind(chat).bind(before).bind(limit).fetch_all(pool).await
            }
        };
        self.read_texts(rows)
    }

    /// One text of a chat.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn text(&self, chat: &str, message: &str) -> Result<Vec<ChatText>, StoreError> {
        self.settled().await;
        let Db::Sqlite { pool, .. } = &self.db;
        let rows = sqlx::query(concat_sql(" AND message = $2")).bind(chat).bind(message).fetch_all(pool).await;
        self.read_texts(rows)
    }

    fn read_texts(&self, rows: Result<Vec<SqliteRow>, sqlx::Error>) -> Result<Vec<ChatText>, StoreError> {
        let read = |row: &SqliteRow| {
            Ok(ChatText {
                chat: text(row, "chat")?,
                message: text(row, "message")?,
                number: row.try_get("number")?,
                sender: text(row, "sender")?,
                text: Text::from(row.try_get::<&str, _>("text")?),
                at_ms: row.try_get("at_ms")?,
            })
        };
        let rows = rows.map_err(|error| self.db.failed(error))?;
        rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| self.db.failed(error))
    }
}

/// The columns with what narrows them: our own text alone, no argument is in it.
fn concat_sql(rest: &'static str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(format!("{COLUMNS}{rest}"))
}
