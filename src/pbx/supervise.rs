//! Runs a backend as long as the node runs.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use thiserror::Error;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Ports;

/// A telephone system.
pub trait Backend: Send {
    /// Its name in logs, as in the configuration's `kind`.
    const KIND: &'static str;
    /// Whether its calls live on without us. Then they are not told to be over when the node stops: its next life finds them
    /// again.
    const CALLS_LIVE_ON: bool = false;

    /// Works until `stop`, or until it cannot any more. A lost connection to the telephone system is the backend's own
    /// business as long as the calls there live on; it returns an error when what it told before is void. Then everything
    /// open is ended in its name and it is run anew.
    ///
    /// # Errors
    /// Why it ended before `stop`.
    fn run(
        &mut self,
        ports: &mut Ports,
        stop: &CancellationToken,
    ) -> impl Future<Output = Result<(), BackendError>> + Send;
}

/// Why a backend ended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BackendError {
    /// It may work the next time.
    #[error("{0}")]
    Again(String),
    /// It will never work as it is configured: it is not run again until the node is started anew.
    #[error("{0}")]
    Never(String),
    /// The house has closed its end: the node stops.
    #[error("nobody listens any more")]
    Unheard,
}

/// How long to wait before each new start; the last one repeats.
const BACKOFF: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
];
/// A backend that ran so long starts from the first back-off again.
const HEALTHY: Duration = Duration::from_secs(60);

/// Runs `backend` until `stop`, again and again if it must be, a panic included. Whenever it dies or stops it is told in its
/// name that its calls are over, its orders and waits are void and its phones are gone. While it is down orders are answered
/// with [`ControlError::Down`](super::ControlError::Down) or [`Refusal::Down`](ctigate_proto::telephony::Refusal::Down). Its
/// next life is told first what lasts: redirections, and who may be rung by queues.
pub async fn supervise<B: Backend>(mut backend: B, mut ports: Ports, stop: CancellationToken) {
    let mut failures = 0;
    loop {
        let began = Instant::now();
        ports.begin_again();
        let ended = AssertUnwindSafe(backend.run(&mut ports, &stop)).catch_unwind().await;
        let ended = ended.unwrap_or_else(|_| Err(BackendError::Again("it panicked".to_owned())));
        ports.set_up(false);
        let live_on = B::CALLS_LIVE_ON && stop.is_cancelled();
        if ports.settle(live_on).await.is_err() || stop.is_cancelled() {
            return;
        }
        let (why, pause) = match ended {
            Err(BackendError::Unheard) => return,
            Err(BackendError::Never(why)) => (why, None),
            ended => {
                if began.elapsed() >= HEALTHY {
                    failures = 0;
                }
                let pause = BACKOFF[failures.min(BACKOFF.len() - 1)];
                failures += 1;
                let why = ended.err().map_or_else(|| "it ended by itself".to_owned(), |e| e.to_string());
                (why, Some(pause))
            }
        };
        tracing::error!(backend = B::KIND, why, again_after = ?pause, "the telephone system is down");
        let pause = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = pause => {}
            Err(_) = refuse(&mut ports) => return,
        }
    }
}

/// Answers for a backend that is down.
async fn refuse(ports: &mut Ports) -> Result<Infallible, BackendError> {
    loop {
        ports.refuse().await?;
    }
}

#[cfg(test)]
mod tests {
    use ctigate_proto::message::{Object, Text};
    use ctigate_proto::telephony::{
        Act, Ask, CallFact, CallId, Command, Event, Fact, OrderId, Outcome, Parties, Refusal, RunId,
    };

    use super::*;
    use crate::pbx::{Control, ControlError, Heard, channels};

    /// Dies once by a panic, in the middle of a call, and lives from then on.
    struct Mortal {
        lives: usize,
    }

    impl Backend for Mortal {
        const KIND: &'static str = "mortal";

        async fn run(&mut self, ports: &mut Ports, stop: &CancellationToken) -> Result<(), BackendError> {
            self.lives += 1;
            if self.lives > 1 {
                // What lasts is heard before anything else.
                for number in ["101", "102"] {
                    let Heard::Command(command) = ports.hear().await? else { return Err(BackendError::Unheard) };
                    assert!(
                        matches!(&command, Command::Redirect { number: n, .. } | Command::Agent { number: n, .. } if n == number)
                    );
                }
                ports.set_up(true);
                ports.tell(Event::Phone { number: number(), connected: true }).await?;
                stop.cancelled().await;
                return Ok(());
            }
            for name in ["over", "open"] {
                let parties = Parties { caller: number(), caller_name: Text::new(), called: number() };
                let about = CallFact { call: call(name), at_ms: 0, parties };
                ports.tell(Event::Facts(vec![Fact::Call(about)])).await?;
            }
            ports.tell(Event::Facts(vec![Fact::Over { call: call("over"), at_ms: 1 }])).await?;
            for run in [RunId(1), RunId(2)] {
                let ask = Ask {
                    method: number(),
                    input: Object::new(),
                    call: Some(call("open")),
                    user: Text::new(),
                    deadline: None,
                    late: Duration::ZERO,
                    fallback: None,
                };
                ports.tell(Event::Ask { run, ask }).await?;
            }
            for _ in 0..5 {
                ports.hear().await?;
            }
            ports.tell(Event::Done { order: OrderId(1), result: Ok(()) }).await?;
            panic!("dies in the middle of a call");
        }
    }

