//! The task that drives the machine: carries what is told in and out, writes recordings, and has no opinion.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use ctigate_proto::Time;
use ctigate_proto::message::Text;
use ctigate_proto::telephony::{Event, Fact, FaxState};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Machine, Note, NoteKind, ScriptError, Settings, Take};
use crate::pbx::{Backend, BackendError, Heard, Ports};

/// Most recordings written in one life, so that a telephone system that is only played with does not fill a disk.
const RECORDINGS: usize = 10_000;

/// The simulated telephone system as a backend.
#[derive(Debug)]
pub struct Simulator {
    settings: Settings,
    /// The machine's time zero.
    started: Instant,
    /// How many recordings were written.
    written: usize,
}

impl Simulator {
    /// A telephone system that begins its timeline when it is run.
    ///
    /// # Errors
    /// The timeline is wrong.
    pub fn new(settings: Settings) -> Result<Self, ScriptError> {
        super::check(&settings.timeline, &settings.directory)?;
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall_ms = i64::try_from(wall.as_millis()).unwrap_or(i64::MAX);
        let record = settings.recordings.is_some();
        Ok(Self { settings: Settings { wall_ms, record, ..settings }, started: Instant::now(), written: 0 })
    }

    /// Tells everything that is to be told. A recording is written before it is told of, and one that cannot be is not told.
    async fn tell(&mut self, machine: &mut Machine, ports: &mut Ports) -> Result<(), BackendError> {
        let mut missing = BTreeSet::new();
        while let Some(take) = machine.poll_take() {
            if !self.keep(&take).await {
                missing.insert(take.file);
            }
        }
        while let Some(note) = machine.poll_note() {
            log(&note);
        }
        while let Some(event) = machine.poll_event() {
            ports.tell(without(event, &missing)).await?;
        }
        Ok(())
    }

    /// Writes a recording; whether it is there now.
    async fn keep(&mut self, take: &Take) -> bool {
        let Some(folder) = &self.settings.recordings else { return false };
        if self.written >= RECORDINGS {
            return false;
        }
        match write(folder, take).await {
            Ok(()) => {
                self.written += 1;
                if self.written == RECORDINGS {
                    tracing::warn!(RECORDINGS, "so many recordings were written: from here on talks are not recorded");
                }
                true
            }
            Err(error) => {
                tracing::warn!(%error, file = %take.file, folder = %folder.display(), "a recording could not be written");
                false
            }
        }
    }
}

async fn write(folder: &Path, take: &Take) -> std::io::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    tokio::fs::write(folder.join(&*take.file), take.bytes()).await
}

