//! Who may log in with which password. Accounts come from the configuration and from the store. A password that its person changed goes
//! into the account's row where it has one; for an account of the file it is kept beside, and counts instead of the file's until that is
//! another than it was then.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use ctigate_proto::auth::{Attempt, Identity, LoginBy, LoginError, Proof, login_key, password};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::sync::Semaphore;

use super::api_key::Keys;
use super::password::Changed;
use super::{Store, StoreError};
use crate::config::{Config, Secret, User};

/// How long a checked password is remembered, so that a reconnect of everybody does not cost a slow hash each.
const REMEMBERED: Duration = Duration::from_secs(300);

/// How many checked passwords are remembered.
const MOST_REMEMBERED: usize = 10_000;

/// The accounts. Clones are the same.
#[derive(Clone, Debug)]
pub struct Accounts {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    known: ArcSwap<Known>,
    /// A slow hash of some account, if any has one: what an unknown login is checked against.
    decoy: ArcSwapOption<String>,
    /// Slow hashes take a core and 19 MiB each.
    cores: Semaphore,
    remembered: Mutex<HashMap<[u8; 32], Instant>>,
    key: [u8; 32],
    /// How many slow hashes were computed.
    computed: AtomicU64,
    /// Who logged in since it was noted last, by login in lower case, and when (milliseconds since 1970).
    signed_in: Mutex<HashMap<String, i64>>,
    keys: Keys,
}

#[derive(Debug, Default)]
struct Known {
    /// By login in lower case.
    accounts: HashMap<String, Arc<Account>>,
    legacy_case: bool,
}

struct Account {
    login: String,
    stored: ArcSwap<Stored>,
    /// What the configuration says.
    configured: Arc<Stored>,
    /// Whether the person must choose another password first.
    must_change: AtomicBool,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("login", &self.login).finish_non_exhaustive()
    }
}

/// What is known of a password.
enum Stored {
    /// The two hashes of the protocol.
    Hashes { exact: String, folded: String },
    /// A slow hash over the first of them.
    Slow(Arc<str>),
    /// Nothing: nobody logs in with a password.
    Nothing,
}

