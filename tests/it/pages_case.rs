//! The page of a case over HTTP, as a browser without script sees it: what it says of each state,
//! its forms, who may send them, and what happens when two people edit the same.

use dossier::domain::secret::SecretText;
use dossier::service::{Begun, SignIn};
use serde_json::{Value, json};

use crate::app::{TestApp, secs};
use crate::upstream::{client, ok, status};

const PASSWORD: &str = "a-long-password-of-tests";

/// What a browser gets.
struct Got {
    status: u16,
    place: String,
    html: String,
}

/// A browser that is signed in.
struct Visitor<'a> {
    app: &'a TestApp,
    begun: Begun,
    http: reqwest::Client,
}

impl<'a> Visitor<'a> {
    async fn new(app: &'a TestApp, name: &str, role: &str) -> Self {
        let email = format!("{}@example.com", name.to_lowercase());
        let body = json!({"name": name, "email": email, "role": role, "password": PASSWORD});
        app.post("/v1/people", &body).await.expect(201);
        let password = SecretText::from(PASSWORD.to_owned());
        let sign_in = SignIn { email, password, address: [192, 0, 2, 1].into(), user_agent: String::new() };
        let begun = Box::pin(app.services().sessions.sign_in(sign_in)).await.unwrap().unwrap();
        Self { app, begun, http: quiet() }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Got {
        let cookie = format!("dossier_session={}", self.begun.token.expose());
        let answer = self.http.execute(request.header("cookie", cookie).build().unwrap()).await.unwrap();
        let place = answer.headers().get("location").map(|place| place.to_str().unwrap().to_owned());
        Got {
            status: answer.status().as_u16(),
            place: place.unwrap_or_default(),
            html: answer.text().await.unwrap(),
        }
    }

    async fn get(&self, path: &str) -> Got {
        self.send(self.http.get(self.app.url(path))).await
    }

    /// The page of a case, which must be there.
    async fn page(&self, path: &str) -> String {
        let got = self.get(path).await;
        assert_eq!(got.status, 200, "{}", got.html);
        assert!(got.html.len() <= 200_000, "{path}: {} bytes", got.html.len());
        got.html
    }

    /// Sends a form with the session's token; a redirect is told, not followed.
    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Got {
        let mut all = vec![("csrf", self.begun.signed_in.csrf.as_str())];
        all.extend(form);
        self.send(encoded(quiet().post(self.app.url(path)), &all)).await
    }

    /// Opens a form and sends it with some inputs typed over.
    async fn fill(&self, path: &str, typed: &[(&str, &str)]) -> Got {
        let (page, form) = (self.page(path).await, path.split_once('?').unwrap().0);
        self.fill_in(&page, form, typed).await
    }

    async fn fill_in(&self, page: &str, action: &str, typed: &[(&str, &str)]) -> Got {
        let mut all = inputs(page, action);
        for (name, value) in typed {
            all.retain(|(known, _)| known != name);
            all.push(((*name).to_owned(), (*value).to_owned()));
        }
        let all: Vec<(&str, &str)> =
            all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post(action, &all).await
    }
}

/// A request with a form, as browsers write one.
fn encoded(request: reqwest::RequestBuilder, form: &[(&str, &str)]) -> reqwest::RequestBuilder {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    request.header("content-type", "application/x-www-form-urlencoded").body(body)
}

/// A client that follows no redirect.
#[expect(clippy::disallowed_methods, reason = "the product's only client is not under test here")]
fn quiet() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// What the inputs of the form with this address hold.
fn inputs(page: &str, action: &str) -> Vec<(String, String)> {
    let form = page
        .split("<form class=\"edit\"")
        .find(|form| form.contains(&format!("action=\"{action}\"")))
        .unwrap();
    let form = form.split("</form>").next().unwrap();
    let mut found = Vec::new();
    for tag in form.split('<').skip(1) {
        let attribute = |name: &str| {
            let from = tag.find(&format!(" {name}=\""))? + name.len() + 3;
            Some(plain(&tag[from..from + tag[from..].find('"')?]))
        };
        if tag.starts_with("input") && attribute("type").as_deref() != Some("radio") {
            found.extend(attribute("name").map(|name| (name, attribute("value").unwrap_or_default())));
        } else if tag.starts_with("textarea") {
            let text = tag.split_once('>').unwrap().1;
            found.push((attribute("name").unwrap(), plain(text.trim_start_matches('\n'))));
        } else if tag.starts_with("select") {
            found.push((attribute("name").unwrap(), String::new()));
        } else if tag.starts_with("option") && tag.contains(" selected") {
            found.last_mut().unwrap().1 = attribute("value").unwrap();
        }
    }
    found.retain(|(name, _)| name != "csrf");
    found
}

fn plain(html: &str) -> String {
    let named = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    named.iter().fold(html.to_owned(), |text, (entity, plain)| text.replace(entity, plain))
}

/// What stands on a page, without its tags.
fn read(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for letter in html.chars() {
        match letter {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            letter if !inside => text.push(letter),
            _ => {}
        }
    }
    plain(&text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands on the card of a field.
fn card(html: &str, field: &str) -> String {
    let from =
        html.find(&format!("id=\"card-{field}\"")).unwrap_or_else(|| panic!("no card: {}", read(html)));
    read(&html[from..from + html[from..].find("</article>").unwrap()])
}

fn plain_fields() -> Vec<Value> {
    vec![
        json!({"key": "number", "type": "text", "name": "VAT number", "section": "who"}),
        json!({"key": "amount", "type": "number", "name": "Amount", "section": "who"}),
        json!({"key": "notes", "type": "text", "name": "Notes", "section": "who", "visibility": "hide-when-empty"}),
    ]
}

async fn define(app: &TestApp, fields: Vec<Value>) {
    let body =
        json!({"key": "test", "name": "Loan", "sections": [{"key": "who", "name": "Who"}], "fields": fields});
    let answer = app.put("/v1/case-types/test", &body).await;
    assert!(matches!(answer.status, 200 | 201), "{}", answer.body);
}

/// A case type with plain fields and one that asks the provider for `/check`.
async fn define_check(app: &TestApp, field: Value, config: Value) {
    let mut fields = plain_fields();
    fields.push(app.field("/check", field, config));
    define(app, fields).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_state_says_what_is_and_what_to_do() {
    let app = TestApp::spawn().await;
    let ada = Visitor::new(&app, "Ada", "operator").await;
    define_check(&app, json!({"name": "Check", "retry": 1}), json!({"params": {"vat": "{data.number}"}}))
        .await;

    let waits = app.filled(json!({})).await["id"].as_str().unwrap().to_owned();
    let page = ada.page(&format!("/cases/{waits}")).await;
    assert!(card(&page, "check").contains("Waits for VAT number"), "{}", card(&page, "check"));
    assert!(card(&page, "check").contains("Fill in VAT number"));
    assert!(
        page.contains(&format!("/cases/{waits}?edit=who&amp;at=number\""))
            || page.contains(&format!("/cases/{waits}?edit=who&#38;at=number\""))
    );

    app.upstream.answers([ok(json!({"value": "Acme"}))]).await;
    let good = app.filled(json!({"number": "BE1"})).await["id"].as_str().unwrap().to_owned();
    app.move_clock(secs(120));
    let text = card(&ada.page(&format!("/cases/{good}")).await, "check");
    assert!(
        text.contains("Up to date, 2 min ago") && text.contains("Acme") && text.contains("Refresh"),
        "{text}"
    );
    assert!(text.contains("from Check, 2 min ago"), "{text}");

    app.upstream.answers([status(503), status(503)]).await;
    ada.post(&format!("/cases/{good}/fields/check/refresh"), &[]).await;
    app.drain().await;
    let text = card(&ada.page(&format!("/cases/{good}")).await, "check");
    assert!(text.contains("Try 2 of 2 at") && text.contains("trouble of its own"), "{text}");
    assert!(text.contains("Try now"), "{text}");
    app.advance(secs(60)).await;
    let text = card(&ada.page(&format!("/cases/{good}")).await, "check");
    assert!(
        text.contains("Failed now") && text.contains("Attempt 2 of 2") && text.contains("Acme"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_says_what_it_means_and_the_builder_reads_more() {
    let app = TestApp::spawn().await;
    let ada = Visitor::new(&app, "Ada", "operator").await;
    define_check(&app, json!({"name": "Check", "retry": 0}), json!({})).await;
    app.upstream.answers([ok(json!({"value": "Acme"}))]).await;
    let id = app.filled(json!({})).await["id"].as_str().unwrap().to_owned();
    app.move_clock(secs(7_200));
    let body = json!({"error": {"code": "E7", "description": "no such number"}});
    app.upstream.answers([crate::upstream::json(404, body)]).await;
    let sent = ada.post(&format!("/cases/{id}/fields/check/refresh"), &[]).await;
    assert_eq!((sent.status, sent.place), (303, format!("/cases/{id}#card-check")));
    app.drain().await;
    let page = ada.page(&format!("/cases/{id}")).await;
    let text = card(&page, "check");
    for said in [
        "Failed now",
        "has nothing under the values that were sent",
        "no such number",
        "The values shown are from the last good answer, 2 h ago",
        "Run again",
        "For the builder",
        "http_status",
        "404",
        "E7",
        "Acme",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(page.contains("class=\"values kept\""), "what is shown is greyed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_off_or_not_needed_says_so() {
    let app = TestApp::spawn().await;
    let ada = Visitor::new(&app, "Ada", "viewer").await;
    let mut fields = plain_fields();
    fields.push(app.field(
        "/a",
        json!({"key": "off", "enabled": false}),
        json!({"response_mapping": {"a": "$"}}),
    ));
    fields.push(app.field(
        "/b",
        json!({"key": "rich", "when": "data.amount > 10"}),
        json!({"response_mapping": {"b": "$"}}),
    ));
    fields.push(app.field(
        "/c",
        json!({"key": "quiet", "trigger": "manual", "visibility": "hide-when-empty"}),
        json!({"response_mapping": {"c": "$"}}),
    ));
    fields.push(app.field(
        "/d",
        json!({"key": "never", "trigger": "manual", "visibility": "hidden"}),
        json!({"response_mapping": {"d": "$"}}),
    ));
    define(&app, fields).await;
    let id = app.filled(json!({"amount": 5, "more": {"a": 1}, "number": "x"})).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let page = ada.page(&format!("/cases/{id}")).await;
    assert!(card(&page, "off").contains("Switched off"));
    let rich = card(&page, "rich");
    assert!(rich.contains("Not needed here") && rich.contains("data.amount > 10"), "{rich}");
    assert!(!read(&page).contains("quiet Not run yet") && !page.contains("card-never"));
    assert!(read(&page).contains("Additional data") && read(&page).contains("More a 1"), "{}", read(&page));
    assert!(!read(&page).contains("Notes"), "an empty field that hides is hidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_section_is_edited_without_script() {
    let app = TestApp::spawn().await;
    let ada = Visitor::new(&app, "Ada", "operator").await;
    define_check(&app, json!({"trigger": "manual"}), json!({})).await;
    let id = app.create(json!({"number": "BE1", "amount": 12})).await;
    let form = format!("/cases/{id}?edit=who&view=status%3Ddraft");
    let got =
        ada.fill(&form, &[("data.number", " BE0123456789 "), ("data.amount", "9007199254740993")]).await;
    assert_eq!(got.status, 303, "{}", read(&got.html));
    assert_eq!(got.place, format!("/cases/{id}?done=saved&view=status%3Ddraft#section-of-who"));
    let case = app.case(&id).await;
    assert_eq!(case["data"], json!({"number": "BE0123456789", "amount": 9_007_199_254_740_993_i64}));
    assert_eq!(case["provenance"]["number"]["by"], "person:Ada <ada@example.com>");
    let page = read(&ada.page(&got.place.replace("#section-of-who", "")).await);
    assert!(
        page.contains("Saved.")
            && page.contains("typed by Ada")
            && page.contains("Ada changed Amount · VAT number"),
        "{page}"
    );

    let got = ada.fill(&form, &[]).await;
    assert!(got.place.contains("done=unchanged"));
    let got = ada.fill(&form, &[("data.amount", "twelve"), ("data.number", "kept \"as\" typed")]).await;
    assert_eq!(got.status, 422);
    assert!(got.html.contains("This is not a number") && got.html.contains("kept &#34;as&#34; typed"));
    assert_eq!(app.case(&id).await["version"], 2);

    let got =
        ada.fill(&format!("/cases/{id}?edit=%3Acase"), &[("title", "Acme"), ("status", "closed")]).await;
    assert_eq!(got.status, 303, "{}", read(&got.html));
    let case = app.case(&id).await;
    assert_eq!((&case["title"], &case["status"]), (&json!("Acme"), &json!("closed")));
    let got = ada.fill(&format!("/cases/{id}?edit=%3Afield.check"), &[("data.value", "[1, \"a\"]")]).await;
    assert_eq!(got.status, 303, "{}", read(&got.html));
    assert_eq!(app.case(&id).await["data"]["value"], json!([1, "a"]));
    assert!(card(&ada.page(&format!("/cases/{id}")).await, "check").contains("typed by hand"));
    let got = ada.post(&format!("/cases/{id}/overrides/value/clear"), &[("field", "check")]).await;
    assert_eq!(got.place, format!("/cases/{id}?done=cleared#card-check"));
    assert_eq!(app.case(&id).await["fields"]["check"]["overridden"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_edit_the_same_are_both_told_and_nothing_typed_is_lost() {
    let app = TestApp::spawn().await;
    let (ada, ben) =
        (Visitor::new(&app, "Ada", "operator").await, Visitor::new(&app, "Ben", "operator").await);
    define_check(&app, json!({"trigger": "manual"}), json!({})).await;
    let id = app.create(json!({"number": "BE1", "amount": 1})).await;
    let (form, action) = (format!("/cases/{id}?edit=who"), format!("/cases/{id}"));
    let before = ada.page(&form).await;
    ben.fill(&form, &[("data.number", "BE2")]).await;

    // Another value of the same section: both changes stand.
    let got = ada.fill_in(&before, &action, &[("data.amount", "7")]).await;
    assert_eq!(got.status, 303);
    assert_eq!(app.case(&id).await["data"], json!({"number": "BE2", "amount": 7}));

    let got = ada.fill_in(&before, &action, &[("data.number", "BE3"), ("data.amount", "7")]).await;
    assert_eq!(got.status, 409);
    let text = read(&got.html);
    assert!(text.contains("Somebody changed the same values") && text.contains("BE2 typed by Ben"), "{text}");
    assert!(got.html.contains("value=\"BE3\""), "what was typed stays");
    assert_eq!(app.case(&id).await["data"]["number"], "BE2");

    // Without a choice it is asked again; then either stands.
    let again = ada.fill_in(&got.html, &action, &[]).await;
    assert_eq!(again.status, 409);
    let theirs = ada.fill_in(&got.html, &action, &[("take.data.number", "theirs")]).await;
    assert!(theirs.place.contains("done=unchanged"), "{}", theirs.place);
    let mine = ada.fill_in(&got.html, &action, &[("take.data.number", "mine")]).await;
    assert!(mine.place.contains("done=saved"));
    assert_eq!(app.case(&id).await["data"]["number"], "BE3");
}

#[tokio::test(flavor = "multi_thread")]
async fn buttons_refresh_with_input_and_all_that_is_stale() {
    let app = TestApp::spawn().await;
    let ada = Visitor::new(&app, "Ada", "operator").await;
    define_check(
        &app,
        json!({"cache_duration": 60}),
        json!({"params": {"day": "{{ input.day | default(none) }}"}}),
    )
    .await;
    app.upstream.otherwise(ok(json!({"value": 1})));
    let id = app.filled(json!({})).await["id"].as_str().unwrap().to_owned();
    let refresh = format!("/cases/{id}/fields/check/refresh");
    let got = ada.post(&refresh, &[("input", "{\"day\": ")]).await;
    assert_eq!(got.status, 422);
    assert!(
        got.html.contains("This is not a JSON object") && got.html.contains("{&#34;day&#34;: "),
        "{}",
        read(&got.html)
    );
    let got = ada.post(&refresh, &[("input", r#"{"day": "friday"}"#), ("force", "1")]).await;
    assert_eq!(got.status, 303);
    app.drain().await;
    assert_eq!(app.upstream.calls().last().unwrap().query("day"), Some("friday"));

    let none = ada.post(&format!("/cases/{id}/refresh"), &[("which", "stale")]).await;
    assert_eq!(none.place, format!("/cases/{id}?done=none"));
    app.move_clock(secs(61));
    assert!(ada.page(&format!("/cases/{id}")).await.contains("Refresh 1 stale"));
    let all = ada.post(&format!("/cases/{id}/refresh"), &[("which", "stale")]).await;
    assert_eq!(all.place, format!("/cases/{id}?done=all-queued"));
    app.drain().await;
    assert_eq!(app.upstream.calls().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_looks_sees_no_buttons_and_is_refused() {
    let app = TestApp::spawn().await;
    let (eve, ada) = (Visitor::new(&app, "Eve", "viewer").await, Visitor::new(&app, "Ada", "operator").await);
    define_check(&app, json!({"trigger": "manual"}), json!({})).await;
    let id = app.create(json!({"number": "BE1"})).await;
    let page = eve.page(&format!("/cases/{id}")).await;
    let main = &page[page.find("<main").unwrap()..page.find("</main>").unwrap()];
    assert!(!main.contains("<form") && !main.contains("?edit="), "{}", read(main));
    for path in ["", "/refresh", "/delete", "/fields/check/refresh", "/overrides/value/clear"] {
        let got = eve.post(&format!("/cases/{id}{path}"), &[("scope", "who"), ("data.number", "x")]).await;
        assert_eq!(got.status, 403, "{path}");
        let got = ada
            .send(encoded(
                quiet().post(app.url(&format!("/cases/{id}{path}"))),
                &[("csrf", "guessed"), ("scope", "who")],
            ))
            .await;
        assert_eq!(got.status, 403, "{path}");
        let form = [("csrf", ada.begun.signed_in.csrf.as_str()), ("scope", "who")];
        let foreign =
            quiet().post(app.url(&format!("/cases/{id}{path}"))).header("origin", "https://evil.example");
        assert_eq!(ada.send(encoded(foreign, &form)).await.status, 403, "{path}");
    }
    for path in ["?edit=who", "?input=check", "/delete"] {
        assert_eq!(eve.get(&format!("/cases/{id}{path}")).await.status, 403, "{path}");
    }
    assert_eq!(app.case(&id).await["version"], 1);
    assert!(read(&ada.page(&format!("/cases/{id}/delete")).await).contains("This cannot be undone"));
    let gone = ada.post(&format!("/cases/{id}/delete"), &[("view", "status=draft")]).await;
    assert_eq!((gone.status, gone.place.as_str()), (303, "/cases?status=draft"));
    assert_eq!(ada.get(&format!("/cases/{id}")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn previous_and_next_follow_the_list() {
    let app = TestApp::spawn().await;
    let ada = Visitor::new(&app, "Ada", "viewer").await;
    define(&app, plain_fields()).await;
    let mut ids = Vec::new();
    for title in ["b", "c", "a"] {
        app.move_clock(secs(1));
        let body = json!({"case_type": "test", "title": title, "data": {}});
        ids.push(app.post("/v1/cases", &body).await.expect(201)["id"].as_str().unwrap().to_owned());
    }
    let around = |page: &str| {
        let link = |rel: &str| {
            let end = page.find(&format!("rel=\"{rel}\""))?;
            let from = page[..end].rfind("/cases/")? + "/cases/".len();
            Some(page[from..from + 36].to_owned())
        };
        (link("prev"), link("next"))
    };
    let newest_first = around(&ada.page(&format!("/cases/{}", ids[1])).await);
    assert_eq!(newest_first, (Some(ids[2].clone()), Some(ids[0].clone())));
    let by_title = around(&ada.page(&format!("/cases/{}?view=sort%3Dtitle", ids[0])).await);
    assert_eq!(by_title, (Some(ids[2].clone()), Some(ids[1].clone())));
    let first = around(&ada.page(&format!("/cases/{}?view=sort%3Dtitle", ids[2])).await);
    assert_eq!(first, (None, Some(ids[0].clone())));
    // A list that is none has the neighbours of all.
    let odd = around(&ada.page(&format!("/cases/{}?view=field.x%3Dnonsense", ids[1])).await);
    assert_eq!(odd, newest_first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_case_is_a_small_page() {
    let app = TestApp::spawn().await;
    let ada = Visitor::new(&app, "Ada", "operator").await;
    let mut fields = plain_fields();
    fields.push(json!({"key": "blob", "type": "json", "section": "who"}));
    for n in 0..150 {
        let mapping: serde_json::Map<String, Value> =
            (0..20).map(|m| (format!("f{n}.v{m}"), json!(format!("$.v{m}")))).collect();
        let field = json!({"key": format!("field{n}"), "trigger": "manual", "name": "<b>A field</b>"});
        let mut field = app.field("/x", field, json!({}));
        field["api_config"]["response_mapping"] = mapping.into();
        fields.push(field);
    }
    define(&app, fields).await;
    let many: serde_json::Map<String, Value> =
        (0..2_000).map(|n| (format!("k{n}"), json!("<>&\"'".repeat(20)))).collect();
    let mut data = many;
    data.insert("number".into(), json!("<".repeat(100_000)));
    data.insert("blob".into(), json!(vec!["\"&'"; 60_000]));
    data.insert("notes".into(), json!("n".repeat(100_000)));
    let id = app.create(Value::Object(data)).await;
    for query in ["", "?edit=%3Acase", "?open=field149"] {
        let page = ada.page(&format!("/cases/{id}{query}")).await;
        assert!(page.contains("card-field149"), "{query}");
    }
    // A form goes before all that it leaves no room for.
    for (query, input) in [("?edit=who", "data.amount"), ("?edit=%3Aadditional", "data.k0")] {
        let page = ada.page(&format!("/cases/{id}{query}")).await;
        assert!(page.contains(&format!("name=\"{input}\"")), "{query}");
    }
    let page = ada.page(&format!("/cases/{id}")).await;
    assert!(page.contains("Show this field"), "cards that there is no room for are short");
    assert!(page.contains(&format!("/cases/{id}/data?path=number")), "what is cut leads to all of it");
    let whole = ada.get(&format!("/cases/{id}/data?path=number")).await;
    assert_eq!(whole.html.len(), 100_002);
    assert_eq!(ada.get(&format!("/cases/{id}/data?path=nothing")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_fields_as_there_may_be_fit_on_a_page() {
    let app = TestApp::spawn().await;
    let ada = Visitor::new(&app, "Ada", "operator").await;
    let plain =
        |n: usize| json!({"key": format!("p{n}"), "type": "text", "name": format!("Field number {n}")});
    define(&app, (0..200).map(plain).collect()).await;
    let data: serde_json::Map<String, Value> =
        (0..200).map(|n| (format!("p{n}"), json!("<".repeat(5_000)))).collect();
    let id = app.create(Value::Object(data)).await;
    for query in ["", "?edit=%3Aother"] {
        assert!(ada.page(&format!("/cases/{id}{query}")).await.contains("Field number 199"), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_looks_like_markup_is_text_wherever_it_comes_from() {
    let app = TestApp::spawn().await;
    let ada = Visitor::new(&app, "<i>Ada</i>", "operator").await;
    let bad = "\"'><img src=x onerror=alert(1)>";
    define_check(&app, json!({"name": bad, "description": bad, "retry": 0}), json!({})).await;
    let answers = [json!({"value": bad}), json!({"error": {"code": bad, "description": bad}})];
    app.upstream.answers([ok(answers[0].clone()), crate::upstream::json(400, answers[1].clone())]).await;
    let body = json!({"case_type": "test", "title": bad, "reference": bad, "assignee": bad, "custom_status": bad,
        "data": {"number": bad, "<b>odd</b>": {"<u>": bad}}});
    let id = app.post("/v1/cases", &body).await.expect(201)["id"].as_str().unwrap().to_owned();
    app.drain().await;
    ada.post(&format!("/cases/{id}/fields/check/refresh"), &[]).await;
    app.drain().await;
    ada.fill(&format!("/cases/{id}?edit=who"), &[("data.notes", bad)]).await;
    let view = "view=%22%3E%3Cscript%3E&at=%22%3E%3Cscript%3E&open=%22%3E";
    for query in [
        "",
        "?edit=who",
        "?edit=%3Aadditional",
        "?edit=%3Afield.check",
        "?edit=%3Acase",
        "?input=check",
        "/delete",
    ] {
        let joint = if query.contains('?') { "&" } else { "?" };
        let page = ada.page(&format!("/cases/{id}{query}{joint}{view}")).await;
        for raw in ["<img", "<i>Ada", "<b>odd", "<u>", "<script>", "onerror=alert(1)>\""] {
            assert!(!page.contains(raw), "{query}: {raw}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_hears_of_changes_and_only_its_own() {
    let app = TestApp::spawn().await;
    let ada = Visitor::new(&app, "Ada", "viewer").await;
    define(&app, plain_fields()).await;
    let id = app.create(json!({"number": "BE1"})).await;
    assert!(ada.page(&format!("/cases/{id}")).await.contains(&format!("data-events=\"/cases/{id}/events\"")));
    let cookie = format!("dossier_session={}", ada.begun.token.expose());
    let mut stream =
        client().get(app.url(&format!("/cases/{id}/events"))).header("cookie", cookie).send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let mut heard = String::new();
    while !heard.contains("\n\n") {
        heard.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().unwrap()));
    }
    app.patch(&format!("/v1/cases/{id}"), &json!({"data": {"number": "BE2"}})).await.expect(200);
    while !heard.contains("event: case.changed") {
        heard.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().unwrap()));
    }
    let missing = "019a0000-0000-7000-8000-000000000000";
    assert_eq!(ada.get(&format!("/cases/{missing}/events")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn fetched_values_are_called_by_names_and_a_no_is_said() {
    let app = TestApp::spawn().await;
    let ada = Visitor::new(&app, "Ada", "operator").await;
    let mapping = json!({"response_mapping": {
        "vat.valid": {"path": "$.valid", "type": "boolean"},
        "owner.full_name": "$.owner", "agent.full_name": "$.agent", "rates": "$.rates", "number": "$.number",
    }});
    define_check(&app, json!({"name": "Check"}), mapping).await;
    let answer = json!({"valid": false, "owner": "Ann", "agent": "Ben", "number": "BE1",
        "rates": {"usd_rate": 1.08, "date": "2026-11-20", "of": {"a": 1}}});
    app.upstream.answers([ok(answer)]).await;
    let id = app.filled(json!({"amount": 5})).await["id"].as_str().unwrap().to_owned();
    let page = ada.page(&format!("/cases/{id}")).await;
    let text = card(&page, "check");
    for said in [
        "answer: no",
        "Valid No",
        "Owner: full name Ann",
        "Agent: full name Ben",
        "VAT number BE1",
        "usd rate 1.08, date 2026-11-20",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    // The path is within reach, and no mark is louder than its value.
    assert!(page.contains("<dt title=\"owner.full_name\">") && !page.contains("mark said"), "{page}");

    let form = ada.page(&format!("/cases/{id}?edit=:field.check")).await;
    assert!(read(&form).contains("Owner: full name"), "{}", read(&form));
    assert_eq!(form.matches(" autofocus").count(), 1, "the page opens at the first input");
    // What somebody typed over a fetched value is said beside it.
    ada.app.patch(&format!("/v1/cases/{id}"), &json!({"data": {"owner": {"full_name": "Eve"}}})).await;
    let page = ada.page(&format!("/cases/{id}")).await;
    assert_eq!(page.matches("mark said").count(), 1, "{page}");
}
