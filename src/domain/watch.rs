//! Watch paths: which values of a case a field looks at, and whether they changed.
//!
//! A path goes through objects by name and through arrays by number. Null and absent are the
//! same here, as they are to templates. What a field writes itself is not among what it is seen
//! to depend on, else its own success would make its data look stale.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use ring::digest::{Context, SHA256};
use serde_json::Value;

use super::data::{DataPath, check_member};
use super::template::{equal, text_of};

/// A case as watch paths read it.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// Its data, output variables included; an object.
    pub data: &'a Value,
    /// What templates read as `case`.
    pub case: &'a Value,
    /// What templates read as `params`.
    pub params: &'a Value,
}

/// Where a watch path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WatchRoot {
    /// The case's data.
    Data,
    /// The case itself: its title, status, …
    Case,
    /// The params of case type and workspace.
    Params,
}

/// One watched value, e.g. `vat_number`, `address.city`, `case.status`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WatchPath {
    root: WatchRoot,
    segments: Vec<String>,
}

/// Roots of templates that hold nothing of a case, so that watching them cannot mean anything.
const NOT_WATCHED: [&str; 9] =
    ["data", "input", "secret", "secrets", "run", "workflow_run_id", "now", "now_unix", "old"];

impl WatchPath {
    /// Reads a path as `watch` lists it. The error says what is wrong, as a fragment.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split('.');
        let first = words.next().unwrap_or_default();
        let below = words.next().is_some();
        if !text.starts_with("data.") && NOT_WATCHED.contains(&first) {
            return Err(format!(
                "`{text}` cannot be watched: name a value in `data` such as `vat_number`, or one of `case` or `params`"
            ));
        }
        match first {
            "case" if below => Self::below(WatchRoot::Case, &text["case.".len()..]),
            "params" if below => Self::below(WatchRoot::Params, &text["params.".len()..]),
            "case" | "params" => Err(format!("`{text}` is too much: name one value below it")),
            _ => Self::below(WatchRoot::Data, text.strip_prefix("data.").unwrap_or(text)),
        }
    }

    fn below(root: WatchRoot, path: &str) -> Result<Self, String> {
        let segments: Vec<String> = path.split('.').map(str::to_owned).collect();
        match segments.iter().find_map(|segment| check_member(segment).err()) {
            Some(problem) => Err(format!("`{path}` is not a path: {problem}")),
            None => Ok(Self { root, segments }),
        }
    }

    /// The watched value behind a path that a template reads: `data.…` and output variables.
    /// `None` for every other root, and for `data` as a whole.
    pub fn inferred(reference: &str, outputs: &[String]) -> Option<Self> {
        let path = Self::referenced(reference, outputs)?;
        (path.root == WatchRoot::Data).then_some(path)
    }

    /// As [`WatchPath::inferred`], and with `case` and `params`: whatever can arrive later.
    pub fn referenced(reference: &str, outputs: &[String]) -> Option<Self> {
        let (first, rest) = reference.split_once('.').unwrap_or((reference, ""));
        let (root, path) = match first {
            "data" => (WatchRoot::Data, rest),
            "case" => (WatchRoot::Case, rest),
            "params" => (WatchRoot::Params, rest),
            name if outputs.iter().any(|output| output == name) => (WatchRoot::Data, reference),
            _ => return None,
        };
        Self::below(root, path).ok()
    }

    /// Where it begins.
    pub const fn root(&self) -> WatchRoot {
        self.root
    }

    /// The member names and array indices below the root, at least one.
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// The value, when it is there and not null.
    pub fn value<'a>(&self, sight: &Sight<'a>) -> Option<&'a Value> {
        let root = match self.root {
            WatchRoot::Data => sight.data,
            WatchRoot::Case => sight.case,
            WatchRoot::Params => sight.params,
        };
        let found = self.segments.iter().try_fold(root, |value, segment| match value {
            Value::Array(items) => items.get(segment.parse::<usize>().ok()?),
            value => value.get(segment.as_str()),
        });
        found.filter(|value| !value.is_null())
    }

    /// Whether a write at `target` can change the value.
    pub fn touches(&self, target: &DataPath) -> bool {
        let words = target.segments();
        let common = words.len().min(self.segments.len());
        self.root == WatchRoot::Data && words[..common] == self.segments[..common]
    }

    /// Whether the value lies at or below `target`.
    pub fn lies_in(&self, target: &DataPath) -> bool {
        self.root == WatchRoot::Data && self.segments.starts_with(target.segments())
    }
}

