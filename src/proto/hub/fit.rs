//! What fits a tab: events to tabs go as one frame each, so one that grew too long in translation goes to nobody and its
//! sender is told. `proto-spec/limits.md`.

use crate::message::{CallError, Code, Format, PeerId, Shared};

use super::{Hub, Peer};

/// By how much a message may grow from its weight when it is written: an array of digits in JSON becomes an element for each in
/// XML. What is safe by this factor is not measured.
const STRETCH: usize = 16;

impl Hub {
    /// Whether an event fits the tabs among these peers, each in its own format. Links take any length, in packets.
    ///
    /// # Errors
    /// 59002 with the length and the limit.
    pub(super) fn fits_tabs(&self, to: &[PeerId], event: &Shared) -> Result<(), CallError> {
        if self.fits_surely(event) {
            return Ok(());
        }
        let formats = |peer: &PeerId| match self.peers.get(peer) {
            Some(Peer::Tab(tab)) => tab.format.map_or([true; 2], |f| [f == Format::Json, f == Format::Xml]),
            Some(Peer::Link(_) | Peer::Service(_)) | None => [false; 2],
        };
        let [json, xml] = to.iter().map(formats).fold([false; 2], |a, b| [a[0] || b[0], a[1] || b[1]]);
        self.fits_in(event, [(json, Format::Json), (xml, Format::Xml)])
    }

    /// Whether an event fits a tab of whichever format: what is shown to tabs that are still to come.
    ///
    /// # Errors
    /// The same.
    pub(super) fn fits_any_tab(&self, event: &Shared) -> Result<(), CallError> {
        if self.fits_surely(event) {
            return Ok(());
        }
        self.fits_in(event, [(true, Format::Json), (true, Format::Xml)])
    }

    fn fits_surely(&self, event: &Shared) -> bool {
        event.weight().saturating_mul(STRETCH) <= self.settings.limits.tab_event
    }

    fn fits_in(&self, event: &Shared, formats: [(bool, Format); 2]) -> Result<(), CallError> {
        let most = self.settings.limits.tab_event;
        for format in formats.into_iter().filter_map(|(wanted, format)| wanted.then_some(format)) {
            let size = (self.settings.notation.size)(event, format);
            if size > most {
                let detail = format!(
                    "{} takes {size} bytes in {}, expected at most {most} for a tab",
                    event.envelope().name,
                    format.word()
                );
                return Err(CallError::new(Code::BadRequest, detail));
            }
        }
        Ok(())
    }
}
