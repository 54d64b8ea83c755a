//! Warns of fields that fire each other in a circle.
//!
//! What one field writes may be what another watches; so fields chain, which is meant. Where the
//! chain comes back to where it began it ends only because values stop to change, or after
//! [`MAX_DEPTH`] steps. That is legal, and rarely intended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::domain::api_call::ApiCall;
use crate::domain::field::Field;
use crate::domain::firing::MAX_DEPTH;
use crate::domain::problem::join;
use crate::domain::trigger::Trigger;
use crate::domain::watch::{WatchPath, WatchRoot};

use super::findings::Findings;

/// Fields that a warning names before it cuts the circle short.
const MOST_NAMED: usize = 10;

/// For each field, by its place among the fields: those that its writes fire.
type Fires = Vec<Vec<usize>>;

/// Warns at the trigger of every field that lies on a circle, with the shortest one.
pub fn doubt(fields: &[Field], at: &str, findings: &mut Findings) {
    let fires = fires(fields);
    for start in 0..fields.len() {
        if !findings.has_room_for_doubts() {
            return;
        }
        if let Some(circle) = shortest_circle(start, &fires) {
            let message = format!(
                "{}: these fields fire each other in a circle; a chain stops after {MAX_DEPTH} steps, if values do \
                 not stop to change before",
                in_words(&circle, fields)
            );
            findings.doubt(join(&join(at, start), "trigger"), message);
        }
    }
}

fn fires(fields: &[Field]) -> Fires {
    let writers = writers(fields);
    let mut fires: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); fields.len()];
    for (reader, call) in enabled(fields).filter(|(_, call)| call.fires_on(Trigger::OnUpdate)) {
        for path in call.watch.paths().iter().filter(|path| path.root() == WatchRoot::Data) {
            for writer in writers_of(path, &writers).filter(|writer| *writer != reader) {
                fires[writer].insert(reader);
            }
        }
    }
    fires.into_iter().map(|fired| fired.into_iter().collect()).collect()
}

fn enabled(fields: &[Field]) -> impl Iterator<Item = (usize, &ApiCall)> {
    let calls = fields.iter().enumerate().filter_map(|(place, field)| Some((place, field.api_call()?)));
    calls.filter(|(_, call)| call.enabled)
}

/// Which field writes to a place; two fields never write to one.
fn writers(fields: &[Field]) -> BTreeMap<Vec<String>, usize> {
    let writes = |(place, call): (usize, &ApiCall)| {
        call.targets.clone().into_iter().map(move |target| (target.segments().to_vec(), place))
    };
    enabled(fields).flat_map(writes).collect()
}

/// The fields whose writes touch a watched value: those to it or above it, and those below it.
fn writers_of<'w>(
    path: &'w WatchPath,
    writers: &'w BTreeMap<Vec<String>, usize>,
) -> impl Iterator<Item = usize> + 'w {
    let watched = path.segments();
    let above = (1..watched.len()).filter_map(|depth| writers.get(&watched[..depth]));
    let below = writers.range(watched.to_vec()..).take_while(|(place, _)| place.starts_with(watched));
    above.chain(below.map(|(_, writer)| writer)).copied()
}

/// The shortest way from a field back to itself, both ends included.
fn shortest_circle(start: usize, fires: &Fires) -> Option<Vec<usize>> {
    let mut came_from: Vec<Option<usize>> = vec![None; fires.len()];
    let mut waiting = VecDeque::from([start]);
    while let Some(here) = waiting.pop_front() {
        for &next in &fires[here] {
            if came_from[next].is_some() {
                continue;
            }
            came_from[next] = Some(here);
            if next == start {
                return Some(way_back(start, &came_from));
            }
            waiting.push_back(next);
        }
    }
    None
}

fn way_back(start: usize, came_from: &[Option<usize>]) -> Vec<usize> {
    let mut way = vec![start];
    let mut here = came_from[start];
    while let Some(place) = here {
        way.push(place);
        here = came_from[place].filter(|_| place != start);
    }
    way.reverse();
    way
}

