//! From the sources to a checked configuration.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::catalogue;
use super::check;
use super::document::{self, Document, Unreadable};
use super::draft::Draft;
use super::environment::{Environment, Found};
use super::file;
use super::finish::finish;
use super::known::{KNOWN_PROVIDERS, variable_prefix};
use super::origin::{Origin, Origins, join};
use super::problem::{ConfigError, Fault, Notice, Problem};
use super::report::Report;
use super::settings::{Config, Credentials, ProviderConfig};
use super::sources::Sources;
use super::variables::{self, Variables, Wishes};

/// What the file is called.
pub(super) const FILE_NAME: &str = "backstop.toml";

/// What the file of the gateway's keys is called where nothing is said.
const KEYS_NAME: &str = "gateway-keys.json";

/// A configuration in order, and how it came about.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Where its values came from.
    pub origins: Origins,
    /// The file that was read, where there was one.
    pub file: Option<PathBuf>,
    /// What there is to know about it, such as settings that have no effect yet.
    pub notices: Vec<Notice>,
}

/// Reads the file (the one named, else `backstop.toml` of the working directory, else of the platform's configuration folder,
/// else none), puts `.env`, the environment and the flags over it, and checks the whole.
///
/// # Errors
/// When anything is wrong; the error lists all of it.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let mut report = Report::default();
    let environment = Environment::gather(sources, &mut report);
    let mut config = Config::new();
    config.sandbox.compile_cache = sources.cache_directory.as_deref().map(|folder| folder.join("components"));
    config.sandbox.registry.copies = sources.data_directory.as_deref().map(|folder| folder.join("registry"));
    config.sandbox.registry.docker = docker_folder(sources, &environment);
    config.store.path = sources.data_directory.as_deref().map(|folder| folder.join("backstop.db"));
    config.recording.folder = sources.data_directory.as_deref().map(|folder| folder.join("decisions"));

    let found = find_file(sources, &environment, &mut report);
    let from_file = match &found {
        Some(found) => read_file(found, &mut config, &environment, &mut report),
        None => Some(IndexMap::new()),
    };
    let is_readable = from_file.is_some();
    let mut wishes = Wishes::of_environment(&mut Variables { environment: &environment, report: &mut report });
    let mut drafts = from_file.unwrap_or_default();
    if drafts.is_empty() && is_readable {
        let primary = wishes.primary.as_ref().map(|(name, _)| name.as_str());
        drafts = variables::from_environment(&environment, primary);
    }
    let mut reader = Variables { environment: &environment, report: &mut report };
    variables::apply_general(&mut config, &sources.directory, &mut reader);
    for (name, draft) in &mut drafts {
        variables::apply_provider(name, draft, &mut reader);
        wishes.add(name, draft, reader.report);
    }
    let unsound = build(drafts, &mut config, &environment, &mut report);
    sources.overrides.apply(&mut config, &sources.directory, &mut report);
    place_keys(&mut config, sources);
    finish(&mut config);
    catalogue::look_up(&mut config, sources.now);
    if is_readable {
        wishes.grant(&mut config, &unsound, &mut report);
    }
    place(check::check_beside(&config, &unsound), &mut report);
    if report.problems.is_empty() {
        let file = found.map(|found| found.path);
        return Ok(Loaded { config, origins: report.origins, file, notices: report.notices });
    }
    report.problems.sort_by_key(|problem| line(&problem.place));
    Err(ConfigError { problems: report.problems })
}

impl Loaded {
    /// Makes sure that there is a provider that can be asked.
    ///
    /// # Errors
    /// When there is none: the error names the variables that would bring one.
    pub fn require_provider(&self) -> Result<(), ConfigError> {
        let providers = &self.config.providers;
        if providers.values().any(|provider| provider.enabled && provider.credentials.are_usable()) {
            return Ok(());
        }
        let missing = providers.values().filter(|provider| provider.enabled).filter_map(wanted);
        let (variables, placeholders): (Vec<_>, Vec<_>) = missing.unzip();
        let mut variables: Vec<String> = variables.into_iter().flatten().collect();
        let placeholders: Vec<String> = placeholders.into_iter().flatten().collect();
        if self.file.is_none() || variables.is_empty() {
            let usual =
                KNOWN_PROVIDERS.iter().filter(|known| !known.local).filter_map(|known| known.key_variables.first());
            variables = usual.map(ToString::to_string).collect();
        }
        let what = if placeholders.is_empty() {
            "no provider has a key".to_owned()
        } else {
            format!("no provider has a key ({} still a placeholder)", be(&placeholders))
        };
        let one_of = if variables.len() == 1 { "" } else { "one of " };
        let variables = variables.join(", ");
        let mend = format!(
            "set {one_of}{variables} in the environment or in .env, or write a {FILE_NAME} (backstop config init)"
        );
        let problem = Problem { place: Origin::Default, setting: String::new(), value: None, what, mend };
        Err(ConfigError { problems: vec![problem] })
    }
}

