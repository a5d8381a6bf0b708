//! Accounts from a table: CSV (RFC 4180) with a header, commas or semicolons, UTF-8. All lines or none.

use ctigate_proto::auth::same_login;
use serde_json::json;

use super::{Desk, Doer, Patch, Refused, unix_ms};
use crate::config::{Secret, User};

/// Most lines of a table.
const MOST: usize = 10_000;
/// Most mistakes that are told.
const TOLD: usize = 100;

/// The columns there are.
const COLUMNS: [&str; 12] = [
    "login",
    "name",
    "number",
    "department",
    "role",
    "password",
    "password_hash",
    "subordinates",
    "rights",
    "api_call_enabled",
    "must_change_password",
    "id",
];

/// What came of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// How many accounts are new.
    pub added: usize,
    /// How many are another than before.
    pub changed: usize,
    /// Lines that do not fit. Then nothing was changed.
    pub refused: Vec<RefusedLine>,
    /// Whether it is kept: nothing was refused, and it was no try.
    pub written: bool,
}

/// A line that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLine {
    /// Its number, from 1.
    pub line: usize,
    /// The column; empty: the whole line.
    pub column: String,
    /// Why.
    pub why: String,
}

impl Desk {
    /// Adds and changes the accounts of a table. A cell that is empty says nothing; a column that is not there neither. With
    /// `only_try` nothing is kept.
    ///
    /// # Errors
    /// [`Refused::Unfit`] for what is no such table at all. Mistakes in lines are in the answer.
    pub async fn import(&self, table: &str, only_try: bool, doer: &Doer) -> Result<Imported, Refused> {
        self.refresh().await?;
        let rows = read(table)?;
        let mut done = Imported::default();
        let mut users: Vec<(usize, User)> = Vec::new();
        let refuse = |done: &mut Imported, line, column: &str, why: String| {
            if done.refused.len() < TOLD {
                done.refused.push(RefusedLine { line, column: column.to_owned(), why });
            }
        };
        let stored: Vec<User> = self.store.accounts().await?.into_iter().filter_map(|row| row.user.ok()).collect();
        let (mut hash, mut hashed) = (Vec::new(), 0);
        for row in rows {
            let line = row.line;
            let cells = match row.cells {
                Ok(cells) => cells,
                Err(why) => {
                    refuse(&mut done, line, "", why);
                    continue;
                }
            };
            let login =
                cells.iter().find(|(name, _)| *name == "login").map_or("", |(_, value)| value.trim()).to_owned();
            if login.is_empty() {
                refuse(&mut done, line, "login", "it is empty".to_owned());
                continue;
            }
            if let Some((other, _)) = users.iter().find(|(_, user)| same_login(&user.login, &login)) {
                refuse(&mut done, line, "login", format!("{login} stands in line {other} too"));
                continue;
            }
            let known = stored.iter().find(|user| same_login(&user.login, &login));
            if known.is_none() && self.user(&login).is_some() {
                refuse(&mut done, line, "login", format!("{login} stands in the configuration file; change it there"));
                continue;
            }
            let mut user = known.cloned().unwrap_or_else(|| User { login, ..User::default() });
            let mistakes = fill(&mut user, &cells, &mut hash);
            for (column, why) in mistakes {
                refuse(&mut done, line, column, why);
            }
            users.push((line, user));
            hashed = hash.len();
        }
        let all: Vec<User> = users.iter().map(|(_, user)| user.clone()).collect();
        for (login, key, why) in self.misfits(&all) {
            let line = login.and_then(|login| users.iter().find(|(_, user)| same_login(&user.login, &login)));
            let key = key.split('[').next().unwrap_or_default().to_owned();
            refuse(&mut done, line.map_or(0, |(line, _)| *line), &key, why);
        }
        done.refused.sort_by_key(|refused| refused.line);
        done.refused.dedup();
        let before = |user: &User| stored.iter().find(|known| same_login(&known.login, &user.login));
        for (_, user) in &users {
            match before(user) {
                None => done.added += 1,
                Some(known) if known != user => done.changed += 1,
                Some(_) => {}
            }
        }
        if only_try || !done.refused.is_empty() {
            return Ok(done);
        }
        debug_assert_eq!(hash.len(), hashed);
        let mut kept = all;
        for (login, password) in hash {
            // One slow hash after the other, on a thread that may wait.
            let made = tokio::task::spawn_blocking(move || crate::store::hash_password(password.expose())).await;
            let made = made.map_err(|_| Refused::unfit("the process is ending"))??;
            if let Some(user) = kept.iter_mut().find(|user| user.login == login) {
                user.password_hash = Some(Secret::new(made));
            }
        }
        self.store.put_accounts(&kept, unix_ms()).await?;
        done.written = true;
        let logins: Vec<&str> = kept.iter().map(|user| user.login.as_str()).take(TOLD).collect();
        let detail = json!({ "added": done.added, "changed": done.changed, "logins": logins });
        self.note(doer, "user.import", "", detail).await?;
        Ok(done)
    }
}

