//! Figures for Prometheus. Counting is an atomic addition; the first few values of a label are found without a lock, and whoever
//! counts often keeps what [`Family::with`] gave.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ctigate_proto::hub::Snapshot;

/// What the page is served as.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Most label values of one family; what comes after counts as `other`.
const MOST_LABELS: usize = 256;

/// A figure that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Adds one, for whoever is the only one that counts just now: no other core has to be kept off. Of two at once one would be lost.
    pub fn inc_alone(&self) {
        add_alone(&self.0, 1);
    }

    /// The figure.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn add_alone(figure: &AtomicU64, n: u64) {
    figure.store(figure.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

/// A figure that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Adds one.
    pub fn inc(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes one away.
    pub fn dec(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Sets the figure.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The figure.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of the buckets of a [`Histogram`], in milliseconds.
const BOUNDS: [u64; 14] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 60_000];

/// How long things took.
#[derive(Debug, Default)]
pub struct Histogram {
    /// How many fell into each bucket; the last is for all that took longer.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Histogram {
    /// Counts one that took so long.
    pub fn observe(&self, took: Duration) {
        let (bucket, micros) = self.place(took);
        bucket.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// The same, as [`Counter::inc_alone`].
    pub fn observe_alone(&self, took: Duration) {
        let (bucket, micros) = self.place(took);
        add_alone(bucket, 1);
        add_alone(&self.micros, micros);
    }

    fn place(&self, took: Duration) -> (&AtomicU64, u64) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| micros <= bound * 1000).unwrap_or(BOUNDS.len());
        (&self.buckets[bucket], micros)
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// How many fell into each bucket so far.
    pub fn counts(&self) -> Counts {
        Counts(std::array::from_fn(|at| self.buckets[at].load(Ordering::Relaxed)))
    }
}

/// The buckets of a [`Histogram`] at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; BOUNDS.len() + 1]);

impl Counts {
    /// Adds those of another histogram.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(own, other)| *own += other);
    }

    /// How many in all.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Those that came after an earlier moment.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at].saturating_sub(before.0[at])))
    }
}

/// Below which time, in milliseconds, the share `q` of all (0 to 1) was, taken as spread evenly within a bucket; of what took
/// longer than the last bound, the last bound. `None`: there was nothing.
pub fn quantile(counts: &Counts, q: f64) -> Option<f64> {
    let all = counts.count();
    let wanted = q * all as f64;
    let (mut before, mut least) = (0.0, 0.0);
    for (at, count) in counts.0.iter().map(|count| *count as f64).enumerate().filter(|(_, count)| *count > 0.0) {
        least = at.checked_sub(1).map_or(0.0, |at| BOUNDS[at] as f64);
        if before + count >= wanted {
            let most = BOUNDS.get(at).map_or(least, |bound| *bound as f64);
            return Some(least + (most - least) * (wanted - before) / count);
        }
        before += count;
    }
    (all > 0).then_some(least)
}

/// One figure for each value of a label.
#[derive(Debug)]
pub struct Family<T> {
    label: &'static str,
    values: Mutex<BTreeMap<String, Arc<T>>>,
    /// The values that came first: mostly all there are, or those that come most.
    first: [OnceLock<(String, Arc<T>)>; 4],
}

impl<T: Default> Family<T> {
    fn new(label: &'static str) -> Self {
        Self { label, values: Mutex::default(), first: std::array::from_fn(|_| OnceLock::new()) }
    }

    /// The figure for a value of the label, made at the first asking. The values must be few: names from the configuration,
    /// words of the code.
    pub fn with(&self, value: &str) -> Arc<T> {
        let known = self.first.iter().map_while(OnceLock::get).find(|(known, _)| known == value);
        if let Some((_, figure)) = known {
            return Arc::clone(figure);
        }
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(figure) = values.get(value) {
            return Arc::clone(figure);
        }
        let value = if values.len() < MOST_LABELS { value } else { "other" };
        let figure = Arc::clone(values.entry(value.to_owned()).or_default());
        if let Some(free) = self.first.iter().find(|slot| slot.get().is_none()) {
            let _ = free.set((value.to_owned(), Arc::clone(&figure)));
        }
        figure
    }

