//! `completions` and `man`: what a shell and `man` need to know, made of the same words as `--help`, so that none of them can
//! differ.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::roff::{Roff, bold, roman};
use clap_mangen::{Man, generate_to};

use super::args::{Args, TEACHING};
use super::terminal::Terminal;
use super::{Exit, Failure};

/// What stands in `man ctigate` and in no `--help`: heading, then name and meaning of each.
const MORE: &[(&str, &[(&str, &str)])] = &[
    (
        "EXIT STATUS",
        &[
            ("0", "It did what it was asked."),
            ("1", "It could not, or the answer is no."),
            ("2", "It was asked wrongly."),
            ("3", "The configuration cannot be used."),
            ("4", "The gateway could not start."),
            ("5", "The gateway stopped, but something was cut off or lost."),
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            ("CTIGATE_CONFIG", "The configuration, when there is no --config."),
            ("CTIGATE_SECTION__KEY", "A key of the configuration, like CTIGATE_WEB__BIND for web.bind."),
            ("NO_COLOR", "When set and not empty, nothing is coloured."),
            (
                "NOTIFY_SOCKET, WATCHDOG_USEC",
                "As systemd sets them: serve tells when it is ready and that it is alive.",
            ),
            ("LISTEN_PID, LISTEN_FDS", "As systemd sets them: serve takes over the listeners of a socket unit."),
        ],
    ),
    (
        "FILES",
        &[
            ("ctigate.toml", "The configuration, in the folder where ctigate is started, when nothing else is chosen."),
            ("/etc/ctigate/ctigate.toml", "The configuration of the service that the Debian package installs."),
            (
                "/var/lib/ctigate",
                "What that service keeps: store, certificate, uploads, recordings, the token of the admin port.",
            ),
        ],
    ),
    (
        "SIGNALS",
        &[("SIGTERM, SIGINT", "Stop in order; a second one ends at once."), ("SIGHUP", "Read certificates again.")],
    ),
];

/// Prints the completions of a shell.
pub(super) fn completions(shell: Shell, terminal: &mut Terminal) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut words(), "ctigate", &mut script);
    Ok(terminal.bytes(&script)?)
}

/// Prints the page of `man ctigate`, or writes that of every command into a folder.
pub(super) fn man(folder: Option<&Path>, terminal: &mut Terminal) -> Result<(), Failure> {
    let page = main_page()?;
    let Some(folder) = folder else { return Ok(terminal.bytes(&page)?) };
    let failed =
        |why: std::io::Error| Failure::new(format!("{} cannot be written: {why}", folder.display())).exit(Exit::Failed);
    fs::create_dir_all(folder).map_err(failed)?;
    // One page for each command, and ours in the place of the first.
    generate_to(words().disable_help_subcommand(true), folder).map_err(failed)?;
    fs::write(folder.join("ctigate.1"), page).map_err(failed)
}

fn words() -> clap::Command {
    // The long text is what `ctigate` alone prints; a man page has it as its description.
    Args::command().long_about(TEACHING.lines().next().unwrap_or_default().to_owned())
}

fn main_page() -> std::io::Result<Vec<u8>> {
    let man = Man::new(words().disable_help_subcommand(true).after_help("")).manual("ctigate");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    man.render_subcommands_section(&mut page)?;
    for (heading, entries) in MORE {
        let mut roff = Roff::new();
        roff.control("SH", [*heading]);
        for (name, meaning) in *entries {
            roff.control("TP", []).text([bold(*name)]).text([roman(*meaning)]);
        }
        roff.to_writer(&mut page)?;
    }
    Ok(page)
}