/// Puts the cells of a line into an account. Clear passwords are put aside: a hash takes its time.
fn fill(
    user: &mut User,
    cells: &[(&'static str, String)],
    passwords: &mut Vec<(String, Secret)>,
) -> Vec<(&'static str, String)> {
    let mut mistakes = Vec::new();
    for (column, value) in cells {
        let value = value.trim();
        if value.is_empty() || *column == "login" {
            continue;
        }
        let words = || value.split([' ', '|']).filter(|word| !word.is_empty());
        let mut patch = Patch::default();
        let mut read = Ok(());
        match *column {
            "name" => patch.name = Some(value.to_owned()),
            "number" => patch.number = Some(value.to_owned()),
            "department" => patch.department = Some(value.to_owned()),
            "id" => patch.id = Some(value.to_owned()),
            "subordinates" => patch.subordinates = Some(words().map(str::to_owned).collect()),
            "password_hash" => patch.password_hash = Some(Secret::new(value)),
            "role" => read = value.parse().map(|role| patch.role = Some(role)),
            "rights" => {
                read = words().map(str::parse).collect::<Result<_, _>>().map(|rights| patch.rights = Some(rights))
            }
            "api_call_enabled" => read = flag(value).map(|flag| patch.api_call_enabled = Some(flag)),
            "must_change_password" => read = flag(value).map(|flag| patch.must_change_password = Some(flag)),
            _ => {
                // As typed: blanks may be part of it. A hash that stands for it until it is made keeps the warning of none away.
                let typed = cells.iter().find(|(name, _)| name == column).map_or("", |(_, typed)| typed);
                match ctigate_proto::auth::password::hash(typed) {
                    Ok(_) => {
                        passwords.push((user.login.clone(), Secret::new(typed)));
                        continue;
                    }
                    Err(unfit) => read = Err(unfit.to_string()),
                }
            }
        }
        if let Err(why) = read.and_then(|()| patch.apply(user).map(drop).map_err(|why| why.to_string())) {
            mistakes.push((*column, why));
        }
    }
    mistakes
}

fn flag(text: &str) -> Result<bool, String> {
    match text.to_lowercase().as_str() {
        "1" | "true" | "yes" | "да" => Ok(true),
        "0" | "false" | "no" | "нет" => Ok(false),
        _ => Err(format!("found \"{}\", expected yes or no", text.escape_debug())),
    }
}

/// A line with its cells by column.
struct Row {
    line: usize,
    cells: Result<Vec<(&'static str, String)>, String>,
}

/// The lines of a table below its header.
fn read(table: &str) -> Result<Vec<Row>, Refused> {
    let table = table.strip_prefix('\u{feff}').unwrap_or(table);
    let head = table.lines().next().unwrap_or_default();
    let separator = if head.matches(';').count() > head.matches(',').count() { ';' } else { ',' };
    let mut lines = split(table, separator).into_iter();
    let Some((_, Ok(head))) = lines.next().filter(|(_, cells)| cells.as_ref().is_ok_and(|cells| !cells.is_empty()))
    else {
        return Err(Refused::unfit(format!(
            "line 1: expected the names of the columns, some of {}",
            COLUMNS.join(", ")
        )));
    };
    let mut columns = Vec::new();
    for (at, name) in head.iter().enumerate() {
        let name = name.trim().to_lowercase();
        match COLUMNS.iter().find(|known| **known == name) {
            Some(known) if columns.contains(known) => {
                return Err(Refused::unfit(format!("line 1, column {}: {name} stands there twice", at + 1)));
            }
            Some(known) => columns.push(*known),
            None => {
                let name = name.escape_debug();
                let known = COLUMNS.join(", ");
                return Err(Refused::unfit(format!(
                    "line 1, column {}: found \"{name}\", expected one of {known}",
                    at + 1
                )));
            }
        }
    }
    if !columns.contains(&"login") {
        return Err(Refused::unfit("line 1: there is no column login"));
    }
    let mut rows = Vec::new();
    for (line, cells) in lines {
        if cells.as_ref().is_ok_and(|cells| cells.iter().all(|cell| cell.trim().is_empty())) {
            continue;
        }
        if rows.len() == MOST {
            return Err(Refused::unfit(format!("line {line}: more than {MOST} people")));
        }
        let cells = cells.and_then(|cells| match cells.len() == columns.len() {
            true => Ok(columns.iter().copied().zip(cells).collect()),
            false => Err(format!("{} cells, expected {} as in line 1", cells.len(), columns.len())),
        });
        rows.push(Row { line, cells });
    }
    Ok(rows)
}

type Cells = Result<Vec<String>, String>;

/// The records of a text, each with the number of the line it begins in.
fn split(text: &str, separator: char) -> Vec<(usize, Cells)> {
    let (mut records, mut line) = (Vec::new(), 1);
    let mut rest = text.chars().peekable();
    while rest.peek().is_some() {
        let begins = line;
        let (mut cells, mut cell, mut wrong) = (Vec::new(), String::new(), None);
        // Whether we are inside quotes, and whether the cell was quoted.
        let (mut inside, mut quoted) = (false, false);
        loop {
            match rest.next() {
                None if inside => {
                    wrong = Some("a quote is opened and never closed".to_owned());
                    break;
                }
                None => break,
                Some('"') if inside && rest.peek() == Some(&'"') => {
                    rest.next();
                    cell.push('"');
                }
                Some('"') if inside => inside = false,
                Some(c) if inside => {
                    line += usize::from(c == '\n');
                    cell.push(c);
                }
                Some('"') if cell.is_empty() && !quoted => (inside, quoted) = (true, true),
                Some('\n') => {
                    line += 1;
                    break;
                }
                Some('\r') if rest.peek() == Some(&'\n') => {}
                Some(c) if c == separator => {
                    cells.push(std::mem::take(&mut cell));
                    quoted = false;
                }
                Some(_) if quoted => wrong = Some("something follows a closing quote".to_owned()),
                Some(c) => cell.push(c),
            }
        }
        cells.push(cell);
        records.push((begins, wrong.map_or(Ok(cells), Err)));
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_as_the_rfc_says() {
        let cells = |text: &str, separator| split(text, separator);
        assert_eq!(
            cells("a,\"b \"\"c\"\"\nd\",\r\n\"\",x\n", ','),
            [(1, Ok(vec!["a".into(), "b \"c\"\nd".into(), String::new()])), (3, Ok(vec![String::new(), "x".into()]))]
        );
        assert_eq!(cells("a;b", ';'), [(1, Ok(vec!["a".into(), "b".into()]))]);
        assert!(cells("\"a", ',')[0].1.is_err() && cells("\"a\"b,c", ',')[0].1.is_err());
        for (head, says) in [
            ("", "expected the names"),
            ("name,number\n", "no column login"),
            ("login,login\n", "column 2: login stands there twice"),
            ("login;phone\n", "column 2: found \"phone\""),
        ] {
            let why = read(head).err().map(|why| why.to_string()).unwrap_or_default();
            assert!(why.contains(says), "{head:?}: {why}");
        }
        let rows = read("\u{feff}login;name\nivanov;Иван\n;\n\npetrov\n").unwrap_or_default();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[1].line, rows[1].cells.clone()), (5, Err("1 cells, expected 2 as in line 1".to_owned())));
    }
}
