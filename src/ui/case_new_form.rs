//! The inputs of a new case: what a type asks for, and what was typed as the body of a creation.

use serde_json::{Map, Value, json};

use super::case_inputs::{Input, Kind, LONGEST_HINT, Look, print, text_of, value_of};
use super::case_room::{NEW, Room, SHORT_WRONG, within, written};
use super::posted::Form;
use super::value::cut;
use super::words::{case as words, case_new as w};
use crate::domain::case_type::CaseType;
use crate::domain::field::{Field, PlainField, Visibility};
use crate::domain::problem::{Problem, code};

/// What a case has whatever its type: name, label, hint.
const OF_ALL: [(&str, &str, Option<&str>); 3] = [
    ("reference", words::REFERENCE, Some(w::REFERENCE_HINT)),
    ("title", words::TITLE, None),
    ("assignee", words::ASSIGNEE, None),
];

/// A form for a new case.
#[derive(Debug, Clone)]
pub struct NewCaseForm {
    /// Its parts: heading and inputs.
    pub groups: Vec<(String, Vec<Input>)>,
    /// Why it was refused, as a whole.
    pub sentence: Option<&'static str>,
    /// What is wrong and belongs to no input.
    pub wrong: Vec<String>,
    /// Fields that there was no room for; nobody needs to fill them in now.
    pub left_out: usize,
}

/// Bytes of a heading beside its name, and of a name or an input where there is no room.
const HEADING: usize = 120;
const SHORT_NAME: usize = 60;
const SHORT_INPUT: usize = 1_500;

impl NewCaseForm {
    /// The form as it is asked for, filled with defaults.
    pub fn new(case_type: &CaseType) -> Self {
        let of_all = OF_ALL.into_iter().map(|(name, label, hint)| {
            let input = Input::new(name.to_owned(), label.to_owned(), Kind::Text, None);
            Input { hint: hint.map(str::to_owned), ..input }
        });
        let mut groups = vec![(w::ABOUT.to_owned(), of_all.collect::<Vec<_>>())];
        let sections =
            case_type.sections.iter().map(|section| (Some(section.key.as_str()), section.name.as_str()));
        for (key, name) in sections.chain([(None, w::DATA)]) {
            let inputs: Vec<Input> = asked(case_type)
                .filter(|(field, _)| field.section.as_deref() == key)
                .map(|(field, plain)| input(case_type, field, plain))
                .collect();
            if !inputs.is_empty() {
                groups.push((name.to_owned(), inputs));
            }
        }
        Self { groups, sentence: None, wrong: Vec::new(), left_out: 0 }
    }

    /// What was typed, and the body of the creation, without what cannot be read: whether there is
    /// such, the form says.
    pub fn read(case_type: &CaseType, typed: &Form) -> (Self, Value) {
        let mut form = Self::new(case_type);
        let mut body = json!({"case_type": case_type.key.as_str()});
        let mut data = Map::new();
        for (name, ..) in OF_ALL {
            let text = typed.text(name);
            form.fill(name, text.unwrap_or_default());
            if let (Some(text), Some(body)) = (text, body.as_object_mut()) {
                body.insert(name.to_owned(), text.into());
            }
        }
        for (field, plain) in asked(case_type) {
            let name = format!("data.{}", field.key);
            let Some(text) = typed.get(&name).map(|text| text.replace("\r\n", "\n")) else { continue };
            form.fill(&name, &text);
            match value_of(Kind::Plain(plain), &text) {
                // Without a default nothing typed is nothing sent; with one it was taken away.
                Ok(Value::Null) if plain.default.is_none() || plain.required => {}
                Ok(value) => drop(data.insert(field.key.to_string(), value)),
                Err(sentence) => {
                    form.sentence = Some(w::REFUSED);
                    form.mark(&name, sentence);
                }
            }
        }
        if let Some(body) = body.as_object_mut() {
            body.insert("data".to_owned(), data.into());
        }
        (form, body)
    }