    /// Looks at the figure for a value of the label, as [`Self::with`] gives it: what is counted for every call takes no share of it.
    pub fn on(&self, value: &str, look: impl FnOnce(&T)) {
        match self.first.iter().map_while(OnceLock::get).find(|(known, _)| known == value) {
            Some((_, figure)) => look(figure),
            None => look(&self.with(value)),
        }
    }

    /// The figure for a value of the label, if there is one.
    pub fn find(&self, value: &str) -> Option<Arc<T>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner).get(value).cloned()
    }

    /// Looks at every figure.
    pub fn each(&self, mut look: impl FnMut(&T)) {
        self.values.lock().unwrap_or_else(PoisonError::into_inner).values().for_each(|figure| look(figure));
    }

    /// The sum of what `count` makes of every value of the label and its figure.
    pub fn fold(&self, count: impl Fn(&str, &T) -> u64) -> u64 {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.iter().map(|(value, figure)| count(value, figure)).sum()
    }

    fn snapshot(&self) -> Vec<(String, Arc<T>)> {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.iter().map(|(value, figure)| (value.clone(), Arc::clone(figure))).collect()
    }
}

/// Messages of one kind of peer. Plain fields, because they are counted for every message.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Received, and handed to the Hub.
    pub received: Counter,
    /// Sent.
    pub sent: Counter,
    /// Received, but refused before the Hub saw them: not to be read, too many, out of order.
    pub refused: Counter,
}

/// What is looked up when the page is asked for, rather than counted as it happens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now<'a> {
    /// The Hub's picture, if it gave one.
    pub hub: Option<&'a Snapshot>,
    /// How much waits in each queue, by name.
    pub queues: &'a [(&'static str, usize)],
    /// How many messages wait in the outbox of the slowest peer.
    pub longest_outbox: usize,
    /// Messages thrown away because their peer reads too slowly.
    pub dropped_messages: u64,
    /// The certificates in use by the key of the configuration, and until when they are valid, seconds since 1970.
    pub certificates: &'a [(String, i64)],
    /// Whether the telephone system is there and follows orders.
    pub telephone: bool,
    /// Connections counted now, handshakes included, and how many there may be (0: no bound).
    pub room: (usize, usize),
}