impl Accounts {
    /// The people of a configuration that was checked.
    pub fn new(config: &Config) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let accounts = Self {
            inner: Arc::new(Inner {
                known: ArcSwap::default(),
                decoy: ArcSwapOption::empty(),
                cores: Semaphore::new(cores),
                remembered: Mutex::default(),
                key: rand::random(),
                computed: AtomicU64::new(0),
                signed_in: Mutex::default(),
                keys: Keys::default(),
            }),
        };
        accounts.take(config);
        accounts
    }

    /// From now on the people of this configuration. [`Self::restore`] is due after it.
    fn take(&self, config: &Config) {
        let account = |user: &User| {
            let configured = Arc::new(stored(user));
            let stored = ArcSwap::new(Arc::clone(&configured));
            let must_change = AtomicBool::new(user.must_change_password);
            let account = Account { login: user.login.clone(), stored, configured, must_change };
            (login_key(&user.login).into_owned(), Arc::new(account))
        };
        let accounts: HashMap<String, Arc<Account>> = config.users.iter().map(account).collect();
        let decoy = accounts.values().find_map(|account| match &*account.configured {
            Stored::Slow(hash) => Some(Arc::new(hash.to_string())),
            Stored::Hashes { .. } | Stored::Nothing => None,
        });
        self.inner.decoy.store(decoy);
        self.inner.known.store(Arc::new(Known { accounts, legacy_case: config.web.legacy_password_case }));
    }

    /// The people of a configuration that is another than before, with the passwords that the store kept. Who is logged in stays.
    ///
    /// # Errors
    /// When the database cannot be read or written; then the accounts are those of the configuration alone.
    pub async fn reload(&self, config: &Config, store: &Store) -> Result<(), StoreError> {
        self.take(config);
        self.restore(store).await
    }

    fn account(&self, login: &str) -> Option<Arc<Account>> {
        self.inner.known.load().accounts.get(&*login_key(login)).map(Arc::clone)
    }

    /// The login as its account spells it. Logins are found without regard to case.
    pub fn spelling(&self, login: &str) -> Option<String> {
        self.account(login).map(|account| account.login.clone())
    }

    /// Whether a person must choose another password before anything else.
    pub fn must_change(&self, login: &str) -> bool {
        self.account(login).is_some_and(|account| account.must_change.load(Ordering::Relaxed))
    }

    /// Who logged in since this was asked last, by login in lower case, and when (milliseconds since 1970).
    pub fn take_sign_ins(&self) -> Vec<(String, i64)> {
        self.inner.signed_in.lock().unwrap_or_else(PoisonError::into_inner).drain().collect()
    }

    /// The integration keys.
    pub fn keys(&self) -> &Keys {
        &self.inner.keys
    }

    /// Checks the password of a `login`. An unknown login and one without a password take as long as a wrong password.
    /// Sessions are not checked here.
    ///
    /// # Errors
    /// [`LoginError::WrongPassword`]; [`LoginError::NotAvailable`] when the process is ending.
    pub async fn verify(&self, attempt: &Attempt) -> Result<Identity, LoginError> {
        let exact = attempt.hash.as_deref().unwrap_or_default();
        let legacy_case = self.inner.known.load().legacy_case;
        let folded = attempt.folded_hash.as_deref().filter(|_| legacy_case).unwrap_or_default();
        let account = self.account(&attempt.login);
        let stored = account.as_ref().map(|account| account.stored.load_full());
        let proof = match stored.as_deref() {
            Some(Stored::Hashes { exact: expected, folded: expected_folded }) => {
                let (one, other) = (password::verify(expected, exact), password::verify(expected_folded, folded));
                match one.or(other) {
                    Some(proof) => Some(proof),
                    None => self.decline(exact).await?,
                }
            }
            Some(Stored::Slow(hash)) => self.slow(&attempt.login, hash, exact).await?,
            Some(Stored::Nothing) | None => self.decline(exact).await?,
        };
        match (account, proof) {
            (Some(account), Some(proof)) => {
                let mut signed_in = self.inner.signed_in.lock().unwrap_or_else(PoisonError::into_inner);
                signed_in.insert(login_key(&account.login).into_owned(), super::unix_ms());
                Ok(Identity::user(account.login.as_str(), LoginBy::Password, proof))
            }
            _ => Err(LoginError::WrongPassword),
        }
    }

    /// Checks a login and the password as typed: what HTTP Basic brings.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub async fn verify_clear(&self, login: &str, clear: &str) -> Result<Identity, LoginError> {
        let attempt = Attempt {
            login: login.into(),
            hash: Some(password::hash(clear).unwrap_or_default().into()),
            folded_hash: None,
            session: None,
            expires: None,
            webrtc: false,
            workplace: None,
        };
        self.verify(&attempt).await
    }

    /// Puts the changed passwords back that the store kept, and forgets those whose configuration has changed since.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn restore(&self, store: &Store) -> Result<(), StoreError> {
        for changed in store.load_passwords().await? {
            let account = self.account(&changed.login);
            let counts = match &account {
                Some(account) => self.stands_for(&changed.instead_of, &account.configured).await,
                None => false,
            };
            match account.filter(|_| counts) {
                Some(account) => self.count(&account, &changed.hash),
                None => {
                    tracing::warn!(user = %changed.login, "the configuration has another password now: the changed one counts no more");
                    store.forget_password(&changed.login).await?;
                }
            }
        }
        Ok(())
    }

    /// Changes a password. `old` and `new` are the hashes that clients send. Done when it is on disk.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn change(&self, store: &Store, login: &str, old: &str, new: &str) -> Result<(), ChangeError> {
        let attempt = Attempt {
            login: login.into(),
            hash: Some(old.into()),
            folded_hash: None,
            session: None,
            expires: None,
            webrtc: false,
            workplace: None,
        };
        match self.verify(&attempt).await {
            Ok(_) => {}
            Err(LoginError::NotAvailable) => return Err(ChangeError::NotAvailable),
            Err(_) => return Err(ChangeError::WrongPassword),
        }
        let account = self.account(login).ok_or(ChangeError::WrongPassword)?;
        let hash = self.hash(new).await?;
        if let Stored::Slow(configured) = &*account.configured
            && let Some(mut user) = store.account_of(login, configured).await?
        {
            user.password_hash = Some(Secret::new(hash.as_str()));
            user.must_change_password = false;
            store.put_accounts(&[user], super::unix_ms()).await?;
            let account = Account {
                login: account.login.clone(),
                stored: ArcSwap::from_pointee(Stored::Slow(hash.as_str().into())),
                configured: Arc::new(Stored::Slow(hash.as_str().into())),
                must_change: AtomicBool::new(false),
            };
            let account = Arc::new(account);
            self.inner.known.rcu(|known| {
                let mut accounts = known.accounts.clone();
                accounts.insert(login_key(login).into_owned(), Arc::clone(&account));
                Known { accounts, legacy_case: known.legacy_case }
            });
            return Ok(());
        }
        let instead_of = match &*account.configured {
            Stored::Hashes { exact, .. } => self.hash(exact).await?,
            Stored::Slow(hash) => fingerprint(hash),
            Stored::Nothing => return Err(ChangeError::WrongPassword),
        };
        let changed =
            Changed { login: account.login.as_str().into(), hash: hash.as_str().into(), instead_of: instead_of.into() };
        store.keep_password(&changed).await?;
        self.count(&account, &hash);
        Ok(())
    }

    /// From now on this slow hash counts.
    fn count(&self, account: &Account, hash: &str) {
        account.must_change.store(false, Ordering::Relaxed);
        account.stored.store(Arc::new(Stored::Slow(hash.into())));
        if self.inner.decoy.load().is_none() {
            self.inner.decoy.store(Some(Arc::new(hash.to_owned())));
        }
    }

    async fn stands_for(&self, instead_of: &str, configured: &Stored) -> bool {
        match configured {
            Stored::Hashes { exact, .. } => {
                matches!(self.compute(instead_of.into(), exact.clone()).await, Ok(Some(_)))
            }
            Stored::Slow(hash) => fingerprint(hash) == instead_of,
            Stored::Nothing => false,
        }
    }

    /// A slow hash over what clients send, on a thread of its own.
    async fn hash(&self, given: &str) -> Result<String, ChangeError> {
        let given = given.to_owned();
        let _core = self.inner.cores.acquire().await.map_err(|_| ChangeError::NotAvailable)?;
        let work = move || Argon2::default().hash_password(given.as_bytes()).map(|hash| hash.to_string());
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(hash)) => Ok(hash),
            Ok(Err(error)) => Err(ChangeError::Hash(error)),
            Err(_) => Err(ChangeError::NotAvailable),
        }
    }

    /// Takes as long as a wrong password does for the account where that takes longest.
    async fn decline(&self, given: &str) -> Result<Option<Proof>, LoginError> {
        if let Some(decoy) = self.inner.decoy.load_full() {
            self.compute(decoy.as_str().into(), given.to_owned()).await?;
        }
        Ok(None)
    }

    async fn slow(&self, who: &str, hash: &Arc<str>, given: &str) -> Result<Option<Proof>, LoginError> {
        let tag = self.tag(who, hash, given);
        if self.recall(&tag)
            && let Some(proof) = password::verify_by(given, |_| true)
        {
            return Ok(Some(proof));
        }
        let proof = self.compute(Arc::clone(hash), given.to_owned()).await?;
        if proof.is_some() {
            self.remember(tag);
        }
        Ok(proof)
    }

    /// Computes a slow hash, on a thread of its own and not more of them at a time than there are cores.
    async fn compute(&self, hash: Arc<str>, given: String) -> Result<Option<Proof>, LoginError> {
        self.inner.computed.fetch_add(1, Ordering::Relaxed);
        let _core = self.inner.cores.acquire().await.map_err(|_| LoginError::NotAvailable)?;
        let work = move || {
            let fits = |given: &str| Argon2::default().verify_password(given.as_bytes(), &*hash).is_ok();
            let proof = password::verify_by(&given, fits);
            if proof.is_none() && password::verify_by(&given, |_| true).is_none() {
                // What is no hash at all was not looked at, but must take as long.
                fits("");
            }
            proof
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| LoginError::NotAvailable)
    }

    /// What a checked password is remembered by: nothing that could be read back.
    fn tag(&self, who: &str, hash: &str, given: &str) -> [u8; 32] {
        let mut digest = Sha256::new_with_prefix(self.inner.key);
        for part in [&*login_key(who), hash, &given.to_ascii_lowercase()] {
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }

    fn recall(&self, tag: &[u8; 32]) -> bool {
        let remembered = self.inner.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get(tag).is_some_and(|at| at.elapsed() < REMEMBERED)
    }

    fn remember(&self, tag: [u8; 32]) {
        let mut remembered = self.inner.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MOST_REMEMBERED {
            remembered.retain(|_, at| at.elapsed() < REMEMBERED);
        }
        if remembered.len() < MOST_REMEMBERED {
            remembered.insert(tag, Instant::now());
        }
    }
}