/// Where `docker login` writes to.
fn docker_folder(sources: &Sources, environment: &Environment) -> Option<PathBuf> {
    match environment.find("DOCKER_CONFIG") {
        Some(Found::Text(folder, _)) if !folder.is_empty() => Some(sources.directory.join(folder)),
        Some(Found::Text(..) | Found::NotUnicode(_)) | None => {
            sources.home_directory.as_ref().map(|home| home.join(".docker"))
        }
    }
}

/// Puts the gateway's keys beside the store, wherever that is.
fn place_keys(config: &mut Config, sources: &Sources) {
    if config.gateway.keys.is_none() {
        let folder = config.store.path.as_deref().and_then(Path::parent).or(sources.data_directory.as_deref());
        config.gateway.keys = folder.map(|folder| folder.join(KEYS_NAME));
    }
}

struct FoundFile {
    path: PathBuf,
    /// What messages call it.
    name: String,
}

fn wanted(provider: &ProviderConfig) -> Option<(Vec<String>, Option<String>)> {
    match &provider.credentials {
        Credentials::Missing { variables, placeholder } => Some((variables.clone(), placeholder.clone())),
        Credentials::Keys(_) | Credentials::NotNeeded => None,
    }
}

fn be(names: &[String]) -> String {
    format!("{} {}", names.join(", "), if names.len() == 1 { "is" } else { "are" })
}

/// Makes providers of the drafts. Returns the names of those that something is wrong with: what depends on one of them is not
/// looked into, so that one fault makes one problem.
fn build(
    drafts: IndexMap<String, Draft>,
    config: &mut Config,
    environment: &Environment,
    report: &mut Report,
) -> HashSet<String> {
    refuse_shared_variables(&drafts, report);
    let mut unsound = HashSet::new();
    for (name, draft) in drafts {
        let provider = draft.build(&name, environment, report);
        let path = join("providers", &name);
        let is_faulty = |problem: &Problem| {
            problem.setting.strip_prefix(&path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if provider.is_none() || report.problems.iter().any(is_faulty) {
            unsound.insert(name.clone());
        }
        config.providers.extend(provider.map(|provider| (name, provider)));
    }
    unsound
}

/// The order in which problems are told: down the file, then the environment and what is nowhere.
pub(super) fn line(place: &Origin) -> usize {
    match place {
        Origin::File { line, .. } => line.unwrap_or(0),
        Origin::Default | Origin::KnownName | Origin::Environment(_) | Origin::DotEnv(_) | Origin::Flag(_) => {
            usize::MAX
        }
    }
}

/// The file to read: named by the flag, else by `BACKSTOP_CONFIG`, else the first that is there.
fn find_file(sources: &Sources, environment: &Environment, report: &mut Report) -> Option<FoundFile> {
    let named = sources.file.clone().or_else(|| match environment.find("BACKSTOP_CONFIG")? {
        Found::Text(path, _) => Some(PathBuf::from(path)),
        Found::NotUnicode(origin) => {
            report.fault(origin, "", None, Fault::words("not Unicode", "use --config instead"));
            None
        }
    });
    if let Some(path) = named {
        return Some(FoundFile { name: path.display().to_string(), path: sources.directory.join(path) });
    }
    let here = sources.directory.join(FILE_NAME);
    // A link to nothing is there too: whoever made it wants to know.
    if here.symlink_metadata().is_ok() {
        return Some(FoundFile { path: here, name: FILE_NAME.to_owned() });
    }
    let path = sources.user_directory.as_ref()?.join(FILE_NAME);
    path.symlink_metadata().is_ok().then(|| FoundFile { name: path.display().to_string(), path })
}

fn read_file(
    found: &FoundFile,
    config: &mut Config,
    environment: &Environment,
    report: &mut Report,
) -> Option<IndexMap<String, Draft>> {
    let whole = Origin::File { file: found.name.as_str().into(), line: None };
    match Document::read(&found.path, &found.name) {
        Ok(document) => {
            if document::is_world_writable(&found.path) {
                report.notice(whole, "everybody on this machine may change it; chmod o-w mends that");
            }
            let folder = found.path.parent().unwrap_or_else(|| Path::new(""));
            return file::read(&document, folder, config, environment, report);
        }
        Err(Unreadable::Missing) => {
            report.fault(whole, "", None, Fault::words("there is no such file", "backstop config init writes one"));
        }
        Err(Unreadable::NotAFile(fault) | Unreadable::Faulty(fault)) => report.fault(whole, "", None, fault),
    }
    None
}

/// Two providers whose names differ in punctuation alone would share their keys.
fn refuse_shared_variables(drafts: &IndexMap<String, Draft>, report: &mut Report) {
    let mut prefixes: IndexMap<String, &str> = IndexMap::new();
    for name in drafts.keys() {
        let prefix = variable_prefix(name);
        if let Some(first) = prefixes.get(&prefix) {
            let what = format!("reads the same variables ({prefix}_...) as {}", join("providers", first));
            report.fault_of(&join("providers", name), Fault::words(what, "give one of them another name"));
        }
        prefixes.entry(prefix).or_insert(name);
    }
}

/// Adds the problems of a configuration as such, each with the place the setting was written at.
fn place(problems: Vec<Problem>, report: &mut Report) {
    for problem in problems {
        let place = report.origins.nearest(&problem.setting);
        report.problems.push(Problem { place, ..problem });
    }
}
