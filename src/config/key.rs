//! Every key there is: what it is for, what kind of value it takes, and what a change of it does to a gateway that runs. One table
//! for `check-config`, the console, `ctigate reload` and the documentation; a test holds it against the schema.

use super::{
    Auth, FormEvent, FormKind, FormPlace, LinkFormat, LinkMode, LogFormat, PbxKind, PhoneAnswer, QueueStrategy, Role,
    Synchronous, TlsPort,
};

/// What a change of a key does to a gateway that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// It counts at once; nothing is interrupted. What bounds a connection counts for those that come from then on.
    Now,
    /// The one link it belongs to is closed and opened anew.
    Relink,
    /// It counts after the next start.
    Restart,
}

impl Effect {
    /// The word for people and programs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Relink => "relink",
            Self::Restart => "restart",
        }
    }
}

/// What a value looks like.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A text.
    Text,
    /// A whole number.
    Number,
    /// A length of time: `500ms`, `5s`, `10m`.
    Duration,
    /// A number of bytes: `64KiB`, `1MiB`.
    Size,
    /// Yes or no.
    Flag,
    /// One of these words.
    Choice(fn() -> Vec<&'static str>),
    /// An IP address with a port.
    Address,
    /// A file or folder.
    Path,
    /// Texts.
    List,
    /// Names and values.
    Table,
    /// A text that is never shown.
    Secret,
}

impl Kind {
    /// The word for programs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Duration => "duration",
            Self::Size => "size",
            Self::Flag => "flag",
            Self::Choice(_) => "choice",
            Self::Address => "address",
            Self::Path => "path",
            Self::List => "list",
            Self::Table => "table",
            Self::Secret => "secret",
        }
    }

    /// The words of a choice; of others none.
    pub fn choices(self) -> Vec<&'static str> {
        match self {
            Self::Choice(words) => words(),
            _ => Vec::new(),
        }
    }
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its table, like `web` or `pbx.asterisk`.
    pub section: &'static str,
    /// Its name in the table.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What a change does.
    pub effect: Effect,
    /// What it is for, in English.
    pub help_en: &'static str,
    /// The same in Russian.
    pub help_ru: &'static str,
}

impl Key {
    /// `limits.in_flight_tab`
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// Whether the store may hold it as a setting: the key stands in a table that stands once, and says nothing of where the store is.
    pub fn is_changeable(&self) -> bool {
        let once = super::schema::sections().iter().any(|s| s.name == self.section && !s.list);
        once && self.section != "store" && !matches!(self.kind, Kind::Secret | Kind::Table)
    }
}

/// The key of this table and name.
pub fn find(section: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.section == section && key.name == name)
}

macro_rules! keys {
    ($($section:literal { $($name:literal $kind:expr, $effect:ident, $en:literal, $ru:literal;)+ })+) => {
        /// Every key, table by table.
        pub static KEYS: &[Key] = {
            use Kind::{Address, Duration, Flag, List, Number, Path, Secret, Size, Table, Text};
            &[$($(Key { section: $section, name: $name, kind: $kind, effect: Effect::$effect, help_en: $en, help_ru: $ru }),+),+]
        };
    };
}

macro_rules! words {
    ($type:ty) => {
        Kind::Choice(|| <$type>::ALL.iter().map(|word| word.as_str()).collect())
    };
}

