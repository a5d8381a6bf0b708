//! The protocol without sockets.

// The catalogue as its callers see it.
mod catalogue;
// Reading the pages of the specification.
mod pages;
// A validator for the schemas of the specification, and the ways to its files.
mod schema;
// The catalogue and the specification name the same messages, parameters, groups and errors.
mod spec;
// The vectors of the specification: good pairs, and broken ones with the error that is due.
mod vectors;
// The decoders against suites of others.
mod suites;
// Proofs: Digest, Basic, tickets.
mod auth;
// A node in a box, for the stories below.
mod world;

// What a browser does first.
mod login;
// One rule for the spelling of logins.
mod logins;
// CRM links, their introduction and their tunnel.
mod links;
// Who is behind a link and what they may do.
mod tunnel;
// What is too many, too large or not to be read.
mod messages;
// What a person does with the own phone.
mod phone;
// What people say of themselves, and where they send their calls.
mod states;
// The same rules at every door.
mod doors;
// Every method, and each way it fails.
mod refusals;
// What grows too long for a tab.
mod fit;
// Dynamic methods and their one outcome.
mod dynamic;
// What a CRM declares, and when a method rests.
mod declared;
// Forms: shown everywhere, answered once.
mod forms;
// The ledger: calls of the past and their recordings.
mod journal;
// What people write each other.
mod chats;
// Temporary passwords, uploads, photos.
mod files;
// What operators hear of each reply.
mod replies;
// Stored procedures, scripts, passwords, programs.
mod procedures;
// Who may do what: roles, keys, passwords that must change.
mod rights;
// Other people, links and rules while the node runs.
mod reconfigure;
// What must always hold, in whatever order things happen.
mod interleaving;
// What holds for any message: nothing is lost between formats, in packets, in POST bodies.
mod roundtrip;
// What follows when events were lost.
mod gap;
