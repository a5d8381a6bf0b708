//! From a file, the environment and flags to a [`Config`] that may be used, or to everything that is wrong with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::finding::{Finding, Place, Refused};
use super::source::{Setting, Source, Step};
use super::validate::{self, Report};
use super::{Config, DatabaseUrl, Layer, Secret, Store};

/// The file that is looked for when none is named.
pub const DEFAULT_FILE: &str = "ctigate.toml";

/// The variables that set a key begin with this and have two underscores for a dot: `CTIGATE_WEB__BIND`.
const PREFIX: &str = "CTIGATE_";

/// Where a configuration is to come from. Flags win over the environment, the environment over the store, the store over the file.
#[derive(Clone, Debug)]
pub struct Sources {
    base: Base,
    layer: Layer,
    environment: Vec<(String, String)>,
    flags: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
enum Base {
    File(PathBuf),
    Search,
    Demo,
    Text(String),
}

impl Sources {
    /// This file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::new(Base::File(path.into()))
    }

    /// [`DEFAULT_FILE`] in the current folder when it is there, else the defaults alone.
    pub fn search() -> Self {
        Self::new(Base::Search)
    }

    /// The settings of `ctigate demo`, which are built in.
    pub fn demo() -> Self {
        Self::new(Base::Demo)
    }

    /// A text that stands nowhere. Its relative paths count from the current folder.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Base::Text(text.into()))
    }

    fn new(base: Base) -> Self {
        Self { base, layer: Layer::default(), environment: Vec::new(), flags: Vec::new() }
    }

    /// With what the store says, in place of what it said before.
    #[must_use]
    pub fn with_store(mut self, layer: Layer) -> Self {
        self.layer = layer;
        self
    }

    /// Whether there is no file and no text to begin with.
    pub fn is_without_file(&self) -> bool {
        matches!(&self.base, Base::Search) && !Path::new(DEFAULT_FILE).exists()
    }

    /// Adds the environment of this process.
    #[must_use]
    pub fn with_process_environment(self) -> Self {
        self.with_environment(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// Adds variables: those that set keys, and those that hold secrets.
    #[must_use]
    pub fn with_environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.environment.extend(variables);
        self
    }

    /// Adds a key set on the command line, like `web.bind` or `link[0].login`.
    #[must_use]
    pub fn with_flag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.flags.push((key.into(), value.into()));
        self
    }
}

/// A configuration that may be used, and what is known about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What deserves a warning.
    pub warnings: Vec<Finding>,
    /// The file it came from, if it did.
    pub file: Option<PathBuf>,
    /// Where each key that was set was set; by its path, like `link[0].mode`.
    pub origins: BTreeMap<String, Place>,
}

impl Config {
    /// Reads, merges and checks.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first.
    pub fn load(sources: &Sources) -> Result<Loaded, Refused> {
        let (text, file) = read(&sources.base).map_err(refuse)?;
        let settings = settings(sources).map_err(refuse)?;
        let (entries, unfit) = sources.layer.entries();
        let mut source = Source::parse(&text, file.clone()).map_err(refuse)?;
        let mut report = Report { errors: unfit, warnings: Vec::new() };
        source.add(&entries, &mut report.errors, &mut report.warnings);
        for setting in &settings {
            report.errors.extend(source.set(setting).err().map(|finding| *finding));
        }
        report.errors.extend(source.take_unknown());
        let mut config: Self = source.read(&mut report.errors);
        let spoiled: Vec<String> =
            report.errors.iter().flat_map(|f| &f.keys).map(|key| table_of(key).to_owned()).collect();

        config.folder = folder(file.as_deref());
        config.settle_paths();
        config.settle_texts();
        let mut later = Report::default();
        config.settle_secrets(&sources.environment, &mut later);
        validate::check(&config, &|key| source.is_set(key), &mut later);
        if matches!(sources.base, Base::Demo) {
            validate::check_demo(&config, &mut later);
        }
        // What does not fit its type was taken out, so what follows from its absence would only confuse.
        let follows =
            |finding: &Finding| finding.keys.iter().any(|key| spoiled.iter().any(|table| table == table_of(key)));
        later.errors.retain(|finding| !follows(finding));
        later.warnings.retain(|finding| !follows(finding));
        for finding in later.errors.iter_mut().chain(&mut later.warnings) {
            finding.place = finding.keys.first().map_or(Place::Default, |key| source.place(key));
        }
        report.errors.append(&mut later.errors);
        report.warnings.append(&mut later.warnings);
        report.errors.sort_by_key(|finding| match finding.place {
            Place::File { line, .. } => line,
            _ => 0,
        });
        if !report.errors.is_empty() {
            return Err(Refused { errors: report.errors, warnings: report.warnings });
        }
        Ok(Loaded { config, warnings: report.warnings, file, origins: source.origins() })
    }