/// Every figure of the node.
#[derive(Debug)]
pub struct Metrics {
    started: SystemTime,
    /// Connections open now, by kind of peer: `tab`, `link`, `admin`.
    pub connections: Family<Gauge>,
    /// Connections accepted or dialed, by kind of peer.
    pub connections_total: Family<Counter>,
    /// Connections and handshakes refused, by reason in one word.
    pub refused: Family<Counter>,
    /// Connections ended, by close code; `0` when cut.
    pub closed: Family<Counter>,
    /// Tasks that ended by a panic, by what they did: `connection`, `request`.
    pub panics: Family<Counter>,
    /// 1 when a panic left the Hub half changed; the node stops then.
    pub engine_fallen: Gauge,
    /// Messages of and to tabs.
    pub tabs: Traffic,
    /// Messages of and to links.
    pub links: Traffic,
    /// Logins, by outcome in one word.
    pub logins: Family<Counter>,
    /// How often each link came up.
    pub link_up: Family<Counter>,
    /// How often each link was lost.
    pub link_down: Family<Counter>,
    /// Dynamic methods, by outcome.
    pub methods: Family<Counter>,
    /// How long callers of dynamic methods waited, by link (empty: a user's tabs).
    pub method_wait: Family<Histogram>,
    /// The same by method, of those that links answer.
    pub method: Family<Histogram>,
    /// How long callers of our own methods waited for the reply, by method.
    pub reply: Family<Histogram>,
    /// Replies that said no, by the code of the error.
    pub reply_errors: Family<Counter>,
    /// What was thrown away because a queue was full, by what: `order`.
    pub dropped: Family<Counter>,
    /// Circuits that opened, by link.
    pub circuits: Family<Counter>,
    /// Forms, by what became of them.
    pub forms: Family<Counter>,
    /// Things peers did that deserved a line in the log.
    pub odd: Counter,
    /// How often the connection to it was lost, or could not be made.
    pub pbx_down: Family<Counter>,
    /// What the dialplan asked, by what it was told (`CTI_STATUS`).
    pub dialplan: Family<Counter>,
    /// Facts waiting to be written to the store.
    pub store_waiting: Gauge,
    /// 1 while the store cannot write.
    pub store_failing: Gauge,
    /// Batches written to the store, by outcome: `ok`, `failed`.
    pub store_batches: Family<Counter>,
    /// How long a batch took.
    pub store_batch: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            started: SystemTime::now(),
            connections: Family::new("peer"),
            connections_total: Family::new("peer"),
            refused: Family::new("reason"),
            closed: Family::new("code"),
            panics: Family::new("task"),
            engine_fallen: Gauge::default(),
            tabs: Traffic::default(),
            links: Traffic::default(),
            logins: Family::new("outcome"),
            link_up: Family::new("link"),
            link_down: Family::new("link"),
            methods: Family::new("outcome"),
            method_wait: Family::new("link"),
            method: Family::new("method"),
            reply: Family::new("method"),
            reply_errors: Family::new("error"),
            dropped: Family::new("what"),
            circuits: Family::new("link"),
            forms: Family::new("state"),
            odd: Counter::default(),
            pbx_down: Family::new("pbx"),
            dialplan: Family::new("status"),
            store_waiting: Gauge::default(),
            store_failing: Gauge::default(),
            store_batches: Family::new("outcome"),
            store_batch: Histogram::default(),
        }
    }
}

impl Metrics {
    /// The messages of one kind of peer.
    pub fn traffic(&self, link: bool) -> &Traffic {
        if link { &self.links } else { &self.tabs }
    }

    /// The page, with what was looked up for it.
    pub fn page(&self, now: &Now<'_>) -> String {
        let mut page = Page::default();
        page.head("ctigate_build_info", "gauge", "What runs here.");
        page.line("ctigate_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        page.gauges("ctigate_connections", "Connections open now.", &self.connections);
        page.counters("ctigate_connections_total", "Connections accepted or dialed.", &self.connections_total);
        page.counters("ctigate_refused_total", "Connections and handshakes refused.", &self.refused);
        page.counters("ctigate_closed_total", "Connections ended, by close code.", &self.closed);
        page.counters("ctigate_panics_total", "Tasks that ended by a panic.", &self.panics);
        page.head("ctigate_engine_fallen", "gauge", "1 when a panic left the engine half changed: the node stops.");
        page.line("ctigate_engine_fallen", &[], self.engine_fallen.get());
        page.traffic("ctigate_messages_in_total", "Messages received.", self, |traffic| &traffic.received);
        page.traffic("ctigate_messages_out_total", "Messages sent.", self, |traffic| &traffic.sent);
        page.traffic("ctigate_messages_refused_total", "Messages refused before the Hub.", self, |traffic| {
            &traffic.refused
        });
        page.counters("ctigate_logins_total", "Logins, by outcome.", &self.logins);
        page.counters("ctigate_link_up_total", "How often a link came up.", &self.link_up);
        page.counters("ctigate_link_down_total", "How often a link was lost.", &self.link_down);
        page.counters("ctigate_methods_total", "Dynamic methods, by outcome.", &self.methods);
        page.histograms(
            "ctigate_method_wait_seconds",
            "How long callers of dynamic methods waited.",
            &self.method_wait,
        );
        page.histograms(
            "ctigate_method_seconds",
            "How long callers of a dynamic method that a link answers waited.",
            &self.method,
        );
        page.histograms(
            "ctigate_reply_seconds",
            "How long callers waited for the reply to a method of the protocol.",
            &self.reply,
        );
        page.counters(
            "ctigate_reply_errors_total",
            "Replies that said no, by the code of the error.",
            &self.reply_errors,
        );
        page.counters("ctigate_circuits_opened_total", "Circuits that opened.", &self.circuits);
        page.counters("ctigate_forms_total", "Forms, by what became of them.", &self.forms);
        page.head("ctigate_odd_total", "counter", "Things peers did that deserved a line in the log.");
        page.line("ctigate_odd_total", &[], self.odd.get());
        page.counters("ctigate_pbx_down_total", "How often it was lost or not reached.", &self.pbx_down);
        page.counters("ctigate_dialplan_total", "What the dialplan asked, by CTI_STATUS.", &self.dialplan);
        page.head("ctigate_store_waiting", "gauge", "Facts waiting to be written to the store.");
        page.line("ctigate_store_waiting", &[], self.store_waiting.get());
        page.head("ctigate_store_failing", "gauge", "1 while the store cannot write.");
        page.line("ctigate_store_failing", &[], self.store_failing.get());
        page.counters("ctigate_store_batches_total", "Batches written to the store.", &self.store_batches);
        page.head("ctigate_store_batch_seconds", "histogram", "How long a batch took.");
        page.histogram("ctigate_store_batch_seconds", None, &self.store_batch);
        page.node(now, &self.dropped);
        if let Some(hub) = now.hub {
            page.hub(hub);
        }
        page.process(self.started);
        page.0
    }
}

/// A page being written.
#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (at, (label, value)) in labels.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{value}\"", if at == 0 { "{" } else { "," });
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    fn counters(&mut self, name: &str, help: &str, family: &Family<Counter>) {
        self.head(name, "counter", help);
        for (value, figure) in family.snapshot() {
            self.line(name, &[(family.label, &value)], figure.get());
        }
    }

