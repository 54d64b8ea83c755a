//! How large the pages of a case become, whatever is in it: 200 KB at the most, in reading and in
//! every form, also in one that is refused; and that all of it can be reached, and nothing that
//! was typed gets lost on the way.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::app::TestApp;
use crate::upstream::status;
use crate::visitor::Visitor;

/// What a page may have.
const MOST: usize = 200_000;
/// What takes five bytes each on a page.
pub const MARKUP: &str = "<&\"'";

/// Names and values of the inputs of the form that a page has open.
pub fn typed(html: &str) -> BTreeMap<String, String> {
    let form = html.split("<form class=\"edit\"").nth(1).expect("a form is open");
    let form = form.split("</form>").next().unwrap();
    let mut found = BTreeMap::new();
    for tag in form.split('<').skip(1) {
        let attribute = |name: &str| {
            let from = tag.find(&format!(" {name}=\""))? + name.len() + 3;
            Some(plain(&tag[from..from + tag[from..].find('"')?]))
        };
        let Some(name) = attribute("name") else { continue };
        if tag.starts_with("textarea") {
            found.insert(name, plain(tag.split_once(">\n").unwrap().1));
        } else if tag.starts_with("input") && attribute("type").as_deref() != Some("radio") {
            found.insert(name, attribute("value").unwrap());
        }
    }
    found
}

pub fn plain(html: &str) -> String {
    let named = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    named.iter().fold(html.to_owned(), |text, (entity, plain)| text.replace(entity, plain))
}

fn data(form: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    let inputs = form.iter().filter_map(|(name, text)| Some((name.strip_prefix("data.")?, text.as_str())));
    inputs.collect()
}

/// A page that is no larger than it may be.
pub async fn page(ada: &Visitor<'_>, path: &str) -> String {
    let page = ada.get(path).await;
    assert_eq!(page.status, 200, "{path}: {}", page.html);
    assert!(page.html.len() <= MOST, "{path}: {} bytes", page.html.len());
    page.html
}

async fn send(ada: &Visitor<'_>, path: &str, form: &BTreeMap<String, String>, expected: u16) -> String {
    // The token goes along with every form.
    let form = form.iter().filter(|(name, _)| *name != "csrf");
    let form: Vec<(&str, &str)> = form.map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let answer = ada.post(path, &form).await;
    assert_eq!(answer.status, expected, "{}", answer.html.len());
    assert!(answer.html.len() <= MOST, "{} bytes for {expected}", answer.html.len());
    answer.html
}

/// 159 texts, one number and 40 API Call fields in one section, full of what is escaped.
async fn monster(app: &TestApp) -> String {
    let name = |n: usize| if n < 20 { "<".repeat(200) } else { format!("Text {n}") };
    let mut fields: Vec<Value> = (0..159)
        .map(|n| json!({"key": format!("f{n}"), "type": "text", "name": name(n), "section": "a"}))
        .collect();
    fields.push(json!({"key": "amount", "type": "number", "section": "a"}));
    for n in 0..40 {
        let mapping: Map<String, Value> = (0..20).map(|k| (format!("m{n}.v{k}"), json!("$.v"))).collect();
        fields.push(json!({"key": format!("c{n}"), "type": "api_call", "trigger": "manual", "section": "a",
            "api_config": {"url": app.upstream.url("/x"), "output_variable": format!("o{n}"), "response_mapping": mapping}}));
    }
    let sections = json!([{"key": "a", "name": "A"}]);
    let definition = json!({"key": "test", "name": "Big", "sections": sections, "fields": fields});
    app.put("/v1/case-types/test", &definition).await.expect(201);
    let mut data: Map<String, Value> =
        (0..100).map(|n| (format!("f{n}"), json!(MARKUP.repeat(1_000)))).collect();
    data.extend((0..300).map(|n| (format!("x{n}"), json!("é".repeat(400)))));
    data.extend((0..40).map(|n| (format!("m{n}"), json!({"v0": MARKUP.repeat(50), "v1": "z".repeat(300)}))));
    let text = |text: &str| text.repeat(200);
    let body = json!({"case_type": "test", "title": MARKUP.repeat(125), "reference": text("R"),
        "assignee": text("<"), "data": data});
    let id = app.post("/v1/cases", &body).await.expect(201)["id"].as_str().unwrap().to_owned();
    // Every field has failed with an answer that is shown.
    app.upstream.otherwise(status(500).header("content-type", "text/html").body(MARKUP.repeat(2_000)));
    app.post(&format!("/v1/cases/{id}/refresh"), &json!({})).await.expect(202);
    app.drain().await;
    id
}

