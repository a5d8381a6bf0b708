// node asterisk.mjs [part of a name]: the stories of calls again, with a real Asterisk and real phones behind the gateway.
// `cargo build --example asterisk-stage` and tests/asterisk/install.sh come first.

process.env.TELEPHONES = "asterisk";
const { leaveOut, run } = await import("../peers/support/stories.mjs");
for (const name of ["calls", "cards", "conference", "day", "past"]) await import(`./stories/${name}.mjs`);
// These have nothing to do with telephones, or need the simulator: no Asterisk tells of faxes.
leaveOut("a fax", "chat", "password", "logs out", "notice", "a text reaches", "events of applications", "states are chosen", "outlives");
await run(process.argv[2]);