    fn traffic(&mut self, name: &str, help: &str, metrics: &Metrics, figure: impl Fn(&Traffic) -> &Counter) {
        self.head(name, "counter", help);
        self.line(name, &[("peer", "tab")], figure(&metrics.tabs).get());
        self.line(name, &[("peer", "link")], figure(&metrics.links).get());
    }

    fn gauges(&mut self, name: &str, help: &str, family: &Family<Gauge>) {
        self.head(name, "gauge", help);
        for (value, figure) in family.snapshot() {
            self.line(name, &[(family.label, &value)], figure.get());
        }
    }

    fn histograms(&mut self, name: &str, help: &str, family: &Family<Histogram>) {
        self.head(name, "histogram", help);
        for (value, figure) in family.snapshot() {
            self.histogram(name, Some((family.label, &value)), &figure);
        }
    }

    fn histogram(&mut self, name: &str, label: Option<(&str, &str)>, histogram: &Histogram) {
        let labels: Vec<(&str, &str)> = label.into_iter().collect();
        let mut count = 0;
        for (at, bucket) in histogram.buckets.iter().enumerate() {
            count += bucket.load(Ordering::Relaxed);
            let bound = BOUNDS.get(at).map_or_else(|| "+Inf".to_owned(), |bound| seconds(bound * 1000));
            self.line(&format!("{name}_bucket"), &[labels.as_slice(), &[("le", &bound)]].concat(), count);
        }
        self.line(&format!("{name}_sum"), &labels, seconds(histogram.micros.load(Ordering::Relaxed)));
        self.line(&format!("{name}_count"), &labels, count);
    }

