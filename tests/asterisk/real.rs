//! The office of a real Asterisk, with real phones and a provider.

use std::net::Ipv4Addr;
use std::sync::LazyLock;
use std::time::Duration;

use ctigate::config::{Config, PbxKind, Secret};
use tokio::time::Instant;

use crate::SOON;
use crate::crm::Crm;
use crate::desk::Desk;
use crate::dialplan::{self, TEAMS, TRUNK_IP};
use crate::office::{Office, Pbx, RUNTIME, configuration};
use crate::phones::{Manner, Phones};
use crate::server::{Asterisk, Ports, SECRET, USER};

/// Asterisk, the phones of the house, and everybody outside.
pub(crate) struct Real {
    pub(crate) asterisk: Asterisk,
    pub(crate) phones: Phones,
    pub(crate) world: Phones,
}

static OFFICE: LazyLock<Office<Real>> =
    LazyLock::new(|| std::thread::spawn(|| RUNTIME.block_on(open())).join().expect("the office opens"));

async fn open() -> Office<Real> {
    let folder = tempfile::tempdir().unwrap();
    let real = Real::start().await;
    let mut config = configuration(folder.path());
    real.configure(&mut config, real.asterisk.ports.ami);
    let office = Office::open(real, config, folder).await;
    office.is_seen().await;
    office
}

/// The CRM that is linked with the office.
pub(crate) fn crm() -> &'static Crm {
    static CRM: LazyLock<Crm> = LazyLock::new(|| {
        let link = OFFICE.config.links[0].bind.expect("it waits for a CRM");
        std::thread::spawn(move || RUNTIME.block_on(Crm::connect(link))).join().expect("the CRM connects")
    });
    &CRM
}

impl Office<Real> {
    /// Waits until the gateway has read what is there: a phone that nobody has connected is away then.
    pub(crate) async fn is_seen(&self) {
        let number = dialplan::extension(TEAMS - 1, 1);
        Desk::open(self.web(), &format!("u{number}"), &number).await.is("disconnected").await;
    }
}

impl Real {
    /// Starts one, with its phones.
    pub(crate) async fn start() -> Self {
        // The provider's address stands in Asterisk's configuration, so it comes first; where it sends to comes after.
        let ports = Ports::free((TRUNK_IP, 0).into());
        let sip = (Ipv4Addr::LOCALHOST, ports.sip).into();
        let world = Phones::at(TRUNK_IP, sip).await;
        let phones = Phones::at(Ipv4Addr::LOCALHOST, sip).await;
        let asterisk = Asterisk::start(Ports { trunk: world.address(), ..ports }).await;
        Self { asterisk, phones, world }
    }

    /// Tells a gateway where it is.
    pub(crate) fn configure(&self, config: &mut Config, ami: u16) {
        config.pbx.kind = PbxKind::Asterisk;
        config.pbx.asterisk.port = ami;
        config.pbx.asterisk.user = USER.to_owned();
        config.pbx.asterisk.secret = Some(Secret::new(SECRET));
        config.pbx.asterisk.agi_bind = Some((Ipv4Addr::LOCALHOST, self.asterisk.ports.agi).into());
        config.pbx.asterisk.agi_timeout = Duration::from_secs(2);
        config.pbx.asterisk.services = dialplan::services();
        config.pbx.asterisk.talk_notify = (0..TEAMS).map(|team| dialplan::extension(team, 4)).collect();
        config.pbx.asterisk.system = "bed".to_owned();
        config.pbx.asterisk.record_folder = self.asterisk.recordings().display().to_string();
        config.recordings.folder = self.asterisk.recordings();
    }

    /// The bank that has this number's phone.
    pub(crate) fn bank(&self, number: &str) -> &Phones {
        if number.len() > 4 { &self.world } else { &self.phones }
    }
}

impl Pbx for Real {
    fn office() -> &'static Office<Self> {
        &OFFICE
    }

    async fn ready(&self, numbers: &[String]) {
        for number in numbers {
            self.phones.register(number).await;
        }
    }

    async fn comes_in(&self, caller: &str, called: &str) {
        self.world.dial(caller, "", called).await;
    }

    async fn picks_up(&self, number: &str) {
        self.bank(number).answer(number).await;
    }

    async fn hangs_up(&self, number: &str) {
        self.bank(number).hang_up(number).await;
    }

    async fn refuses(&self, number: &str) {
        self.bank(number).refuse(number, "603 Decline").await;
    }

    async fn is_busy(&self, number: &str) {
        self.bank(number).manner(number, Manner::Busy);
    }

    async fn is_away(&self, number: &str, away: bool) {
        if away { self.phones.unregister(number).await } else { self.phones.register(number).await }
    }

    async fn is_quiet(&self, numbers: &[String]) {
        for number in numbers {
            self.phones.is_free(number).await;
        }
        let until = Instant::now() + SOON;
        loop {
            let channels = self.asterisk.channels().await;
            let ours = |name: &&String| numbers.iter().any(|n| name.contains(&format!("/{n}")));
            let left: Vec<&String> = channels.iter().filter(ours).collect();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < until, "channels are left: {left:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
