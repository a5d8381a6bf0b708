//! The real server.

#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

// Calls told by hand.
#[allow(dead_code, reason = "other stories tell more")]
#[path = "../proto/world/switchboard.rs"]
mod switchboard;

// Why something did not happen.
mod explain;
// What happened, written down and played again.
mod replay;
// The dialplan of Asterisk.
mod agi;
// The commands.
mod cli;
mod config;
mod store;
// What an operator does to a gateway that runs: links, emptying, the first run, the doctor.
mod operate;
// The layers of the configuration, as commands see them.
mod layers;
// The configuration read again while the gateway runs.
mod reload;
// Who may come in, and how they prove it.
mod credentials;
// Every call of the catalogue.
mod catalogue;
// Backups, and the steps of the tables.
mod backup;
// CRMs that are tried out.
mod check_crm;
// CRMs that connect to us.
mod crm_accept;
// CRMs that we connect to.
mod crm_dial;
// Compression of messages.
mod deflate;
// CRMs that we post to, and that post to us.
mod crm_post;
// The link cut at every step.
mod cuts;
// The gateway as curl sees it.
mod curl;
// What the listeners answer before anybody speaks WebSocket.
mod handshake;
// CRMs older than RFC 6455.
mod hixie;
// What peers may not do, and how many there may be.
mod limits;
// The rules of messages.
mod rules;
// Calls of the past, over restarts, and recordings by HTTP.
mod ledger;
// People, programs and the trail over both databases.
mod desk;
// Accounts, keys, who changed what.
mod people;
// Programs by HTTP, stored procedures, passwords.
mod programs;
// Uploads and photos.
mod uploads;
// A database in trouble.
mod trouble;
// What is on disk before it is said.
mod kept;
// Killed again and again.
mod killed;
// What operators read.
mod logs;
// The figures, and who asks for them.
mod figures;
// The manual and what shells complete.
mod manual;
// Telephony where a socket makes the difference.
mod phone;
// nginx in front.
mod proxy;
// What administrators see and do, over the admin port.
mod administration;
// The HTTP interface as its document has it.
mod openapi;
// What is missing, and what to write where.
mod doctor;
// What systemd is told, and what it passes on.
mod service;
// Gateways and peers for the stories.
mod support;
// Rules that hold on every way in.
mod paths;
// What must be shown to nobody.
mod secrets;
// Half an hour under load.
mod soak;
// TLS as somebody else's examiner sees it.
mod sslyze;
// Certificates that change, and peers that get TLS wrong.
mod tls;