    /// Leaves out what nobody needs to fill in now, as far as there is no room for it on a page.
    pub fn fit(&mut self) {
        let headings: usize = self.groups.iter().map(|(name, _)| HEADING + written(name)).sum();
        let all: usize = self.inputs().map(|input| input.weight()).sum();
        if headings + all <= NEW {
            return;
        }
        for (name, _) in &mut self.groups {
            *name = within(name, SHORT_NAME);
        }
        let headings = self.groups.len() * (HEADING + SHORT_NAME);
        let needed: usize = self.inputs().filter(|input| is_needed(input)).map(|input| input.weight()).sum();
        let mut room = Room::new(NEW.saturating_sub(headings), needed);
        if headings + needed > NEW {
            self.inputs().for_each(tighten);
        }
        let mut left_out = 0;
        for (_, inputs) in &mut self.groups {
            inputs.retain(|input| {
                let stays = is_needed(input) || room.take(input.weight());
                left_out += usize::from(!stays);
                stays
            });
        }
        self.left_out = left_out;
        self.groups.retain(|(_, inputs)| !inputs.is_empty());
    }

    /// What is to be mended, without what was typed.
    pub fn problems(&self) -> Vec<Problem> {
        let inputs = self.groups.iter().flat_map(|(_, inputs)| inputs);
        let said = inputs.filter_map(|input| Some((&input.label, input.wrong.as_ref()?)));
        let said = said.map(|(label, why)| format!("{}: {why}", cut(label, SHORT_NAME)));
        let all = said.chain(self.wrong.iter().cloned()).take(100);
        all.map(|why| Problem::new("", "refused", why)).collect()
    }

    /// Puts what a service found wrong beside the inputs.
    pub fn blame(&mut self, problems: &[Problem]) {
        self.sentence = Some(w::REFUSED);
        for problem in problems {
            let name = problem.pointer.trim_start_matches('/').replacen('/', ".", 1);
            let sentence = match problem.code {
                code::REQUIRED => words::NEEDED.to_owned(),
                _ => words::does_not_fit(&problem.message),
            };
            if !self.mark(&name, sentence) {
                self.wrong.push(format!("{name}: {}", problem.message));
            }
        }
    }

    fn inputs(&mut self) -> impl Iterator<Item = &mut Input> {
        self.groups.iter_mut().flat_map(|(_, inputs)| inputs)
    }

    fn fill(&mut self, name: &str, text: &str) {
        if let Some(input) = self.inputs().find(|input| input.name == name) {
            text.clone_into(&mut input.text);
        }
    }

    /// Whether there is such an input; the page opens at the first that is wrong. What is known to
    /// be wrong with an input stays.
    fn mark(&mut self, name: &str, sentence: String) -> bool {
        let first = self.inputs().all(|input| input.wrong.is_none());
        let Some(input) = self.inputs().find(|input| input.name == name) else { return false };
        if input.wrong.is_some() {
            return true;
        }
        input.first = first;
        input.wrong = Some(sentence);
        true
    }
}

/// Whether an input has to be on the page: it must be filled in, or somebody did.
fn is_needed(input: &Input) -> bool {
    input.required || input.wrong.is_some() || print(&input.text) != input.was
}

/// Makes an input as small as it can be.
fn tighten(input: &mut Input) {
    input.label = within(&input.label, SHORT_NAME);
    input.hint = None;
    input.wrong = input.wrong.take().map(|why| within(&why, SHORT_WRONG));
    if input.look == Look::Choice && input.weight() > SHORT_INPUT {
        input.look = Look::Line("text");
        input.choices.clear();
    }
}

/// The fields that somebody fills in: those that pages show, and hidden ones that must be given.
fn asked(case_type: &CaseType) -> impl Iterator<Item = (&Field, &PlainField)> {
    let plain = case_type.fields.iter().filter_map(|field| Some((field, field.plain()?)));
    plain.filter(|(field, plain)| {
        field.visibility != Visibility::Hidden || (plain.required && plain.default.is_none())
    })
}

fn input(case_type: &CaseType, field: &Field, plain: &PlainField) -> Input {
    let name = format!("data.{}", field.key);
    let input = Input::new(name, field.name.clone(), Kind::Plain(plain), plain.default.as_ref());
    let filled = filled_by(case_type, field.key.as_str());
    let description = field.description.as_deref().map(|text| cut(text, LONGEST_HINT));
    let hints = [description, filled.map(w::filled_by), input.hint.clone()];
    let hints: Vec<String> = hints.into_iter().flatten().collect();
    Input {
        hint: Some(hints.join(" ")).filter(|hint| !hint.is_empty()),
        required: input.required && filled.is_none() && plain.default.is_none(),
        text: text_of(Kind::Plain(plain), plain.default.as_ref()),
        ..input
    }
}