#[actix_web::test]
async fn the_largest_case_has_pages_of_at_most_200_kb_that_show_every_field() {
    let app = TestApp::spawn().await;
    let id = monster(&app).await;
    let ada = Visitor::of(&app, "operator").await;
    let view = url::form_urlencoded::byte_serialize("q=<".repeat(280).as_bytes()).collect::<String>();
    for query in ["", "?open=c39", "?input=c3", "?edit=%3Acase", &format!("?view={view}")] {
        let html = page(&ada, &format!("/cases/{id}{query}")).await;
        assert!(html.contains("Text 158") && html.contains("id=\"card-c39\""), "{query}");
        assert!(html.contains("path=f158") || html.contains("Text 158"), "{query}");
    }
    for query in ["?edit=a", "?edit=a&at=f120", "?edit=%3Aadditional", "?edit=%3Afield.c3", "?edit=a&view="] {
        let query = if query.ends_with('=') { format!("{query}{view}") } else { query.to_owned() };
        let html = page(&ada, &format!("/cases/{id}{query}")).await;
        assert!(!data(&typed(&html)).is_empty(), "{query}");
    }
    let viewer = Visitor::of(&app, "viewer").await;
    page(&viewer, &format!("/cases/{id}")).await;
}

#[actix_web::test]
async fn a_form_that_is_too_large_for_one_page_leads_to_all_of_its_inputs() {
    let app = TestApp::spawn().await;
    let id = monster(&app).await;
    let ada = Visitor::of(&app, "operator").await;
    for (scope, all) in [("a", 160), ("%3Aadditional", 300)] {
        let mut seen = BTreeMap::new();
        let mut next = Some(format!("/cases/{id}?edit={scope}"));
        while let Some(path) = next {
            let html = page(&ada, &path).await;
            for (name, text) in data(&typed(&html)) {
                seen.insert(name.to_owned(), text.to_owned());
            }
            let links = html.split("<ul class=\"others\">").nth(1).unwrap_or_default();
            let links = links.split("</ul>").next().unwrap().split("href=\"").skip(1);
            let paths = links.map(|link| plain(&link[..link.find('"').unwrap()]));
            next = paths.map(|path| path.split('#').next().unwrap().to_owned()).find(|path| {
                let at = path.split("at=").nth(1).unwrap();
                !seen.contains_key(at)
            });
        }
        assert_eq!(seen.len(), all, "{scope}");
        assert!(seen.get("f7").is_none_or(|text| *text == MARKUP.repeat(1_000)));
    }
}

#[actix_web::test]
async fn what_was_typed_is_shown_again_when_a_save_is_refused() {
    let app = TestApp::spawn().await;
    let id = monster(&app).await;
    let ada = Visitor::of(&app, "operator").await;
    let address = format!("/cases/{id}");
    // Every input of the form is typed over with as much as it held, and one is wrong.
    let mut form = typed(&page(&ada, &format!("{address}?edit=a&at=amount")).await);
    assert!(form.contains_key("data.amount"));
    for (name, text) in &mut form {
        if name.starts_with("data.f") {
            *text = format!("{}>", &text[text.len().min(1)..]);
        }
    }
    form.insert("data.amount".into(), "twelve".into());
    let again = typed(&send(&ada, &address, &form, 422).await);
    assert_eq!(data(&again), data(&form));
    // All of it was changed by others meanwhile.
    for (name, text) in &mut form {
        if name.starts_with("was.") {
            "0000000000000000".clone_into(text);
        }
    }
    let html = send(&ada, &address, &form, 409).await;
    assert_eq!(data(&typed(&html)), data(&form));
    assert!(html.contains("name=\"take.data.amount\""));
    let whole = typed(&page(&ada, &format!("{address}?edit=a")).await);
    let mut form = whole.clone();
    for (name, text) in &mut form {
        match name.strip_prefix("was.") {
            Some(_) => "0000000000000000".clone_into(text),
            None if name.starts_with("data.") => *text = format!("{}>", &text[text.len().min(1)..]),
            None => {}
        }
    }
    assert_eq!(data(&typed(&send(&ada, &address, &form, 409).await)), data(&form));
    assert_eq!(app.case(&id).await["version"], 1);
}

