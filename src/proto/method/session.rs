//! Coming, going, and what a connection hears: ping, login, subscription, version.

use crate::message::Text;

use super::define::{call, event, messages, records, reply};
use super::{Members, OneOrMany, Secret};

messages! {
    /// Asks whether the other side lives. Answered at any time, before login and introduction too.
    Ping: call("ping").by_both().to_link().replied("pong").before_login() => {}

    /// The answer to `ping`: all its parameters, as they were written.
    Pong: reply("pong").to_both().by_link().bare() => {}

    /// Logs a person in, by the hashes of the password or by a session. Inside a link it logs in a tunnelled user.
    Login: call("login").by_both().replied("loginresult").before_login() => {
        /// The login name.
        userlogin: Text,
        /// Hash of the password as typed.
        password = "Password": Option<Secret>,
        /// Hash of the lower-cased password.
        folded = "password": Option<Secret>,
        /// A session that an earlier login returned; used when no hash is given.
        sessionid: Option<Secret>,
        /// 1 asks for `userid` in the reply. It is always there.
        showid: Option<i64>,
        /// Whether the page wants the credentials of a browser telephone.
        usewebrtc: Option<bool>,
        /// Name of the workplace.
        workplace: Option<Text>,
        /// Wanted life of the session in seconds, at most 30 days.
        expires: Option<i64>,
    }

    /// The person is logged in. A failure has one of the texts of the login errors.
    LoginResult: reply("loginresult").to_both() => {
        /// The user's id, a GUID.
        userid: Text,
        /// The session: 256 random bits in hex. A new one after a password, the same one after a session.
        sessionid: Secret,
        /// Whether the password must be changed before anything else is allowed; left out when it need not.
        mustchangepassword: Option<bool>,
        /// User name of the browser telephone.
        sipuser: Option<Text>,
        /// Its password.
        sippass: Option<Secret>,
        /// Its port.
        sipport: Option<i64>,
        /// Whether it speaks over TLS.
        sipsecure: Option<bool>,
    }

    /// Ends the session. The gateway answers, then closes every connection of the session with 1000.
    Logout: call("logout").by_both().replied("logoutresult") => {}

    /// The session has ended.
    LogoutResult: reply("logoutresult").to_both() => {}

    /// Asks for events, for this connection and as long as it lives. There is no way to take it back.
    SubscribeEvent: call("subscribeevent").by_both().replied("subscribeeventresult").before_login() => {
        /// Names of events and of groups, at most 256. Names that are not known are accepted and ignored.
        eventmethod | "event": OneOrMany,
    }

    /// The events will come.
    SubscribeEventResult: reply("subscribeeventresult").to_both() => {}

    /// Asks for the version of the server.
    GetVersion: call("getversion").by_both().replied("getversionresult") => {
        /// 1 asks for `alloweddbstoredprocs`.
        showalloweddbstoredprocs: Option<i64>,
    }

    /// The version.
    GetVersionResult: reply("getversionresult").to_both() => {
        /// What the server is. Known clients throw without it.
        version: Version,
        /// The stored procedures this user may run: lower-case names as members, each with the value 1. Only when asked for.
        alloweddbstoredprocs: Option<Members>,
    }

    /// Sent instead of `pong` to a plain connection where TLS is required: the client comes back to port 443 over TLS.
    WebSocketRedirect: event("websocketredirect").to_tab() => {}

    /// A piece of a long message.
    Multipart: event("multipart").by_both().to_both() => {
        /// Says which pieces belong together; a GUID, never used twice on one connection.
        message_id = "message-id": Text,
        /// How many pieces there are.
        packetcount: i64,
        /// Which piece this is, from 0.
        packetnumber: i64,
        /// `text/json; charset=utf-8` or `text/xml; charset=utf-8`.
        content_type = "content-type": Option<Text>,
        /// `base64`.
        content_transfer_encoding = "content-transfer-encoding": Option<Text>,
        /// Length of `content` in characters.
        content_length = "content-length": Option<i64>,
        /// A piece of the base64 text of the whole message.
        content: Text,
    }

    /// Answers something that could not be read as a message, and so has no name and no qid to answer to.
    ErrorReply: reply("error").by_both().to_both().bare().ours() => {
        /// 0.
        result: i64,
        /// The error code, 59002.
        error: i64,
        /// What was found, at which byte, what was expected.
        errormsg: Text,
    }
}

records! {
    /// What the server is.
    Version = "version" {
        /// Date of the build as yymmdd. Known clients switch features on by it; 161001 has them all.
        dated: i64,
        /// The build in words.
        build: Text,
        /// Port for photos and uploads, for the scheme the client came by.
        webserverport: i64,
    }
}
