//! The board and the alerts of `deploy/` ask for figures that exist, by labels that they have, and the documentation names every
//! figure. What exists is read from the page itself, with one of everything on it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ctigate::proto::hub::Snapshot;
use ctigate::proto::hub::snapshot::LinkView;
use ctigate::telemetry::{Metrics, Now};
use serde_json::Value;

/// A figure as Prometheus knows it after reading the page.
#[derive(Debug, Default)]
struct Figure {
    kind: String,
    labels: BTreeSet<String>,
    samples: usize,
}

/// The page with one of everything on it.
fn page() -> String {
    let metrics = Metrics::default();
    metrics.connections.with("tab").inc();
    let counted = [
        &metrics.connections_total,
        &metrics.refused,
        &metrics.closed,
        &metrics.panics,
        &metrics.logins,
        &metrics.link_up,
        &metrics.link_down,
        &metrics.methods,
        &metrics.circuits,
        &metrics.forms,
        &metrics.store_batches,
        &metrics.dropped,
        &metrics.reply_errors,
        &metrics.pbx_down,
        &metrics.dialplan,
    ];
    counted.iter().for_each(|family| family.with("one").inc());
    for family in [&metrics.method_wait, &metrics.method, &metrics.reply] {
        family.with("one").observe(Duration::ZERO);
    }
    let hub = Snapshot { links: vec![LinkView::default()], ..Snapshot::default() };
    let now = Now {
        hub: Some(&hub),
        queues: &[("store", 0)],
        certificates: &[("web.certificate".to_owned(), 0)],
        ..Now::default()
    };
    metrics.page(&now)
}

/// Every figure of the page by the name that its samples have.
fn figures() -> BTreeMap<String, Figure> {
    let page = page();
    let mut kinds: BTreeMap<String, String> = BTreeMap::new();
    let mut found: BTreeMap<String, Figure> = BTreeMap::new();
    for line in page.lines() {
        if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (name, kind) = typed.split_once(' ').unwrap();
            assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} is told twice");
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let parts = ["_bucket", "_sum", "_count"];
            let base = parts.iter().find_map(|part| name.strip_suffix(part).filter(|base| kinds.contains_key(*base)));
            let figure = found.entry(name.to_owned()).or_default();
            figure.kind = kinds[base.unwrap_or(name)].clone();
            figure.samples += 1;
            let labels = labels.trim_end_matches('}').split("\",").filter_map(|label| label.split_once('='));
            figure.labels.extend(labels.map(|(label, _)| label.to_owned()));
        }
    }
    for name in kinds.keys() {
        let sampled = found.keys().any(|series| series == name || series == &format!("{name}_bucket"));
        assert!(sampled, "{name} has no sample: count one of it above");
    }
    found
}

/// The queries of the board, each with its panel.
fn board() -> Vec<(String, String)> {
    let text = fs::read_to_string("deploy/grafana/ctigate.json").unwrap();
    let board: Value = serde_json::from_str(&text).unwrap();
    let mut queries = Vec::new();
    let mut ids = BTreeSet::new();
    for panel in board["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_i64().unwrap()), "two panels have one id: {panel}");
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().into_iter().flatten() {
            queries.push((title.to_owned(), target["expr"].as_str().unwrap().to_owned()));
        }
    }
    for variable in board["templating"]["list"].as_array().unwrap() {
        let query = variable["query"]["query"].as_str().unwrap_or_default();
        if let Some(inner) = query.strip_prefix("label_values(") {
            queries.push((format!("variable {}", variable["name"]), inner.split(", ").next().unwrap().to_owned()));
        }
    }
    assert!(queries.len() > 40, "{queries:?}");
    queries
}

/// The queries of the alerts.
fn alerts() -> Vec<(String, String)> {
    let text = fs::read_to_string("deploy/prometheus/ctigate.rules.yml").unwrap();
    let mut queries = Vec::new();
    let mut name = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(alert) = line.trim().strip_prefix("- alert: ") {
            alert.clone_into(&mut name);
        }
        let Some(query) = line.trim().strip_prefix("expr: ") else { continue };
        let mut query = query.to_owned();
        if query == "|" {
            query.clear();
            while let Some(more) = lines.next_if(|line| line.starts_with("          ")) {
                query.push_str(more);
            }
        }
        queries.push((name.clone(), query));
    }
    assert!(queries.len() > 10 && queries.iter().all(|(_, query)| !query.is_empty()), "{queries:?}");
    queries
}

/// What is no figure: functions and operators of PromQL that are used here, and what every scrape has.
const WORDS: &[&str] = &[
    "and",
    "by",
    "changes",
    "count",
    "histogram_quantile",
    "increase",
    "max",
    "min",
    "or",
    "rate",
    "sum",
    "time",
    "topk",
    "vector",
];
const SCRAPED: &[&str] = &["instance", "job"];