impl fmt::Display for WatchPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.segments.first().map_or("", String::as_str);
        let root = match self.root {
            // Without it, data that has the name of a root would read back as that root.
            WatchRoot::Data if NOT_WATCHED.contains(&first) || ["case", "params"].contains(&first) => "data.",
            WatchRoot::Data => "",
            WatchRoot::Case => "case.",
            WatchRoot::Params => "params.",
        };
        write!(f, "{root}{}", self.segments.join("."))
    }
}

/// The values that a field looks at: given, or inferred from what it reads.
#[derive(Debug, Clone, Default)]
pub struct WatchSet {
    paths: Vec<WatchPath>,
    own: Vec<DataPath>,
}

impl WatchSet {
    /// These paths, of a field that writes `own`.
    pub fn new(paths: impl IntoIterator<Item = WatchPath>, own: Vec<DataPath>) -> Self {
        let mut paths: Vec<_> = paths.into_iter().collect();
        paths.sort();
        paths.dedup();
        Self { paths, own }
    }

    /// The paths, sorted.
    pub fn paths(&self) -> &[WatchPath] {
        &self.paths
    }

    /// Whether a write at `target` can change a watched value.
    pub fn touches(&self, target: &DataPath) -> bool {
        self.paths.iter().any(|path| path.touches(target))
    }

    /// Whether a watched value differs.
    pub fn changed(&self, before: &Sight<'_>, after: &Sight<'_>) -> bool {
        self.paths.iter().any(|path| match (self.without_own(path, before), self.without_own(path, after)) {
            (Some(before), Some(after)) => !equal(&before, &after),
            (before, after) => before.is_some() != after.is_some(),
        })
    }

    /// A short hash of each watched value but those that the field writes itself: what a run
    /// saw, for [`WatchSet::differs`].
    pub fn fingerprints(&self, sight: &Sight<'_>) -> BTreeMap<String, String> {
        let foreign = self.paths.iter().filter(|path| !self.own.iter().any(|own| path.lies_in(own)));
        foreign.map(|path| (path.to_string(), hash(self.without_own(path, sight).as_deref()))).collect()
    }

    /// Whether a watched value differs from what was seen. Paths that were not watched then are
    /// left out.
    pub fn differs(&self, seen: &BTreeMap<String, String>, sight: &Sight<'_>) -> bool {
        let now = self.fingerprints(sight);
        now.iter().any(|(path, hash)| seen.get(path).is_some_and(|before| before != hash))
    }

    /// The value, less what the field itself writes below it: an object that holds nothing else
    /// is not there.
    fn without_own<'a>(&self, path: &WatchPath, sight: &Sight<'a>) -> Option<Cow<'a, Value>> {
        let value = path.value(sight)?;
        let depth = path.segments.len();
        let inner = |own: &&DataPath| own.segments().len() > depth && path.touches(own);
        let mut value = Cow::Borrowed(value);
        let mut rest = true;
        for own in self.own.iter().filter(inner) {
            rest = remove(value.to_mut(), &own.segments()[depth..]);
        }
        rest.then_some(value)
    }
}

/// Removes what lies at `path`, and objects on the way that hold nothing then; answers whether
/// anything is left of the value.
fn remove(value: &mut Value, path: &[String]) -> bool {
    let (Value::Object(members), [first, rest @ ..]) = (&mut *value, path) else { return true };
    let left = !rest.is_empty() && members.get_mut(first).is_some_and(|inner| remove(inner, rest));
    if !left {
        members.shift_remove(first);
    }
    !members.is_empty()
}

/// 64 bits of SHA-256 over the value with its members sorted, in hex.
fn hash(value: Option<&Value>) -> String {
    let mut context = Context::new(&SHA256);
    feed(value.unwrap_or(&Value::Null), &mut context);
    hex::encode(&context.finish().as_ref()[..8])
}

