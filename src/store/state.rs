//! Sessions, open forms and what the Hub keeps: the rows, and the writing of a batch of changes.

use ctigate_proto::hub::output::{StoredForm, StoredSession};
use ctigate_proto::message::Text;

use super::StoreError;
use super::db::{Db, Transaction};
use super::pending::{Batch, Keys};
use super::sql::sql;
use super::{chat, ledger};

const PUT_SESSION: &str = "INSERT INTO session (hash, login, expires_ms, life_ms) VALUES ($1, $2, $3, $4)
     ON CONFLICT (hash) DO UPDATE SET login = excluded.login, expires_ms = excluded.expires_ms, life_ms = excluded.life_ms";
const PUT_FORM: &str = "INSERT INTO form (id, login, expires_ms, body) VALUES ($1, $2, $3, $4)
     ON CONFLICT (id) DO UPDATE SET login = excluded.login, expires_ms = excluded.expires_ms, body = excluded.body";
const PUT_KEPT: &str = "INSERT INTO kept (kind, key, body) VALUES ($1, $2, $3)
     ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body";

/// The sessions that live at `now_ms`.
pub(super) async fn sessions(db: &Db, now_ms: i64) -> Result<Vec<StoredSession>, StoreError> {
    let live = "SELECT hash, login, expires_ms, life_ms FROM session WHERE expires_ms > $1 ORDER BY expires_ms, hash";
    db.list(sql(live).bind(now_ms), |row| {
        Ok(StoredSession {
            hash: row.text("hash")?,
            login: row.text("login")?,
            expires_ms: row.int("expires_ms")?,
            life_ms: row.int("life_ms")?,
        })
    })
    .await
}

/// The forms that are open at `now_ms`, oldest expiry first.
pub(super) async fn forms(db: &Db, now_ms: i64) -> Result<Vec<StoredForm>, StoreError> {
    let open = "SELECT id, login, expires_ms, body FROM form WHERE expires_ms > $1 ORDER BY expires_ms, id";
    db.list(sql(open).bind(now_ms), |row| {
        Ok(StoredForm {
            id: row.text("id")?,
            login: row.text("login")?,
            expires_ms: row.int("expires_ms")?,
            body: row.text("body")?,
        })
    })
    .await
}

/// All that was kept, by kind and key.
pub(super) async fn kept(db: &Db) -> Result<Vec<(String, Text, Text)>, StoreError> {
    let all = sql("SELECT kind, key, body FROM kept ORDER BY kind, key");
    db.list(all, |row| Ok((row.text("kind")?.to_string(), row.text("key")?, row.text("body")?))).await
}

/// The keys of all rows.
pub(super) async fn keys(db: &Db) -> Result<Keys, StoreError> {
    Ok(Keys {
        sessions: db.list(sql("SELECT hash FROM session"), |row| row.text(0)).await?,
        forms: db.list(sql("SELECT id FROM form"), |row| row.text(0)).await?,
        kept: db.list(sql("SELECT kind || '/' || key FROM kept"), |row| row.text(0)).await?,
    })
}

/// Deletes what has expired; says what that was.
pub(super) async fn delete_expired(db: &Db, now_ms: i64) -> Result<Keys, StoreError> {
    let sessions = sql("DELETE FROM session WHERE expires_ms <= $1 RETURNING hash").bind(now_ms);
    let forms = sql("DELETE FROM form WHERE expires_ms <= $1 RETURNING id").bind(now_ms);
    Ok(Keys {
        sessions: db.list(sessions, |row| row.text(0)).await?,
        forms: db.list(forms, |row| row.text(0)).await?,
        kept: Vec::new(),
    })
}

/// Writes a batch, whole or not at all.
pub(super) async fn write(db: &Db, batch: &Batch) -> Result<(), StoreError> {
    db.in_time(async {
        let mut transaction = db.begin().await?;
        write_batch(&mut transaction, batch).await?;
        transaction.commit().await
    })
    .await
}

async fn write_batch(to: &mut Transaction, batch: &Batch) -> Result<(), StoreError> {
    for change in &batch.sessions {
        to.run(match &change.row {
            Some(row) => sql(PUT_SESSION).bind(&row.hash).bind(&row.login).bind(row.expires_ms).bind(row.life_ms),
            None => sql("DELETE FROM session WHERE hash = $1").bind(&change.key),
        })
        .await?;
    }
    for change in &batch.forms {
        to.run(match &change.row {
            Some(row) => sql(PUT_FORM).bind(&row.id).bind(&row.login).bind(row.expires_ms).bind(&row.body),
            None => sql("DELETE FROM form WHERE id = $1").bind(&change.key),
        })
        .await?;
    }
    for change in &batch.kept {
        to.run(match &change.row {
            Some(row) => sql(PUT_KEPT).bind(row.kind).bind(&row.key).bind(row.body.as_deref().unwrap_or_default()),
            None => {
                let (kind, key) = change.key.split_once('/').unwrap_or_default();
                sql("DELETE FROM kept WHERE kind = $1 AND key = $2").bind(kind).bind(key)
            }
        })
        .await?;
    }
    for (_, entry) in &batch.calls {
        ledger::write(to, entry).await?;
    }
    for chat in &batch.ended_chats {
        to.run(sql("DELETE FROM chat_text WHERE chat = $1").bind(chat)).await?;
    }
    for (_, text) in &batch.texts {
        chat::write(to, text).await?;
    }
    Ok(())
}