    /// What is looked up in the shell.
    fn node(&mut self, now: &Now<'_>, dropped: &Family<Counter>) {
        self.head("ctigate_queue_length", "gauge", "How much waits in a queue.");
        for (queue, length) in now.queues {
            self.line("ctigate_queue_length", &[("queue", queue)], length);
        }
        self.head("ctigate_outbox_longest", "gauge", "Messages that wait for the slowest peer.");
        self.line("ctigate_outbox_longest", &[], now.longest_outbox);
        self.head("ctigate_dropped_total", "counter", "What was thrown away because a queue was full.");
        self.line("ctigate_dropped_total", &[("what", "message")], now.dropped_messages);
        for (what, figure) in dropped.snapshot() {
            self.line("ctigate_dropped_total", &[("what", &what)], figure.get());
        }
        self.head(
            "ctigate_certificate_expiry_timestamp_seconds",
            "gauge",
            "Until when a certificate in use is valid, seconds since 1970.",
        );
        for (key, until) in now.certificates {
            self.line("ctigate_certificate_expiry_timestamp_seconds", &[("certificate", key)], until);
        }
        self.head("ctigate_telephone_up", "gauge", "Whether the telephone system is there and follows orders.");
        self.line("ctigate_telephone_up", &[], i32::from(now.telephone));
        self.head("ctigate_sockets", "gauge", "Connections of browsers and links now, handshakes included.");
        self.line("ctigate_sockets", &[], now.room.0);
        self.head("ctigate_sockets_limit", "gauge", "How many of them there may be; 0: no bound.");
        self.line("ctigate_sockets_limit", &[], now.room.1);
    }

    fn hub(&mut self, now: &Snapshot) {
        self.head("ctigate_link_open", "gauge", "Whether a link is up.");
        for link in &now.links {
            self.line("ctigate_link_open", &[("link", &link.name)], i64::from(link.state == "up"));
        }
        self.head("ctigate_link_in_flight", "gauge", "Calls to a link that wait for an answer.");
        for link in &now.links {
            self.line("ctigate_link_in_flight", &[("link", &link.name)], link.in_flight);
        }
        let online = now.users.iter().filter(|user| user.online).count();
        let tabs = now.users.iter().map(|user| user.tabs.len()).sum();
        let figures = [
            ("ctigate_users_online", "Users with a tab open.", online),
            ("ctigate_tabs", "Tabs open, direct and behind links.", tabs),
            ("ctigate_forms_open", "Forms open.", now.forms.len()),
            ("ctigate_methods_in_flight", "Dynamic methods in flight.", now.executions.len()),
            ("ctigate_calls", "Telephone calls going on.", now.calls.len()),
        ];
        for (name, help, value) in figures {
            self.head(name, "gauge", help);
            self.line(name, &[], value);
        }
        self.head("ctigate_calls_total", "counter", "Telephone calls that have begun.");
        self.line("ctigate_calls_total", &[], now.calls_begun);
    }

    /// The figures every process gives, as far as the system tells them.
    fn process(&mut self, started: SystemTime) {
        let since = started.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.head("process_start_time_seconds", "gauge", "When the process started, seconds since 1970.");
        self.line("process_start_time_seconds", &[], since.as_secs());
        if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
            let kib = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
            if let Some(kib) = kib {
                self.head("process_resident_memory_bytes", "gauge", "Resident memory.");
                self.line("process_resident_memory_bytes", &[], kib * 1024);
            }
        }
        // After the name in brackets, which may hold anything: user and system time are the 12th and 13th, in hundredths of a
        // second (proc(5); Linux tells programs so on every machine it runs on today).
        let ticks = std::fs::read_to_string("/proc/self/stat").ok().and_then(|stat| {
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
            Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
        });
        if let Some(ticks) = ticks {
            self.head("process_cpu_seconds_total", "counter", "Processor time used.");
            self.line("process_cpu_seconds_total", &[], seconds(ticks * 10_000));
        }
        if let Ok(limits) = std::fs::read_to_string("/proc/self/limits") {
            let most = limits
                .lines()
                .find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse::<u64>().ok());
            if let Some(most) = most {
                self.head("process_max_fds", "gauge", "How many descriptors there may be.");
                self.line("process_max_fds", &[], most);
            }
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            self.head("process_open_fds", "gauge", "Open descriptors.");
            self.line("process_open_fds", &[], open.count());
        }
    }
}

