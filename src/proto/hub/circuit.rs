//! Circuits: a method of a link that failed several times in a row rests, so that callers do not wait for nothing.
//! `proto-spec/dynamic.md`, "Circuit".

use std::time::Duration;

use crate::Time;
use crate::message::Text;

use super::Hub;
use super::output::{Notice, Output};

/// So many failures to reach a CRM in a row open the circuit of the method.
const CIRCUIT_FAILURES: u32 = 5;
/// For how long.
const CIRCUIT_PAUSE: Duration = Duration::from_secs(10);
/// Whether a method of a link is worth asking.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    failures: u32,
    open_until: Option<Time>,
    /// A trial is under way.
    trying: bool,
}

impl Hub {
    pub(super) fn circuit_lets_pass(&mut self, link: usize, method: &Text) -> bool {
        let now = self.now;
        let Some(circuit) = self.links[link].circuits.get_mut(method) else { return true };
        match circuit.open_until {
            None => true,
            Some(until) if until > now || circuit.trying => false,
            Some(_) => {
                circuit.trying = true;
                true
            }
        }
    }

    pub(super) fn circuit_failed(&mut self, link: usize, method: &Text) {
        let method = method.clone();
        let until = self.now + CIRCUIT_PAUSE;
        let circuit = self.links[link].circuits.entry(method.clone()).or_default();
        circuit.failures += 1;
        circuit.trying = false;
        if circuit.failures >= CIRCUIT_FAILURES {
            let newly = circuit.open_until.is_none();
            circuit.open_until = Some(until);
            if newly {
                let link = self.links[link].settings.name.clone();
                self.out.push_back(Output::Notice(Notice::Circuit { link, method, open: true }));
            }
        }
    }

    pub(super) fn circuit_closed(&mut self, link: usize, method: &Text) {
        let circuits = &mut self.links[link].circuits;
        // Mostly nothing failed: no name has to be hashed for that.
        if !circuits.is_empty()
            && let Some(circuit) = circuits.remove(method)
            && circuit.open_until.is_some()
        {
            let link = self.links[link].settings.name.clone();
            self.out.push_back(Output::Notice(Notice::Circuit { link, method: method.clone(), open: false }));
        }
    }

    /// A trial that says nothing about the CRM; the next may try.
    pub(super) fn circuit_trial_over(&mut self, link: usize, method: &Text) {
        if let Some(circuit) = self.links[link].circuits.get_mut(method) {
            circuit.trying = false;
        }
    }
}
