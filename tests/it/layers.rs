//! Imports go down only, `mod.rs` is a table of contents, files say what they are for and stay
//! small: read from the sources, so that a breach names its file and line.
//!
//! The order is `main → app → api · ui · schedule → engine → service → store · outbound →
//! domain`; `config`, `telemetry` and `sandbox` are leaves that only `app` and `main` know,
//! `metrics` is one that all above `store` may count with.

mod source;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use source::{Token, references, tokens};

/// Which layers a layer may import, beside itself. What is not listed is no layer.
const MAY_IMPORT: [(&str, &[&str]); 13] = [
    (
        "app",
        &[
            "api",
            "ui",
            "schedule",
            "engine",
            "service",
            "store",
            "outbound",
            "metrics",
            "domain",
            "config",
            "telemetry",
            "sandbox",
        ],
    ),
    ("api", &["engine", "service", "store", "outbound", "metrics", "domain"]),
    ("ui", &["engine", "service", "store", "outbound", "domain"]),
    ("schedule", &["engine", "service", "store", "outbound", "metrics", "domain"]),
    ("engine", &["service", "store", "outbound", "metrics", "domain"]),
    ("service", &["store", "outbound", "metrics", "domain"]),
    ("store", &["domain"]),
    ("outbound", &["domain"]),
    ("domain", &[]),
    ("metrics", &["domain"]),
    ("config", &["domain"]),
    ("telemetry", &["domain"]),
    ("sandbox", &["domain"]),
];

/// Crates that belong to some layers only. `main` may use all.
const CRATES: [(&str, &[&str]); 7] = [
    ("sea_orm", &["store"]),
    ("migrations", &["store"]),
    ("reqwest", &["outbound"]),
    ("prometheus_client", &["metrics"]),
    ("utoipa_swagger_ui", &["api"]),
    ("actix_web", &["app", "api", "ui", "telemetry", "sandbox"]),
    (
        "tokio",
        &["app", "api", "ui", "schedule", "engine", "service", "store", "outbound", "telemetry", "sandbox"],
    ),
];

const MAX_LINES: usize = 300;

/// Files that may be longer, each with its reason.
const LONG_FILES: [(&str, &str); 0] = [];

/// One breach of the rules.
#[derive(Debug, PartialEq, Eq)]
struct Breach {
    file: String,
    line: usize,
    what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// A file below `src/`, e.g. `store/cases.rs`, and the module that it is.
struct File {
    name: String,
    text: String,
    module: Vec<String>,
}

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = name.strip_suffix(".rs").unwrap_or(name);
        let path = path.strip_suffix("/mod").unwrap_or(path);
        let module = if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() };
        Self { name: name.to_owned(), text: text.to_owned(), module }
    }

    fn breach(&self, line: usize, what: String) -> Breach {
        Breach { file: format!("src/{}", self.name), line, what }
    }
}

/// Which modules there are, and which of them hold nothing but tests.
struct Modules {
    all: BTreeSet<Vec<String>>,
    tests: BTreeSet<Vec<String>>,
}

impl Modules {
    fn of(files: &[File]) -> Self {
        let all = files.iter().map(|file| file.module.clone()).collect();
        let tests = files.iter().flat_map(|file| {
            let names = test_files(&tokens(&file.text));
            names.into_iter().map(|name| [file.module.as_slice(), &[name]].concat())
        });
        Self { all, tests: tests.collect() }
    }

    /// The module whose tests the file holds: the one with the `#[cfg(test)] mod` line of the
    /// file, or of a module above it.
    fn holder_of_tests<'f>(&self, file: &'f File) -> Option<&'f [String]> {
        let depth = (1..=file.module.len()).find(|depth| self.tests.contains(&file.module[..*depth]))?;
        Some(&file.module[..depth - 1])
    }
}

/// The names in lines like `#[cfg(test)] mod name;`.
fn test_files(tokens: &[Token]) -> Vec<String> {
    let is_start = |at: &usize| tokens[*at].text == "#" && (*at == 0 || tokens[*at - 1].text != "]");
    let name = |start: usize| {
        let at = skip_attributes(tokens, start);
        let at = if is_test(&tokens[start..at]) { skip_visibility(tokens, at) } else { return None };
        match tokens.get(at..at + 3)? {
            [word, name, end] if word.text == "mod" && end.text == ";" => Some(name.text.clone()),
            _ => None,
        }
    };
    (0..tokens.len()).filter(is_start).filter_map(name).collect()
}

/// Whether `#[cfg(test)]` is among the attributes.
fn is_test(attributes: &[Token]) -> bool {
    let words = |at: usize| attributes[at..].iter().map(|token| token.text.as_str());
    (0..attributes.len()).any(|at| words(at).take(6).eq(["[", "cfg", "(", "test", ")", "]"]))
}

/// Every breach of the sources, file by file.
fn breaches(files: &[File]) -> Vec<Breach> {
    let modules = Modules::of(files);
    let mut found = Vec::new();
    for file in files {
        let tokens = tokens(&file.text);
        found.extend(opening(file));
        if modules.holder_of_tests(file).is_none() {
            found.extend(size(file));
        }
        if file.name.ends_with("/mod.rs") {
            found.extend(contents(file, &tokens));
        }
        if file.name != "main.rs" && file.name != "lib.rs" {
            found.extend(imports(file, &tokens, &modules));
            found.extend(crates(file, &tokens));
        }
    }
    found
}

fn opening(file: &File) -> Option<Breach> {
    let missing = !file.text.starts_with("//!");
    missing.then(|| file.breach(1, "does not open with `//!` and what it is for".to_owned()))
}