/// Microseconds as seconds, exactly.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use ctigate_proto::hub::snapshot::LinkView;

    use super::*;

    #[test]
    fn the_page_shows_what_was_counted() {
        let metrics = Metrics::default();
        metrics.logins.with("ok").add(3);
        metrics.logins.with("wrong \"\\\n").inc();
        metrics.connections.with("tab").inc();
        metrics.panics.with("connection").inc();
        metrics.links.received.add(2);
        metrics.method_wait.with("crm").observe(Duration::from_millis(7));
        metrics.method_wait.with("crm").observe(Duration::from_secs(100));
        let link = LinkView { name: "crm".into(), state: "up", in_flight: 2, ..LinkView::default() };
        metrics.method.with("Find").observe(Duration::from_millis(7));
        metrics.reply.with("ping").observe(Duration::from_micros(40));
        metrics.dropped.with("order").add(4);
        let hub = Snapshot { links: vec![link], ..Snapshot::default() };
        let page = metrics.page(&Now {
            hub: Some(&hub),
            queues: &[("outboxes", 7)],
            dropped_messages: 9,
            certificates: &[("web.certificate".to_owned(), 4_102_444_800)],
            telephone: true,
            ..Now::default()
        });
        for line in [
            "# TYPE ctigate_logins_total counter",
            "ctigate_logins_total{outcome=\"ok\"} 3",
            "ctigate_logins_total{outcome=\"wrong \\\"\\\\\\n\"} 1",
            "ctigate_connections{peer=\"tab\"} 1",
            "ctigate_panics_total{task=\"connection\"} 1",
            "ctigate_engine_fallen 0",
            "ctigate_messages_in_total{peer=\"link\"} 2",
            "ctigate_messages_in_total{peer=\"tab\"} 0",
            "ctigate_method_wait_seconds_bucket{link=\"crm\",le=\"0.005\"} 0",
            "ctigate_method_wait_seconds_bucket{link=\"crm\",le=\"0.01\"} 1",
            "ctigate_method_wait_seconds_bucket{link=\"crm\",le=\"60\"} 1",
            "ctigate_method_wait_seconds_bucket{link=\"crm\",le=\"+Inf\"} 2",
            "ctigate_method_wait_seconds_sum{link=\"crm\"} 100.007",
            "ctigate_method_wait_seconds_count{link=\"crm\"} 2",
            "ctigate_link_open{link=\"crm\"} 1",
            "ctigate_link_in_flight{link=\"crm\"} 2",
            "ctigate_method_seconds_count{method=\"Find\"} 1",
            "ctigate_reply_seconds_bucket{method=\"ping\",le=\"0.001\"} 1",
            "ctigate_queue_length{queue=\"outboxes\"} 7",
            "ctigate_dropped_total{what=\"message\"} 9",
            "ctigate_dropped_total{what=\"order\"} 4",
            "ctigate_certificate_expiry_timestamp_seconds{certificate=\"web.certificate\"} 4102444800",
            "ctigate_telephone_up 1",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }

    #[test]
    fn a_quantile_lies_within_its_bucket() {
        let histogram = Histogram::default();
        assert_eq!(quantile(&histogram.counts(), 0.5), None);
        for millis in [3, 3, 3, 3, 80, 80, 80, 80] {
            histogram.observe(Duration::from_millis(millis));
        }
        let counts = histogram.counts();
        assert_eq!(quantile(&counts, 0.25), Some(3.5));
        assert_eq!(quantile(&counts, 0.5), Some(5.0));
        assert_eq!(quantile(&counts, 0.75), Some(75.0));
        assert_eq!(quantile(&counts, 1.0), Some(100.0));
        histogram.observe(Duration::from_secs(100));
        assert_eq!(quantile(&histogram.counts().since(&counts), 0.5), Some(60_000.0), "longer than any bound");
    }

    #[test]
    fn labels_are_bounded() {
        let family: Family<Counter> = Family::new("x");
        for n in 0..2000 {
            family.with(&n.to_string()).inc();
        }
        assert_eq!(family.snapshot().len(), MOST_LABELS + 1);
        assert_eq!(family.with("other").get(), 2000 - MOST_LABELS as u64);
    }
}
