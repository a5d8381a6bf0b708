//! `hash-password`: from a password to what `password_hash` holds.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use super::terminal::Terminal;
use super::{Exit, Failure};
use crate::store::hash_password;

/// The longest password that is read, so that a wrong pipe does not fill memory.
const LONGEST: u64 = 4096;

pub(super) fn hash(terminal: &mut Terminal) -> Result<(), Failure> {
    let password = if io::stdin().is_terminal() { ask_twice()? } else { first_line(io::stdin().lock())? };
    let hash = hash_password(&password).map_err(|error| Failure::new(error.to_string()))?;
    Ok(terminal.line(&hash)?)
}

pub(super) fn first_line(from: impl BufRead) -> Result<String, Failure> {
    let mut line = String::new();
    from.take(LONGEST + 1)
        .read_line(&mut line)
        .map_err(|error| Failure::new(format!("cannot read the password: {error}")))?;
    let password = line.trim_end_matches(['\n', '\r']).to_owned();
    if u64::try_from(password.len()).unwrap_or(u64::MAX) > LONGEST {
        return Err(too_long());
    }
    Ok(password)
}

fn too_long() -> Failure {
    Failure::new(format!("the password is longer than {LONGEST} bytes"))
}

pub(super) fn ask_twice() -> Result<String, Failure> {
    let _hidden = Hidden::new()?;
    let one = ask("Password: ")?;
    let other = ask("Again: ")?;
    if one == other { Ok(one) } else { Err(Failure::new("the two passwords differ").exit(Exit::Failed)) }
}

fn ask(prompt: &str) -> Result<String, Failure> {
    // On standard error, because standard output may go into a file.
    let mut errors = io::stderr();
    write!(errors, "{prompt}").and_then(|()| errors.flush())?;
    let mut typed = Vec::new();
    for byte in io::stdin().lock().bytes() {
        match byte.map_err(|error| Failure::new(format!("cannot read the password: {error}")))? {
            b'\n' => break,
            CTRL_C => {
                writeln!(errors)?;
                return Err(Failure::new("cancelled"));
            }
            _ if typed.len() as u64 == LONGEST => return Err(too_long()),
            byte => typed.push(byte),
        }
    }
    writeln!(errors)?;
    String::from_utf8(typed).map_err(|_| Failure::new("the terminal sent what is no UTF-8"))
}

/// The key that interrupts, as a character.
const CTRL_C: u8 = 3;

/// The terminal shows nothing of what is typed until this is dropped.
#[cfg(unix)]
struct Hidden {
    before: rustix::termios::Termios,
}

#[cfg(unix)]
impl Hidden {
    fn new() -> Result<Self, Failure> {
        use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};

        let failed = |error| Failure::new(format!("the terminal cannot be told to hide the password: {error}"));
        let before = tcgetattr(io::stdin()).map_err(failed)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        // An interrupt would leave the terminal silent, so it comes as a character, which ends the line at once.
        hidden.local_modes.remove(LocalModes::ISIG);
        hidden.special_codes[SpecialCodeIndex::VEOL] = CTRL_C;
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden).map_err(failed)?;
        Ok(Self { before })
    }
}

#[cfg(unix)]
impl Drop for Hidden {
    fn drop(&mut self) {
        // There is nobody to tell when the terminal is gone.
        let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Flush, &self.before);
    }
}

#[cfg(not(unix))]
struct Hidden;

#[cfg(not(unix))]
impl Hidden {
    fn new() -> Result<Self, Failure> {
        Err(Failure::new("this system cannot hide what is typed; give the password on standard input"))
    }
}
