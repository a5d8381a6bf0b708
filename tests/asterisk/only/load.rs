//! Two hundred calls at a time, twenty new ones a second, by sipp from both sides; every entry of the ledger against what
//! sipp did. Not among the other stories: it needs the machine for itself (`make load`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use ctigate::proto::calls::JournalQuery;

use crate::dialplan::{LOAD, LOAD_IP, SIPP_IP};
use crate::office::Pbx;
use crate::real::Real;
use crate::{office, server};

/// How many calls there are.
const CALLS: usize = 600;
/// New ones each second.
const RATE: usize = 20;
/// How long those that are answered talk.
const TALK: Duration = Duration::from_secs(13);

/// How a call is to go: by the number that is called.
fn plan(number: u16) -> &'static str {
    match number % 10 {
        8 => "busy",
        9 => "cancelled",
        _ => "answered",
    }
}

/// A sipp that is ended with the story.
struct Sipp(Child);

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs the machine for itself: make load"]
#[expect(clippy::print_stdout, reason = "its figures are of interest")]
fn two_hundred_calls_at_a_time() {
    office::RUNTIME.block_on(async {
        let office = Real::office();
        let real = &office.pbx;
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name).display().to_string()
        };
        // Whom each call is from and to. No number is called twice while it may still talk.
        let numbers: Vec<u16> = LOAD.collect();
        let mut calls = "SEQUENTIAL\n".to_owned();
        let mut planned = BTreeMap::new();
        for n in 0..CALLS {
            let (caller, called) = (format!("7911{n:07}"), numbers[n % numbers.len()]);
            let _ =
                writeln!(calls, "{caller};{called};{}", if plan(called) == "cancelled" { "gives" } else { "stays" });
            planned.insert(caller, called);
        }
        let calls = write("calls.csv", &calls);
        let answering = write("answering.xml", ANSWERING);
        let calling = write("calling.xml", CALLING);
        let port = real.asterisk.ports.load.port().to_string();
        let target = format!("127.0.0.1:{}", real.asterisk.ports.sip);
        let _callees = Sipp(
            server::sipp()
                .current_dir(folder.path())
                .args(["-sf", &answering, "-i", &LOAD_IP.to_string(), "-p", &port, "-nostdin", &target])
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        let began = Instant::now();
        let log = folder.path().join("did.log");
        let caller_args = [
            "-sf",
            &calling,
            "-inf",
            &calls,
            "-i",
            &SIPP_IP.to_string(),
            "-m",
            &CALLS.to_string(),
            "-r",
            &RATE.to_string(),
            "-l",
            "300",
            "-d",
            &TALK.as_millis().to_string(),
            "-nostdin",
            "-trace_logs",
            "-log_file",
            &log.display().to_string(),
            "-timeout",
            "100s",
            &target,
        ]
        .map(str::to_owned);
        let errors = std::fs::File::create(folder.path().join("errors")).unwrap();
        let mut caller = Sipp(
            server::sipp().current_dir(folder.path()).args(caller_args).stderr(Stdio::from(errors)).spawn().unwrap(),
        );
        // The most there are at a time, as Asterisk counts.
        let mut most = 0;
        let status = loop {
            if let Some(status) = caller.0.try_wait().unwrap() {
                break status;
            }
            let channels = real.asterisk.cli("core show channels count").await;
            let count = channels
                .lines()
                .find_map(|l| l.strip_suffix(" active calls").or_else(|| l.strip_suffix(" active call")));
            most = most.max(count.and_then(|c| c.trim().parse::<usize>().ok()).unwrap_or_default());
            assert!(began.elapsed() < Duration::from_secs(120), "sipp does not come to an end");
            tokio::time::sleep(Duration::from_millis(250)).await;
        };
        let took = began.elapsed();
        let said = std::fs::read_to_string(folder.path().join("errors")).unwrap_or_default();
        assert!(status.success(), "sipp: {status}\n{said}");
        // What sipp did: one line a call.
        let did = std::fs::read_to_string(&log).unwrap();
        let did: BTreeMap<String, String> = did
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(caller, how)| (caller.to_owned(), how.trim().to_owned()))
            .collect();
        assert_eq!(did.len(), CALLS, "sipp tells of each call");
        println!("sipp is done after {:.1} s, at most {most} calls at a time", took.as_secs_f32());
        let mut wrong = Vec::new();
        let until = Instant::now() + crate::SOON;
        for (caller, how) in &did {
            let called = planned[caller];
            let query = JournalQuery { number: Some(caller.as_str().into()), limit: 10, ..JournalQuery::default() };
            let entry = loop {
                let rows = office.store.journal(&query).await.unwrap();
                if let Some((row, _)) = rows.first() {
                    break office.store.call(&row.call).await.unwrap().map(|entry| (entry, rows.len()));
                }
                if Instant::now() > until {
                    break None;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            };
            let Some((entry, rows)) = entry else {
                wrong.push(format!("{caller} to {called} {how}: no entry"));
                continue;
            };
            let talked = Duration::from_millis(u64::try_from(entry.talk_ms).unwrap());
            let long_enough = match how.as_str() {
                "answered" => talked >= TALK.mul_f32(0.95) && talked <= TALK.mul_f32(1.15),
                _ => talked.is_zero(),
            };
            let right = entry.outcome.word() == how
                && how == plan(called)
                && *entry.parties.caller == **caller
                && *entry.parties.called == *called.to_string()
                && entry.direction.word() == "incoming"
                && (entry.legs.len(), rows) == (2, 1)
                && long_enough;
            if !right {
                wrong.push(format!("{caller} to {called} {how}: {entry:?}"));
            }
        }
        assert!(
            wrong.is_empty(),
            "{} of {CALLS} entries are wrong:\n{}",
            wrong.len(),
            wrong[..wrong.len().min(20)].join("\n")
        );
        assert!(most >= 200, "there were only {most} calls at a time");
        println!("{CALLS} calls in {:.1} s, at most {most} at a time, every entry right", took.as_secs_f32());
    });
}

