//! The ledger: an entry for each conversation, rows of the journal for people to look at, and the links of recordings.

use ctigate_proto::calls::{Direction, Entry, JournalQuery, JournalRow, Outcome};
use ctigate_proto::codec;
use ctigate_proto::hub::archive::Recording;
use ctigate_proto::message::{Text, Value};
use ctigate_proto::telephony::{CallId, TalkId};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, Transaction};

use super::db::{Db, text};
use super::{Store, StoreError};

/// Deepest nesting of an entry that was kept.
const DEPTH: usize = 16;

/// Writes an entry; one of the same conversation gives way. The link of a recording stays the same.
pub(super) async fn write(to: &mut Transaction<'_, Sqlite>, entry: &Entry) -> Result<(), sqlx::Error> {
    let chain = &*entry.call.0;
    let body = codec::encode_value(&Value::Object(entry.to_object()));
    sqlx::query("DELETE FROM call WHERE chain = $1").bind(chain).execute(&mut **to).await?;
    sqlx::query("INSERT INTO call (chain, body) VALUES ($1, $2)").bind(chain).bind(&*body).execute(&mut **to).await?;
    for row in entry.rows() {
        write_row(to, &row).await?;
    }
    for fax in &entry.faxes {
        let inside: Vec<Text> = fax.parties.iter().filter(|e| e.is_inside()).map(|e| e.number().clone()).collect();
        let sql = "INSERT INTO fax (link, chain, file, inside) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql).bind(fax.fax.link().to_string()).bind(chain).bind(&*fax.file);
        query.bind(lines(&inside)).execute(&mut **to).await?;
    }
    Ok(())
}

async fn write_row(to: &mut Transaction<'_, Sqlite>, row: &JournalRow) -> Result<(), sqlx::Error> {
    let (chain, talk) = (&*row.call.0, row.talk.as_ref().map_or("", |talk| &*talk.0));
    let sql = "INSERT INTO journal (chain, talk, began_ms, length_ms, direction, outcome, caller, called, inside, outside, wait_ms,
                                    queue, recording)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let query = sqlx::query(sql).bind(chain).bind(talk).bind(row.began_ms).bind(row.length_ms);
    let query = query.bind(row.direction.word()).bind(row.outcome.word()).bind(&*row.caller).bind(&*row.called);
    let query = query.bind(lines(&row.inside)).bind(lines(&row.outside)).bind(row.wait_ms).bind(&*row.queue);
    query.bind(row.recording.as_deref()).execute(&mut **to).await?;
    let others = [&row.caller, &row.called].into_iter().chain(&row.outside);
    let numbers = row.inside.iter().map(|n| (n, 1_i64)).chain(others.map(|n| (n, 0_i64)));
    for (number, inside) in numbers.filter(|(number, _)| !number.is_empty()) {
        let sql =
            "INSERT INTO journal_number (chain, talk, number, inside) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        sqlx::query(sql).bind(chain).bind(talk).bind(&**number).bind(inside).execute(&mut **to).await?;
    }
    if row.recording.is_some() {
        let sql = "INSERT INTO recording (link, chain, talk) VALUES ($1, $2, $3) ON CONFLICT (chain, talk) DO NOTHING";
        let link = format!("/record/{:032x}", rand::random::<u128>());
        sqlx::query(sql).bind(link).bind(chain).bind(talk).execute(&mut **to).await?;
    }
    Ok(())
}

/// Numbers hold no line breaks: those of people and lines are checked, those of callers come from one line of a protocol.
fn lines(numbers: &[Text]) -> String {
    numbers.iter().map(|n| n.replace('\n', " ")).collect::<Vec<_>>().join("\n")
}