    /// Where the store is, by these sources: it must be known before what the store says can be. What is wrong elsewhere is told by
    /// [`Self::load`].
    ///
    /// # Errors
    /// The configuration cannot be read at all, or `[store]` is wrong.
    pub fn store_of(sources: &Sources) -> Result<Store, Refused> {
        let (text, file) = read(&sources.base).map_err(refuse)?;
        let settings = settings(sources).map_err(refuse)?;
        let mut source = Source::parse(&text, file.clone()).map_err(refuse)?;
        let mut errors = Vec::new();
        for setting in &settings {
            errors.extend(source.set(setting).err().map(|finding| *finding));
        }
        errors.extend(source.take_unknown());
        let mut config: Self = source.read(&mut errors);
        errors.retain(|finding| finding.keys.iter().any(|key| table_of(key) == "store"));
        if !errors.is_empty() {
            return Err(Refused { errors, warnings: Vec::new() });
        }
        config.folder = folder(file.as_deref());
        config.settle_paths();
        Ok(config.store)
    }

    /// Checks a configuration that was put together by a program; gives the warnings.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn check(&self) -> Result<Vec<Finding>, Refused> {
        let mut report = Report::default();
        validate::check(self, &|_| false, &mut report);
        if report.errors.is_empty() { Ok(report.warnings) } else { Err(report.into()) }
    }

    /// Relative paths count from the folder of the file.
    fn settle_paths(&mut self) {
        let folder = self.folder.clone();
        let settle = |path: &mut PathBuf| {
            if !path.as_os_str().is_empty() {
                *path = folder.join(&*path);
            }
        };
        settle(&mut self.web.certificate);
        settle(&mut self.web.key);
        settle(&mut self.recordings.folder);
        settle(&mut self.files.folder);
        self.procedures.iter_mut().filter_map(|p| p.database.as_mut()).for_each(settle);
        if let DatabaseUrl::Sqlite(path) = &mut self.store.url {
            settle(path);
        }
        self.pbx.timeline.iter_mut().for_each(settle);
        self.pbx.asterisk.secret_file.iter_mut().for_each(settle);
        self.pbx.asterisk.ca_file.iter_mut().for_each(settle);
        for user in &mut self.users {
            [&mut user.password_file, &mut user.photo].into_iter().flatten().for_each(settle);
        }
        for link in &mut self.links {
            let files = [&mut link.password_file, &mut link.ticket_file, &mut link.rpc_password_file];
            let more = [&mut link.certificate, &mut link.key, &mut link.ca_file];
            files.into_iter().chain(more).flatten().for_each(settle);
        }
    }

    /// Texts that may be written in more than one way get their one form.
    fn settle_texts(&mut self) {
        for user in &mut self.users {
            user.id.make_ascii_lowercase();
        }
        for link in &mut self.links {
            link.pin_sha256.retain(|c| c != ':');
            link.pin_sha256.make_ascii_lowercase();
        }
    }

    /// Fetches the secrets that stand in files and variables.
    fn settle_secrets(&mut self, environment: &[(String, String)], report: &mut Report) {
        let mut keeper = Keeper { environment, report };
        let asterisk = &mut self.pbx.asterisk;
        keeper.settle("pbx.asterisk.secret", &mut asterisk.secret, &asterisk.secret_file, &asterisk.secret_env);
        for (index, user) in self.users.iter_mut().enumerate() {
            let key = format!("user[{index}].password");
            keeper.settle(&key, &mut user.password, &user.password_file, &user.password_env);
        }
        for (index, link) in self.links.iter_mut().enumerate() {
            let key = |name: &str| format!("link[{index}].{name}");
            keeper.settle(&key("password"), &mut link.password, &link.password_file, &link.password_env);
            keeper.settle(&key("ticket"), &mut link.ticket, &link.ticket_file, &link.ticket_env);
            keeper.settle(
                &key("rpc_password"),
                &mut link.rpc_password,
                &link.rpc_password_file,
                &link.rpc_password_env,
            );
        }
    }
}

/// Fetches secrets.
struct Keeper<'a> {
    environment: &'a [(String, String)],
    report: &'a mut Report,
}