/// A password was not changed.
#[derive(Debug, Error)]
pub enum ChangeError {
    /// The old one is wrong.
    #[error("the old password is wrong")]
    WrongPassword,
    /// The process is ending.
    #[error("the process is ending")]
    NotAvailable,
    /// The new one could not be hashed.
    #[error("the hash could not be made: {0}")]
    Hash(argon2::password_hash::Error),
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a slow hash of the configuration is known by.
fn fingerprint(hash: &str) -> String {
    let digest = Sha256::digest(hash.as_bytes());
    digest.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn stored(user: &User) -> Stored {
    if let Some(hash) = &user.password_hash {
        return Stored::Slow(Arc::from(hash.expose()));
    }
    let hashes = user.password.as_ref().and_then(|secret| {
        let exact = password::hash(secret.expose()).ok()?;
        // Lower-casing can lead out of the letters that clients hash; then only the exact hash counts.
        let folded = password::folded_hash(secret.expose()).unwrap_or_default();
        Some(Stored::Hashes { exact, folded })
    });
    hashes.unwrap_or(Stored::Nothing)
}

/// A password cannot be hashed.
#[derive(Debug, Error)]
pub enum HashError {
    /// Clients cannot hash it.
    #[error("{0}")]
    Unfit(#[from] password::Unfit),
    /// There is none.
    #[error("the password is empty")]
    Empty,
    /// The system gave no random bytes, or too little memory.
    #[error("the hash could not be made: {0}")]
    Failed(argon2::password_hash::Error),
}

/// What `password_hash` is to hold for a password: argon2id over the hash that clients send.
///
/// # Errors
/// [`HashError`].
pub fn hash_password(clear: &str) -> Result<String, HashError> {
    if clear.is_empty() {
        return Err(HashError::Empty);
    }
    let given = password::hash(clear)?;
    Argon2::default().hash_password(given.as_bytes()).map(|hash| hash.to_string()).map_err(HashError::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    fn accounts(text: &str) -> Accounts {
        Accounts::new(&Config::load(&Sources::text(text)).unwrap().config)
    }

    fn attempt(login: &str, typed: &str) -> Attempt {
        Attempt {
            login: login.into(),
            hash: Some(password::hash(typed).unwrap().into()),
            folded_hash: Some(password::folded_hash(typed).unwrap().into()),
            session: None,
            expires: None,
            webrtc: false,
            workplace: None,
        }
    }

    #[tokio::test]
    async fn only_the_right_password_opens_an_account() {
        let hash = hash_password("Secret1").unwrap();
        let texts = [
            "[[user]]\nlogin = \"Ivanov\"\npassword = \"Secret1\"".to_owned(),
            format!("[[user]]\nlogin = \"Ivanov\"\npassword_hash = \"{hash}\""),
        ];
        for text in texts {
            let accounts = accounts(&text);
            for _ in 0..2 {
                let identity = accounts.verify(&attempt("ivanov", "Secret1")).await.unwrap();
                assert_eq!(identity.who(), Identity::user("Ivanov", LoginBy::Password, Proof::slow_hash()).who());
                for (login, typed) in [("ivanov", "secret1"), ("ivanov", ""), ("petrov", "Secret1"), ("", "")] {
                    assert_eq!(accounts.verify(&attempt(login, typed)).await, Err(LoginError::WrongPassword));
                }
            }
            let nothing = Attempt { hash: None, folded_hash: None, ..attempt("ivanov", "Secret1") };
            assert_eq!(accounts.verify(&nothing).await, Err(LoginError::WrongPassword));
            let only_folded = Attempt { hash: None, ..attempt("ivanov", "Secret1") };
            assert_eq!(accounts.verify(&only_folded).await, Err(LoginError::WrongPassword));
            assert!(accounts.verify_clear("ivanov", "Secret1").await.is_ok());
            assert!(accounts.verify_clear("ivanov", "漢").await.is_err());
            assert_eq!(accounts.spelling("IVANOV").as_deref(), Some("Ivanov"));
        }
    }

    #[tokio::test]
    async fn case_is_ignored_only_when_asked_for() {
        let text = "[web]\nlegacy_password_case = true\n[[user]]\nlogin = \"a\"\npassword = \"Secret1\"";
        assert!(accounts(text).verify(&attempt("a", "SECRET1")).await.is_ok());
        assert!(accounts(&text.replace("true", "false")).verify(&attempt("a", "SECRET1")).await.is_err());
        assert!(accounts(text).verify(&attempt("a", "SECRET2")).await.is_err());
    }

    #[tokio::test]
    async fn an_account_without_a_password_opens_to_nobody() {
        let accounts = accounts("[[user]]\nlogin = \"a\"");
        for typed in ["", "x"] {
            assert_eq!(accounts.verify(&attempt("a", typed)).await, Err(LoginError::WrongPassword));
        }
    }

    #[tokio::test]
    async fn an_unknown_login_costs_what_a_known_one_costs() {
        let hash = hash_password("Secret1").unwrap();
        let slow = format!("[[user]]\nlogin = \"slow\"\npassword_hash = \"{hash}\"\n");
        let clear = "[[user]]\nlogin = \"clear\"\npassword = \"x\"\n[[user]]\nlogin = \"none\"";
        let cost = async |accounts: &Accounts, login: &str, typed: &str| {
            let before = accounts.inner.computed.load(Ordering::Relaxed);
            accounts.verify(&attempt(login, typed)).await.unwrap_err();
            accounts.inner.computed.load(Ordering::Relaxed) - before
        };
        let mixed = accounts(&format!("{slow}{clear}"));
        for login in ["slow", "clear", "none", "unknown"] {
            assert_eq!(cost(&mixed, login, "wrong").await, 1, "{login}");
        }
        let fast = accounts(clear);
        for login in ["clear", "none", "unknown"] {
            assert_eq!(cost(&fast, login, "wrong").await, 0, "{login}");
        }
    }

    #[tokio::test]
    async fn a_checked_password_is_remembered_for_a_while() {
        let hash = hash_password("Secret1").unwrap();
        let accounts = accounts(&format!("[[user]]\nlogin = \"a\"\npassword_hash = \"{hash}\""));
        for _ in 0..5 {
            accounts.verify(&attempt("a", "Secret1")).await.unwrap();
        }
        assert_eq!(accounts.inner.computed.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_changed_password_counts_until_the_configuration_says_another() {
        let folder = tempfile::tempdir().unwrap();
        let url = crate::config::DatabaseUrl::Sqlite(folder.path().join("a.db"));
        let open = async || {
            Store::open(
                &crate::config::Store { url: url.clone(), ..crate::config::Store::default() },
                crate::telemetry::Telemetry::default(),
            )
            .await
            .unwrap()
        };
        let hash = hash_password("Secret1").unwrap();
        let configured = [
            "[[user]]\nlogin = \"Ivanov\"\npassword = \"Secret1\"".to_owned(),
            format!("[[user]]\nlogin = \"Ivanov\"\npassword_hash = \"{hash}\""),
        ];
        for text in configured {
            let store = open().await;
            let people = accounts(&text);
            let (old, new) = (password::hash("Secret1").unwrap(), password::hash("Secret2").unwrap());
            let wrong = people.change(&store, "ivanov", &new, &new).await;
            assert!(matches!(wrong, Err(ChangeError::WrongPassword)), "{wrong:?}");
            people.change(&store, "ivanov", &old, &new).await.unwrap();
            assert!(people.verify(&attempt("IVANOV", "Secret2")).await.is_ok());
            assert!(people.verify(&attempt("ivanov", "Secret1")).await.is_err());
            store.close(Duration::from_secs(5)).await;

            let store = open().await;
            let people = accounts(&text);
            people.restore(&store).await.unwrap();
            assert!(people.verify(&attempt("ivanov", "Secret2")).await.is_ok(), "after a restart");
            assert!(people.verify(&attempt("ivanov", "Secret1")).await.is_err());

            let people = accounts("[[user]]\nlogin = \"Ivanov\"\npassword = \"Secret3\"");
            people.restore(&store).await.unwrap();
            assert!(people.verify(&attempt("ivanov", "Secret3")).await.is_ok(), "the operator has the last word");
            assert!(store.load_passwords().await.unwrap().is_empty());
        }
    }

    #[test]
    fn a_password_that_clients_cannot_hash_is_refused() {
        assert!(matches!(hash_password("漢"), Err(HashError::Unfit(_))));
        assert!(matches!(hash_password(""), Err(HashError::Empty)));
        assert!(hash_password("Пароль7").unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }
}
