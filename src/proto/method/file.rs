//! Files: the temporary password that HTTP takes, and the answer of HTTP seen on the connection.

use crate::message::Text;

use super::Secret;
use super::define::{Right, call, event, messages, reply};

messages! {
    /// Asks for a temporary password for the web port: uploads and recordings.
    GetTempHttpPass: call("gettemphttppass").by_both().replied("gettemphttppassresult").right(Right::Files) => {
        /// Whether this connection gets a copy of the HTTP answer, as `httpresponsecopy`.
        responsetowebsock: Option<bool>,
    }

    /// The temporary password.
    GetTempHttpPassResult: reply("gettemphttppassresult").to_both() => {
        /// The password; ten minutes, one upload or any number of downloads.
        password: Secret,
    }

    /// An HTTP request made with a temporary password has been answered.
    HttpResponseCopy: event("httpresponsecopy").to_both().subscribed() => {
        /// Status and reason: `200 OK`.
        response: Text,
        /// The temporary password it was made with.
        password: Secret,
        /// The body of the answer.
        content: Text,
    }
}
