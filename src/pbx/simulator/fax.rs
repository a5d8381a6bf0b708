//! Faxes between two who talk. Sending takes its time; who hangs up, holds or is handed on meanwhile breaks it off. What comes
//! is a PDF that names its sender, for whoever wants to see that it came.

use std::time::Duration;

use chrono::DateTime;
use ctigate_proto::message::Text;
use ctigate_proto::telephony::{Fact, FaxFact, FaxId, FaxState};

use super::legs::{CallKey, LegKey};
use super::machine::Due;
use super::recording::Take;
use super::timers::Alarm;
use super::{Machine, NoteKind};
use crate::pbx::ControlError;

/// Most pages of a fax.
const PAGES: u32 = 50;
/// How long the two machines take to agree.
const GREETING: Duration = Duration::from_secs(2);
/// How long a page takes.
const PAGE: Duration = Duration::from_secs(4);

/// A fax that goes over a line.
#[derive(Debug)]
pub(super) struct Fax {
    call: CallKey,
    fact: FaxFact,
    from: LegKey,
    to: LegKey,
    pages: u32,
    alarm: Option<Alarm>,
}

impl Machine {
    /// A person sends a fax to whom they talk with.
    pub(super) fn person_faxes(&mut self, number: &Text, pages: u32) -> Result<(), ControlError> {
        if !(1..=PAGES).contains(&pages) {
            return Err(ControlError::BadPages(PAGES));
        }
        let refused = ControlError::Refused(ctigate_proto::telephony::Refusal::WrongState);
        let from = self.present(number).or_else(|| self.stranger(number));
        let from = from.ok_or_else(|| ControlError::NoCall(number.clone()))?;
        let to = self.peer(from).filter(|to| self.can_fax(from, *to)).ok_or(refused)?;
        let Some(((call, from_id), to_id)) = self
            .legs
            .get(&from)
            .map(|leg| (leg.call, leg.id.clone()))
            .zip(self.legs.get(&to).map(|leg| leg.id.clone()))
        else {
            return Err(ControlError::NoCall(number.clone()));
        };
        let id = FaxId(self.guid());
        let fact = FaxFact {
            fax: id.clone(),
            call: self.calls.get(&call).map(|call| call.id.clone()).unwrap_or_default(),
            seq: 1,
            at_ms: self.wall_ms(),
            from: from_id,
            to: to_id,
            state: FaxState::Going,
        };
        self.note(Some(&fact.call), NoteKind::Step, format!("{number} sends a fax of {pages} pages"));
        let time = self.paced(GREETING + PAGE * pages);
        let alarm = Some(self.alarm(time, Due::FaxIsThere(id.clone())));
        self.news.faxes.push(Fact::Fax(fact.clone()));
        self.faxes.insert(id, Fax { call, fact, from, to, pages, alarm });
        Ok(())
    }

    /// Whether two talk with each other, and neither is busy with a fax already.
    fn can_fax(&self, from: LegKey, to: LegKey) -> bool {
        self.hears_fax(from, to)
            && !self.faxes.values().any(|fax| [fax.from, fax.to].iter().any(|l| [from, to].contains(l)))
    }

    fn hears_fax(&self, from: LegKey, to: LegKey) -> bool {
        let here = |key| self.legs.get(&key).is_some_and(|leg| leg.lives() && !leg.held);
        self.peer(from) == Some(to) && here(from) && here(to)
    }

    /// Breaks off the faxes of a conversation whose two ends do not talk any more.
    pub(super) fn settle_faxes(&mut self, call: CallKey) {
        let of_call = self.faxes.iter().filter(|(_, fax)| fax.call == call);
        let broken: Vec<FaxId> =
            of_call.filter(|(_, fax)| !self.hears_fax(fax.from, fax.to)).map(|(id, _)| id.clone()).collect();
        for id in broken {
            self.end_fax(&id, |_| FaxState::Failed);
        }
    }

