//! The settings themselves: every key of the contract, checked.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tracing::Level;
use url::Url;

use super::master_key;
use super::problem::InvalidSettings;
use super::reader::{Effective, Reader};
use super::sections::{
    Cache, Database, Limits, Log, LogFormat, Network, Retention, Security, Server, Synchronous, Workers,
};
use super::shown::without_password;
use super::size;
use super::sources::Sources;
use crate::domain::allow::AllowRule;
use crate::domain::sealing::MasterKey;

/// All settings, and where each came from.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `server.*`
    pub server: Server,
    /// `database.*`
    pub database: Database,
    /// `security.*`
    pub security: Security,
    /// `network.*`
    pub network: Network,
    /// `workers.*`
    pub workers: Workers,
    /// `limits.*`
    pub limits: Limits,
    /// `cache.*`
    pub cache: Cache,
    /// `retention.*`
    pub retention: Retention,
    /// `log.*`
    pub log: Log,
    effective: Vec<Effective>,
}

const GIB: u64 = 1 << 30;

impl Settings {
    /// Reads `config/default.toml`, the file and the variables (see [`super::environment`]).
    pub fn load(
        file: Option<&Path>,
        vars: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, InvalidSettings> {
        let mut from = Reader::new(Sources::read(file, vars));
        let settings = Self {
            server: server(&mut from),
            database: database(&mut from),
            security: security(&mut from),
            network: Network { allow: from.list("network.allow", AllowRule::parse) },
            workers: Workers { concurrency: narrow(from.number("workers.concurrency", 0..=65_536)) },
            limits: limits(&mut from),
            cache: Cache { max_bytes: from.size("cache.max_bytes", 0..=64 * GIB) },
            retention: retention(&mut from),
            log: log(&mut from),
            effective: Vec::new(),
        };
        let effective = from.finish().map_err(InvalidSettings)?;
        Ok(Self { effective, ..settings })
    }

    /// The settings in effect and where each came from, one per line, as TOML with a comment.
    /// Credentials read `[hidden]`.
    pub fn explain(&self) -> String {
        let lines = self.effective.iter().map(|line| match &line.shown {
            Some(shown) => (format!("{} = {shown}", line.key), line.origin.to_string()),
            None => (format!("# {} is not set", line.key), line.origin.to_string()),
        });
        let lines: Vec<(String, String)> = lines.collect();
        let width = lines.iter().map(|(setting, _)| setting.chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for ((setting, origin), line) in lines.iter().zip(&self.effective) {
            let in_words = in_words(line).map_or(String::new(), |words| format!("{words}, "));
            // Writing to a String does not fail.
            let _ = writeln!(text, "{setting:width$}  # {in_words}{origin}");
        }
        text
    }
}

/// `2 MiB` beside a number of bytes.
fn in_words(line: &Effective) -> Option<String> {
    let bytes = line.shown.as_ref().filter(|_| line.key.ends_with("_bytes"))?;
    bytes.parse().ok().map(size::show)
}

fn server(from: &mut Reader) -> Server {
    let rule = "use an IP address and a port, like 127.0.0.1:8080 or [::1]:8080";
    let listen =
        from.text("server.listen", rule, |text| Some(Listen(text.trim().parse().ok()?)), |l| l.0.to_string());
    Server { listen: listen.0, drain_seconds: from.number("server.drain_seconds", 0..=3_600) }
}

/// Only to have a stand-in while problems are collected.
struct Listen(SocketAddr);

impl Default for Listen {
    fn default() -> Self {
        Self(SocketAddr::from(([127, 0, 0, 1], 8080)))
    }
}

fn database(from: &mut Reader) -> Database {
    let url = database_url(from);
    let rule = "use `full` or `normal`";
    let parse = |text: &str| match text.to_ascii_lowercase().as_str() {
        "full" => Some(Synchronous::Full),
        "normal" => Some(Synchronous::Normal),
        _ => None,
    };
    let show = |value: &Synchronous| match value {
        Synchronous::Full => "full".to_owned(),
        Synchronous::Normal => "normal".to_owned(),
    };
    Database { url, synchronous: from.text("database.synchronous", rule, parse, show) }
}

/// A refused URL is never quoted: it may hold a password.
fn database_url(from: &mut Reader) -> String {
    const KEY: &str = "database.url";
    const RULE: &str = "use sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE";
    let Some((url, _)) = from.peek(KEY) else {
        return from.text(KEY, RULE, |_| None, |url: &String| without_password(url));
    };
    let refusal = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        if Url::parse(&url).is_ok() {
            return from.text(KEY, RULE, |text| Some(text.to_owned()), |url: &String| without_password(url));
        }
        "is not the URL of a PostgreSQL database; use postgres://USER:PASSWORD@HOST/DATABASE"
    } else if url.contains(":memory:") || url.contains("mode=memory") {
        "a database in memory would be lost at every restart; use sqlite://data/dossier.db"
    } else if url.strip_prefix("sqlite:").is_none_or(|rest| rest.trim_start_matches('/').is_empty()) {
        "is not the URL of an SQLite file; use sqlite://data/dossier.db"
    } else {
        return from.text(KEY, RULE, |text| Some(text.to_owned()), |url: &String| without_password(url));
    };
    from.refuse(KEY, refusal);
    String::new()
}

fn security(from: &mut Reader) -> Security {
    let check_key = |text: &str| {
        MasterKey::parse(text)
            .map(|_| ())
            .map_err(|error| format!("{error}; `openssl rand -base64 32` makes one"))
    };
    let check_keys = |texts: &str| {
        master_key::parse_list(texts)
            .map(|_| ())
            .map_err(|error| format!("{error}; several have commas between them"))
    };
    let path = |text: &str| Some(PathBuf::from(text)).filter(|_| !text.trim().is_empty());
    Security {
        master_key: from.secret("security.master_key", check_key),
        previous_master_keys: from.secret("security.previous_master_keys", check_keys),
        master_key_file: from.text("security.master_key_file", "use the path of a file", path, |path| {
            path.display().to_string()
        }),
        admin_token: from.secret("security.admin_token", check_token),
    }
}

fn check_token(token: &str) -> Result<(), String> {
    let visible = token.bytes().all(|byte| byte.is_ascii_graphic());
    if visible && (8..=256).contains(&token.len()) {
        return Ok(());
    }
    Err("cannot be used; use 8 to 256 visible ASCII characters, without blanks".to_owned())
}

fn limits(from: &mut Reader) -> Limits {
    let mut size = |key| narrow(from.size(key, 1..=GIB));
    Limits {
        response_bytes: size("limits.response_bytes"),
        request_bytes: size("limits.request_bytes"),
        case_bytes: size("limits.case_bytes"),
        output_bytes: size("limits.output_bytes"),
    }
}

fn retention(from: &mut Reader) -> Retention {
    let mut days = |key| narrow(from.number(key, 1..=36_500));
    Retention { runs_days: days("retention.runs_days"), bodies_days: days("retention.bodies_days") }
}

fn log(from: &mut Reader) -> Log {
    let format = |text: &str| match text.to_ascii_lowercase().as_str() {
        "auto" => Some(None),
        "text" => Some(Some(LogFormat::Text)),
        "json" => Some(Some(LogFormat::Json)),
        _ => None,
    };
    let show = |format: &Option<LogFormat>| match format {
        None => "auto".to_owned(),
        Some(LogFormat::Text) => "text".to_owned(),
        Some(LogFormat::Json) => "json".to_owned(),
    };
    Log {
        format: from.text("log.format", "use `auto`, `text` or `json`", format, show),
        level: log_level(from),
    }
}

fn log_level(from: &mut Reader) -> Level {
    let parse = |text: &str| match text.to_ascii_lowercase().as_str() {
        "error" => Some(Some(Level::ERROR)),
        "warn" => Some(Some(Level::WARN)),
        "info" => Some(Some(Level::INFO)),
        "debug" => Some(Some(Level::DEBUG)),
        "trace" => Some(Some(Level::TRACE)),
        _ => None,
    };
    let show = |level: &Option<Level>| level.map(|level| level.as_str().to_lowercase()).unwrap_or_default();
    let rule = "use `error`, `warn`, `info`, `debug` or `trace`";
    from.text("log.level", rule, parse, show).unwrap_or(Level::INFO)
}

/// The ranges above fit into every type that is used here.
fn narrow<T: TryFrom<u64> + Default>(number: u64) -> T {
    T::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::sources::{Origin, variable};
    use super::*;

    const KEY: &str = "q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq80=";

    fn vars<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = (String, String)> + 'a {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
    }