/// Answers by the number: busy, never, or at once.
const ANSWERING: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<scenario name="answering">
 <recv request="INVITE"><action>
  <ereg regexp="sip:[0-9]*8@" search_in="hdr" header="To:" assign_to="busy"/>
  <ereg regexp="sip:[0-9]*9@" search_in="hdr" header="To:" assign_to="never"/>
 </action></recv>
 <nop next="busy" test="busy"/>
 <send><![CDATA[
SIP/2.0 180 Ringing
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port]>
Content-Length: 0

 ]]></send>
 <nop next="never" test="never"/>
 <send retrans="500"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000

 ]]></send>
 <recv request="ACK"/>
 <recv request="BYE"/>
 <send next="end"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

 ]]></send>
 <label id="busy"/>
 <send><![CDATA[
SIP/2.0 486 Busy Here
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

 ]]></send>
 <recv request="ACK" next="end"/>
 <label id="never"/>
 <recv request="CANCEL"/>
 <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

 ]]></send>
 <send><![CDATA[
SIP/2.0 487 Request Terminated
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
CSeq: [last_cseq_number] INVITE
Content-Length: 0

 ]]></send>
 <recv request="ACK"/>
 <label id="end"/>
</scenario>
"#;

/// Calls, and says how it went.
const CALLING: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<scenario name="calling">
 <send retrans="500"><![CDATA[
INVITE sip:[field1]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:[field0]@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[field1]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:[field0]@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000

 ]]></send>
 <nop><action><assignstr assign_to="plan" value="[field2]"/><strcmp assign_to="order" variable="plan" value="gives"/>
  <test assign_to="gives" variable="order" compare="equal" value="0"/></action></nop>
 <recv response="100" optional="true"/>
 <recv response="486" optional="true" next="busy"/>
 <recv response="180" optional="true" next="ringing"/>
 <recv response="183" optional="true"/>
 <recv response="200"/>
 <label id="ringing"/>
 <nop next="cancel" test="gives"/>
 <recv response="183" optional="true"/>
 <recv response="200"/>
 <send><![CDATA[
ACK sip:[field1]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:[field0]@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[field1]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

 ]]></send>
 <pause/>
 <send retrans="500"><![CDATA[
BYE sip:[field1]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:[field0]@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[field1]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

 ]]></send>
 <recv response="200"><action><log message="[field0] answered"/></action></recv>
 <nop next="end"/>
 <label id="busy"/>
 <send><![CDATA[
ACK sip:[field1]@[remote_ip]:[remote_port] SIP/2.0
[last_Via:]
[last_From:]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

 ]]></send>
 <nop next="end"><action><log message="[field0] busy"/></action></nop>
 <label id="cancel"/>
 <pause milliseconds="2000"/>
 <send retrans="500"><![CDATA[
CANCEL sip:[field1]@[remote_ip]:[remote_port] SIP/2.0
[last_Via:]
From: <sip:[field0]@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[field1]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 CANCEL
Max-Forwards: 70
Content-Length: 0

 ]]></send>
 <recv response="200"/>
 <recv response="487"/>
 <send><![CDATA[
ACK sip:[field1]@[remote_ip]:[remote_port] SIP/2.0
[last_Via:]
[last_From:]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

 ]]></send>
 <nop><action><log message="[field0] cancelled"/></action></nop>
 <label id="end"/>
</scenario>
"#;
