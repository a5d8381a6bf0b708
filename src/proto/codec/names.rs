//! Names of members: which must stand once, and what becomes of others that are repeated (`proto-spec/message.md`).

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::message::Text;

/// What is expected where a name is repeated that must not be.
pub(super) const ONCE: &str = "this name once";

/// The names of the top level of one message that were read so far.
#[derive(Default)]
pub(super) struct Seen {
    common: u16,
    others: usize,
    repeated: bool,
}

impl Seen {
    /// Notes a common name. False when it was noted before and may stand once only: two readers could take different ones, and act for
    /// different users.
    pub(super) fn note(&mut self, name: &Name) -> bool {
        let known = self.common & name.bit != 0;
        self.common |= name.bit;
        self.repeated |= known;
        !(known && name.once)
    }

    /// Notes any other name.
    pub(super) fn note_other(&mut self) {
        self.others += 1;
    }

    /// Whether a name may have been repeated: worth a look at all of them.
    pub(super) fn may_repeat(&self) -> bool {
        self.repeated || self.others > 1
    }
}

/// A name of the top level that most messages have: it needs no slice of the text, and so does not keep it alive.
#[derive(Clone, Copy)]
pub(super) struct Name {
    pub(super) word: &'static str,
    /// A bit of its own.
    bit: u16,
    /// Whether it may stand once only.
    once: bool,
}

impl Name {
    /// Finds a common name by its bytes.
    pub(super) fn find(name: &[u8]) -> Option<Self> {
        // Those from the eighth bit on may be repeated.
        let common: &[(&'static str, u16)] = match name.len() {
            3 => &[("qid", 0)],
            4 => &[("name", 1)],
            5 => &[("tabid", 2), ("error", 8)],
            6 => &[("userid", 3), ("result", 9), ("formid", 4)],
            7 => &[("chainid", 10)],
            8 => &[("errormsg", 11)],
            9 => &[("userlogin", 5), ("sessionid", 6)],
            11 => &[("executionid", 7)],
            15 => &[("inputparameters", 12)],
            16 => &[("outputparameters", 13)],
            _ => return None,
        };
        let &(word, place) = common.iter().find(|(word, _)| word.as_bytes() == name)?;
        Some(Self { word, bit: 1 << place, once: place < 8 })
    }
}

/// The names of the objects that are open at one moment of reading: one stack for all levels, of which the first lie in no piece
/// of the heap, and finding a repeated name costs n log n.
#[derive(Default)]
pub(super) struct Names<'a>(SmallVec<[Cow<'a, str>; 8]>);

impl<'a> Names<'a> {
    /// An object opens. What this returns is handed to [`Names::close`].
    pub(super) fn open(&mut self) -> usize {
        self.0.len()
    }

    /// A member of the innermost object, its name unescaped.
    pub(super) fn push(&mut self, name: Cow<'a, str>) {
        self.0.push(name);
    }

    /// The innermost object ends; true when it had a name twice.
    pub(super) fn close(&mut self, opened: usize) -> bool {
        let names = &mut self.0[opened..];
        let repeated = if names.len() <= FEW {
            few_repeat(&names.iter().map(|name| &**name))
        } else {
            // The stack is cut anyway, so it may be put in order.
            names.sort_unstable();
            names.windows(2).any(|pair| pair[0] == pair[1])
        };
        self.0.truncate(opened);
        repeated
    }
}

/// Whether members have a name twice.
pub(super) fn repeats<T>(members: &[(Text, T)]) -> bool {
    let names = members.iter().map(|(name, _)| &**name);
    if members.len() <= FEW {
        return few_repeat(&names);
    }
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

/// So many names are compared each with each; more are sorted first, so that no message costs the square of its length.
const FEW: usize = 16;

fn few_repeat<'n>(names: &(impl Iterator<Item = &'n str> + Clone)) -> bool {
    names.clone().enumerate().any(|(i, name)| names.clone().take(i).any(|other| other == name))
}

/// Of members with repeated names: the last value of each, at the place of the first.
pub(super) fn last_wins<T>(members: Vec<(Text, T)>) -> Vec<(Text, T)> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by(|&a, &b| members[a].0.cmp(&members[b].0));
    // For each member: where its value goes. The sort is stable, so the first of a run is the first of its name.
    let mut place: Vec<usize> = (0..members.len()).collect();
    for run in order.chunk_by(|&a, &b| members[a].0 == members[b].0) {
        for &at in run {
            place[at] = run[0];
        }
    }
    let mut kept: Vec<Option<(Text, T)>> = Vec::with_capacity(members.len());
    for (at, member) in members.into_iter().enumerate() {
        kept.push(None);
        kept[place[at]] = Some(member);
    }
    kept.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_wins_at_the_first_place() {
        let members = |list: &[(&'static str, i32)]| -> Vec<(Text, i32)> {
            list.iter().map(|(name, value)| (Text::from_static(name), *value)).collect()
        };
        let given = members(&[("b", 1), ("a", 2), ("b", 3), ("c", 4), ("a", 5), ("b", 6)]);
        assert_eq!(last_wins(given), members(&[("b", 6), ("a", 5), ("c", 4)]));
        assert_eq!(last_wins(Vec::<(Text, i32)>::new()), []);
    }

    #[test]
    fn names_that_may_stand_once_have_a_bit_each() {
        let mut seen = Seen::default();
        for name in ["qid", "userid", "userlogin", "tabid", "executionid", "formid", "name", "sessionid"] {
            let found = Name::find(name.as_bytes()).unwrap();
            assert_eq!(found.word, name);
            assert!(seen.note(&found), "{name}");
            assert!(!seen.note(&found), "{name}");
        }
        let mut all = Seen::default();
        for name in ["result", "error", "errormsg", "chainid", "inputparameters", "outputparameters"] {
            let found = Name::find(name.as_bytes()).unwrap();
            let mut seen = Seen::default();
            assert!(seen.note(&found) && !seen.may_repeat(), "{name}");
            assert!(seen.note(&found) && seen.may_repeat(), "{name}");
            assert!(all.note(&found) && !all.may_repeat(), "{name} has a bit of its own");
        }
        all.note_other();
        assert!(!all.may_repeat());
        all.note_other();
        assert!(all.may_repeat());
        for name in ["", "Qid", "qie", "usernam"] {
            assert!(Name::find(name.as_bytes()).is_none(), "{name}");
        }
    }

    #[test]
    fn repeats_are_found_in_few_and_in_many_names() {
        for count in [0, 1, 2, 12, 13, 1000] {
            let mut names = Names::default();
            names.push("outer".into());
            let opened = names.open();
            for n in 0..count {
                names.push(format!("name{n}").into());
            }
            assert!(!names.close(opened), "{count}");
            for n in 0..count {
                names.push(format!("name{n}").into());
            }
            names.push("name0".into());
            assert_eq!(names.close(opened), count > 0, "{count}");
            let members: Vec<_> = (0..count).map(|n| (Text::from(format!("name{n}")), ())).collect();
            assert!(!repeats(&members), "{count}");
            assert_eq!(repeats(&[&members[..], &members[..]].concat()), count > 0, "{count}");
        }
    }
}