#[actix_web::test]
async fn what_is_too_much_to_be_shown_again_is_refused_with_what_to_mend() {
    let app = TestApp::spawn().await;
    let id = monster(&app).await;
    let ada = Visitor::of(&app, "operator").await;
    let address = format!("/cases/{id}");
    let mut form = BTreeMap::from([("scope".to_owned(), "a".to_owned())]);
    for n in 0..159 {
        form.insert(format!("data.f{n}"), "y".repeat(1_500));
    }
    form.insert("data.amount".into(), "twelve".into());
    let html = send(&ada, &address, &form, 413).await;
    assert!(
        html.contains("Go back in your browser") && html.contains("amount: This is not a number"),
        "{html}"
    );
    assert!(html.contains("Text 50: Somebody changed this in the meantime"), "{html}");
    assert_eq!(app.case(&id).await["version"], 1);
    // Where nothing has to be mended, it is simply saved.
    let was = print_of_nothing();
    let mut form: BTreeMap<_, _> = (100..159).map(|n| (format!("data.f{n}"), "y".repeat(3_500))).collect();
    form.extend((100..159).map(|n| (format!("was.data.f{n}"), was.clone())));
    form.insert("scope".into(), "a".into());
    send(&ada, &address, &form, 303).await;
    assert_eq!(app.case(&id).await["data"]["f158"], "y".repeat(3_500));
    // The input of a run.
    let input = BTreeMap::from([("input".to_owned(), format!("{{{}", "<".repeat(60_000)))]);
    send(&ada, &format!("{address}/fields/c3/refresh"), &input, 413).await;
    let input = BTreeMap::from([("input".to_owned(), format!("{{{}", "y".repeat(120_000)))]);
    let html = send(&ada, &format!("{address}/fields/c3/refresh"), &input, 422).await;
    assert!(html.contains(&"y".repeat(120_000)));
}

/// The print that an empty input carries.
fn print_of_nothing() -> String {
    hex::encode(&ring::digest::digest(&ring::digest::SHA256, b"").as_ref()[..8])
}

#[actix_web::test]
async fn as_many_sections_and_fields_as_there_may_be_fit_on_a_page() {
    let app = TestApp::spawn().await;
    let ada = Visitor::of(&app, "operator").await;
    let section = |n: usize| json!({"key": format!("s{n}"), "name": "<".repeat(200)});
    for calls in [true, false] {
        let field = |n: usize| {
            let key = format!("{}{n:03}", "k".repeat(60));
            let common = json!({"key": key, "name": "&".repeat(200), "section": format!("s{}", n % 100)});
            let mut field = if calls {
                app.field("/x", json!({"trigger": "manual"}), json!({"response_mapping": {key: "$.v"}}))
            } else {
                let options: Vec<String> = (0..500).map(|n| format!("{n}{}", "<".repeat(190))).collect();
                json!({"type": "select", "options": options})
            };
            let description = json!({"description": "'".repeat(2_000)});
            for more in [common, description] {
                field.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            }
            field
        };
        let few = if calls { 200 } else { 8 };
        let body = json!({"key": format!("t{few}"), "sections": (0..100).map(section).collect::<Vec<_>>(),
            "fields": (0..few).map(field).collect::<Vec<_>>()});
        app.put(&format!("/v1/case-types/t{few}"), &body).await.expect(201);
        let case = json!({"case_type": format!("t{few}"), "title": "T"});
        let id = app.post("/v1/cases", &case).await.expect(201)["id"].as_str().unwrap().to_owned();
        page(&ada, &format!("/cases/{id}")).await;
        page(&ada, &format!("/cases/{id}?edit=s7")).await;
        let new = format!("/cases/new?type=t{few}");
        assert!(page(&ada, &new).await.contains("name=\"title\""));
    }
}

#[actix_web::test]
async fn a_case_of_very_many_members_has_small_pages_too() {
    let app = TestApp::spawn().await;
    app.define(json!([])).await;
    let ada = Visitor::of(&app, "operator").await;
    let data: Map<String, Value> = (0..60_000).map(|n| (format!("k{n}"), json!(n))).collect();
    let id = app.create(data.into()).await;
    for query in ["", "?edit=%3Aadditional", "?edit=%3Aadditional&at=k59999"] {
        page(&ada, &format!("/cases/{id}{query}")).await;
    }
}

#[actix_web::test]
async fn a_new_case_asks_first_for_what_it_needs() {
    let app = TestApp::spawn().await;
    let ada = Visitor::of(&app, "operator").await;
    let options: Vec<String> = (0..40).map(|n| format!("{n}{}", "<".repeat(10))).collect();
    let field = |n: usize| {
        json!({"key": format!("f{n}"), "type": "select", "options": options, "name": "'".repeat(200),
        "description": "&".repeat(2_000), "required": n >= 150})
    };
    let body = json!({"key": "test", "fields": (0..200).map(field).collect::<Vec<_>>()});
    app.put("/v1/case-types/test", &body).await.expect(201);
    let html = page(&ada, "/cases/new").await;
    for n in 150..200 {
        assert!(html.contains(&format!("name=\"data.f{n}\"")), "{n}");
    }
    assert!(html.contains("more fields do not fit here"));
    // What was typed comes back, also when it is much; of too much what to mend.
    let mut form = BTreeMap::from([("type".to_owned(), "test".to_owned())]);
    form.extend((0..200).map(|n| (format!("data.f{n}"), "no".repeat(50))));
    let html = send(&ada, "/cases/new", &form, 422).await;
    assert_eq!(html.matches("value=\"nono").count(), 200);
    form.extend((0..200).map(|n| (format!("data.f{n}"), "no".repeat(500))));
    send(&ada, "/cases/new", &form, 413).await;
}