keys! {
    "web" {
        "bind" Address, Restart, "HTTP and WebSocket for browsers, both on one port", "HTTP и WebSocket для браузеров, на одном порту";
        "tls_bind" Address, Restart, "the same with TLS; empty: off", "то же с TLS; пусто: выключено";
        "certificate" Path, Restart, "chain of certificates, PEM; made on the first start when both files are missing", "цепочка сертификатов, PEM; создаётся при первом запуске, если обоих файлов нет";
        "key" Path, Restart, "private key, PEM", "закрытый ключ, PEM";
        "require_tls" Flag, Now, "send plain browser channels to TLS; needs public_url on https port 443", "отправлять открытые каналы браузеров на TLS; нужен public_url на https, порт 443";
        "allowed_origins" List, Now, "origins that browsers may come from besides the gateway's own host name", "источники (origin), с которых браузеры могут подключаться, кроме собственного имени шлюза";
        "trusted_proxies" List, Now, "proxies whose X-Forwarded-For and X-Forwarded-Proto are believed", "прокси, чьим X-Forwarded-For и X-Forwarded-Proto можно верить";
        "public_url" Text, Now, "the address people type when a proxy stands in front", "адрес, который набирают люди, если перед шлюзом стоит прокси";
        "tls" words!(TlsPort), Restart, "whether TLS has its own port (separate) or is told apart on bind too (both)", "TLS на отдельном порту (separate) или различается и на bind (both)";
        "browsers" Flag, Now, "whether browsers may connect to the gateway itself", "могут ли браузеры подключаться к самому шлюзу";
        "deflate" Flag, Now, "compress messages by permessage-deflate where the browser can", "сжимать сообщения (permessage-deflate), если браузер умеет";
        "legacy_password_case" Flag, Restart, "accept the hash of the lower-cased password at logins too; weaker", "принимать при входе и хэш пароля в нижнем регистре; слабее";
        "insecure_basic" Flag, Now, "take people's passwords by HTTP Basic without TLS from other machines too", "принимать пароли людей по HTTP Basic без TLS и с других машин";
        "admin_bind" Address, Restart, "the admin port: health, metrics, API, console", "порт администратора: состояние, метрики, API, консоль";
        "admin_tls" Flag, Restart, "serve the admin port with TLS", "обслуживать порт администратора с TLS";
        "admin_token" Path, Restart, "the file with the token of the admin port, made on the first start", "файл с токеном порта администратора, создаётся при первом запуске";
    }
    "store" {
        "url" Text, Restart, "the database: sqlite://PATH, postgres://… or sqlite::memory:", "база данных: sqlite://ПУТЬ, postgres://… или sqlite::memory:";
        "synchronous" words!(Synchronous), Restart, "what SQLite waits for: normal (a loss of power may lose the last moments) or full (nothing, but each write waits for the disk)", "чего ждёт SQLite: normal (при отключении питания могут пропасть последние мгновения) или full (ничего, но каждая запись ждёт диска)";
        "keep_calls_days" Number, Restart, "for how many days the journal is kept; 0: for ever", "сколько дней хранится журнал; 0: всегда";
        "keep_chats_days" Number, Restart, "for how many days the texts of chats are kept; 0: for ever", "сколько дней хранятся тексты чатов; 0: всегда";
    }
    "pbx" {
        "kind" words!(PbxKind), Restart, "which telephone system", "какая телефонная система";
        "timeline" Path, Restart, "a timeline that the simulator plays from the start", "сценарий, который симулятор играет с запуска";
        "lines" Number, Restart, "how many outside lines the simulator has", "сколько внешних линий у симулятора";
        "asterisk" Table, Restart, "the Asterisk to work with: [pbx.asterisk]", "Asterisk, с которым работать: [pbx.asterisk]";
    }
    "pbx.asterisk" {
        "host" Text, Restart, "host name or address of Asterisk", "имя или адрес Asterisk";
        "port" Number, Restart, "the port of its Manager Interface", "порт его AMI";
        "tls" Flag, Restart, "speak AMI over TLS", "говорить по AMI через TLS";
        "ca_file" Path, Restart, "authorities to trust in place of the system's, PEM", "доверенные центры вместо системных, PEM";
        "user" Text, Restart, "AMI user", "пользователь AMI";
        "secret" Secret, Restart, "AMI secret", "секрет AMI";
        "secret_file" Path, Restart, "a file that holds the secret", "файл с секретом";
        "secret_env" Text, Restart, "an environment variable that holds the secret", "переменная окружения с секретом";
        "system" Text, Restart, "the word from which the ids of calls are made; empty: host and port", "слово, из которого делаются идентификаторы звонков; пусто: адрес и порт";
        "context" Text, Restart, "the dialplan context in which inside numbers can be dialled", "контекст плана набора, где набираются внутренние номера";
        "endpoint" Text, Restart, "the endpoint of an inside number, with {number} for it", "конечная точка внутреннего номера, {number} на его месте";
        "phones" Table, Restart, "endpoints of numbers for which endpoint does not fit", "конечные точки номеров, для которых endpoint не подходит";
        "inside" List, Restart, "patterns of inside numbers (1XX)", "шаблоны внутренних номеров (1XX)";
        "answer" words!(PhoneAnswer), Restart, "how phones are made to answer", "как телефоны заставляют ответить";
        "talk_notify" List, Restart, "inside numbers whose phones answer to a NOTIFY with the event talk", "внутренние номера, чьи телефоны отвечают на NOTIFY с событием talk";
        "trunks" List, Restart, "endpoints of outside lines; empty: every endpoint that is no inside number's phone", "конечные точки внешних линий; пусто: все, что не телефоны внутренних номеров";
        "queues" Table, Restart, "Asterisk's names of the queues, by number", "имена очередей в Asterisk, по номерам";
        "services" List, Restart, "further inside numbers that are no phones and no queues", "другие внутренние номера: не телефоны и не очереди";
        "number_told" List, Restart, "how outside numbers of Asterisk are written for CRMs", "как внешние номера из Asterisk пишутся для CRM";
        "number_dialled" List, Restart, "how outside numbers of CRMs are written for dialling", "как внешние номера из CRM пишутся для набора";
        "record_folder" Text, Restart, "the folder into which Asterisk records talks, as Asterisk sees it; empty: no recording", "папка, куда Asterisk записывает разговоры, как её видит Asterisk; пусто: без записи";
        "ring" Duration, Restart, "how long phones ring that the gateway rings", "как долго звонят телефоны, которым звонит шлюз";
        "agi_bind" Address, Restart, "where the FastAGI server listens; empty: off", "где слушает сервер FastAGI; пусто: выключен";
        "agi_allow" List, Restart, "who may connect to it", "кто может к нему подключаться";
        "agi_timeout" Duration, Restart, "how long the dialplan waits for a dynamic method that names no time of its own", "сколько план набора ждёт динамический метод, который не называет своего времени";
        "route_method" Text, Restart, "the dynamic method that /route asks", "динамический метод, который спрашивает /route";
    }
    "limits" {
        "max_message_tab" Size, Now, "largest message of a logged-in tab", "самое большое сообщение вкладки после входа";
        "max_message_link" Size, Now, "largest message of an introduced link", "самое большое сообщение представившейся связи";
        "max_message_guest" Size, Now, "largest message before login or introduction", "самое большое сообщение до входа или представления";
        "nesting" Number, Now, "deepest nesting of objects and arrays", "наибольшая вложенность объектов и массивов";
        "multipart_size" Size, Now, "largest message put together from a multipart set", "самое большое сообщение, собранное из частей";
        "multipart_packets" Number, Now, "most packets of a multipart set", "больше всего частей одного сообщения";
        "multipart_timeout" Duration, Now, "after how long an incomplete multipart set is dropped", "через сколько неполный набор частей отбрасывается";
        "in_flight_tab" Number, Now, "most unanswered requests of one tab", "больше всего запросов одной вкладки без ответа";
        "in_flight_link" Number, Now, "most unanswered requests of one link", "больше всего запросов одной связи без ответа";
        "tab_rate" Number, Now, "messages a second that one tab may send for long; 0: no limit", "сообщений в секунду, которые вкладка может слать долго; 0: без предела";
        "tab_burst" Number, Now, "messages that one tab may send at once", "сообщений, которые вкладка может послать разом";
        "connections" Number, Now, "most connections in all", "больше всего соединений";
        "connections_per_address" Number, Now, "most connections from one address", "больше всего соединений с одного адреса";
        "tabs_per_user" Number, Now, "most tabs of one user", "больше всего вкладок одного пользователя";
        "max_users" Number, Now, "most users logged in at a time; 0: no limit", "больше всего вошедших пользователей; 0: без предела";
        "stop_grace" Duration, Now, "how long calls in flight may go on when the gateway stops", "сколько могут продолжаться начатые запросы при остановке шлюза";
    }
    "log" {
        "filter" Text, Restart, "what is logged: a level, or levels by module", "что пишется в журнал: уровень или уровни по модулям";
        "format" words!(LogFormat), Restart, "text for people, json for programs", "text для людей, json для программ";
    }
    "recordings" {
        "folder" Path, Restart, "the folder that holds recordings", "папка с записями разговоров";
    }
    "files" {
        "folder" Path, Restart, "the folder that holds uploads and photos", "папка с загруженными файлами и фотографиями";
        "quota" Size, Restart, "how much may lie there", "сколько там может лежать";
    }
    "user" {
        "login" Text, Now, "the login; unique without regard to case", "логин; единственный без учёта регистра";
        "name" Text, Now, "the name people see", "имя, которое видят люди";
        "number" Text, Now, "the phone number this person works on; empty: none", "номер телефона этого человека; пусто: нет";
        "department" Text, Now, "the department; empty: none", "отдел; пусто: нет";
        "role" words!(Role), Now, "what the person is; decides the rights", "кто этот человек; определяет права";
        "password" Secret, Now, "the password", "пароль";
        "password_file" Path, Now, "a file that holds the password", "файл с паролем";
        "password_env" Text, Now, "an environment variable that holds the password", "переменная окружения с паролем";
        "password_hash" Secret, Now, "what ctigate hash-password printed for the password", "что напечатала команда ctigate hash-password";
        "subordinates" List, Now, "logins of the people whom this person supervises", "логины людей, за которыми этот человек следит";
        "id" Text, Now, "userid, a UUID; empty: made from the login; another id is another person", "userid, UUID; пусто: из логина; другой id — другой человек";
        "photo" Path, Restart, "a picture (PNG, JPEG or GIF)", "фотография (PNG, JPEG или GIF)";
        "api_call_enabled" Flag, Now, "whether programs may start calls in this person's name", "могут ли программы звонить от имени этого человека";
        "must_change_password" Flag, Now, "the person must choose another password before anything else", "человек должен сначала выбрать другой пароль";
        "rights" List, Now, "rights added to those of the role (+ghost) or taken from them (-files)", "права, добавленные к правам роли (+ghost) или отнятые у них (-files)";
    }
    "link" {
        "name" Text, Now, "the name in logs, console and commands", "имя в журнале, консоли и командах";
        "mode" words!(LinkMode), Relink, "how the two find each other", "как стороны находят друг друга";
        "bind" Address, Relink, "where the CRM connects, a port of its own", "куда подключается CRM, отдельный порт";
        "url" Text, Relink, "the CRM's full address", "полный адрес CRM";
        "format" words!(LinkFormat), Relink, "what messages are written in", "в каком виде пишутся сообщения";
        "websocket_version" Number, Relink, "13, 8 (hybi-10) or 0 (hixie-76)", "13, 8 (hybi-10) или 0 (hixie-76)";
        "deflate" Flag, Relink, "compress messages by permessage-deflate where the CRM can; dialing: offer it", "сжимать сообщения (permessage-deflate), если CRM умеет; при исходящем подключении — предлагать это";
        "auth" words!(Auth), Relink, "how the CRM or the gateway proves itself", "как CRM или шлюз подтверждает себя";
        "login" Text, Relink, "the user name for Basic and Digest", "имя пользователя для Basic и Digest";
        "password" Secret, Relink, "the password for Basic and Digest", "пароль для Basic и Digest";
        "password_file" Path, Relink, "a file that holds the password", "файл с паролем";
        "password_env" Text, Relink, "an environment variable that holds the password", "переменная окружения с паролем";
        "password_hash" Secret, Relink, "what ctigate hash-password printed for the password", "что напечатала команда ctigate hash-password";
        "ticket" Secret, Relink, "a ticket for CRMs that cannot answer a challenge", "билет для CRM, которые не умеют отвечать на запрос подтверждения";
        "ticket_file" Path, Relink, "a file that holds the ticket", "файл с билетом";
        "ticket_env" Text, Relink, "an environment variable that holds the ticket", "переменная окружения с билетом";
        "allow_from" List, Relink, "who may connect; empty: anybody who passes auth", "кто может подключаться; пусто: любой, кто прошёл проверку";
        "insecure_basic" Flag, Relink, "allow Basic without TLS with a peer that is not on this machine", "разрешить Basic без TLS с другой машиной";
        "certificate" Path, Relink, "chain of certificates, PEM; empty: the one of [web]", "цепочка сертификатов, PEM; пусто: из [web]";
        "key" Path, Relink, "private key, PEM; empty: the one of [web]", "закрытый ключ, PEM; пусто: из [web]";
        "ca_file" Path, Relink, "authorities to trust in place of the system's, PEM", "доверенные центры вместо системных, PEM";
        "pin_sha256" Text, Relink, "SHA-256 of the only certificate that is accepted", "SHA-256 единственного принимаемого сертификата";
        "danger_accept_any_certificate" Flag, Relink, "accept any certificate: whoever stands between can read and change everything", "принимать любой сертификат: кто стоит посередине, может всё прочесть и изменить";
        "trust_users" Flag, Now, "whether the CRM may act for a user who has not logged in through it", "может ли CRM действовать за пользователя, который через неё не входил";
        "users" List, Now, "logins of the users who belong to this link; empty: all", "логины пользователей этой связи; пусто: все";
        "rights" List, Now, "the rights of the CRM itself; those of its users are cut with them", "права самой CRM; ими ограничены и права её пользователей";
        "tunnel_grace" Duration, Now, "how long users behind the link are kept after it is lost", "сколько пользователи за связью сохраняются после её потери";
        "multipart_threshold" Size, Relink, "messages to the link longer than this go in parts", "более длинные сообщения к связи идут частями";
        "silent_events" List, Now, "names of events that the link is not sent", "имена событий, которые связи не посылаются";
        "poll_interval" Duration, Relink, "how often the CRM is asked whether it wants something; off: never", "как часто CRM спрашивают, не хочет ли она чего; off: никогда";
        "post_connections" Number, Relink, "connections for dynamic methods beside the ordered one", "соединения для динамических методов помимо упорядоченного";
        "rpc_login" Text, Now, "the user name that the CRM sends to /rpc", "имя пользователя, которое CRM посылает на /rpc";
        "rpc_password" Secret, Now, "its password", "его пароль";
        "rpc_password_file" Path, Now, "a file that holds it", "файл с ним";
        "rpc_password_env" Text, Now, "an environment variable that holds it", "переменная окружения с ним";
    }
    "form" {
        "name" Text, Now, "the form's name, as the CRM declares it", "имя формы, как его объявляет CRM";
        "on" words!(FormEvent), Now, "what opens it", "что её открывает";
        "close_on" List, Now, "what closes it before it is answered", "что закрывает её до ответа";
        "users" List, Now, "logins of the users it opens for; empty: all", "логины пользователей, для которых она открывается; пусто: все";
        "ask" Text, Now, "a dynamic method that is asked first", "динамический метод, который спрашивают сначала";
        "parameters" Table, Now, "its input parameters, with places that a call fills", "её входные параметры, с местами, которые заполняет звонок";
        "where" words!(FormPlace), Now, "in which tabs of the user it shows", "в каких вкладках пользователя она показывается";
        "kind" words!(FormKind), Now, "the opening event for direct tabs", "событие открытия для прямых вкладок";
        "expire" Duration, Now, "after how long an unanswered form is closed", "через сколько закрывается форма без ответа";
    }
    "break" {
        "id" Number, Now, "lunchreasonid", "lunchreasonid";
        "name" Text, Now, "what people see", "что видят люди";
    }
    "queue" {
        "number" Text, Now, "the number that is dialled", "номер, который набирают";
        "name" Text, Now, "what people see", "что видят люди";
        "users" List, Now, "logins of the users who serve it", "логины пользователей, которые её обслуживают";
        "strategy" words!(QueueStrategy), Now, "whose phone rings", "чей телефон звонит";
    }
    "procedure" {
        "name" Text, Now, "the name clients use", "имя, которым пользуются клиенты";
        "sql" Text, Now, "one query with named parameters; it can only read", "один запрос с именованными параметрами; только чтение";
        "database" Path, Now, "the SQLite database it reads; empty: the gateway's own store", "база SQLite, которую он читает; пусто: собственное хранилище шлюза";
        "roles" List, Now, "the roles that may run it; empty: whoever has the right procedures", "роли, которые могут его выполнять; пусто: у кого есть право procedures";
        "rows" Number, Now, "most rows it gives", "больше всего строк, которые он даёт";
        "timeout" Duration, Now, "how long it may run", "сколько он может работать";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::schema;

    #[test]
    fn every_key_of_the_schema_has_one_row() {
        let rows: BTreeSet<String> = KEYS.iter().map(Key::path).collect();
        assert_eq!(rows.len(), KEYS.len(), "a key has two rows");
        for section in schema::sections() {
            for key in section.keys {
                assert!(
                    rows.contains(&format!("{}.{key}", section.name)),
                    "{}.{key} has no row in key.rs",
                    section.name
                );
            }
        }
        for key in KEYS {
            assert!(schema::section(key.section).is_some(), "{} is in no table", key.path());
            assert!(!key.help_en.is_empty() && key.help_ru.chars().count() > 3, "{}", key.path());
        }
    }

    #[test]
    fn what_says_where_the_store_is_cannot_be_in_it() {
        let changeable = |section, name| find(section, name).is_some_and(Key::is_changeable);
        assert!(
            changeable("limits", "in_flight_tab") && changeable("pbx.asterisk", "host") && changeable("web", "bind")
        );
        assert!(!changeable("store", "url") && !changeable("user", "name") && !changeable("pbx.asterisk", "secret"));
    }
}