fn feed(value: &Value, context: &mut Context) {
    match value {
        Value::Array(items) => {
            context.update(b"[");
            for item in items {
                feed(item, context);
                context.update(b",");
            }
        }
        Value::Object(members) => {
            context.update(b"{");
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| name.as_str());
            for (name, member) in sorted {
                context.update(Value::from(name.as_str()).to_string().as_bytes());
                feed(member, context);
                context.update(b",");
            }
        }
        // As text a whole number is the same with and without a fraction of zero.
        Value::Number(_) => context.update(text_of(value).unwrap_or_default().as_bytes()),
        scalar => context.update(scalar.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sight(data: &Value) -> Sight<'_> {
        Sight { data, case: &Value::Null, params: &Value::Null }
    }

    fn set(paths: &[&str], own: &[&str]) -> WatchSet {
        let paths = paths.iter().map(|path| WatchPath::parse(path).unwrap());
        WatchSet::new(paths, own.iter().map(|path| DataPath::parse(path).unwrap()).collect())
    }

    #[test]
    fn a_path_names_one_value_of_the_case() {
        for (text, shown) in [
            ("vat", "vat"),
            ("data.vat", "vat"),
            ("items.0.name", "items.0.name"),
            ("case.status", "case.status"),
            ("params.region", "params.region"),
            ("data.now", "data.now"),
            ("data.case.title", "data.case.title"),
        ] {
            assert_eq!(WatchPath::parse(text).unwrap().to_string(), shown);
        }
        for text in ["", "data", "data.", "a..b", "case", "params", "secret.x", "input.x", "now", "old.vat"] {
            assert!(WatchPath::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn values_are_compared_not_texts() {
        let set = set(&["vat", "address", "items.1"], &[]);
        let old = json!({"vat": "a", "address": {"city": "x", "zip": null}, "items": [1, 2, 3]});
        for (new, changed) in [
            (json!({"vat": "a", "address": {"zip": null, "city": "x"}, "items": [9, 2]}), false),
            (json!({"vat": "b", "address": {"city": "x", "zip": null}, "items": [1, 2]}), true),
            (json!({"vat": "a", "address": {"city": "y", "zip": null}, "items": [1, 2]}), true),
            (json!({"vat": "a", "address": {"city": "x", "zip": null}, "items": [1, 3]}), true),
            (json!({"vat": "a", "address": {"city": "x", "zip": null}, "items": [1]}), true),
        ] {
            assert_eq!(set.changed(&sight(&old), &sight(&new)), changed, "{new}");
            let seen = set.fingerprints(&sight(&old));
            assert_eq!(set.differs(&seen, &sight(&new)), changed, "{new}");
        }
        assert!(!set.changed(&sight(&json!({})), &sight(&json!({"vat": null}))), "null is absent");
    }

    #[test]
    fn what_a_field_writes_itself_makes_nothing_stale() {
        let set = set(&["address", "city"], &["address.geo", "city"]);
        let old = json!({"address": {"street": "x"}, "city": "a"});
        let own = json!({"address": {"street": "x", "geo": [1, 2]}, "city": "b"});
        assert!(!set.differs(&set.fingerprints(&sight(&old)), &sight(&own)));
        let other = json!({"address": {"street": "y", "geo": [1, 2]}, "city": "b"});
        assert!(set.differs(&set.fingerprints(&sight(&old)), &sight(&other)));
        assert!(set.touches(&DataPath::parse("address.street").unwrap()));
        assert!(!set.touches(&DataPath::parse("street").unwrap()));
    }

    #[test]
    fn templates_name_what_is_watched() {
        let outputs = ["vat_response".to_owned()];
        let shown = |reference| WatchPath::inferred(reference, &outputs).map(|path| path.to_string());
        assert_eq!(shown("data.vat").as_deref(), Some("vat"));
        assert_eq!(shown("vat_response.id").as_deref(), Some("vat_response.id"));
        for other in ["case.title", "params.x", "input.y", "now", "data", "secret.z"] {
            assert_eq!(shown(other), None, "{other}");
        }
        assert!(WatchPath::referenced("case.title", &outputs).is_some());
    }
}
