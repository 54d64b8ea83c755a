//! The list of cases and the form of a new one over HTTP, as a browser without script sees them.

use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::app::TestApp;
use crate::upstream::{ok, status};

const PASSWORD: &str = "a-long-password-of-tests";

/// What a browser gets.
struct Got {
    status: u16,
    place: String,
    html: String,
}

/// A browser that is signed in.
struct Guest<'a> {
    app: &'a TestApp,
    http: reqwest::Client,
    cookie: String,
}

/// A client that follows no redirect.
#[expect(clippy::disallowed_methods, reason = "the product's only client is not under test here")]
fn quiet() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// A request with a form.
fn sent(request: reqwest::RequestBuilder, form: &[(&str, &str)]) -> reqwest::RequestBuilder {
    let body = Serializer::new(String::new()).extend_pairs(form).finish();
    request.header("content-type", "application/x-www-form-urlencoded").body(body)
}

impl<'a> Guest<'a> {
    async fn new(app: &'a TestApp, role: &str) -> Self {
        let email = format!("{role}@example.com");
        let body = json!({"name": role, "email": email, "role": role, "password": PASSWORD});
        app.post("/v1/people", &body).await.expect(201);
        let http = quiet();
        let form = [("email", email.as_str()), ("password", PASSWORD)];
        let answer = sent(http.post(app.url("/sign-in")), &form).send().await.unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        Self { app, cookie: cookie.split(';').next().unwrap().to_owned(), http }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Got {
        let answer = request.header("cookie", &self.cookie).send().await.unwrap();
        let place = answer.headers().get("location").map(|place| place.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        Got { status, place: place.unwrap_or_default(), html: answer.text().await.unwrap() }
    }

    async fn get(&self, path: &str) -> Got {
        self.send(self.http.get(self.app.url(path))).await
    }

    /// A page that must be there, and small.
    async fn page(&self, path: &str) -> String {
        let got = self.get(path).await;
        assert_eq!(got.status, 200, "{path}: {}", got.html);
        assert!(got.html.len() <= 200_000, "{path}: {} bytes", got.html.len());
        got.html
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Got {
        let account = self.page("/account").await;
        let csrf = attribute(&account, "name=\"csrf\" value=\"");
        let all = [form, &[("csrf", csrf.as_str())]].concat();
        self.send(sent(self.http.post(self.app.url(path)), &all)).await
    }
}

/// What stands behind a mark, up to the next quotation mark.
fn attribute(html: &str, mark: &str) -> String {
    let (_, rest) = html.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {html}"));
    rest.split('"').next().unwrap().replace("&#38;", "&")
}

/// The references of the rows, from the top.
fn references(html: &str) -> Vec<String> {
    let rows = html.split("<th scope=\"row\">").skip(1);
    rows.map(|row| row.split_once("\">").unwrap().1.split('<').next().unwrap().to_owned()).collect()
}

/// The address of a link by its words.
fn link(html: &str, words: &str) -> String {
    let before = html.split(words).next().unwrap();
    assert!(before.len() < html.len(), "no {words} in {html}");
    // Icons have addresses, too: within the page.
    let (_, link) = before.rsplit_once("href=\"/").unwrap();
    format!("/{}", link.split('"').next().unwrap().replace("&#38;", "&"))
}

async fn typed(app: &TestApp) {
    app.define(json!([
        {"key": "amount", "type": "integer", "name": "Amount", "required": true},
        {"key": "kind", "type": "select", "name": "Kind", "options": ["new", "old"], "default": "new"},
        {"key": "extra", "type": "json", "name": "Extra"},
    ]))
    .await;
}

async fn case(app: &TestApp, reference: &str, more: Value) -> Value {
    let mut body = json!({"case_type": "test", "reference": reference, "data": {"amount": 1}});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    app.post("/v1/cases", &body).await.expect(201)
}

#[actix_web::test]
async fn a_list_shows_cases_with_chosen_columns_filters_and_order() {
    let app = TestApp::spawn().await;
    typed(&app).await;
    let guest = Guest::new(&app, "viewer").await;
    case(&app, "R-1", json!({"title": "Beta", "assignee": "ada", "data": {"amount": 12_345}})).await;
    case(&app, "R-2", json!({"title": "Alpha", "status": "closed", "custom_status": "archived"})).await;
    let page = guest.page("/cases").await;
    assert_eq!(references(&page), ["R-2", "R-1"]);
    for text in ["Beta", "12345", "Closed", "archived", "In progress", "ada", "1–2 of 2 cases"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(page.contains("class=\"number\" data-l=\"Amount\">12345<"), "{page}");

    assert_eq!(references(&guest.page("/cases?sort=title").await), ["R-2", "R-1"]);
    let by_reference = guest.page(&link(&page, "Reference</a>")).await;
    assert_eq!(references(&by_reference), ["R-1", "R-2"]);
    assert!(by_reference.contains("aria-sort=\"ascending\""));

    let few = guest.page("/cases?cols=&cols=status&cols=data.kind").await;
    assert!(few.contains(">Kind</th>") && !few.contains(">Amount</th>") && !few.contains("Beta"), "{few}");

    for (filter, found) in [
        ("q=bet", vec!["R-1"]),
        ("q=nobody", vec![]),
        ("status=closed", vec!["R-2"]),
        ("assignee=ada", vec!["R-1"]),
        ("data.amount=12345", vec!["R-1"]),
        ("status=closed&assignee=ada", vec![]),
    ] {
        let page = guest.page(&format!("/cases?{filter}&cols=title")).await;
        assert_eq!(references(&page), found, "{filter}");
        // The filters stand in the forms and come off one by one.
        let chip = link(&page, "Remove filter: ");
        assert!(
            chip.contains("cols=title") && chip.len() < format!("/cases?{filter}&cols=title").len(),
            "{chip}"
        );
    }
    let both = guest.page("/cases?status=closed&assignee=ada").await;
    assert!(both.contains("No case matches") && link(&both, "Clear all filters") == "/cases");
    for wrong in ["/cases?status=open", "/cases?sort=age", "/cases?field.x=odd", "/cases?cursor=nonsense"] {
        assert_eq!(guest.get(wrong).await.status, 400, "{wrong}");
    }
    assert_eq!(guest.get("/cases?type=none").await.status, 404);
}

#[actix_web::test]
async fn fields_show_their_state_and_bars_lead_to_the_cases_behind_them() {
    let app = TestApp::spawn().await;
    app.define_one(
        "/score/{data.n}",
        json!({"name": "Score", "trigger": "on_create", "retry": 0}),
        json!({}),
    )
    .await;
    app.upstream.on("GET", "/score/1", ok(json!({"value": "nice & <b>good</b>"})));
    app.upstream.on("GET", "/score/2", status(404));
    for n in 1..=3 {
        let data = if n < 3 { json!({"n": n}) } else { json!({}) };
        app.post("/v1/cases", &json!({"case_type": "test", "reference": format!("R-{n}"), "data": data}))
            .await
            .expect(201);
    }
    app.drain().await;
    let operator = Guest::new(&app, "operator").await;
    let page = operator.page("/cases").await;
    assert!(page.contains("nice &#38; &#60;b&#62;good&#60;/b&#62;") && !page.contains("<b>good"), "{page}");
    assert!(
        page.contains("Up to date,") && page.contains("Failed") && page.contains("Waits for N"),
        "{page}"
    );
    for (words, found) in [("</b> up to date", "R-1"), ("</b> failed", "R-2"), ("</b> skipped", "R-3")] {
        let address = link(&page, words);
        let part = operator.page(&address).await;
        assert_eq!(references(&part), [found], "{address}");
        // The part that is set leads back to all.
        assert!(part.contains("aria-current=\"true\"") && link(&part, words) == "/cases", "{part}");
    }
    // A cell leads to its card and knows the list that it was opened from; why it failed is short.
    let filtered = operator.page("/cases?q=R-2").await;
    let cell = link(&filtered, "Nothing found");
    assert!(cell.ends_with("?view=q%3DR-2#card-check"), "{cell}");
    assert!(filtered.contains("class=\"f failed old\" data-l=\"Score\""), "{filtered}");

    // Only what failed or is out of date is run again, and the view stays.
    let id = attribute(&page, "name=\"case\" value=\"");
    app.upstream.on("GET", "/score/2", ok(json!({"value": 7})));
    let got = operator.post("/cases/refresh", &[("case", &id), ("back", "sort=title&cols=status")]).await;
    let place = format!("/cases?sort=title&cols=status&done=refreshed#case-{id}");
    assert_eq!((got.status, got.place), (303, place));
    app.drain().await;
    assert_eq!(app.case(&id).await["fields"]["check"]["status"], "succeeded");
    let got = operator.post("/cases/refresh", &[("case", &id), ("back", "//evil.example")]).await;
    assert!(got.place.starts_with("/cases?done=nothing"), "{}", got.place);
    let viewer = Guest::new(&app, "viewer").await;
    assert_eq!(viewer.post("/cases/refresh", &[("case", &id)]).await.status, 403);
    assert!(!viewer.page("/cases").await.contains("cases/refresh"));
}

#[actix_web::test]
async fn pages_go_on_and_back_without_script() {
    let app = TestApp::spawn().await;
    typed(&app).await;
    let guest = Guest::new(&app, "viewer").await;
    for n in 0..120 {
        case(&app, &format!("R-{n:03}"), json!({})).await;
    }
    let name = |n: usize| format!("R-{n:03}");
    let first = guest.page("/cases?sort=reference").await;
    assert_eq!(references(&first), (0..50).map(name).collect::<Vec<_>>());
    assert!(first.contains("1–50 of 120 cases") && !first.contains("Previous"), "{first}");
    let second = guest.page(&link(&first, "Next<")).await;
    assert_eq!(references(&second), (50..100).map(name).collect::<Vec<_>>());
    assert!(second.contains("51–100 of 120 cases"));
    let third = guest.page(&link(&second, "Next<")).await;
    assert_eq!(references(&third), (100..120).map(name).collect::<Vec<_>>());
    assert!(third.contains("101–120 of 120 cases") && !third.contains("rel=\"next\""));
    let back = guest.page(&link(&third, "Previous<")).await;
    assert_eq!(references(&back), references(&second));
    assert!(back.contains("51–100 of 120 cases") && back.contains("rel=\"next\""), "{back}");
    assert_eq!(references(&guest.page(&link(&back, "Next<")).await), references(&third));
    // Where going back comes to the beginning, the first page is shown whole.
    let got = guest.get(&link(&back, "Previous<")).await;
    assert!(got.status == 200 || got.place == "/cases?sort=reference", "{} {}", got.status, got.place);
    assert_eq!(link(&back, "First page<"), "/cases?sort=reference");
    // A row knows the list that it is opened from.
    assert!(link(&second, ">R-050<").ends_with("?view=sort%3Dreference"));
}

#[actix_web::test]
async fn what_people_and_providers_wrote_is_text() {
    let app = TestApp::spawn().await;
    typed(&app).await;
    let guest = Guest::new(&app, "operator").await;
    let strings: Vec<&str> = include_str!("injections.txt").lines().filter(|line| !line.is_empty()).collect();
    for (n, text) in strings.iter().enumerate() {
        let more = json!({"title": text, "assignee": text, "custom_status": text, "data": {"amount": n, "extra": text}});
        case(&app, &format!("{n}{text}"), more).await;
    }
    let query = |text: &str| {
        let mut query = Serializer::new(String::new());
        query.append_pair("q", text).append_pair("assignee", text).append_pair("data.extra", text);
        query.append_pair("cols", "title,assignee,data.extra").finish()
    };
    let mut pages = vec![guest.page("/cases?cols=title,assignee,data.extra,status").await];
    for text in &strings {
        pages.push(guest.page(&format!("/cases?{}", query(text))).await);
        let form = [("type", "test"), ("title", *text), ("data.extra", text), ("data.amount", text)];
        pages.push(guest.post("/cases/new", &form).await.html);
    }
    for page in pages {
        let shown = page.split("<main").nth(1).unwrap();
        for mark in [
            "<script",
            "<img",
            "<iframe",
            "<svg/",
            "<svg onload",
            "<object",
            "<style",
            "<a href=\"javascript",
        ] {
            assert!(!shown.contains(mark), "{mark}: {shown}");
        }
    }
}

#[actix_web::test]
async fn an_empty_list_says_what_to_do_first() {
    let app = TestApp::spawn().await;
    let (viewer, builder) = (Guest::new(&app, "viewer").await, Guest::new(&app, "builder").await);
    assert!(builder.page("/cases").await.contains("/docs"));
    assert!(viewer.page("/cases").await.contains("Ask a builder"));
    assert_eq!(builder.get("/cases/new").await.place, "/cases");
    assert_eq!(builder.get("/").await.place, "/cases");
    typed(&app).await;
    let page = builder.page("/cases").await;
    assert!(page.contains("No case yet") && page.contains("/cases/new?type=test"), "{page}");
    assert!(!viewer.page("/cases").await.contains("/cases/new"));
    assert_eq!(viewer.get("/cases/new?type=test").await.status, 403);
    assert_eq!(viewer.post("/cases/new", &[("type", "test")]).await.status, 403);
    // With a second type both stand side by side, and a new case is asked for its type.
    app.put("/v1/case-types/other", &json!({"key": "other", "name": "Other <i>", "fields": []}))
        .await
        .expect(201);
    let page = builder.page("/cases").await;
    assert!(page.contains("Other &#60;i&#62;") && page.contains("All types"), "{page}");
    assert!(builder.page("/cases?type=*").await.contains("No case yet"));
    assert!(builder.page("/cases/new").await.contains("/cases/new?type=other"));
    assert_eq!(builder.get("/cases/new?type=none").await.status, 404);
}

#[actix_web::test]
async fn a_new_case_is_made_once_and_what_is_wrong_stands_beside_it() {
    let app = TestApp::spawn().await;
    typed(&app).await;
    let guest = Guest::new(&app, "operator").await;
    let page = guest.page("/cases/new").await;
    let once = attribute(&page, "name=\"once\" value=\"");
    let form = |reference: &'static str, amount: &'static str, kind: &'static str, extra: &'static str| {
        [
            ("type", "test"),
            ("reference", reference),
            ("data.amount", amount),
            ("data.kind", kind),
            ("data.extra", extra),
        ]
    };
    for (form, says) in [
        (form("R-1", "twelve", "new", ""), "This is not a number"),
        (form("R-1", "", "new", ""), "Please fill this in."),
        (form("R-1", "1.5", "new", ""), "a whole number"),
        (form("R-1", "1", "odd", ""), "one of “new”"),
        (form("R-1", "1", "new", "{"), "data.extra"),
    ] {
        let got = guest.post("/cases/new", &[&form[..], &[("once", &once)]].concat()).await;
        assert!(got.status == 422 && got.html.contains(says), "{says}: {}", got.html);
        assert!(
            got.html.contains("aria-invalid=\"true\"") && got.html.contains("value=\"R-1\""),
            "{}",
            got.html
        );
    }
    let good = [&form("R-1", "12", "", "{\"a\": [1]}")[..], &[("once", &once)]].concat();
    let made = guest.post("/cases/new", &good).await;
    assert_eq!(made.status, 303, "{}", made.html);
    let case = app.get(&format!("/v1{}", made.place)).await.expect(200);
    assert_eq!(case["data"], json!({"amount": 12, "kind": null, "extra": {"a": [1]}}));
    assert_eq!(case["reference"], "R-1");

    // Sent again it is the same case; changed and sent again it is asked.
    assert_eq!(guest.post("/cases/new", &good).await.place, made.place);
    let other = [&form("R-2", "12", "", "")[..], &[("once", &once)]].concat();
    let got = guest.post("/cases/new", &other).await;
    assert!(got.status == 422 && got.html.contains("already created a case"), "{}", got.html);
    let got = guest.post("/cases/new", &form("R-1", "1", "", "")).await;
    assert!(
        got.status == 422 && got.html.contains("R-1") && got.html.contains("aria-invalid"),
        "{}",
        got.html
    );
    assert_eq!(app.get("/v1/cases?count=true").await.expect(200)["total"], 1);
}