    /// The last page is there.
    pub(super) fn fax_is_there(&mut self, id: &FaxId) {
        let Some(fax) = self.faxes.get(id) else { return };
        let number = |key| self.legs.get(&key).map(|leg| leg.number().clone()).unwrap_or_default();
        let sheets = Sheets { from: number(fax.from), to: number(fax.to), pages: fax.pages, at_ms: self.wall_ms() };
        if !self.settings.record {
            let call = fax.fact.call.clone();
            self.note(Some(&call), NoteKind::Odd, "there is no folder of recordings to keep a fax in");
            return self.end_fax(id, |_| FaxState::Failed);
        }
        let take = Take::of_fax(id, sheets);
        let file = take.file.clone();
        self.takes.push_back(take);
        self.end_fax(id, |fax| FaxState::Done { file, pages: fax.pages });
    }

    fn end_fax(&mut self, id: &FaxId, state: impl FnOnce(&Fax) -> FaxState) {
        let Some(mut fax) = self.faxes.remove(id) else { return };
        self.timers.cancel(&mut fax.alarm);
        let state = state(&fax);
        self.news.faxes.push(Fact::Fax(FaxFact { seq: 2, at_ms: self.wall_ms(), state, ..fax.fact }));
    }
}

/// What a fax shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sheets {
    pub(super) from: Text,
    pub(super) to: Text,
    pub(super) pages: u32,
    pub(super) at_ms: i64,
}

impl Sheets {
    /// The fax as PDF 1.4: A4 pages that say who sent them to whom.
    pub(super) fn pdf(&self) -> Vec<u8> {
        let kids: Vec<String> = (0..self.pages).map(|page| format!("{} 0 R", 4 + page * 2)).collect();
        let mut objects = vec![
            "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
            format!("<< /Type /Pages /Count {} /Kids [{}] >>", self.pages, kids.join(" ")),
            "<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>".to_owned(),
        ];
        for page in 0..self.pages {
            let lines = [
                format!("FAX  {} -> {}", plain(&self.from), plain(&self.to)),
                format!("page {} of {}", page + 1, self.pages),
                DateTime::from_timestamp_millis(self.at_ms)
                    .unwrap_or_default()
                    .format("%Y-%m-%d %H:%M:%S UTC")
                    .to_string(),
            ];
            let shown: String = lines.iter().map(|line| format!("({line}) Tj T*\n")).collect();
            let ink = format!("BT /F1 14 Tf 20 TL 72 760 Td\n{shown}ET\n1 w 72 690 m 523 690 l S\n");
            objects.push(format!(
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> \
                 /Contents {} 0 R >>",
                5 + page * 2
            ));
            objects.push(format!("<< /Length {} >>\nstream\n{ink}endstream", ink.len()));
        }
        let mut file = String::from("%PDF-1.4\n");
        let mut table = String::from("0000000000 65535 f \n");
        for (at, object) in objects.iter().enumerate() {
            table += &format!("{:010} 00000 n \n", file.len());
            file += &format!("{} 0 obj\n{object}\nendobj\n", at + 1);
        }
        let (start, size) = (file.len(), objects.len() + 1);
        file += &format!("xref\n0 {size}\n{table}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
        file.into_bytes()
    }
}

/// A number without what would end a string of a PDF.
fn plain(number: &str) -> String {
    number.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '(' | ')' | '\\')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fax_is_a_pdf_whose_table_finds_each_object() {
        let sheets = Sheets { from: "79001112233".into(), to: "(101)".into(), pages: 3, at_ms: 0 };
        let file = String::from_utf8(sheets.pdf()).unwrap();
        assert!(file.starts_with("%PDF-1.4\n") && file.ends_with("%%EOF\n"));
        assert!(file.contains("(FAX  79001112233 -> 101) Tj") && file.contains("(page 3 of 3) Tj"));
        let start: usize = file.lines().rev().nth(1).unwrap().parse().unwrap();
        let entries: Vec<&str> = file[start..].lines().skip(3).take_while(|l| l.ends_with(" n ")).collect();
        assert_eq!(entries.len(), 9);
        for (at, entry) in entries.iter().enumerate() {
            let offset: usize = entry[..10].parse().unwrap();
            assert!(file[offset..].starts_with(&format!("{} 0 obj\n", at + 1)), "object {at}");
        }
    }
}
