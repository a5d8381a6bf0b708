//! The journal: page by page, and whole.

use super::*;

/// So many rows, the newest first, each of a call of its own.
fn rows(count: i64) -> Vec<JournalRow> {
    let row = |n: i64| JournalRow {
        call: CallId(format!("c{n:05}").into()),
        talk: None,
        began_ms: n,
        length_ms: 0,
        direction: ctigate_proto::calls::Direction::Incoming,
        outcome: ctigate_proto::calls::Outcome::Abandoned,
        caller: "=1+1".into(),
        called: "500".into(),
        inside: vec!["101".into(), "102".into()],
        outside: Vec::new(),
        wait_ms: 8,
        queue: "".into(),
        recording: None,
    };
    (0..count).rev().map(row).collect()
}

#[tokio::test]
async fn the_journal_is_read_page_by_page_and_exported_whole() {
    let house = House::new();
    *house.rows.lock().unwrap() = rows(1203);
    let admin = admin(&house);
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = ask(&admin, request("GET", &format!("/api/v1/journal?limit=500&after={after}"), "")).await;
        let page: serde_json::Value = serde_json::from_str(&page.body).unwrap();
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["began_ms"].as_i64().unwrap()));
        after = page["next"].as_str().unwrap().to_owned();
        if after.is_empty() {
            break;
        }
    }
    assert_eq!(seen, (0..1203).rev().collect::<Vec<_>>());
    for (query, told) in [
        ("limit=0", "limit is 0, expected 1 to 500"),
        ("limit=501", "limit is 501"),
        ("after=x", "after is no `next`"),
        ("direction=up", "direction is none of incoming"),
        ("outcome=well", "outcome is none of answered, abandoned"),
        ("from=1", "unknown field `from`"),
        ("from_ms=today", "invalid digit"),
    ] {
        let seen = ask(&admin, request("GET", &format!("/api/v1/journal?{query}"), "")).await;
        assert_eq!((seen.status, seen.body.contains(told)), (400, true), "{query}: {}", seen.body);
    }

    house.asked();
    let csv = ask(&admin, request("GET", "/api/v1/journal.csv?from_ms=3", "")).await;
    assert_eq!((csv.status, csv.header("content-type")), (200, "text/csv; charset=utf-8; header=present"));
    let lines: Vec<&str> = csv.body.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 1201);
    assert_eq!(lines[1200], "c00003,,1970-01-01T00:00:00.003Z,0,incoming,abandoned,'=1+1,500,101 102,,8,,");
    assert_eq!(house.asked(), ["journal 500", "journal 500", "journal 500"], "a page at a time");
    house.rows.lock().unwrap().truncate(1000);
    let csv = ask(&admin, request("GET", "/api/v1/journal.csv", "")).await;
    assert_eq!(csv.body.matches("\r\n").count(), 1001, "a last page that is full");
}
