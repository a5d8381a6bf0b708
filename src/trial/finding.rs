//! What can be wrong with a CRM, by name, with what to do about it.

/// Something that is wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name, unique, for programs and for the documentation.
    pub name: &'static str,
    /// What to do.
    pub advice: &'static str,
}

macro_rules! findings {
    ($($id:ident: $name:literal, $advice:literal;)+) => {
        $(pub(super) static $id: Finding = Finding { name: $name, advice: $advice };)+

        /// Every finding.
        pub static FINDINGS: &[&Finding] = &[$(&$id),+];
    };
}

findings! {
    UNREACHABLE: "unreachable",
        "start the CRM, and compare host, port and scheme; for TLS give --ca-file";
    NOBODY: "nobody-came",
        "let the CRM connect to the address above; it must not be what a gateway listens on now";
    STRANGER: "no-handshake",
        "the CRM must open a WebSocket (version 13), with TLS exactly where --tls says so";
    DECLINED: "declined",
        "the address must be the one where the CRM waits for the telephone server; look into the log of its web server";
    SUB_PROTOCOL: "sub-protocol",
        "choose one of the offered names, json or xml, and send it back unchanged; or send no Sec-WebSocket-Protocol at all";
    NO_SUB_PROTOCOL: "no-sub-protocol",
        "offer json or xml in Sec-WebSocket-Protocol: without it no message is processed";
    CREDENTIALS: "credentials",
        "compare --login, --password and --auth with what the CRM knows";
    OPEN_DOOR: "open-door",
        "check login and password before you accept: whoever finds this address is taken for the telephone server";
    NO_IAM: "no-iam",
        "answer whoareyou with iam and the same qid; without it the link is closed after 10 s and nothing else is sent";
    NO_PONG: "no-pong",
        "answer ping with pong and the same parameters";
    NO_HEARTBEAT: "no-heartbeat",
        "answer WebSocket pings, as a WebSocket library does by itself while its event loop is not blocked";
    NO_LIST: "no-list",
        "answer the question with its list, even an empty one; unanswered, the CRM counts as having none after 10 s";
    BAD_LIST: "bad-list",
        "send an array of objects under the name that the page gives; until then the gateway takes it as empty";
    ODD_DECLARATION: "odd-declaration",
        "give each method, form and parameter a name and one of the known types";
    QID_MISSING: "qid-missing",
        "copy qid from the call into its reply";
    QID_TYPE: "qid-type",
        "copy qid as it is: a number stays a number and a text a text, however it looks";
    QID_CHANGED: "qid-changed",
        "copy qid of the call; do not make a new one for a reply";
    SLOW: "slow",
        "answer sooner, or declare a longer waitms (60000 at most): the caller has gone on without the result";
    NO_RESULT: "no-result",
        "answer every executemethod with methodresult, with result 0 where it failed";
    METHOD_FAILED: "method-failed",
        "if the made-up input is the reason, give better by --method and --input";
    NO_EXECUTIONID: "no-executionid",
        "copy executionid from executemethod into methodresult: a result is known by it alone";
    OUTPUT_NO_OBJECT: "output-no-object",
        "send outputparameters as an object; in PHP write new stdClass() where it is empty";
    OUTPUT_TYPE: "output-type",
        "send what outputparameters of the declaration say, or declare what you send; ill-typed output fails for the caller";
    SEVERAL: "several-lost",
        "keep calls apart by executionid, and do not drop one while another runs";
    UNKNOWN_METHOD_SILENT: "unknown-method-unanswered",
        "answer a name you do not know with methodresult, result 0 and error 59001: else the caller waits for nothing";
    UNKNOWN_METHOD_DONE: "unknown-method-succeeds",
        "answer a name you do not know with result 0 and error 59001";
    UNKNOWN_MESSAGE: "unknown-message-breaks",
        "pass over messages you do not know: later versions send new ones";
    CANCELLED: "answer-after-cancel",
        "forget the execution when cancelmethod comes, and send no result for it";
    LATE: "late-after-abort",
        "drop the result when waitresponsems of executemethodwaitaborted have passed";
    FORM_BREAKS: "form-breaks",
        "take showform for any user, and do not fail when that user has no page open";
    MULTIPART_UNREAD: "multipart-unread",
        "collect packets named multipart by message-id, decode each, join them by packetnumber, then read the message";
    MULTIPART_CHANGED: "multipart-changed",
        "join the bytes of all packets before you read them as UTF-8";
    MULTIPART_ORDER: "multipart-order",
        "number packets from 0 and send them in that order: known clients take the last number for the end";
    BASE64: "base64-answer",
        "send the message as it is: only what the gateway posts, and packets, are base64";
    HTML: "html-answer",
        "send nothing but messages: switch error pages and debug output off, and look into the CRM's own log";
    OTHER_FORMAT: "other-format",
        "answer in the format that was chosen: the sub-protocol, or the field format of a POST";
    UNREADABLE: "unreadable",
        "send [\"name\",{...}] in json or <message name=\"...\"> in xml, in UTF-8, and nothing beside it";
    BROKE_OFF: "broke-off",
        "keep the connection open whatever comes, and look into the CRM's own log for why it ended";
    NO_RETURN: "no-return",
        "connect again when the connection ends, after a few seconds: in this mode that is the CRM's part";
    STUCK: "stuck",
        "this check did not end in its time; the CRM may be overloaded";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_each_has_advice() {
        let names: BTreeSet<_> = FINDINGS.iter().map(|finding| finding.name).collect();
        assert_eq!(names.len(), FINDINGS.len());
        assert!(FINDINGS.iter().all(|finding| finding.advice.len() > 20));
    }

    #[test]
    fn the_page_explains_every_finding_and_every_check() {
        let page = std::fs::read_to_string("docs/check-crm.md").unwrap();
        for name in FINDINGS.iter().map(|finding| finding.name) {
            assert!(page.contains(&format!("| `{name}` |")), "docs/check-crm.md does not explain {name}");
        }
        for check in crate::trial::CHECKS {
            assert!(page.contains(&format!("| {} |", check.name)), "docs/check-crm.md does not name {}", check.name);
        }
    }
}
