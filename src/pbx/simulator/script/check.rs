//! Whether the numbers that a script names are there.

use ctigate_proto::message::Text;

use super::error::Mistake;
use super::token::cut;
use super::{Expr, Happening, RingWhom, Script, ScriptError, Spot, Step, What};
use crate::pbx::Directory;
use crate::pbx::simulator::dialling::looks_outside;

impl Script {
    /// Looks up every number that is written out: phones, queues, and what outside callers of the timeline dial. `source` is
    /// the text the script was read from.
    ///
    /// # Errors
    /// The first number that is not there.
    pub fn check(&self, source: &str, directory: &Directory) -> Result<(), ScriptError> {
        let checked = self.check_numbers(directory);
        checked.map_err(|mistake| mistake.within(source))
    }

    fn check_numbers(&self, directory: &Directory) -> Result<(), Mistake> {
        let numbers = Numbers { directory };
        for line in &self.phones {
            numbers.anybody(&line.number, line.spot)?;
        }
        for scenario in &self.scenarios {
            numbers.steps(&scenario.steps)?;
        }
        for cue in &self.cues {
            match &cue.what {
                Happening::Answer(number) | Happening::Phone(number, _) => numbers.anybody(number, cue.spot)?,
                Happening::Act(number, _) | Happening::Redirect { number, .. } | Happening::Agent(number, _) => {
                    numbers.phone(number, cue.spot)?;
                }
                Happening::Incoming { called: (called, spot), .. } => self.dialled(directory, called, *spot)?,
                // These are about calls that only then are known.
                Happening::Hangup(_)
                | Happening::Hold(..)
                | Happening::Keys(..)
                | Happening::Fax(..)
                | Happening::CallerLeaves
                | Happening::AllOutside(_) => {}
            }
        }
        Ok(())
    }

    /// That somebody answers for a number an outside caller dials.
    fn dialled(&self, directory: &Directory, called: &Text, spot: Spot) -> Result<(), Mistake> {
        let here = self.scenarios.iter().any(|s| s.any || s.numbers.iter().any(|(n, _)| n == called));
        let there = directory.queue(called).is_some() || directory.extensions.iter().any(|e| e.number == *called);
        if here || there {
            return Ok(());
        }
        let expected = "a number that a scenario of this text, a queue or a phone answers for";
        Err(Mistake::new(spot, format!("`{}`", cut(called)), expected))
    }
}

struct Numbers<'a> {
    directory: &'a Directory,
}

impl Numbers<'_> {
    fn steps(&self, steps: &[Step]) -> Result<(), Mistake> {
        for step in steps {
            match &step.what {
                What::Ring(ring) => {
                    if let RingWhom::These(these) = &ring.whom {
                        for (target, spot) in these {
                            if let Some(number) = written(target) {
                                self.person(&number, *spot)?;
                            }
                        }
                    }
                }
                What::Queue(queue) => {
                    if let Some(number) = written(&queue.queue.0)
                        && self.directory.queue(&number).is_none()
                    {
                        let there = self.directory.queues.iter().map(|q| &*q.number);
                        return Err(missing(&number, queue.queue.1, "the number of a queue", there));
                    }
                }
                What::If { branches, otherwise } => {
                    for branch in branches {
                        self.steps(&branch.then)?;
                    }
                    self.steps(otherwise)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn phone(&self, number: &Text, spot: Spot) -> Result<(), Mistake> {
        let mut there = self.directory.extensions.iter().map(|e| &*e.number);
        if there.any(|n| n == &**number) {
            return Ok(());
        }
        Err(missing(number, spot, "the number of a phone", self.directory.extensions.iter().map(|e| &*e.number)))
    }

    /// A phone inside, or one that can be outside.
    fn anybody(&self, number: &Text, spot: Spot) -> Result<(), Mistake> {
        if looks_outside(number) { Ok(()) } else { self.phone(number, spot) }
    }

    fn person(&self, number_or_login: &Text, spot: Spot) -> Result<(), Mistake> {
        if self.directory.find(number_or_login).is_some() || looks_outside(number_or_login) {
            return Ok(());
        }
        let there = self.directory.extensions.iter().map(|e| &*e.number);
        Err(missing(number_or_login, spot, "the number or login of a phone", there))
    }
}

/// The number, when it is written out.
fn written(expr: &Expr) -> Option<Text> {
    match expr {
        Expr::Literal(value) => value.to_text(),
        Expr::Reference(_) | Expr::Template(_) => None,
    }
}

fn missing<'a>(number: &str, spot: Spot, expected: &str, there: impl Iterator<Item = &'a str>) -> Mistake {
    const MOST: usize = 20;
    let there: Vec<&str> = there.take(MOST).collect();
    let list = if there.is_empty() { "there is none".to_owned() } else { there.join(", ") };
    Mistake::new(spot, format!("`{}`", cut(number)), format!("{expected} ({list})"))
}
