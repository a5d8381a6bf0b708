//! The engine beside a panic.

use ctigate_proto::hub::settings::{Limits, Notation, Settings};
use ctigate_proto::message::Object;
use ctigate_proto::telephony::{Event, FormOrder, RunId};
use tokio::time::timeout;

use super::*;

struct Nobody;

impl Accounts for Nobody {
    fn verify<'a>(&'a self, _: &'a Attempt) -> Pin<Box<dyn Future<Output = Result<Identity, LoginError>> + Send + 'a>> {
        Box::pin(async { Err(LoginError::WrongPassword) })
    }
}

impl Archive for Nobody {
    fn fetch(&self, _: Fetch) -> Pin<Box<dyn Future<Output = FetchResult> + Send + '_>> {
        Box::pin(async { Err(ctigate_proto::message::Code::Internal.into()) })
    }
}

#[tokio::test]
async fn after_a_panic_under_the_lock_nobody_touches_the_hub_and_the_node_hears_of_it() {
    let settings = Settings {
        seed: [1; 32],
        wall_ms: 0,
        web_ports: (0, 0),
        accounts: Vec::new(),
        links: Vec::new(),
        forms: Vec::new(),
        numbers: Vec::new(),
        breaks: Vec::new(),
        procedures: Vec::new(),
        utc_offset: |_| 0,
        limits: Limits::default(),
        notation: Notation { write: |_| Text::new(), read: |_| None, size: |_, _| 0 },
    };
    let outlets = Outlets {
        pbx: Box::new(|_| panic!("of the test")),
        record: Box::new(drop),
        notice: Box::new(drop),
        kept: Box::new(|| None),
        accounts: Arc::new(Nobody),
        archive: Arc::new(Nobody),
    };
    let engine = Engine::new(Hub::new(settings), outlets);
    let timers = tokio::spawn(Arc::clone(&engine).run_timers(std::future::pending()));
    assert!(matches!(engine.ask(Ask::Snapshot).await, Answer::Snapshot(_)));
    assert!(!engine.has_fallen());
    // A form for nobody is refused at once, by an order to the telephone system.
    let form =
        FormOrder { name: "card".into(), user: "nobody".into(), call: None, parameters: Object::new(), expire: None };
    let teller = Arc::clone(&engine);
    let told = tokio::spawn(async move {
        teller.handle(Input::Pbx(Event::Form { run: Some(RunId(1)), form }));
    });
    assert!(told.await.is_err_and(|e| e.is_panic()));
    timeout(Duration::from_secs(5), engine.fallen()).await.expect("the node hears of it");
    timeout(Duration::from_secs(5), timers).await.expect("the clock stops").expect("without a panic of its own");
    assert!(engine.has_fallen());
    assert!(matches!(engine.ask(Ask::Snapshot).await, Answer::Refused(_)), "nobody looks at what is left");
    assert_eq!(engine.sizes().1, ctigate_proto::hub::Sizes::default());
}