    fn number() -> Text {
        Text::from_static("101")
    }

    fn call(name: &'static str) -> CallId {
        CallId(Text::from_static(name))
    }

    fn hang_up(order: u64) -> Command {
        Command::Phone { order: OrderId(order), number: number(), act: Act::Hangup }
    }

    fn script(order: u64) -> Command {
        Command::Script { order: OrderId(order), name: number(), parameters: Vec::new(), wait: None }
    }

    fn refused(order: u64) -> Option<Event> {
        Some(Event::Done { order: OrderId(order), result: Err(Refusal::Down) })
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_backend_leaves_no_call_order_or_wait_behind_and_is_run_anew() {
        let (handle, ports, mut events) = channels(16);
        let stop = CancellationToken::new();
        let task = tokio::spawn(supervise(Mortal { lives: 0 }, ports, stop.clone()));
        for _ in 0..5 {
            events.recv().await.unwrap();
        }
        handle.command(Command::AskDone { run: RunId(1), outcome: Outcome::Timeout }).unwrap();
        handle.command(hang_up(1)).unwrap();
        handle.command(hang_up(2)).unwrap();
        handle.command(script(3)).unwrap();
        handle.command(Command::Redirect { number: number(), to: Some(number()), cascade: false }).unwrap();
        assert!(matches!(events.recv().await, Some(Event::Done { order: OrderId(1), result: Ok(()) })));
        assert_eq!(events.recv().await, Some(Event::AskCancelled { run: RunId(2) }));
        let Some(Event::Facts(facts)) = events.recv().await else { panic!("the open call has no end") };
        assert!(matches!(&facts[..], [Fact::Over { call: c, at_ms }] if *c == call("open") && *at_ms > 0));
        assert_eq!(events.recv().await, refused(2));
        let result = Err(Refusal::Down);
        assert_eq!(events.recv().await, Some(Event::ScriptDone { order: OrderId(3), result }));

        // Down: what comes now is refused, but for what lasts.
        assert!(!handle.is_up());
        assert_eq!(handle.control(Control::Answer { number: number() }).await, Err(ControlError::Down));
        handle.command(Command::Agent { number: Text::from_static("102"), away: Some(Text::new()) }).unwrap();
        handle.command(hang_up(4)).unwrap();
        handle.command(script(5)).unwrap();
        assert_eq!(events.recv().await, refused(4));
        assert!(matches!(
            events.recv().await,
            Some(Event::ScriptDone { order: OrderId(5), result: Err(Refusal::Down) })
        ));

        assert_eq!(events.recv().await, Some(Event::Phone { number: number(), connected: true }));
        assert!(handle.is_up());
        stop.cancel();
        assert_eq!(events.recv().await, Some(Event::Phone { number: number(), connected: false }));
        task.await.unwrap();
        assert!(!handle.is_up());
        assert_eq!(events.recv().await, None);
    }

    /// Whose calls live on.
    struct Immortal;

    impl Backend for Immortal {
        const KIND: &'static str = "immortal";
        const CALLS_LIVE_ON: bool = true;

        async fn run(&mut self, ports: &mut Ports, stop: &CancellationToken) -> Result<(), BackendError> {
            let parties = Parties { caller: number(), caller_name: Text::new(), called: number() };
            let about = CallFact { call: call("open"), at_ms: 0, parties };
            ports.tell(Event::Facts(vec![Fact::Call(about)])).await?;
            ports.hear().await?;
            tokio::select! {
                () = stop.cancelled() => Ok(()),
                heard = ports.hear() => Err(BackendError::Again(format!("{heard:?}"))),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_live_on_are_not_over_when_the_node_stops_but_orders_are_answered() {
        for stops in [true, false] {
            let (handle, ports, mut events) = channels(8);
            let stop = CancellationToken::new();
            let task = tokio::spawn(supervise(Immortal, ports, stop.clone()));
            assert!(matches!(events.recv().await, Some(Event::Facts(_))));
            handle.command(hang_up(1)).unwrap();
            if stops {
                tokio::task::yield_now().await;
                stop.cancel();
            } else {
                // A life that ends in an error knows nothing of its calls any more.
                handle.command(hang_up(2)).unwrap();
                let over = events.recv().await;
                assert!(matches!(&over, Some(Event::Facts(f)) if matches!(f[0], Fact::Over { .. })), "{over:?}");
            }
            assert_eq!(events.recv().await, refused(1));
            stop.cancel();
            while !stops && events.recv().await.is_some() {}
            assert!(!stops || events.recv().await.is_none());
            task.await.unwrap();
        }
    }

    struct Hopeless;

    impl Backend for Hopeless {
        const KIND: &'static str = "hopeless";

        async fn run(&mut self, _: &mut Ports, _: &CancellationToken) -> Result<(), BackendError> {
            Err(BackendError::Never("no such host".to_owned()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_backend_that_can_never_work_is_not_run_again_but_orders_are_answered() {
        let (handle, ports, mut events) = channels(8);
        let stop = CancellationToken::new();
        let task = tokio::spawn(supervise(Hopeless, ports, stop.clone()));
        for order in 0..3 {
            assert_eq!(handle.control(Control::Answer { number: number() }).await, Err(ControlError::Down));
            handle.command(hang_up(order)).unwrap();
            assert_eq!(events.recv().await, refused(order));
        }
        stop.cancel();
        task.await.unwrap();
    }
}
