//! The putting back of a backup: all of it in one transaction, after which everything is there or nothing has changed.

use std::io::{BufRead, Read};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::super::Lock;
use super::super::db::{Db, Transaction};
use super::super::schema::{PUBLISHED, STEPS_DONE, TABLES};
use super::super::sql::{Argument, sql};
use super::{FORM, LONGEST, Progress, UpkeepError, known};
use crate::config::{DatabaseUrl, Synchronous};

/// Most rows of one statement, and most bytes, if one row is not larger.
const AT_ONCE: (usize, usize) = (200, 1 << 20);

/// Reads a backup from `from` into a database that is empty, or with `replace` in place of what is there; tells `progress` after each
/// row. The tables are made as they were when the backup was made, filled, and then brought up to date.
///
/// # Errors
/// [`UpkeepError`]; the database is as it was.
pub async fn restore(
    url: &DatabaseUrl,
    from: impl BufRead,
    replace: bool,
    mut progress: impl FnMut(Progress),
) -> Result<Progress, UpkeepError> {
    let mut from = Lines { from, digest: Sha256::new(), line: 0, done: Progress::default() };
    // Before anything is touched or made.
    let step = from.head()?;
    let _lock = Lock::take(url).await?;
    let db = Db::connect(url, Synchronous::Full).await?;
    let mut to = db.begin().await?;
    let done = to.steps_done().await?;
    known("the store", done.last().copied().unwrap_or_default())?;
    if !replace {
        refuse_rows(&mut to, &done).await?;
    }
    empty(&mut to).await?;
    to.migrate_to(Some(step)).await?;
    fill(&mut to, &mut from, step, &mut progress).await?;
    to.migrate_to(None).await?;
    to.commit().await?;
    db.close().await;
    Ok(from.done)
}

/// Fails when there are rows, but for the people that each start publishes anew.
async fn refuse_rows(to: &mut Transaction, done: &[i64]) -> Result<(), UpkeepError> {
    for table in TABLES.iter().filter(|table| done.contains(&table.since) && table.name != "person") {
        let mut count = sql("SELECT count(*) FROM ");
        count.push(format!("\"{}\"", table.name));
        let rows = to.list(count, |row| row.int(0)).await?.first().copied().unwrap_or_default();
        if rows > 0 {
            return Err(UpkeepError::NotEmpty { place: to.place().to_string(), table: table.name, rows });
        }
    }
    Ok(())
}

/// Takes away every table and view of ours.
async fn empty(to: &mut Transaction) -> Result<(), UpkeepError> {
    let views = PUBLISHED.iter().map(|name| format!("DROP VIEW IF EXISTS {name}"));
    let tables = TABLES.iter().rev().map(|table| table.name).chain([STEPS_DONE]);
    for statement in views.chain(tables.map(|name| format!("DROP TABLE IF EXISTS \"{name}\""))) {
        let mut drop = sql("");
        drop.push(statement);
        to.run(drop).await?;
    }
    Ok(())
}

async fn fill(
    to: &mut Transaction,
    from: &mut Lines<impl BufRead>,
    step: i64,
    progress: &mut impl FnMut(Progress),
) -> Result<(), UpkeepError> {
    let mut rows = Rows::default();
    loop {
        let before = from.digest.clone();
        let Some(line) = from.next()? else { return Err(from.damaged("the backup ends too early")) };
        match line {
            Value::Array(cells) => {
                rows.add(&cells).map_err(|why| from.damaged(why))?;
                from.done.rows += 1;
                progress(from.done);
                if rows.is_full() {
                    rows.write(to).await?;
                }
            }
            Value::Object(line) if line.contains_key("table") => {
                rows.write(to).await?;
                rows = table(&line, step).map_err(|why| from.damaged(why))?;
            }
            Value::Object(line) => {
                rows.write(to).await?;
                let sum = before.finalize().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
                if line.get("sha256").and_then(Value::as_str) != Some(&*sum) {
                    return Err(from.damaged("the checksum does not fit what stands before it"));
                }
                if line.get("rows").and_then(Value::as_u64) != Some(from.done.rows) {
                    return Err(from.damaged("the number of rows does not fit"));
                }
                return match from.next()? {
                    None => Ok(()),
                    Some(_) => Err(from.damaged("something stands after the end")),
                };
            }
            _ => return Err(from.damaged("found neither a row nor a table")),
        }
    }
}