/// What is wrong with a query, if anything. Reads what PromQL is used here, not all that there is.
fn wrong(query: &str, figures: &BTreeMap<String, Figure>, used: &mut BTreeSet<String>) -> Option<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    let mut named: Vec<&Figure> = Vec::new();
    let mut grouped: Vec<String> = Vec::new();
    let mut before: Vec<String> = Vec::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        if first == '[' {
            rest = &rest[rest.find(']')? + 1..];
        } else if first.is_ascii_digit() {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        } else if is_word(first) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let word = &rest[..end];
            rest = &rest[end..];
            if word == "by" {
                let (list, after) = rest.trim_start().strip_prefix('(')?.split_once(')')?;
                grouped.extend(list.split(',').map(|label| label.trim().to_owned()));
                rest = after;
            } else if word == "up" {
                rest = rest.strip_prefix('{').map_or(rest, |inside| &inside[inside.find('}').unwrap_or(0) + 1..]);
            } else if let Some(figure) = figures.get(word) {
                used.insert(word.to_owned());
                let rated = before.last().is_some_and(|word| ["rate", "increase"].contains(&word.as_str()));
                if rated != matches!(figure.kind.as_str(), "counter" | "histogram") {
                    return Some(format!(
                        "{word} is a {}: it is{} to be rated",
                        figure.kind,
                        if rated { " not" } else { "" }
                    ));
                }
                if let Some(inside) = rest.strip_prefix('{') {
                    let (selector, after) = inside.split_once('}')?;
                    for condition in selector.split("\",") {
                        let label = condition.trim().split(['=', '!']).next()?;
                        if !figure.labels.contains(label) && !SCRAPED.contains(&label) {
                            return Some(format!("{word} has no label {label}"));
                        }
                    }
                    rest = after;
                }
                named.push(figure);
            } else if !WORDS.contains(&word) {
                return Some(format!("there is no {word}"));
            }
            before.push(word.to_owned());
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    let known = |label: &String| {
        SCRAPED.contains(&label.as_str())
            || (!named.is_empty() && named.iter().any(|figure| figure.labels.contains(label)))
    };
    grouped.into_iter().find(|label| !known(label)).map(|label| format!("nothing in it has the label {label}"))
}

#[test]
fn every_query_asks_for_what_exists() {
    let figures = figures();
    let mut used = BTreeSet::new();
    for (whose, query) in board().into_iter().chain(alerts()) {
        assert_eq!(wrong(&query, &figures, &mut used), None, "{whose}: {query}");
    }
    // And the other way: what is counted is shown. Histograms are shown by their buckets.
    for name in figures.keys().filter(|name| !name.ends_with("_sum") && !name.ends_with("_count")) {
        assert!(used.contains(name), "{name} is on no panel and in no alert");
    }
}

#[test]
fn a_query_that_asks_for_what_is_not_there_is_found() {
    let figures = figures();
    let wrong = |query: &str| wrong(query, &figures, &mut BTreeSet::new()).unwrap_or_default();
    for (query, told) in [
        ("ctigate_link_opened", "there is no ctigate_link_opened"),
        ("sum(ctigate_link_open{name=\"crm\"})", "ctigate_link_open has no label name"),
        ("sum by (method) (rate(ctigate_methods_total[5m]))", "nothing in it has the label method"),
        ("ctigate_logins_total > 5", "ctigate_logins_total is a counter: it is to be rated"),
        ("rate(ctigate_calls[5m])", "ctigate_calls is a gauge: it is not to be rated"),
        ("average(ctigate_calls)", "there is no average"),
        ("min(ctigate_calls{instance=~\"$instance\"}) - time() / 86400", ""),
    ] {
        assert_eq!(wrong(query), told, "{query}");
    }
}

#[test]
fn names_are_those_of_the_convention() {
    for (name, figure) in figures() {
        assert!(name.starts_with("ctigate_") || name.starts_with("process_"), "{name} is nobody's");
        assert_eq!(figure.kind == "counter", name.ends_with("_total"), "{name} is a {}", figure.kind);
        for unit in ["_ms", "_millis", "_minutes", "_kb", "_percent"] {
            assert!(!name.contains(unit), "{name} is not in a base unit");
        }
    }
}

#[test]
fn the_documentation_names_every_figure_and_every_alert() {
    let page = fs::read_to_string("docs/operations.md").unwrap();
    for name in figures().keys().filter(|name| !name.ends_with("_sum") && !name.ends_with("_count")) {
        let name = name.trim_end_matches("_bucket");
        assert!(
            page.contains(&format!("`{name}`")) || name.starts_with("process_"),
            "{name} is not in docs/operations.md"
        );
    }
    for (alert, _) in alerts() {
        assert!(page.contains(&format!("`{alert}`")), "{alert} is not in docs/operations.md");
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "what was left out is to be seen")]
fn promtool_takes_the_page_and_the_alerts_as_they_are() {
    let fetched = "target/promtool/promtool";
    let promtool = if Path::new(fetched).exists() { fetched } else { "promtool" };
    if Command::new(promtool).arg("--version").output().is_err() {
        println!("promtool is not installed: scripts/rules.sh fetches it. This test did nothing");
        return;
    }
    let mut check = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check.stdin.take().unwrap().write_all(page().as_bytes()).unwrap();
    let checked = check.wait_with_output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let tried = Command::new("scripts/rules.sh").output().unwrap();
    assert!(tried.status.success(), "{}", String::from_utf8_lossy(&[tried.stdout, tried.stderr].concat()));
}
