//! Where settings come from, laid over each other.
//!
//! Owns reading the file, the names of environment variables, and who set what last. Each layer is understood alone
//! first, so that whatever is wrong is said together with its source. Refuses to judge values.

use std::path::Path;

use figment::error::Kind;
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::{Config, ConfigError, Problem};

const PREFIX: &str = "KONVERT_";

/// A setting given on the command line.
#[derive(Debug, Clone)]
pub struct Flag {
    /// As the user typed it, for messages.
    pub name: &'static str,
    /// The setting it sets, dotted.
    pub key: &'static str,
    /// Its value.
    pub value: Value,
}

/// The process's environment, as far as it is text.
pub fn environment() -> Vec<(String, String)> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// All sources, the strongest last.
pub(super) struct Layers(Vec<Layer>);

struct Layer {
    source: String,
    values: Dict,
}

impl Provider for &Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

/// Gathers the layers; each has known keys and values of the right type when this returns.
pub(super) fn collect(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[Flag],
) -> Result<Layers, ConfigError> {
    let defaults = defaults();
    let mut layers: Vec<_> = file.map(read_file).transpose()?.into_iter().collect();
    let mut problems = Vec::new();
    for (name, value) in environment {
        match read_variable(&name, value, &defaults) {
            Ok(layer) => layers.extend(layer),
            Err(problem) => problems.push(problem),
        }
    }
    for flag in flags {
        layers.push(Layer { source: flag.name.into(), values: nest(flag.key, flag.value.clone()) });
    }
    problems.extend(layers.iter().filter_map(|layer| understand(&Figment::from(layer), &layer.source).err()));
    if problems.is_empty() { Ok(Layers(layers)) } else { Err(ConfigError { problems }) }
}

impl Layers {
    pub(super) fn merge(&self) -> Result<Config, ConfigError> {
        let base = Figment::from(Serialized::defaults(Config::default()));
        let sum = self.0.iter().fold(base, Figment::merge);
        Ok(understand(&sum, "all settings together")?)
    }

    /// Who set a key, or what it is part of, last.
    pub(super) fn source_of(&self, key: &str) -> Option<&str> {
        self.0.iter().rev().find(|layer| layer.sets(key)).map(|layer| layer.source.as_str())
    }
}

impl Layer {
    fn sets(&self, key: &str) -> bool {
        let values = Value::from(self.values.clone());
        // `broker.rooms.3.name` is set by whoever set `broker.rooms`.
        let setting: Vec<_> = key.split('.').take_while(|part| part.parse::<usize>().is_err()).collect();
        values.find_ref(&setting.join(".")).is_some()
    }
}

fn understand(figment: &Figment, source: &str) -> Result<Config, Problem> {
    figment.extract().map_err(|error| {
        let path = &error.path;
        let (message, hint) = match &error.kind {
            Kind::UnknownField(name, known) => {
                let elsewhere = if path.len() == 1 { "" } else { " here" };
                ("there is no such setting.".into(), suggest(name, known, elsewhere))
            }
            Kind::UnknownVariant(value, known) => (format!("{value:?} is not possible."), suggest(value, known, "")),
            other => (format!("{other}."), String::new()),
        };
        Problem::new(path.join("."), message, hint).at(source)
    })
}

fn suggest(name: &str, known: &[&str], place: &str) -> String {
    let closeness = |candidate: &&&str| (strsim::jaro_winkler(name, candidate) * 1e6) as u64;
    match known.iter().max_by_key(closeness) {
        Some(best) if strsim::jaro_winkler(name, best) > 0.8 => format!("Did you mean `{best}`?"),
        _ => format!("Possible{place}: {}.", known.join(", ")),
    }
}

fn read_file(path: &Path) -> Result<Layer, Problem> {
    let source = path.display().to_string();
    let wrong = |message, hint: &str| Problem::new("", message, hint).at(&source);
    let text = std::fs::read_to_string(path).map_err(|error| {
        wrong(format!("cannot be read: {error}."), "`konvert config print` prints a configuration to start from.")
    })?;
    let values = Toml::from_str(&text).map_err(|error| wrong(format!("is not TOML: {error}"), ""))?;
    Ok(Layer { source, values })
}

/// `KONVERT_GATEWAY__HEARTBEAT_MS` sets `gateway.heartbeat_ms`. Variables without the double underscore are left
/// alone, because container platforms add some of their own (`KONVERT_PORT=tcp://…`), unless one looks like a mistake.
fn read_variable(name: &str, text: String, defaults: &Value) -> Result<Option<Layer>, Problem> {
    let Some(rest) = name.strip_prefix(PREFIX) else { return Ok(None) };
    let key = rest.to_lowercase().replace("__", ".");
    let source = format!("environment variable {name}");
    if !key.contains('.') {
        let meant = settings(defaults).into_iter().find(|setting| setting.replace('.', "_") == key);
        let address = text.contains("://");
        return match meant.filter(|_| !address) {
            Some(meant) => {
                let right = format!("Did you mean {PREFIX}{}?", meant.to_uppercase().replace('.', "__"));
                Err(Problem::new("", "there is no such setting.", right).at(&source))
            }
            None => Ok(None),
        };
    }
    let value = typed(text, defaults.find_ref(&key)).map_err(|reason| Problem::new(&key, reason, "").at(&source))?;
    Ok(Some(Layer { source, values: nest(&key, value) }))
}

/// The variable's text as the type that the setting has by default.
fn typed(text: String, default: Option<&Value>) -> Result<Value, String> {
    let as_toml = |text: &str| {
        let mut table: Dict = Toml::from_str(&format!("value = {text}")).ok()?;
        table.remove("value")
    };
    match default {
        Some(Value::Array(..) | Value::Dict(..)) => {
            as_toml(&text).ok_or_else(|| "must be written as in TOML, for example [\"a\", \"b\"].".into())
        }
        Some(Value::Num(..) | Value::Bool(..)) => Ok(as_toml(&text).unwrap_or(Value::from(text))),
        _ => Ok(Value::from(text)),
    }
}

fn defaults() -> Value {
    Value::serialize(Config::default()).unwrap_or(Value::from(Dict::new()))
}

/// Every setting's dotted name.
fn settings(values: &Value) -> Vec<String> {
    let Value::Dict(_, dict) = values else { return vec![String::new()] };
    let below = |(key, value): (&String, &Value)| {
        settings(value)
            .into_iter()
            .map(|rest| format!("{key}.{rest}").trim_end_matches('.').to_owned())
            .collect::<Vec<_>>()
    };
    dict.iter().flat_map(below).collect()
}

fn nest(key: &str, value: Value) -> Dict {
    figment::util::nest(key, value).into_dict().unwrap_or_default()
}
