//! What was written in chats.

use ctigate_proto::hub::archive::ChatText;

use super::db::Transaction;
use super::sql::{Row, Statement, sql};
use super::{Store, StoreError};

const COLUMNS: &str = "SELECT chat, message, number, sender, text, at_ms FROM chat_text WHERE chat = $1";

pub(super) async fn write(to: &mut Transaction, text: &ChatText) -> Result<(), StoreError> {
    let put = "INSERT INTO chat_text (message, chat, number, sender, text, at_ms) VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (message) DO NOTHING";
    let put = sql(put).bind(&text.message).bind(&text.chat).bind(text.number);
    to.run(put.bind(&text.sender).bind(&text.text).bind(text.at_ms)).await.map(drop)
}

impl Store {
    /// At most so many texts of a chat, newest first; with `before` only those written before that text.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn texts(&self, chat: &str, before: Option<&str>, limit: usize) -> Result<Vec<ChatText>, StoreError> {
        let mut texts = sql(COLUMNS).bind(chat);
        if let Some(before) = before {
            texts.push(" AND number < (SELECT number FROM chat_text WHERE chat = $1 AND message = ");
            texts.push_bind(before).push(")");
        }
        texts.push(" ORDER BY number DESC, at_ms DESC LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
        self.read_texts(texts).await
    }

    /// One text of a chat.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn text(&self, chat: &str, message: &str) -> Result<Vec<ChatText>, StoreError> {
        let mut text = sql(COLUMNS).bind(chat);
        text.push(" AND message = ").push_bind(message);
        self.read_texts(text).await
    }

    async fn read_texts(&self, texts: Statement<'_>) -> Result<Vec<ChatText>, StoreError> {
        self.settled().await;
        let read = |row: &Row| {
            Ok(ChatText {
                chat: row.text("chat")?,
                message: row.text("message")?,
                number: row.int("number")?,
                sender: row.text("sender")?,
                text: row.text("text")?,
                at_ms: row.int("at_ms")?,
            })
        };
        self.db.list(texts, read).await
    }
}