impl Store {
    /// Rows of the journal, newest first, each with the link of its recording.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn journal(&self, query: &JournalQuery) -> Result<Vec<(JournalRow, Option<Text>)>, StoreError> {
        self.settled().await;
        let Db::Sqlite { pool, .. } = &self.db;
        let mut sql = QueryBuilder::<Sqlite>::new(
            "SELECT j.*, r.link FROM journal j LEFT JOIN recording r ON r.chain = j.chain AND r.talk = j.talk WHERE 1 = 1",
        );
        if let Some(call) = &query.call {
            sql.push(" AND j.chain = ").push_bind(call.0.to_string());
        }
        for (column, compare, value) in
            [("began_ms", ">=", query.from_ms), ("began_ms", "<", query.until_ms), ("length_ms", ">=", query.length_ms)]
        {
            if let Some(value) = value {
                sql.push(format!(" AND j.{column} {compare} ")).push_bind(value);
            }
        }
        if let Some(direction) = query.direction {
            sql.push(" AND j.direction = ").push_bind(direction.word());
        }
        if let Some(queued) = query.queued {
            sql.push(if queued { " AND j.queue <> ''" } else { " AND j.queue = ''" });
        }
        if let Some(missed) = query.missed {
            sql.push(if missed { " AND j.talk = ''" } else { " AND j.talk <> ''" });
        }
        const OF_NUMBER: &str =
            " AND EXISTS (SELECT 1 FROM journal_number n WHERE n.chain = j.chain AND n.talk = j.talk";
        if let Some(number) = &query.number {
            sql.push(OF_NUMBER).push(" AND n.number = ").push_bind(number.to_string()).push(")");
        }
        if let Some(numbers) = &query.numbers {
            sql.push(OF_NUMBER).push(" AND n.inside = 1 AND n.number IN (");
            let mut list = sql.separated(", ");
            for number in numbers {
                list.push_bind(number.to_string());
            }
            sql.push("))");
        }
        sql.push(" ORDER BY j.began_ms DESC, j.chain DESC, j.talk DESC LIMIT ");
        sql.push_bind(i64::try_from(query.limit).unwrap_or(i64::MAX)).push(" OFFSET ");
        sql.push_bind(i64::try_from(query.offset).unwrap_or(i64::MAX));
        let rows = sql.build().fetch_all(pool).await.map_err(|error| self.db.failed(error))?;
        rows.iter().map(journal_row).collect::<Result<_, _>>().map_err(|error| self.db.failed(error))
    }

    /// The entry of a conversation, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn call(&self, call: &CallId) -> Result<Option<Entry>, StoreError> {
        self.settled().await;
        let Db::Sqlite { pool, .. } = &self.db;
        let query = sqlx::query("SELECT body FROM call WHERE chain = $1").bind(&*call.0);
        let row = query.fetch_optional(pool).await.map_err(|error| self.db.failed(error))?;
        let Some(row) = row else { return Ok(None) };
        let body = text(&row, "body").map_err(|error| self.db.failed(error))?;
        let entry = match codec::decode_value(&body, DEPTH) {
            Ok(Value::Object(object)) => Entry::of_object(&object),
            _ => None,
        };
        if entry.is_none() {
            tracing::error!(chain = %call.0, "an entry of the ledger cannot be read; it is passed over");
        }
        Ok(entry)
    }

    /// The talk that was recorded, or the fax that came, under a link, if it is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn recording(&self, link: &str) -> Result<Option<Recording>, StoreError> {
        self.settled().await;
        let Db::Sqlite { pool, .. } = &self.db;
        let sql =
            "SELECT j.recording, j.inside FROM recording r JOIN journal j ON j.chain = r.chain AND j.talk = r.talk
                   WHERE r.link = $1 AND j.recording IS NOT NULL
             UNION ALL SELECT file, inside FROM fax WHERE link = $1";
        let row = sqlx::query(sql).bind(link).fetch_optional(pool).await.map_err(|error| self.db.failed(error))?;
        let read = |row: SqliteRow| Ok(Recording { file: text(&row, "recording")?, inside: numbers(&row, "inside")? });
        row.map(read).transpose().map_err(|error| self.db.failed(error))
    }
}

fn journal_row(row: &SqliteRow) -> Result<(JournalRow, Option<Text>), sqlx::Error> {
    let foreign = |what: &str| sqlx::Error::Decode(format!("{what} is no word of the ledger").into());
    let talk = text(row, "talk")?;
    let journal = JournalRow {
        call: CallId(text(row, "chain")?),
        talk: (!talk.is_empty()).then_some(TalkId(talk)),
        began_ms: row.try_get("began_ms")?,
        length_ms: row.try_get("length_ms")?,
        direction: Direction::parse(&text(row, "direction")?).ok_or_else(|| foreign("direction"))?,
        outcome: Outcome::parse(&text(row, "outcome")?).ok_or_else(|| foreign("outcome"))?,
        caller: text(row, "caller")?,
        called: text(row, "called")?,
        inside: numbers(row, "inside")?,
        outside: numbers(row, "outside")?,
        wait_ms: row.try_get("wait_ms")?,
        queue: text(row, "queue")?,
        recording: row.try_get::<Option<&str>, _>("recording")?.map(Text::from),
    };
    let link = journal.recording.is_some().then(|| row.try_get::<Option<&str>, _>("link")).transpose()?;
    Ok((journal, link.flatten().map(Text::from)))
}

fn numbers(row: &SqliteRow, column: &str) -> Result<Vec<Text>, sqlx::Error> {
    Ok(text(row, column)?.split('\n').filter(|n| !n.is_empty()).map(Text::from).collect())
}
