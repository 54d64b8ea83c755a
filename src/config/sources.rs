//! Where settings come from, before anybody asks what they mean.
//!
//! Each source becomes a flat list of dotted keys with their values; laid over each other they
//! are one table that remembers the origin of every value. Errors of a file never quote its
//! lines, for one of them may hold a credential.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use config::{File, FileFormat, Source as _, Value, ValueKind};

use super::problem::SettingProblem;

const DEFAULTS: &str = include_str!("../../config/default.toml");
const PREFIX: &str = "DOSSIER__";

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In `config/default.toml`, which is part of the program.
    Default,
    /// In the file named by `--config`.
    File(PathBuf),
    /// In this environment variable.
    Environment(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
        }
    }
}

/// A value that nobody has looked at yet.
#[derive(Clone)]
pub struct Raw {
    pub value: ValueKind,
    pub origin: Origin,
}

/// All sources laid over each other.
#[derive(Default)]
pub struct Sources {
    pub values: BTreeMap<String, Raw>,
    pub problems: Vec<SettingProblem>,
}

/// The environment variables that are settings. The names of others are looked at, not their
/// values. Bytes that are no text become U+FFFD, which the reader refuses.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name.starts_with(PREFIX))?;
        Some((name, value.to_string_lossy().into_owned()))
    })
}

/// The name of the environment variable for a key.
pub fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

impl Sources {
    /// Default, then the file, then the variables.
    pub fn read(file: Option<&Path>, vars: impl Iterator<Item = (String, String)>) -> Self {
        let mut sources = Self::default();
        sources.add_toml(DEFAULTS, &Origin::Default);
        if let Some(path) = file {
            let origin = Origin::File(path.to_owned());
            match std::fs::read_to_string(path) {
                Ok(text) => sources.add_toml(&text, &origin),
                Err(error) => {
                    let message = format!("cannot be read ({error}); check the path given to --config");
                    sources.problems.push(SettingProblem { key: String::new(), origin, message });
                }
            }
        }
        sources.add_variables(vars);
        sources
    }

    fn add_toml(&mut self, text: &str, origin: &Origin) {
        match File::from_str(text, FileFormat::Toml).collect() {
            Ok(table) => table.into_iter().for_each(|(name, value)| self.add(name, value, origin)),
            Err(error) => {
                let message = format!("is not valid TOML: {}", without_quotation(&error.to_string()));
                self.problems.push(SettingProblem { key: String::new(), origin: origin.clone(), message });
            }
        }
    }

    /// Tables become dotted keys; an empty one stays, so that an unknown section is noticed.
    fn add(&mut self, key: String, value: Value, origin: &Origin) {
        match value.kind {
            ValueKind::Table(table) if !table.is_empty() => {
                for (name, value) in table {
                    self.add(format!("{key}.{name}"), value, origin);
                }
            }
            value => {
                self.values.insert(key, Raw { value, origin: origin.clone() });
            }
        }
    }

    fn add_variables(&mut self, vars: impl Iterator<Item = (String, String)>) {
        for (name, value) in vars {
            let Some(key) = name.strip_prefix(PREFIX) else { continue };
            let key = key.replace("__", ".").to_ascii_lowercase();
            let origin = Origin::Environment(name);
            self.values.insert(key, Raw { value: ValueKind::String(value), origin });
        }
    }
}

/// The place and the rule of a TOML error, without the lines of the file that stand between.
fn without_quotation(error: &str) -> String {
    let mut lines = error.lines().filter(|line| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('|') && !line.starts_with(|c: char| c.is_ascii_digit())
    });
    let place = lines.next().unwrap_or("it cannot be parsed");
    lines.next_back().map_or(place.to_owned(), |rule| format!("{place}: {rule}"))
}