/// The field that fetches this value.
fn filled_by<'a>(case_type: &'a CaseType, key: &str) -> Option<&'a str> {
    let fills = |field: &&Field| {
        field
            .api_call()
            .is_some_and(|call| call.mapping.targets().iter().any(|target| target.path.first() == key))
    };
    case_type.fields.iter().find(fills).map(|field| field.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::case_type::Known;

    fn case_type() -> CaseType {
        let body = json!({"key": "loan", "sections": [{"key": "who", "name": "Who"}], "fields": [
            {"key": "amount", "type": "number", "name": "Amount", "required": true},
            {"key": "name", "type": "text", "section": "who", "description": "In full."},
            {"key": "kind", "type": "select", "options": ["a", "b"], "default": "a"},
            {"key": "extra", "type": "json"},
            {"key": "city", "type": "text", "required": true},
            {"key": "hidden", "type": "text", "visibility": "hidden"},
            {"key": "map", "type": "api_call", "name": "Map", "api_config": {
                "url": "https://a.example", "response_mapping": {"city": "$.c"}}},
        ]});
        CaseType::parse(&body, &Known::default()).unwrap().case_type
    }

    fn read(text: &str) -> (NewCaseForm, Value) {
        NewCaseForm::read(&case_type(), &Form::parse(text.as_bytes()))
    }

    #[test]
    fn a_form_asks_for_what_people_give() {
        let form = NewCaseForm::new(&case_type());
        let told: Vec<String> = form
            .groups
            .iter()
            .map(|(name, inputs)| {
                let inputs = inputs
                    .iter()
                    .map(|input| format!("{}{}", input.name, if input.required { "!" } else { "" }));
                format!("{name}: {}", inputs.collect::<Vec<_>>().join(" "))
            })
            .collect();
        assert_eq!(
            told,
            [
                "About the case: reference title assignee",
                "Who: data.name",
                "Data: data.amount! data.kind data.extra data.city",
            ]
        );
        let hints: Vec<Option<String>> = form.groups[2].1.iter().map(|input| input.hint.clone()).collect();
        assert_eq!(hints[3].as_deref(), Some("Map fills this in."));
        assert_eq!(form.groups[2].1[1].text, "a");
    }

    #[test]
    fn what_was_typed_is_the_body_of_a_creation() {
        let text = "reference=+R-1+&title=&data.amount=12.50&data.name=%3Cb%3E&data.kind=&data.extra=[1]&data.other=x";
        let (_, body) = read(text);
        let data = json!({"amount": 12.5, "name": "<b>", "kind": null, "extra": [1]});
        assert_eq!(body, json!({"case_type": "loan", "reference": "R-1", "data": data}));
    }

    #[test]
    fn what_cannot_be_read_stays_as_it_was_typed() {
        let (form, body) = read("title=T&data.amount=twelve&data.extra=%7B&data.name=n");
        assert_eq!((body["data"].clone(), form.sentence), (json!({"name": "n"}), Some(w::REFUSED)));
        let input = |name: &str| {
            form.groups.iter().flat_map(|(_, all)| all).find(|input| input.name == name).unwrap()
        };
        assert!(input("data.amount").wrong.is_some() && input("data.amount").first);
        assert!(input("data.extra").wrong.is_some() && !input("data.extra").first);
        assert_eq!((input("data.amount").text.as_str(), input("title").text.as_str()), ("twelve", "T"));
        assert!(input("data.name").wrong.is_none());
    }

    #[test]
    fn problems_stand_beside_their_inputs() {
        let (mut form, _) = read("title=T");
        form.blame(&[
            Problem::new("/data/amount", code::REQUIRED, "x"),
            Problem::new("/data/gone", code::INVALID, "is wrong"),
        ]);
        let amount = &form.groups[2].1[0];
        assert_eq!(amount.wrong.as_deref(), Some(words::NEEDED));
        assert_eq!(form.wrong, ["data.gone: is wrong"]);
    }
}