/// The beginning of a table. What stands here becomes part of a statement, so only names that we know get through.
fn table(line: &Map<String, Value>, step: i64) -> Result<Rows, String> {
    let name = line.get("table").and_then(Value::as_str).unwrap_or_default();
    let known = TABLES.iter().find(|table| table.name == name && table.since <= step);
    let table = known.ok_or_else(|| format!("found the table \"{}\", which there is not", name.escape_debug()))?;
    let fits = |name: &&str| {
        let word = !name.is_empty() && name.len() < 64;
        word && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let columns = line.get("columns").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let named: Vec<&str> = columns.iter().filter_map(Value::as_str).filter(fits).collect();
    if named.is_empty() || named.len() != columns.len() {
        return Err("the columns are no list of names".to_owned());
    }
    let quoted = named.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let insert = format!("INSERT INTO \"{}\" ({quoted}) VALUES ", table.name);
    Ok(Rows { insert, columns: columns.len(), ..Rows::default() })
}

/// Rows of one table that wait to be written together.
#[derive(Debug, Default)]
struct Rows {
    insert: String,
    columns: usize,
    cells: Vec<Argument<'static>>,
    bytes: usize,
}

impl Rows {
    fn add(&mut self, cells: &[Value]) -> Result<(), String> {
        if self.columns != cells.len() {
            return Err(format!("found a row of {} values, expected {}", cells.len(), self.columns));
        }
        for cell in cells {
            self.cells.push(match cell {
                Value::Null => Argument::Text(None),
                Value::String(text) => {
                    self.bytes += text.len();
                    Argument::Text(Some(text.clone().into()))
                }
                Value::Number(number) => {
                    Argument::Int(Some(number.as_i64().ok_or("found a number that is not whole or too large")?))
                }
                _ => return Err("found a value that is no text, number or null".to_owned()),
            });
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.cells.len() >= AT_ONCE.0 * self.columns || self.bytes >= AT_ONCE.1
    }

    async fn write(&mut self, to: &mut Transaction) -> Result<(), UpkeepError> {
        let cells = std::mem::take(&mut self.cells);
        self.bytes = 0;
        if cells.is_empty() {
            return Ok(());
        }
        let mut insert = sql("");
        insert.push(&self.insert);
        for (at, cell) in cells.into_iter().enumerate() {
            insert.push(match (at % self.columns, at) {
                (0, 0) => "(",
                (0, _) => "), (",
                _ => ", ",
            });
            insert.push_bind(cell);
        }
        insert.push(")");
        to.run(insert).await?;
        Ok(())
    }
}

/// The lines of a backup, counted and added up.
struct Lines<R> {
    from: R,
    digest: Sha256,
    /// Of the last line that was read.
    line: u64,
    done: Progress,
}

impl<R: BufRead> Lines<R> {
    /// Reads the head. Gives the step that the tables were at.
    fn head(&mut self) -> Result<i64, UpkeepError> {
        let head = match self.next() {
            Ok(Some(Value::Object(head))) if head.contains_key("ctigate_backup") => head,
            Ok(_) | Err(UpkeepError::Damaged { .. }) => return Err(self.damaged("this is no backup of ctigate")),
            Err(error) => return Err(error),
        };
        let number = |name: &str| head.get(name).and_then(Value::as_i64);
        if number("ctigate_backup") != Some(FORM) {
            return Err(self.damaged(format!("the backup has another form than {FORM}: a newer ctigate wrote it")));
        }
        let step = number("step").filter(|step| *step >= 0);
        let step = step.ok_or_else(|| self.damaged("the head names no step"))?;
        known("the backup", step)?;
        Ok(step)
    }

    fn next(&mut self) -> Result<Option<Value>, UpkeepError> {
        let mut line = Vec::new();
        let most = u64::try_from(LONGEST).unwrap_or(u64::MAX);
        let read = self.from.by_ref().take(most).read_until(b'\n', &mut line).map_err(UpkeepError::Read)?;
        self.line += 1;
        self.done.bytes += read as u64;
        self.digest.update(&line);
        match line.last() {
            None => Ok(None),
            Some(b'\n') => {
                let value = serde_json::from_slice(&line);
                value.map(Some).map_err(|_| self.damaged("this is no JSON"))
            }
            Some(_) => Err(self.damaged("the line has no end: the backup was cut off")),
        }
    }

    fn damaged(&self, why: impl Into<String>) -> UpkeepError {
        UpkeepError::Damaged { line: self.line, why: why.into() }
    }
}
