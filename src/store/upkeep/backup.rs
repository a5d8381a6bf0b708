//! The making of a backup.

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::StoreError;
use super::super::db::{Db, Transaction};
use super::super::schema::{self, Table};
use super::super::sql::{Argument, Row, sql};
use super::{FORM, Progress, UpkeepError, exists, known};
use crate::config::{DatabaseUrl, Synchronous};

/// Writes a backup of a database to `to`, and tells `progress` after each row. A gateway may run on it meanwhile.
///
/// # Errors
/// [`UpkeepError`]; what was written is no backup then.
pub async fn backup(
    url: &DatabaseUrl,
    to: impl Write,
    mut progress: impl FnMut(Progress),
) -> Result<Progress, UpkeepError> {
    if !exists(url) {
        return Err(UpkeepError::Missing(url.to_string()));
    }
    let db = Db::connect(url, Synchronous::Full).await?;
    let mut from = db.snapshot().await?;
    let step = from.steps_done().await?.last().copied().unwrap_or_default();
    known("the store", step)?;
    let mut to = Sum { to, digest: Sha256::new(), done: Progress::default() };
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    to.line(&json!({
        "ctigate_backup": FORM,
        "step": step,
        "made_ms": i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        "made_by": env!("CARGO_PKG_VERSION"),
        "kind": from.kind(),
    }))?;
    for table in schema::TABLES.iter().filter(|table| table.since <= step) {
        write_table(&mut from, table, &mut to, &mut progress).await?;
    }
    let sum = to.digest.clone().finalize().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    to.line(&json!({ "rows": to.done.rows, "sha256": sum }))?;
    to.to.flush().map_err(UpkeepError::Write)?;
    drop(from);
    db.close().await;
    Ok(to.done)
}

async fn write_table(
    from: &mut Transaction,
    table: &Table,
    to: &mut Sum<impl Write>,
    progress: &mut impl FnMut(Progress),
) -> Result<(), UpkeepError> {
    let mut rows = sql("SELECT * FROM ");
    rows.push(format!("\"{}\" ORDER BY {}", table.name, table.key));
    let place = from.place().clone();
    let mut begun = false;
    from.each(rows, |row: &Row| {
        if !begun {
            begun = true;
            to.line(&json!({ "table": table.name, "columns": row.columns() }))?;
        }
        let cells = row.cells().map_err(|error| StoreError::database(&place, error))?;
        to.line(&Value::Array(cells.into_iter().map(json_of).collect()))?;
        to.done.rows += 1;
        progress(to.done);
        Ok(())
    })
    .await
}

fn json_of(cell: Argument<'_>) -> Value {
    match cell {
        Argument::Text(text) => text.map_or(Value::Null, |text| Value::from(text.into_owned())),
        Argument::Int(number) => number.map_or(Value::Null, Value::from),
    }
}

/// Counts and adds up what is written.
struct Sum<W> {
    to: W,
    digest: Sha256,
    done: Progress,
}

impl<W: Write> Sum<W> {
    fn line(&mut self, value: &Value) -> Result<(), UpkeepError> {
        let mut line = value.to_string();
        line.push('\n');
        self.digest.update(&line);
        self.done.bytes += line.len() as u64;
        let written: io::Result<()> = self.to.write_all(line.as_bytes());
        written.map_err(UpkeepError::Write)
    }
}
