//! How long decoding and encoding take: `cargo bench -p ctigate-proto --bench codec`.
//!
//! Each figure is the median of rounds that last long enough for the clock, with the fastest beside it. There is no pass or
//! fail; what the figures are compared with is `serde_json::Value`, which opens everything.

#![allow(clippy::print_stdout, reason = "printing is what this is for")]
#![allow(clippy::disallowed_methods, reason = "a clock is what this is for")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use ctigate_proto::codec::{Limits, decode, encode};
use ctigate_proto::message::{Envelope, Format, Text};

/// Messages as they occur, by what is typical of them.
fn samples() -> Vec<(&'static str, String)> {
    let number = |n: usize| {
        format!(
            r#"{{"number":"{n}","id":"3f0a7c11-0000-4000-8000-{n:012}","caption":"Иван Петров {n}","state":1,"departmentid":"7d210000-0000-4000-8000-000000000001","department":"Отдел продаж"}}"#
        )
    };
    let numbers: Vec<String> = (100..300).map(number).collect();
    vec![
        ("ping", r#"["ping",{"qid":"0.5182736450192837"}]"#.to_owned()),
        (
            "event",
            r#"["phoneevent_ringstarted",{"qid":"6f1ed002-ab00-4d3e-9a54-c0b1d2e3f405","userid":"3f0a7c11-0000-4000-8000-000000000101","userlogin":"ivanov","chainid":"9c1f0b52-6b7e-4a0d-9a55-2b1a7c3d4e5f","abonent":{"number":"79001112233","name":"Мария","isextline":true},"direction":"in"}]"#.to_owned(),
        ),
        (
            "dynamic method",
            r#"["executemethod",{"qid":"0.11","executionid":"8d7e0f3a-1111-4222-8333-944455566677","name":"FindClient","userid":"","userlogin":"","waitresponse":true,"waitresponsems":5000,"chainid":"9c1f0b52-6b7e-4a0d-9a55-2b1a7c3d4e5f","inputparameters":{"phone":"79001112233","tries":2,"tags":["vip","повторный звонок"]}}]"#.to_owned(),
        ),
        ("list of 200", format!(r#"["getpbxnumbersresult",{{"qid":"0.12","result":1,"numbers":[{}]}}]"#, numbers.join(","))),
    ]
}

fn main() {
    // `cargo test --benches` runs this too: it shall then only show that it works.
    let quick = !std::env::args().any(|arg| arg == "--bench");
    println!("ns a message (fastest round), MB/s of the text named first");
    for (name, json) in samples() {
        let json = Text::from(json);
        let from_json = read(Format::Json, &json);
        let xml = encode(&opened(&from_json), Format::Xml);
        let from_xml = read(Format::Xml, &xml);
        println!("\n{name}: {} bytes of JSON, {} of XML", json.len(), xml.len());
        let row = |what: &str, bytes: usize, work: &mut dyn FnMut()| {
            let (median, fastest) = measure(work, quick);
            let speed = bytes as f64 * 1e3 / median;
            println!("  {what:<34} {median:>10.0} ({fastest:.0}) {speed:>8.0} MB/s");
            median
        };
        let decode_json = row("decode JSON", json.len(), &mut || drop(black_box(read(Format::Json, black_box(&json)))));
        let serde = row("serde_json::Value, for comparison", json.len(), &mut || {
            drop(black_box(serde_json::from_str::<serde_json::Value>(black_box(&json))));
        });
        let encode_json = row("encode JSON, fragments as they came", json.len(), &mut || {
            drop(black_box(encode(black_box(&from_json), Format::Json)));
        });
        let decode_xml = row("decode XML", xml.len(), &mut || drop(black_box(read(Format::Xml, black_box(&xml)))));
        let encode_xml = row("encode XML, fragments as they came", xml.len(), &mut || {
            drop(black_box(encode(black_box(&from_xml), Format::Xml)));
        });
        let values = opened(&from_json);
        row("encode JSON from values", json.len(), &mut || drop(black_box(encode(black_box(&values), Format::Json))));
        row("encode XML from values", xml.len(), &mut || drop(black_box(encode(black_box(&values), Format::Xml))));
        let to_xml = row("JSON in, XML out", json.len(), &mut || {
            drop(black_box(encode(&read(Format::Json, black_box(&json)), Format::Xml)));
        });
        let to_json = row("XML in, JSON out", xml.len(), &mut || {
            drop(black_box(encode(&read(Format::Xml, black_box(&xml)), Format::Json)));
        });
        println!(
            "  XML / JSON: decode {:.1}, encode {:.1}; translating / passing on: {:.1} and {:.1}; serde_json / ours: {:.1}",
            decode_xml / decode_json,
            encode_xml / encode_json,
            to_xml / (decode_json + encode_json),
            to_json / (decode_xml + encode_xml),
            serde / decode_json,
        );
    }
}

fn read(format: Format, text: &Text) -> Envelope {
    decode(format, text, &Limits::default()).expect("the samples are messages")
}

/// The same message without fragments.
fn opened(message: &Envelope) -> Envelope {
    Envelope { name: message.name.clone(), body: message.body.open().into() }
}

/// Nanoseconds a run: the median and the least of the rounds.
fn measure(work: &mut dyn FnMut(), quick: bool) -> (f64, f64) {
    let (round, rounds) = if quick { (Duration::ZERO, 1) } else { (Duration::from_millis(20), 15) };
    let mut runs = 1u32;
    let mut time = |runs: u32| {
        let start = Instant::now();
        for _ in 0..runs {
            work();
        }
        start.elapsed()
    };
    while time(runs) < round {
        runs *= 2;
    }
    let mut rounds: Vec<f64> = (0..rounds).map(|_| time(runs).as_nanos() as f64 / f64::from(runs)).collect();
    rounds.sort_by(f64::total_cmp);
    (rounds[rounds.len() / 2], rounds[0])
}
