//! The task that drives the machine: carries what is told in and out, and has no opinion.

use ctigate_proto::Time;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Machine, Note, NoteKind, ScriptError, Settings};
use crate::pbx::{Backend, BackendError, Heard, Ports};

/// The simulated telephone system as a backend.
#[derive(Debug)]
pub struct Simulator {
    settings: Settings,
    /// The machine's time zero.
    started: Instant,
}

impl Simulator {
    /// A telephone system that begins its timeline when it is run.
    ///
    /// # Errors
    /// The timeline is wrong.
    pub fn new(settings: Settings) -> Result<Self, ScriptError> {
        super::check(&settings.timeline, &settings.directory)?;
        Ok(Self { settings, started: Instant::now() })
    }
}

impl Backend for Simulator {
    const KIND: &'static str = "simulator";

    async fn run(&mut self, ports: &mut Ports, stop: &CancellationToken) -> Result<(), BackendError> {
        let started = self.started;
        let now = || Time::ZERO + started.elapsed();
        let wrong = |wrong: ScriptError| BackendError::Never(wrong.to_string());
        let mut machine = Machine::new(self.settings.clone(), now()).map_err(wrong)?;
        // Should this life end in a panic, the next one has other ids of calls and runs.
        self.settings.seed = self.settings.seed.wrapping_add(1);
        self.settings.first_run += 1 << 32;
        loop {
            while let Some(note) = machine.poll_note() {
                log(&note);
            }
            while let Some(event) = machine.poll_event() {
                ports.tell(event).await?;
            }
            let timeout = async {
                match machine.poll_timeout() {
                    Some(at) => tokio::time::sleep_until(started + at.since(Time::ZERO)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                heard = ports.hear() => match heard? {
                    Heard::Command(command) => machine.handle_command(now(), command),
                    Heard::Order(order) => {
                        let _ = order.answer.send(machine.handle_control(now(), order.control));
                    }
                },
                () = timeout => machine.handle_timeout(now()),
            }
        }
        machine.end_all(now());
        while let Some(event) = machine.poll_event() {
            ports.tell(event).await?;
        }
        Ok(())
    }
}

fn log(note: &Note) {
    let call = note.call.as_ref().map_or("", |call| &*call.0);
    match note.kind {
        NoteKind::Say => tracing::info!(call, text = note.text, "the caller hears"),
        NoteKind::Step => tracing::debug!(call, "{}", note.text),
        NoteKind::Odd => tracing::warn!(call, "{}", note.text),
    }
}

#[cfg(test)]
mod tests {
    use ctigate_proto::message::Text;
    use ctigate_proto::telephony::{Command, Event, Outcome};

    use super::*;
    use crate::pbx::{Control, ControlError, Directory, Done, Extension, channels, supervise};

    fn settings(timeline: &str) -> Settings {
        let number = Text::from_static("101");
        let extension = Extension { number, name: Text::new(), login: None };
        Settings {
            directory: Directory { extensions: vec![extension], queues: Vec::new() },
            timeline: timeline.to_owned(),
            ..Settings::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_goes_through_the_channels_and_the_clock() {
        let simulator = Simulator::new(settings("on 500 {\nask M\nring 101 for 20s\n}")).unwrap();
        let (handle, ports, mut events) = channels(4);
        let stop = CancellationToken::new();
        let task = tokio::spawn(supervise(simulator, ports, stop.clone()));
        assert!(matches!(events.recv().await, Some(Event::Phone { connected: true, .. })));
        let number = Text::from_static("7900");
        let incoming = |called| Control::Incoming { caller: number.clone(), name: Text::new(), called };
        let Ok(Done::Call(call)) = handle.control(incoming(Text::from_static("500"))).await else { panic!("no call") };
        assert!(matches!(events.recv().await, Some(Event::Began { call: began, .. }) if began == call));
        let Some(Event::Ask { run, .. }) = events.recv().await else { panic!("no ask") };
        handle.command(Command::AskDone { run, outcome: Outcome::NoLink }).unwrap();
        assert!(matches!(events.recv().await, Some(Event::Ringing { .. })));
        let rang = Instant::now();
        assert!(matches!(events.recv().await, Some(Event::RingStopped { .. })));
        assert_eq!(rang.elapsed().as_secs(), 20);
        assert!(matches!(events.recv().await, Some(Event::Ended { .. })));
        let nobody = Text::from_static("999");
        assert_eq!(handle.control(incoming(nobody.clone())).await, Err(ControlError::NoSuchNumber(nobody)));

        let Ok(Done::Call(_)) = handle.control(incoming(Text::from_static("101"))).await else { panic!("no call") };
        stop.cancel();
        let mut last = Vec::new();
        while let Some(event) = events.recv().await {
            last.push(event);
        }
        task.await.unwrap();
        assert_eq!(last.iter().filter(|event| matches!(event, Event::Ended { .. })).count(), 1);
    }

    #[test]
    fn a_wrong_timeline_is_refused_before_anything_runs() {
        let wrong = Simulator::new(settings("at 1s answer 102")).unwrap_err();
        assert_eq!(wrong.to_string(), "line 1, column 14: found `102`, expected the number of a phone (101)");
    }
}