    fn load(file: Option<&str>, pairs: &[(&str, &str)]) -> Result<Settings, InvalidSettings> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dossier.toml");
        if let Some(text) = file {
            std::fs::write(&path, text).unwrap();
        }
        Settings::load(file.map(|_| path.as_path()), vars(pairs))
    }

    fn allowed(settings: &Settings) -> Vec<String> {
        settings.network.allow.iter().map(ToString::to_string).collect()
    }

    /// The problems as `key: message`.
    fn problems(file: Option<&str>, pairs: &[(&str, &str)]) -> Vec<String> {
        let InvalidSettings(problems) = load(file, pairs).unwrap_err();
        problems.iter().map(|problem| format!("{}: {}", problem.key, problem.message)).collect()
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let settings = load(None, &[]).unwrap();
        assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.server.drain_seconds, 30);
        assert_eq!(settings.database.url, "sqlite://data/dossier.db");
        assert_eq!(settings.database.synchronous, Synchronous::Full);
        assert!(settings.security.master_key.is_none() && settings.security.admin_token.is_none());
        assert_eq!(settings.security.master_key_file, Path::new("data/master.key"));
        assert!(settings.network.allow.is_empty());
        assert_eq!(settings.workers.concurrency, 512);
        assert_eq!(settings.limits.response_bytes, 2 << 20);
        assert_eq!(settings.limits.request_bytes, 1 << 20);
        assert_eq!(settings.limits.case_bytes, 1 << 20);
        assert_eq!(settings.limits.output_bytes, 256 << 10);
        assert_eq!(settings.cache.max_bytes, 64 << 20);
        assert_eq!((settings.retention.runs_days, settings.retention.bodies_days), (90, 14));
        assert_eq!(settings.log.format, None);
        assert_eq!(settings.log.level, Level::INFO);
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
        let file =
            "[server]\nlisten = \"0.0.0.0:1\"\ndrain_seconds = 5\n[network]\nallow = [\"10.0.0.0/8\"]\n";
        let vars = [
            ("DOSSIER__SERVER__LISTEN", "[::1]:2"),
            ("DOSSIER__NETWORK__ALLOW", " 127.0.0.1:9000, [::1]:9000 ,,intranet.example"),
            ("DOSSIER__LIMITS__RESPONSE_BYTES", "64 KiB"),
            ("DOSSIER_SERVER__LISTEN", "not ours"),
            ("PATH", "/bin"),
        ];
        let settings = load(Some(file), &vars).unwrap();
        assert_eq!(settings.server.listen.to_string(), "[::1]:2");
        assert_eq!(settings.server.drain_seconds, 5);
        assert_eq!(allowed(&settings), ["127.0.0.1/32:9000", "[::1/128]:9000", "intranet.example"]);
        assert_eq!(settings.limits.response_bytes, 65_536);
        assert_eq!(settings.workers.concurrency, 512);
        assert_eq!(allowed(&load(Some(file), &[]).unwrap()), ["10.0.0.0/8"]);
        assert!(load(Some(file), &[("DOSSIER__NETWORK__ALLOW", "")]).unwrap().network.allow.is_empty());
    }

    #[test]
    fn explain_says_what_is_in_effect_and_where_it_came_from() {
        let vars =
            [("DOSSIER__SERVER__LISTEN", "127.0.0.1:1"), ("DOSSIER__SECURITY__ADMIN_TOKEN", "confidential")];
        let file = format!("log.level = \"debug\"\n[security]\nmaster_key = \"{KEY}\"\n");
        let settings = load(Some(&file), &vars).unwrap();
        let text = settings.explain();
        let line = |key: &str| {
            let start = format!("{key} ");
            text.lines().find(|line| line.trim_start_matches("# ").starts_with(&start)).unwrap().to_owned()
        };
        assert!(line("server.listen").contains("\"127.0.0.1:1\""), "{text}");
        assert!(line("server.listen").ends_with("environment DOSSIER__SERVER__LISTEN"), "{text}");
        assert!(line("log.level").contains("dossier.toml"), "{text}");
        assert!(line("log.format").contains("\"auto\"") && line("log.format").ends_with("default"), "{text}");
        assert!(line("limits.response_bytes").contains("2097152"), "{text}");
        assert!(line("limits.response_bytes").ends_with("# 2 MiB, default"), "{text}");
        for key in ["security.master_key", "security.admin_token"] {
            assert!(line(key).contains("[hidden]"), "{text}");
        }
        for shown in [text, format!("{settings:?}")] {
            assert!(!shown.contains("confidential") && !shown.contains(KEY), "{shown}");
        }
        assert!(load(None, &[]).unwrap().explain().contains("# security.admin_token is not set"));
    }

    #[test]
    fn every_bad_value_names_its_remedy() {
        let cases = [
            ("SERVER__LISTEN", "8080", "an IP address and a port"),
            ("SERVER__LISTEN", "", "an IP address and a port"),
            ("SERVER__DRAIN_SECONDS", "3601", "from 0 to 3600"),
            ("SERVER__DRAIN_SECONDS", "-1", "from 0 to 3600"),
            ("DATABASE__URL", "postgres://u:confidential@h:port/d", "postgres://USER"),
            ("DATABASE__URL", "mysql://u:confidential@h/d", "sqlite://"),
            ("DATABASE__URL", "mysql://u:confidential@h/d", "sqlite://"),
            ("DATABASE__URL", "sqlite::memory:", "memory"),
            ("DATABASE__URL", "sqlite://", "sqlite://data/dossier.db"),
            ("DATABASE__SYNCHRONOUS", "off", "`full` or `normal`"),
            ("SECURITY__MASTER_KEY", "confidential", "base64"),
            ("SECURITY__PREVIOUS_MASTER_KEYS", "confidential", "base64"),
            ("SECURITY__MASTER_KEY_FILE", " ", "the path of a file"),
            ("SECURITY__ADMIN_TOKEN", "hushhus", "8 to 256"),
            ("SECURITY__ADMIN_TOKEN", "confidential token", "8 to 256"),
            ("SECURITY__ADMIN_TOKEN", "confidentiäl", "8 to 256"),
            ("NETWORK__ALLOW", "10.0.0.0/8,http://x", "`http://x` holds a scheme"),
            ("NETWORK__ALLOW", "*.intranet.example", "neither an address nor a host name"),
            ("NETWORK__ALLOW", "10.0.0.0/33", "not an IP network in CIDR form"),
            ("NETWORK__ALLOW", "intranet.example:http", "a port that is not a number"),
            ("NETWORK__ALLOW", "intra net", "neither an address nor a host name"),
            ("WORKERS__CONCURRENCY", "-1", "from 0 to 65536"),
            ("WORKERS__CONCURRENCY", "65537", "from 0 to 65536"),
            ("LIMITS__RESPONSE_BYTES", "0", "from 1 bytes to 1 GiB"),
            ("LIMITS__REQUEST_BYTES", "2 M", "like \"2 MiB\""),
            ("LIMITS__CASE_BYTES", "2 GiB", "to 1 GiB"),
            ("LIMITS__OUTPUT_BYTES", "1.5", "a number of bytes"),
            ("CACHE__MAX_BYTES", "65 GiB", "to 64 GiB"),
            ("RETENTION__RUNS_DAYS", "0", "from 1 to 36500"),
            ("RETENTION__BODIES_DAYS", "x", "`x`"),
            ("LOG__FORMAT", "xml", "`text` or `json`"),
            ("LOG__LEVEL", "loud", "`debug`"),
            ("LOG__LEVEL", "info\u{fffd}", "`debug`"),
        ];
        for (name, value, remedy) in cases {
            let name = format!("DOSSIER__{name}");
            let error = load(None, &[(&name, value)]).unwrap_err();
            assert_eq!(error.0.len(), 1, "{name}={value}: {error}");
            assert_eq!(error.0[0].origin, Origin::Environment(name.clone()));
            assert_eq!(variable(&error.0[0].key), name);
            let text = error.to_string();
            assert!(text.contains(remedy) && text.contains(&name), "{name}={value}: {text}");
            assert!(!text.contains("confidential") && !text.contains("hushhus"), "{text}");
        }
    }

    #[test]
    fn all_problems_are_listed_at_once() {
        let file = "[server]\nlisten = 5\nlistne = 6\n[workers]\nconcurrency = true\n[nothing]\n";
        let vars = [
            ("DOSSIER__LOG__LEVEL", "loud"),
            ("DOSSIER__ADMIN_TOKEN", "confidential"),
            ("DOSSIER__NETWORK__ALLOW", "127.0.0.1:0,intranet.example,a..b"),
        ];
        let found = problems(Some(file), &vars);
        assert_eq!(found.len(), 8, "{found:#?}");
        let text = found.join("\n");
        for expected in [
            "server.listen: `5`",
            "workers.concurrency: `true`",
            "log.level: `loud`",
            "network.allow: `127.0.0.1:0` has a port",
            "network.allow: `a..b` is neither",
            "server.listne: is not a setting; did you mean server.listen?",
            "nothing: is not a setting",
            "admin_token: is not a setting; did you mean DOSSIER__SECURITY__ADMIN_TOKEN?",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        assert!(!text.contains("confidential"), "{text}");
    }

    #[test]
    fn the_shape_of_a_file_is_checked() {
        let cases = [
            ("server = 5", "is a section; write [server]"),
            ("[network]\nallow = 5", "is not a list"),
            ("[network]\nallow = [5]", "not a text"),
            ("[security]\nadmin_token = 12345678", "is not a text"),
            ("[server.listen]\nhost = \"x\"", "is not a setting"),
            ("[limits]\nresponse_bytes = 1.5", "cannot be used"),
            ("[log]\nlevel = [\"info\"]", "this kind of value cannot be used"),
        ];
        for (file, expected) in cases {
            let found = problems(Some(file), &[]);
            assert!(found.iter().any(|problem| problem.contains(expected)), "{file}: {found:?}");
        }
    }

    #[test]
    fn a_broken_file_is_placed_and_not_quoted() {
        for file in [
            "[security]\nadmin_token = \"confidential\nx = 1",
            "[security]\nadmin_token = confidential",
            "[security]\nadmin_token = \"confidential\" x",
            "[security]\nadmin_token = \"confidential\"\nadmin_token = \"confidential\"",
            "[security]\nadmin_token = \"\\confidential\"",
            "123 confidential",
        ] {
            let error = load(Some(file), &[("DOSSIER__LOG__LEVEL", "loud")]).unwrap_err();
            let text = error.to_string();
            assert!(text.contains("line ") && text.contains("not valid TOML"), "{text}");
            assert!(!text.contains("confidential"), "{text}");
            assert!(text.contains("log.level"), "{text}");
        }
        let missing =
            Settings::load(Some(Path::new("no/such/file.toml")), vars(&[])).unwrap_err().to_string();
        assert!(missing.contains("no/such/file.toml") && missing.contains("--config"), "{missing}");
    }

    #[test]
    fn an_empty_credential_is_not_set() {
        let vars = [("DOSSIER__SECURITY__ADMIN_TOKEN", ""), ("DOSSIER__SECURITY__MASTER_KEY", "")];
        let security = load(None, &vars).unwrap().security;
        assert!(security.admin_token.is_none() && security.master_key.is_none());
    }

    #[test]
    fn every_key_is_explained_in_the_default_file() {
        let default = include_str!("../../config/default.toml");
        let settings = load(None, &[]).unwrap();
        assert_eq!(settings.effective.len(), 19);
        let mut section = "";
        let mut found = Vec::new();
        let mut before = "";
        for line in default.lines() {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
            }
            if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") {
                assert!(before.starts_with('#'), "{key} has no comment");
                found.push(format!("{section}.{key}"));
            }
            before = line;
        }
        for line in &settings.effective {
            assert!(found.iter().any(|key| key == line.key), "{} is not in default.toml", line.key);
        }
    }
}
