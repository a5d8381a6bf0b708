//! The query of a stored procedure: its text, and which names stand in it.

use std::fmt;
use std::str::FromStr;

/// A query with named parameters.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Sql {
    text: String,
    /// The text with each parameter as `$N`.
    numbered: String,
    parameters: Vec<String>,
    names: Vec<String>,
}

impl Sql {
    /// The text with each parameter as `$N`, N from 1 in the order of [`Self::parameters`].
    pub fn numbered(&self) -> &str {
        &self.numbered
    }

    /// The names of the parameters in lower case, each once, in the order in which they stand.
    pub fn parameters(&self) -> &[String] {
        &self.parameters
    }

    /// Every word and quoted text in lower case: whatever could name a table is among them.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

impl FromStr for Sql {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut sql = Self { text: text.to_owned(), ..Self::default() };
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let taken = match first {
                '\'' | '"' | '`' | '[' => {
                    let taken = quoted(rest, first)?;
                    sql.names.push(taken[1..taken.len() - 1].to_lowercase());
                    sql.numbered.push_str(taken);
                    taken
                }
                '-' if rest.starts_with("--") => &rest[..rest.find('\n').unwrap_or(rest.len())],
                '/' if rest.starts_with("/*") => {
                    let end = rest.find("*/").ok_or("the comment has no end")?;
                    &rest[..end + 2]
                }
                // A cast of PostgreSQL.
                ':' if rest.starts_with("::") => {
                    sql.numbered.push_str("::");
                    &rest[..2]
                }
                ':' | '@' if word(&rest[1..]).is_some() => {
                    let name = word(&rest[1..]).unwrap_or_default();
                    let lower = name.to_lowercase();
                    let place = sql.parameters.iter().position(|p| *p == lower).unwrap_or_else(|| {
                        sql.parameters.push(lower);
                        sql.parameters.len() - 1
                    });
                    sql.numbered.push_str(&format!("${}", place + 1));
                    &rest[..1 + name.len()]
                }
                '?' | '$' => return Err(format!("found \"{first}\"; parameters have names: write :name")),
                ';' if !rest[1..].trim().is_empty() => return Err("more than one statement was found".to_owned()),
                ';' => rest,
                '\0' => return Err("the query holds a zero character".to_owned()),
                _ => match word(rest) {
                    Some(name) => {
                        sql.names.push(name.to_lowercase());
                        sql.numbered.push_str(name);
                        name
                    }
                    None => {
                        sql.numbered.push(first);
                        &rest[..first.len_utf8()]
                    }
                },
            };
            rest = &rest[taken.len()..];
        }
        if sql.parameters.len() > 64 {
            return Err(format!("found {} parameters; at most 64 are allowed", sql.parameters.len()));
        }
        Ok(sql)
    }
}

/// The word at the beginning, as SQLite reads identifiers.
fn word(text: &str) -> Option<&str> {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii();
    let len = text.find(|c| !inside(c)).unwrap_or(text.len());
    (len > 0 && !text.starts_with(|c: char| c.is_ascii_digit())).then(|| &text[..len])
}

/// The quoted text at the beginning, with its quotes. A quote that stands twice is part of it.
fn quoted(text: &str, open: char) -> Result<&str, String> {
    let close = if open == '[' { ']' } else { open };
    let mut from = 1;
    loop {
        let end = text[from..].find(close).ok_or_else(|| format!("what begins with {open} has no end"))? + from;
        if close != ']' && text[end + 1..].starts_with(close) {
            from = end + 2;
            continue;
        }
        return Ok(&text[..=end]);
    }
}

impl fmt::Display for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

super::keyword::as_text!(Sql, "a query in quotes");

#[cfg(test)]
mod tests {
    use super::*;

    fn sql(text: &str) -> Sql {
        text.parse().unwrap()
    }

    #[test]
    fn parameters_are_found_where_they_are_and_nowhere_else() {
        let one = sql(
            "SELECT ':no', \"a:b\", x -- :neither\n FROM t /* @nor */ WHERE a = :Since AND b > @userid OR c = :since;",
        );
        assert_eq!(one.parameters(), ["since", "userid"]);
        assert_eq!(one.numbered(), "SELECT ':no', \"a:b\", x \n FROM t  WHERE a = $1 AND b > $2 OR c = $1");
    }

    #[test]
    fn whatever_could_name_a_table_is_seen() {
        let one = sql("SELECT * FROM Session, 'form', \"password\", [kept], `chat_text`, main.journal");
        for name in ["session", "form", "password", "kept", "chat_text", "journal"] {
            assert!(one.names().iter().any(|n| n == name), "{name}");
        }
        assert!(sql("SELECT 'it''s'").names().contains(&"it''s".to_owned()));
    }

    #[test]
    fn what_is_no_single_query_is_refused() {
        for (wrong, says) in [
            ("SELECT 1; DELETE FROM t", "more than one statement"),
            ("SELECT ?", "parameters have names"),
            ("SELECT $1", "parameters have names"),
            ("SELECT 'x", "has no end"),
            ("SELECT /* x", "no end"),
        ] {
            assert!(wrong.parse::<Sql>().unwrap_err().contains(says), "{wrong}");
        }
        assert!("SELECT 1 ; ".parse::<Sql>().is_ok());
    }
}
