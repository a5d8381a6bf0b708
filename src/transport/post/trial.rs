//! Posting to a CRM that is tried out: the exchanges of a link, with what the CRM answers as it came.

use std::time::Duration;

use ctigate_proto::message::{Format, Text};

use crate::config::{Config, Link};
use crate::transport::credentials::Credentials;
use crate::transport::dial::Way;
use crate::transport::gate;
use crate::transport::tls::TlsError;
use crate::transport::trial::NoLink;

use super::exchange::{Line, Server};

/// One connection to a CRM that is posted to.
pub struct Poster {
    server: Server,
    line: Line,
}

impl Poster {
    /// As the link says: url, credentials, whom to trust. The format is given apart.
    ///
    /// # Errors
    /// When its address, its authorities or its pin cannot be used.
    pub fn new(link: &Link, format: Format) -> Result<Self, TlsError> {
        let allowance = gate::Allowance::new(&Config::default(), link);
        let server = Server::new(Way::new(link)?, Credentials::of(link), format, allowance);
        Ok(Self { server, line: Line::default() })
    }

    /// Posts one message and gives the body of the answer: empty when there is nothing to say. `once`: never post it twice,
    /// whatever becomes of the connection.
    ///
    /// # Errors
    /// [`NoLink`]; the next exchange may be tried all the same.
    pub async fn post(&mut self, text: &Text, once: bool, limit: Duration) -> Result<Text, NoLink> {
        self.server.answer(&mut self.line, text, once, limit).await.map_err(NoLink::from)
    }
}
