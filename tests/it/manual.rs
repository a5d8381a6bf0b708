//! What `ctigate completions` and `ctigate man` print, tried with the programs that read it.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

fn ctigate(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ctigate")).args(args).output().unwrap()
}

fn printed(args: &[&str]) -> String {
    let output = ctigate(args);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The names of all commands, as the program itself lists them.
fn commands() -> Vec<String> {
    let help = printed(&["--help"]);
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    // A long description goes on in a line that is indented deeper.
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<String> = names.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect();
    assert!(names.len() > 10 && names.iter().any(|name| name == "serve"), "{names:?}");
    names
}

/// What bash offers for the last of `words`.
fn bash_offers(script: &str, words: &[&str]) -> Vec<String> {
    let last = words.len() - 1;
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let before = words[last - 1];
    let ask = format!(
        "{script}\nCOMP_WORDS=({})\nCOMP_CWORD={last}\n_ctigate ctigate '{}' '{before}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        quoted.join(" "),
        words[last]
    );
    let mut bash = Command::new("bash")
        .args(["--norc", "--noprofile", "-s"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    bash.stdin.take().unwrap().write_all(ask.as_bytes()).unwrap();
    let output = bash.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_and_their_flags() {
    let script = printed(&["completions", "bash"]);
    assert_eq!(bash_offers(&script, &["ctigate", "check"]), ["check-config", "check-crm"]);
    let all = bash_offers(&script, &["ctigate", ""]);
    for name in commands() {
        assert!(all.contains(&name), "{name} is not in {all:?}");
    }
    assert_eq!(bash_offers(&script, &["ctigate", "serve", "--lo"]), ["--log"]);
    assert_eq!(bash_offers(&script, &["ctigate", "asterisk", "config", "man"]), ["manager"]);
}

#[test]
fn every_shell_is_told_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]);
        for name in commands() {
            assert!(script.contains(&name), "{name} is not in the completions of {shell}");
        }
    }
    assert_eq!(ctigate(&["completions", "command.com"]).status.code(), Some(2));
}

#[test]
fn whoever_reads_only_the_beginning_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ctigate"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn the_manual_page_has_its_sections_and_every_command() {
    let page = printed(&["man"]);
    for heading in
        ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "SUBCOMMANDS", "\"EXIT STATUS\"", "ENVIRONMENT", "FILES"]
    {
        assert!(page.lines().any(|line| line == format!(".SH {heading}")), "{heading} is missing:\n{page}");
    }
    for name in commands() {
        let name = name.replace('-', "\\-");
        assert!(name == "help" || page.contains(&format!("ctigate\\-{name}(1)")), "{name} is missing:\n{page}");
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "what was left out is to be seen")]
fn each_command_has_a_page_that_man_can_set() {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("man1");
    assert_eq!(printed(&["man", "--folder", into.to_str().unwrap()]), "");
    let mut names: Vec<String> =
        fs::read_dir(&into).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for command in commands().iter().filter(|name| *name != "help") {
        assert!(names.contains(&format!("ctigate-{command}.1")), "{command} has no page: {names:?}");
    }
    assert_eq!(fs::read_to_string(into.join("ctigate.1")).unwrap(), printed(&["man"]));
    let Ok(version) = Command::new("groff").arg("--version").output() else {
        println!("groff is not installed: the pages were not set");
        return;
    };
    assert!(version.status.success());
    for name in &names {
        // Every warning is an error; nothing is printed.
        let set = Command::new("groff").args(["-man", "-Tutf8", "-ww", "-z"]).arg(into.join(name)).output().unwrap();
        assert!(set.status.success() && set.stderr.is_empty(), "{name}: {set:?}");
    }
}