fn size(file: &File) -> Option<Breach> {
    let lines: Vec<&str> = file.text.lines().collect();
    let is_tests = |at: usize| {
        lines[at] == "#[cfg(test)]"
            && lines[at + 1..]
                .iter()
                .find(|line| !line.starts_with("#["))
                .is_some_and(|line| line.starts_with("mod "))
    };
    let count = (0..lines.len()).find(|at| is_tests(*at)).unwrap_or(lines.len());
    let excused = LONG_FILES.iter().any(|(name, _)| *name == file.name);
    (count > MAX_LINES && !excused)
        .then(|| file.breach(count, format!("has {count} lines before its tests; {MAX_LINES} is the limit")))
}

fn imports(file: &File, tokens: &[Token], modules: &Modules) -> Vec<Breach> {
    let layer = file.module[0].as_str();
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == layer) else {
        return vec![file.breach(1, format!("`{layer}` is no layer; tests/it/layers.rs lists them"))];
    };
    let mut found = Vec::new();
    for reference in references(tokens, &file.module) {
        let path = reference.path.join("::");
        let target = reference.path.first().map_or("", String::as_str);
        if target != layer && !allowed.contains(&target) {
            found.push(file.breach(reference.line, format!("`{layer}` must not import `{path}`")));
        }
        if let Some(parent) = reads_parent(file, &reference.path, modules) {
            let what =
                format!("imports `{path}` from its own parent `{parent}`; name the sibling that holds it");
            found.push(file.breach(reference.line, what));
        }
    }
    found
}

/// The module above the file that the path takes something from which is no module below it.
/// A file of tests may read the module that it tests, as tests at a file's end may.
fn reads_parent(file: &File, path: &[String], modules: &Modules) -> Option<String> {
    let tested = modules.holder_of_tests(file);
    let parents = (1..file.module.len()).map(|depth| &file.module[..depth]);
    let parents = parents.filter(|parent| Some(*parent) != tested);
    let read = |parent: &&[String]| {
        path.starts_with(parent)
            && !path.get(..=parent.len()).is_some_and(|child| modules.all.contains(child))
    };
    parents.rev().find(read).map(|parent| parent.join("::"))
}

fn crates(file: &File, tokens: &[Token]) -> Vec<Breach> {
    let layer = file.module[0].as_str();
    let named = |at: usize, name: &str| {
        tokens[at].text == name && (followed_by(tokens, at, ":") || at > 0 && tokens[at - 1].text == "use")
    };
    let mut found = Vec::new();
    for (name, layers) in CRATES.iter().filter(|(_, layers)| !layers.contains(&layer)) {
        for at in (0..tokens.len()).filter(|at| named(*at, name)) {
            let what =
                format!("`{layer}` must not use the crate `{name}`; it belongs to {}", layers.join(", "));
            found.push(file.breach(tokens[at].line, what));
        }
    }
    found
}

fn followed_by(tokens: &[Token], at: usize, text: &str) -> bool {
    tokens.get(at + 1).is_some_and(|token| token.text == text)
        && tokens.get(at + 2).is_some_and(|token| token.text == text)
}

/// What a `mod.rs` holds beside its doc, `mod` and `pub use` lines and its tests.
fn contents(file: &File, tokens: &[Token]) -> Option<Breach> {
    let mut at = 0;
    while at < tokens.len() {
        let start = at;
        at = skip_attributes(tokens, at);
        let is_test = is_test(&tokens[start..at]);
        let is_public = tokens.get(at).is_some_and(|token| token.text == "pub");
        at = skip_visibility(tokens, at);
        let end = |mark: &str| (at..tokens.len()).find(|i| tokens[*i].text == mark);
        let word = tokens.get(at)?;
        let item_end = match word.text.as_str() {
            "mod" if tokens.get(at + 2).is_some_and(|token| token.text == ";") => Some(at + 2),
            "mod" if is_test => Some(closing(tokens, at + 2)),
            "use" if is_public => end(";"),
            _ => None,
        };
        let Some(item_end) = item_end else {
            let what = format!("mod.rs holds its doc, `mod` and `pub use` lines only, not `{}`", word.text);
            return Some(file.breach(word.line, what));
        };
        at = item_end + 1;
    }
    None
}

fn skip_attributes(tokens: &[Token], mut at: usize) -> usize {
    while tokens.get(at).is_some_and(|token| token.text == "#") {
        at += 1 + usize::from(tokens.get(at + 1).is_some_and(|token| token.text == "!"));
        at = closing(tokens, at) + 1;
    }
    at
}

fn skip_visibility(tokens: &[Token], at: usize) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    match (text(at), text(at + 1)) {
        ("pub", "(") => closing(tokens, at + 1) + 1,
        ("pub", _) => at + 1,
        _ => at,
    }
}

/// Where the bracket at `open` is closed.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

fn read_sources(folder: &Path, prefix: &str, files: &mut Vec<File>) {
    for entry in folder.read_dir().unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            read_sources(&entry.path(), &format!("{name}/"), files);
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            files.push(File::new(&name, &std::fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

#[test]
fn the_sources_keep_the_order_of_the_layers() {
    let mut files = Vec::new();
    read_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut files);
    assert!(files.iter().any(|file| file.name == "domain/clock.rs"), "the sources were not found");

    let found: Vec<String> = breaches(&files).iter().map(Breach::to_string).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn an_excuse_for_a_long_file_is_still_needed() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (name, reason) in LONG_FILES {
        let file = File::new(name, &std::fs::read_to_string(src.join(name)).unwrap());
        assert!(!reason.is_empty() && file.text.lines().count() > MAX_LINES, "{name}");
    }
}

#[cfg(test)]
mod tests;