/// The event without the recordings that are not there; a fax that could not be written has failed.
fn without(event: Event, missing: &BTreeSet<Text>) -> Event {
    match event {
        Event::Facts(mut facts) if !missing.is_empty() => {
            facts.retain(|fact| !matches!(fact, Fact::Recording { file, .. } if missing.contains(file)));
            for fact in &mut facts {
                if let Fact::Fax(fax) = fact
                    && matches!(&fax.state, FaxState::Done { file, .. } if missing.contains(file))
                {
                    fax.state = FaxState::Failed;
                }
            }
            Event::Facts(facts)
        }
        event => event,
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
        ports.set_up(true);
        loop {
            self.tell(&mut machine, ports).await?;
            let timeout = async {
                match machine.poll_timeout() {
                    Some(at) => tokio::time::sleep_until(started + at.since(Time::ZERO)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = timeout => machine.handle_timeout(now()),
                heard = ports.hear() => match heard? {
                    Heard::Directory(directory) => machine.handle_directory(now(), &directory),
                    Heard::Command(command) => machine.handle_command(now(), command),
                    Heard::Order(order) => {
                        let _ = order.answer.send(machine.handle_control(now(), order.control));
                    }
                },
            }
        }
        machine.end_all(now());
        self.tell(&mut machine, ports).await
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
    use ctigate_proto::telephony::{Command, LegState, OrderId, Outcome};

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

    fn facts(event: Option<Event>) -> Vec<Fact> {
        match event {
            Some(Event::Facts(facts)) => facts,
            other => panic!("facts are due, not {other:?}"),
        }
    }

    fn rings(facts: &[Fact]) -> bool {
        facts.iter().any(|f| matches!(f, Fact::Leg(leg) if leg.state == LegState::Ringing))
    }

    fn over(facts: &[Fact]) -> bool {
        facts.iter().any(|f| matches!(f, Fact::Over { .. }))
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
        let began = facts(events.recv().await);
        assert!(matches!(&began[0], Fact::Call(about) if about.call == call && about.at_ms > 1_700_000_000_000));
        let Some(Event::Ask { run, .. }) = events.recv().await else { panic!("no ask") };
        handle.command(Command::AskDone { run, outcome: Outcome::NoLink }).unwrap();
        assert!(rings(&facts(events.recv().await)));
        let rang = Instant::now();
        facts(events.recv().await);
        assert_eq!(rang.elapsed().as_secs(), 20);
        assert!(over(&facts(events.recv().await)));
        let nobody = Text::from_static("999");
        assert_eq!(handle.control(incoming(nobody.clone())).await, Err(ControlError::NoSuchNumber(nobody)));
        let unknown = Command::Script { order: OrderId(9), name: number.clone(), parameters: Vec::new(), wait: None };
        handle.command(unknown).unwrap();
        assert!(matches!(events.recv().await, Some(Event::ScriptDone { order: OrderId(9), result: Err(_) })));

        let Ok(Done::Call(_)) = handle.control(incoming(Text::from_static("101"))).await else { panic!("no call") };
        stop.cancel();
        let mut last = Vec::new();
        while let Some(event) = events.recv().await {
            if let Event::Facts(facts) = event {
                last.extend(facts);
            }
        }
        task.await.unwrap();
        assert_eq!(last.iter().filter(|fact| matches!(fact, Fact::Over { .. })).count(), 1);
    }

    /// Talks once, and gives the file that was told of.
    async fn recorded(folder: &Path) -> Option<Text> {
        let settings = Settings {
            recordings: Some(folder.to_owned()),
            ..settings("phone 101 answers talks 10s\nat 1s incoming 79001112233 101")
        };
        let (_handle, ports, mut events) = channels(16);
        let stop = CancellationToken::new();
        let task = tokio::spawn(supervise(Simulator::new(settings).unwrap(), ports, stop.clone()));
        let mut file = None;
        loop {
            let Some(Event::Facts(facts)) = events.recv().await else { continue };
            for fact in &facts {
                if let Fact::Recording { file: told, .. } = fact {
                    assert!(folder.join(&**told).exists(), "told of before it is there");
                    file = Some(told.clone());
                }
            }
            if over(&facts) {
                break;
            }
        }
        stop.cancel();
        task.await.unwrap();
        file
    }

    #[tokio::test]
    async fn a_talk_is_recorded_before_it_is_told_of() {
        tokio::time::pause();
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("recordings");
        let file = recorded(&below).await.expect("a recording");
        let bytes = std::fs::read(below.join(&*file)).unwrap();
        assert_eq!(&bytes[..4], b"RIFF");
        assert!(bytes.len() > 8000 && bytes.len() < 100_000, "{}", bytes.len());
    }

    #[tokio::test]
    async fn a_recording_that_cannot_be_written_is_not_told_of() {
        tokio::time::pause();
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(recorded(file.path()).await, None);
    }

    #[test]
    fn a_wrong_timeline_is_refused_before_anything_runs() {
        let wrong = Simulator::new(settings("at 1s answer 102")).unwrap_err();
        assert_eq!(wrong.to_string(), "line 1, column 14: found `102`, expected the number of a phone (101)");
    }
}
