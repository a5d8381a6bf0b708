//! What is looked at: the checks by name, in the order in which they are made.

use super::finding::Finding;

/// One thing that is looked at.
#[derive(Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name, unique.
    pub name: &'static str,
    /// What is done.
    pub does: &'static str,
    /// What is expected of the CRM.
    pub expects: &'static str,
    /// Where that is written, from the top of the repository.
    pub page: &'static str,
    /// How many answers it waits for at most; with the patience this makes its deadline.
    pub(super) answers: u32,
    /// How many times the method's own wait is added to it.
    pub(super) executions: u32,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As expected.
    Good,
    /// Works, but somebody should know.
    Note,
    /// Does not work.
    Bad,
    /// Not made, or not to be judged.
    Skipped,
}

impl Verdict {
    /// The word for people and programs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Note => "note",
            Self::Bad => "BAD",
            Self::Skipped => "-",
        }
    }
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// What is wrong; none when all is well.
    pub finding: Option<&'static Finding>,
    /// What was seen. May hold pieces of what the CRM said: escape it before it is shown.
    pub found: String,
}

impl Outcome {
    pub(super) fn good(found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Good, finding: None, found: found.into() }
    }

    pub(super) fn note(finding: &'static Finding, found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Note, finding: Some(finding), found: found.into() }
    }

    pub(super) fn bad(finding: &'static Finding, found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Bad, finding: Some(finding), found: found.into() }
    }

    pub(super) fn skipped(why: impl Into<String>) -> Self {
        Self { verdict: Verdict::Skipped, finding: None, found: why.into() }
    }

    /// What to do; empty when there is nothing to do.
    pub fn advice(&self) -> &'static str {
        self.finding.map_or("", |finding| finding.advice)
    }
}

macro_rules! checks {
    ($($id:ident: $name:literal, $answers:literal + $executions:literal,
        $does:literal, $expects:literal, $page:literal;)+) => {
        $(pub(super) static $id: Check = Check {
            name: $name,
            does: $does,
            expects: $expects,
            page: $page,
            answers: $answers,
            executions: $executions,
        };)+

        /// Every check, in the order in which they are made.
        pub static CHECKS: &[&Check] = &[$(&$id),+];
    };
}

checks! {
    CONNECT: "connect", 3 + 0,
        "opens the connection, with TLS and credentials where they are asked for",
        "101 to the WebSocket handshake",
        "proto-spec/transport.md#websocket-handshake";
    SUB_PROTOCOL: "sub-protocol", 1 + 0,
        "offers exactly json or xml, or looks at what the CRM offers",
        "what was offered is echoed, or nothing; an offer contains json or xml",
        "proto-spec/transport.md#sub-protocol";
    AUTHORIZATION: "authorization", 3 + 0,
        "shows a wrong password; or looks how the CRM shows its own",
        "a wrong password is refused with 401; a challenge is answered",
        "proto-spec/auth.md#http-authorization";
    INTRODUCTION: "introduction", 1 + 0,
        "sends whoareyou",
        "iam within 10 s",
        "proto-spec/link.md#introduction";
    PING: "ping", 1 + 0,
        "sends ping with parameters",
        "pong with the same parameters",
        "proto-spec/methods/session.md#ping";
    HEARTBEAT: "heartbeat", 1 + 0,
        "sends a WebSocket ping",
        "a WebSocket pong; after 60 s of silence the gateway cuts the connection",
        "proto-spec/transport.md#heartbeat";
    METHODS: "methods", 1 + 0,
        "asks getavailablemethods",
        "availablemethods with a list of methods, each with a name and known types",
        "proto-spec/dynamic.md#declaration";
    FORMS: "forms", 1 + 0,
        "asks getavailableforms",
        "availableforms with a list of forms, each with a name and known types",
        "proto-spec/forms.md#declaration";
    USERS: "active users", 1 + 0,
        "asks getactiveusers",
        "activeusers with a list of users, each with userlogin or userid",
        "proto-spec/link.md#active-users";
    QID: "qid", 2 + 0,
        "asks with a text of digits and with a number as qid",
        "every reply repeats the qid of its call: the same value, of the same type",
        "proto-spec/message.md#qid";
    EXECUTE: "run a method", 1 + 2,
        "sends executemethod",
        "methodresult with its executionid, before waitms of the declaration; outputparameters is an object and as declared",
        "proto-spec/dynamic.md#execution";
    SEVERAL: "several at once", 1 + 1,
        "sends four executemethod at once",
        "four methodresult, each with its own executionid, in any order",
        "proto-spec/dynamic.md#execution";
    UNKNOWN_METHOD: "unknown method", 1 + 0,
        "sends executemethod with a name that nobody declared",
        "methodresult with result 0 and an error",
        "proto-spec/dynamic.md#life-of-an-execution";
    UNKNOWN_MESSAGE: "unknown message", 2 + 0,
        "sends a message that nobody knows, and then something known",
        "it is passed over or answered with an error; the link goes on",
        "proto-spec/README.md#versions";
    CANCEL: "cancel", 2 + 1,
        "sends executemethod and at once cancelmethod",
        "no methodresult once the cancel was read",
        "proto-spec/methods/dynamic.md#cancelmethod";
    LATE: "late result", 2 + 1,
        "sends executemethod and at once executemethodwaitaborted",
        "methodresult within its waitresponsems, or never",
        "proto-spec/methods/dynamic.md#executemethodwaitaborted";
    FORM: "form", 2 + 0,
        "sends showform for a user that does not exist, and closeform",
        "the link goes on; showformresult is optional",
        "proto-spec/forms.md#where-a-form-shows";
    MULTIPART_TO: "multipart to the CRM", 1 + 0,
        "sends a ping of 100 KiB in packets, with letters outside ASCII",
        "it is put together and answered; the text comes back unchanged",
        "proto-spec/multipart.md#receiving";
    MULTIPART_FROM: "multipart from the CRM", 1 + 0,
        "looks at all packets that came so far",
        "packets are numbered from 0 and sent in order, each base64",
        "proto-spec/multipart.md#sending";
    PLAIN: "plain text", 1 + 0,
        "looks at all answers that came so far",
        "messages are sent as they are: base64 is for what the gateway posts, and for packets",
        "proto-spec/post.md#an-exchange";
    RETURN: "comes back", 1 + 0,
        "closes the connection with 1001",
        "the CRM connects again by itself",
        "proto-spec/transport.md#who-connects-again";
    FORMAT: "format", 1 + 0,
        "speaks the other format too",
        "one of json and xml is enough",
        "proto-spec/transport.md#sub-protocol";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    #[test]
    fn names_are_unique_and_pages_exist() {
        let names: BTreeSet<_> = CHECKS.iter().map(|check| check.name).collect();
        assert_eq!(names.len(), CHECKS.len());
        for check in CHECKS {
            let (file, anchor) = check.page.split_once('#').unwrap();
            let text = fs::read_to_string(file).unwrap();
            let anchors = text.lines().filter(|line| line.starts_with('#')).map(|line| {
                let words = line.trim_start_matches('#').trim().to_lowercase().replace('`', "").replace(' ', "-");
                words.replace([',', '.'], "")
            });
            assert!(anchors.into_iter().any(|known| known == anchor), "{}", check.page);
        }
    }
}