impl Keeper<'_> {
    fn settle(&mut self, key: &str, secret: &mut Option<Secret>, file: &Option<PathBuf>, variable: &Option<String>) {
        let (file_key, variable_key) = (format!("{key}_file"), format!("{key}_env"));
        let given = [(secret.is_some(), key), (file.is_some(), &file_key), (variable.is_some(), &variable_key)];
        let given: Vec<&str> = given.into_iter().filter_map(|(given, key)| given.then_some(key)).collect();
        if given.len() > 1 {
            self.report.error(given, "the same secret is given more than once", "keep one of them");
            return;
        }
        if let Some(path) = file {
            match read_secret(path) {
                Ok(found) => *secret = Some(found),
                Err(message) => self.report.error([file_key.clone()], message, ""),
            }
            if let Some(message) = open_to_others(path) {
                self.report.warn([file_key], message, format!("run: chmod 600 {}", path.display()));
            }
        } else if let Some(name) = variable {
            match self.environment.iter().find(|(variable, _)| variable == name) {
                Some((_, value)) if !value.is_empty() => *secret = Some(Secret::new(value)),
                Some(_) => self.report.error([variable_key], format!("the environment variable {name} is empty"), ""),
                None => {
                    let help = "set it where the gateway is started";
                    self.report.error([variable_key], format!("there is no environment variable {name}"), help);
                }
            }
        }
    }
}

/// Reads a file that holds one secret; a line break at its end does not count.
fn read_secret(path: &Path) -> Result<Secret, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    match text.trim_end_matches(['\n', '\r']) {
        "" => Err(format!("the file {} is empty, expected a secret on its first line", path.display())),
        text if text.contains(['\n', '\r']) => {
            Err(format!("the file {} has more than one line, expected one with the secret", path.display()))
        }
        text => Ok(Secret::new(text)),
    }
}

/// Says so when others than the owner may read a file with a secret.
#[cfg(unix)]
fn open_to_others(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;

    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0)
        .then(|| format!("the file {} may be read by others than its owner (mode {mode:o})", path.display()))
}

#[cfg(not(unix))]
fn open_to_others(_: &Path) -> Option<String> {
    None
}

/// The text of a base, and the file it stands in.
fn read(base: &Base) -> Result<(String, Option<PathBuf>), Box<Finding>> {
    let path = match base {
        Base::Demo => return Ok((include_str!("demo.toml").to_owned(), None)),
        Base::Text(text) => return Ok((text.clone(), None)),
        Base::Search if !Path::new(DEFAULT_FILE).exists() => return Ok((String::new(), None)),
        Base::Search => PathBuf::from(DEFAULT_FILE),
        Base::File(path) => path.clone(),
    };
    let nowhere = Vec::<String>::new;
    let bytes = std::fs::read(&path).map_err(|error| {
        let message = format!("cannot read the configuration {}: {error}", path.display());
        let help = "name another with --config FILE; without one the gateway starts on its defaults";
        Box::new(Finding::new(nowhere(), message).help(help))
    })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok((text, Some(path))),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            let message = format!("the configuration {} is not UTF-8 (line {line})", path.display());
            Err(Box::new(Finding::new(nowhere(), message)))
        }
    }
}

/// The folder that relative paths count from.
fn folder(file: Option<&Path>) -> PathBuf {
    file.and_then(Path::parent).map(Path::to_path_buf).unwrap_or_default()
}

/// What the environment and the flags set, the strongest last.
fn settings(sources: &Sources) -> Result<Vec<Setting>, Box<Finding>> {
    let mut settings: Vec<Setting> = sources
        .environment
        .iter()
        .filter_map(|(name, value)| {
            let key = name.strip_prefix(PREFIX).filter(|key| key.contains("__"))?;
            let path = key.to_ascii_lowercase().split("__").map(step).collect();
            Some(Setting { path, text: value.clone(), place: Place::Environment(name.clone()) })
        })
        .collect();
    settings.sort_by(|a, b| a.place_name().cmp(b.place_name()));
    for (key, value) in &sources.flags {
        let place = Place::Flag(format!("--set {key}"));
        let path: Vec<Step> = key.replace('[', ".").replace(']', "").split('.').map(step).collect();
        if path.contains(&Step::Key(String::new())) {
            let finding = Finding::new([key], "this is no key; write one like web.bind or link[0].login");
            return Err(Box::new(Finding { place, ..finding }));
        }
        settings.push(Setting { path, text: value.clone(), place });
    }
    Ok(settings)
}

impl Setting {
    fn place_name(&self) -> &str {
        match &self.place {
            Place::Environment(name) | Place::Flag(name) => name,
            Place::Default | Place::File { .. } | Place::Store(_) => "",
        }
    }
}

/// A step of a path: digits are a place in a list.
pub(super) fn step(text: &str) -> Step {
    text.parse().map_or_else(|_| Step::Key(text.to_owned()), Step::Index)
}

/// The table that a key stands in: `link[0]` of `link[0].mode`.
fn table_of(key: &str) -> &str {
    key.find('.').map_or(key, |at| &key[..at])
}

// Boxed, because such a result is passed around more often than it is an error.
#[expect(clippy::boxed_local, reason = "as it comes")]
fn refuse(finding: Box<Finding>) -> Refused {
    Refused { errors: vec![*finding], warnings: Vec::new() }
}
