//! The ledger: an entry for each conversation, rows of the journal for people to look at, and the links of recordings.

use ctigate_proto::calls::{Direction, Entry, JournalPlace, JournalQuery, JournalRow, Outcome};
use ctigate_proto::codec;
use ctigate_proto::hub::archive::Recording;
use ctigate_proto::message::{Text, Value};
use ctigate_proto::telephony::{CallId, TalkId};

use super::db::Transaction;
use super::sql::{Row, sql};
use super::{Store, StoreError};

/// Deepest nesting of an entry that was kept.
const DEPTH: usize = 16;

/// Writes an entry; one of the same conversation gives way. The link of a recording stays the same.
pub(super) async fn write(to: &mut Transaction, entry: &Entry) -> Result<(), StoreError> {
    let chain = &entry.call.0;
    let body = codec::encode_value(&Value::Object(entry.to_object()));
    to.run(sql("DELETE FROM call WHERE chain = $1").bind(chain)).await?;
    to.run(sql("INSERT INTO call (chain, body) VALUES ($1, $2)").bind(chain).bind(&*body)).await?;
    for row in entry.rows() {
        write_row(to, &row).await?;
    }
    for fax in &entry.faxes {
        let inside: Vec<Text> = fax.parties.iter().filter(|e| e.is_inside()).map(|e| e.number().clone()).collect();
        let put = "INSERT INTO fax (link, chain, file, inside) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        to.run(sql(put).bind(fax.fax.link().to_string()).bind(chain).bind(&fax.file).bind(lines(&inside))).await?;
    }
    Ok(())
}