fn in_words(circle: &[usize], fields: &[Field]) -> String {
    let name = |place: &usize| format!("`{}`", fields[*place].key);
    let mut names: Vec<String> = circle.iter().map(name).collect();
    if names.len() > MOST_NAMED {
        names.splice(MOST_NAMED - 1..names.len() - 1, ["…".to_owned()]);
    }
    names.join(" → ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::domain::case_type::context::Known;
    use crate::domain::case_type::definition::CaseType;

    /// A field that reads and writes these members of `data`.
    fn field(key: &str, reads: &[&str], writes: &[&str], over: &Value) -> Value {
        let params: Value = reads.iter().map(|path| json!(format!("{{data.{path}}}"))).collect();
        let mapping: serde_json::Map<_, _> =
            writes.iter().map(|path| ((*path).to_owned(), json!("$.x"))).collect();
        let mut field = json!({
            "key": key, "type": "api_call", "trigger": "on_update",
            "api_config": {"url": "https://a.example", "params": {"q": params}, "response_mapping": mapping}
        });
        for (name, value) in over.as_object().unwrap() {
            field[name] = value.clone();
        }
        field
    }

    fn circles(fields: &[Value]) -> Vec<(String, String)> {
        let parsed = CaseType::parse(&json!({"key": "a", "fields": fields}), &Known::default()).unwrap();
        let warnings = parsed.warnings.into_iter();
        warnings
            .map(|warning| (warning.pointer, warning.message.split(": ").next().unwrap().to_owned()))
            .collect()
    }

    fn at(place: usize, circle: &str) -> (String, String) {
        (format!("/fields/{place}/trigger"), circle.to_owned())
    }

    #[test]
    fn every_field_on_a_circle_is_warned_with_the_shortest_one() {
        let none = json!({});
        let a = field("a", &["x"], &["y"], &none);
        let b = field("b", &["y"], &["x"], &none);
        assert_eq!(circles(&[a.clone(), b.clone()]), [at(0, "`a` → `b` → `a`"), at(1, "`b` → `a` → `b`")]);
        let three = [
            json!({"key": "k", "type": "text"}),
            field("a", &["x.p"], &["y.p"], &none),
            field("b", &["y"], &["z"], &none),
            field("c", &["z.deep.down"], &["x.p"], &none),
            field("beside", &["z"], &["w"], &none),
        ];
        assert_eq!(
            circles(&three),
            [at(1, "`a` → `b` → `c` → `a`"), at(2, "`b` → `c` → `a` → `b`"), at(3, "`c` → `a` → `b` → `c`")]
        );
    }

    #[test]
    fn a_chain_is_no_circle() {
        let none = json!({});
        for chain in [
            vec![field("a", &["x"], &["y"], &none), field("b", &["y"], &["z"], &none)],
            // Of its own writes a field never fires.
            vec![field("a", &["x"], &["x"], &json!({"watch": ["x"]}))],
            vec![
                field("a", &["x"], &["y"], &none),
                field("b", &["y"], &["x"], &json!({"trigger": "on_create"})),
            ],
            vec![field("a", &["x"], &["y"], &none), field("b", &["y"], &["x"], &json!({"enabled": false}))],
            vec![field("a", &["x"], &["y"], &none), field("b", &["y"], &["x"], &json!({"watch": ["w"]}))],
            vec![field("a", &["x.a"], &["y"], &none), field("b", &["y"], &["x.b"], &none)],
            vec![field("a", &["xa"], &["y"], &none), field("b", &["y"], &["x"], &none)],
        ] {
            assert_eq!(circles(&chain), [], "{chain:?}");
        }
    }

    #[test]
    fn output_variables_and_given_watches_close_a_circle_too() {
        let mut a = field("a", &["x"], &[], &json!({}));
        a["api_config"]["output_variable"] = json!("answer");
        let mut b = field("b", &[], &["x"], &json!({}));
        b["api_config"]["params"] = json!({"id": "{answer.id}"});
        assert_eq!(circles(&[a.clone(), b]).len(), 2);
        let b = field("b", &["z"], &["x"], &json!({"watch": ["answer"]}));
        assert_eq!(circles(&[a, b]).len(), 2);
    }

    #[test]
    fn two_hundred_fields_in_a_ring_are_found_and_named_in_short() {
        let none = json!({});
        let ring =
            |n: usize| field(&format!("f{n}"), &[&format!("x{n}")], &[&format!("x{}", (n + 1) % 200)], &none);
        let found = circles(&(0..200).map(ring).collect::<Vec<_>>());
        assert_eq!(found.len(), 100);
        assert!(
            found[0].1.starts_with("`f0` → `f1` → ") && found[0].1.ends_with("`f8` → … → `f0`"),
            "{}",
            found[0].1
        );
    }
}