async fn write_row(to: &mut Transaction, row: &JournalRow) -> Result<(), StoreError> {
    let (chain, talk) = (&*row.call.0, row.talk.as_ref().map_or("", |talk| &*talk.0));
    let put = "INSERT INTO journal (chain, talk, began_ms, length_ms, direction, outcome, caller, called, inside, outside, wait_ms,
                                    queue, recording)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let put = sql(put).bind(chain).bind(talk).bind(row.began_ms).bind(row.length_ms);
    let put = put.bind(row.direction.word()).bind(row.outcome.word()).bind(&row.caller).bind(&row.called);
    let put = put.bind(lines(&row.inside)).bind(lines(&row.outside)).bind(row.wait_ms).bind(&row.queue);
    to.run(put.bind(row.recording.as_deref())).await?;
    let others = [&row.caller, &row.called].into_iter().chain(&row.outside);
    let numbers = row.inside.iter().map(|n| (n, 1_i64)).chain(others.map(|n| (n, 0_i64)));
    for (number, inside) in numbers.filter(|(number, _)| !number.is_empty()) {
        let put =
            "INSERT INTO journal_number (chain, talk, number, inside) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        to.run(sql(put).bind(chain).bind(talk).bind(number).bind(inside)).await?;
    }
    if row.recording.is_some() {
        let put = "INSERT INTO recording (link, chain, talk) VALUES ($1, $2, $3) ON CONFLICT (chain, talk) DO NOTHING";
        let link = format!("/record/{:032x}", rand::random::<u128>());
        to.run(sql(put).bind(link).bind(chain).bind(talk)).await?;
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
        let mut rows = sql(
            "SELECT j.*, r.link FROM journal j LEFT JOIN recording r ON r.chain = j.chain AND r.talk = j.talk WHERE 1 = 1",
        );
        if let Some(call) = &query.call {
            rows.push(" AND j.chain = ").push_bind(&call.0);
        }
        for (column, compare, value) in
            [("began_ms", ">=", query.from_ms), ("began_ms", "<", query.until_ms), ("length_ms", ">=", query.length_ms)]
        {
            if let Some(value) = value {
                rows.push(format!(" AND j.{column} {compare} ")).push_bind(value);
            }
        }
        if let Some(direction) = query.direction {
            rows.push(" AND j.direction = ").push_bind(direction.word());
        }
        if let Some(queued) = query.queued {
            rows.push(if queued { " AND j.queue <> ''" } else { " AND j.queue = ''" });
        }
        if let Some(missed) = query.missed {
            rows.push(if missed { " AND j.talk = ''" } else { " AND j.talk <> ''" });
        }
        if let Some(outcome) = query.outcome {
            rows.push(" AND j.outcome = ").push_bind(outcome.word());
        }
        if let Some(queue) = &query.queue {
            rows.push(" AND j.queue = ").push_bind(queue);
        }
        if let Some(JournalPlace { began_ms, call, talk }) = &query.after {
            rows.push(" AND (j.began_ms, j.chain, j.talk) < (").push_bind(*began_ms);
            rows.push(", ").push_bind(call).push(", ").push_bind(talk).push(")");
        }
        const OF_NUMBER: &str =
            " AND EXISTS (SELECT 1 FROM journal_number n WHERE n.chain = j.chain AND n.talk = j.talk";
        if let Some(number) = &query.number {
            rows.push(OF_NUMBER).push(" AND n.number = ").push_bind(number).push(")");
        }
        if let Some(numbers) = &query.numbers {
            // An empty list is no SQL, but "no number" is none of them.
            rows.push(OF_NUMBER).push(" AND n.inside = 1 AND n.number IN (NULL");
            for number in numbers {
                rows.push(", ").push_bind(number);
            }
            rows.push("))");
        }
        rows.push(" ORDER BY j.began_ms DESC, j.chain DESC, j.talk DESC LIMIT ");
        rows.push_bind(i64::try_from(query.limit).unwrap_or(i64::MAX)).push(" OFFSET ");
        rows.push_bind(i64::try_from(query.offset).unwrap_or(i64::MAX));
        self.db.list(rows, journal_row).await
    }

    /// The entry of a conversation, if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn call(&self, call: &CallId) -> Result<Option<Entry>, StoreError> {
        self.settled().await;
        let entry = sql("SELECT body FROM call WHERE chain = $1").bind(&call.0);
        let Some(body) = self.db.one(entry, |row| row.text("body")).await? else { return Ok(None) };
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
        let file =
            "SELECT j.recording, j.inside FROM recording r JOIN journal j ON j.chain = r.chain AND j.talk = r.talk
             WHERE r.link = $1 AND j.recording IS NOT NULL
             UNION ALL SELECT file, inside FROM fax WHERE link = $1";
        let read = |row: &Row| Ok(Recording { file: row.text("recording")?, inside: numbers(row, "inside")? });
        self.db.one(sql(file).bind(link), read).await
    }
}

fn journal_row(row: &Row) -> Result<(JournalRow, Option<Text>), sqlx::Error> {
    let foreign = |what: &str| sqlx::Error::Decode(format!("{what} is no word of the ledger").into());
    let talk = row.text("talk")?;
    let journal = JournalRow {
        call: CallId(row.text("chain")?),
        talk: (!talk.is_empty()).then_some(TalkId(talk)),
        began_ms: row.int("began_ms")?,
        length_ms: row.int("length_ms")?,
        direction: Direction::parse(&row.text("direction")?).ok_or_else(|| foreign("direction"))?,
        outcome: Outcome::parse(&row.text("outcome")?).ok_or_else(|| foreign("outcome"))?,
        caller: row.text("caller")?,
        called: row.text("called")?,
        inside: numbers(row, "inside")?,
        outside: numbers(row, "outside")?,
        wait_ms: row.int("wait_ms")?,
        queue: row.text("queue")?,
        recording: row.maybe_text("recording")?,
    };
    let link = journal.recording.is_some().then(|| row.maybe_text("link")).transpose()?;
    Ok((journal, link.flatten()))
}

fn numbers(row: &Row, column: &'static str) -> Result<Vec<Text>, sqlx::Error> {
    Ok(row.text(column)?.split('\n').filter(|n| !n.is_empty()).map(Text::from).collect())
}
