//! Signing in and out as a browser does it: forms, cookies and redirects, without script.

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::json;
use url::form_urlencoded::Serializer;

use crate::app::{TestApp, secs};
use crate::process::Launch;
use crate::upstream::client_that_stays;

const PASSWORD: &str = "correct horse battery";

/// An answer as a browser sees it.
struct Page {
    status: u16,
    location: String,
    cookies: Vec<String>,
    headers: reqwest::header::HeaderMap,
    html: String,
}

impl Page {
    #[track_caller]
    fn goes_to(&self, place: &str) {
        assert_eq!((self.status, self.location.as_str()), (303, place), "{}", self.html);
    }

    #[track_caller]
    fn says(&self, status: u16, text: &str) {
        assert!(self.status == status && self.html.contains(text), "{} {text}: {}", self.status, self.html);
    }
}

/// A browser with the cookies of one person.
struct Browser<'a> {
    app: &'a TestApp,
    http: reqwest::Client,
    cookie: String,
    headers: Vec<(&'static str, String)>,
}

impl<'a> Browser<'a> {
    fn new(app: &'a TestApp) -> Self {
        let http = client_that_stays();
        let origin = app.url("");
        let headers = vec![("origin", origin), ("sec-fetch-site", "same-origin".to_owned())];
        Self { app, http, cookie: String::new(), headers }
    }

    async fn send(&mut self, mut request: reqwest::RequestBuilder) -> Page {
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let answer = request.header(COOKIE, &self.cookie).send().await.unwrap();
        let header = |name| answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        let cookies: Vec<String> = answer
            .headers()
            .get_all(SET_COOKIE)
            .iter()
            .map(|value| value.to_str().unwrap().to_owned())
            .collect();
        for cookie in &cookies {
            let pair = cookie.split(';').next().unwrap();
            if cookie.contains("Max-Age=0") {
                if self.cookie.starts_with(pair) {
                    self.cookie.clear();
                }
            } else {
                self.cookie = pair.to_owned();
            }
        }
        let (status, location, headers) =
            (answer.status().as_u16(), header(LOCATION), answer.headers().clone());
        Page { status, location, cookies, headers, html: answer.text().await.unwrap() }
    }

    async fn get(&mut self, path: &str) -> Page {
        let request = self.http.get(self.app.url(path));
        self.send(request).await
    }

    /// Sends a form as it stands, without a token.
    async fn bare(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.http.post(self.app.url(path));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        self.send(request).await
    }

    /// Sends a form of a page, with the session's token.
    async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Page {
        let token = self.token().await;
        self.bare(path, &[form, &[("csrf", token.as_str())]].concat()).await
    }

    async fn token(&mut self) -> String {
        let html = self.get("/account").await.html;
        let (_, rest) = html.split_once(r#"name="csrf" value=""#).expect("somebody is signed in");
        rest.split_once('"').unwrap().0.to_owned()
    }

    async fn sign_in(&mut self, email: &str, password: &str) -> Page {
        self.bare("/sign-in", &[("email", email), ("password", password)]).await
    }
}

async fn add(app: &TestApp, name: &str, role: &str) -> String {
    let email = format!("{}@example.com", name.to_lowercase());
    let body = json!({"name": name, "email": email, "role": role, "password": PASSWORD});
    app.post("/v1/people", &body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

async fn signed_in<'a>(app: &'a TestApp, name: &str) -> Browser<'a> {
    let mut browser = Browser::new(app);
    browser.sign_in(&format!("{}@example.com", name.to_lowercase()), PASSWORD).await.goes_to("/");
    browser
}

async fn link(app: &TestApp, email: Option<&str>) -> String {
    let workspace = app.services().access.workspace(&"default".parse().unwrap()).await.unwrap().unwrap();
    let token = app.services().people.link_in(workspace.id, email).await.unwrap();
    format!("/sign-in/{}", token.expose())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_goes_where_they_wanted_and_out_again() {
    let app = TestApp::spawn().await;
    add(&app, "Ada", "viewer").await;
    let mut browser = Browser::new(&app);
    browser.get("/account?done=name").await.goes_to("/sign-in?next=%2Faccount%3Fdone%3Dname");
    let form = browser.get("/sign-in?next=%2Faccount%3Fdone%3Dname").await;
    form.says(200, r#"<input type="hidden" name="next" value="/account?done=name">"#);
    assert!(!form.html.contains("Sign out"));

    let next = ("next", "/account?done=name");
    let wrong = [("email", "ada@example.com\"><b>"), ("password", "planted-password"), next];
    let wrong = browser.bare("/sign-in", &wrong).await;
    wrong.says(422, "E-mail and password do not go together");
    wrong.says(422, "/account?done=name");
    assert!(!wrong.html.contains("planted-password") && !wrong.html.contains("<b>"), "{}", wrong.html);
    assert!(wrong.cookies.is_empty());

    let right = [("email", "ADA@example.com"), ("password", PASSWORD), next];
    let right = browser.bare("/sign-in", &right).await;
    right.goes_to("/account?done=name");
    let kept = &right.cookies[0];
    for part in ["dossier_session=dss_", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=604800"] {
        assert!(kept.contains(part), "{part}: {kept}");
    }
    assert!(!kept.contains("Secure") && !kept.contains("Domain"), "{kept}");
    let page = browser.get("/account").await;
    page.says(200, "Sign out");
    assert_eq!(page.headers["cache-control"], "no-store");
    assert!(page.headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    browser.get("/sign-in?next=%2Fpeople").await.goes_to("/people");
    browser.get("/").await.goes_to("/cases");

    let cookie = browser.cookie.clone();
    let out = browser.post("/sign-out", &[]).await;
    out.goes_to("/sign-in");
    assert!(out.cookies.iter().all(|cookie| cookie.contains("Max-Age=0")) && browser.cookie.is_empty());
    browser.cookie = cookie;
    browser.get("/account").await.goes_to("/sign-in?next=%2Faccount");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_led_to_another_site() {
    let app = TestApp::spawn().await;
    add(&app, "Ada", "viewer").await;
    for next in ["//evil.example", "/\\evil.example", "https://evil.example/", "/\t/evil.example", "evil", ""]
    {
        let mut browser = Browser::new(&app);
        let form = [("email", "ada@example.com"), ("password", PASSWORD), ("next", next)];
        browser.bare("/sign-in", &form).await.goes_to("/");
        let query = Serializer::new(String::new()).append_pair("next", next).finish();
        browser.get(&format!("/sign-in?{query}")).await.goes_to("/");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_signs_in_at_its_button_and_once() {
    let app = TestApp::spawn().await;
    let link = link(&app, None).await;
    let (mut first, mut second) = (Browser::new(&app), Browser::new(&app));
    for _ in 0..3 {
        first.get(&link).await.says(200, "This link signs you in once");
        // Programs that look at links beforehand may ask without wanting the page.
        let head = first.http.head(app.url(&link));
        assert_eq!(first.send(head).await.status, 200);
        assert!(first.cookie.is_empty());
    }
    first.bare(&link, &[]).await.goes_to("/");
    first.get("/account").await.says(200, "Admin");
    second.bare(&link, &[]).await.says(410, "not good any more");
    second.get(&link).await.says(410, "not good any more");
    second.get("/sign-in/nonsense").await.says(410, "not good any more");
    let head = second.http.head(app.url(&link));
    assert_eq!(second.send(head).await.status, 410);
    assert!(second.cookie.is_empty());
    // Whoever came by a link sets a password without one before; 10 characters at least.
    first
        .post("/account/password", &[("password", "short")])
        .await
        .says(422, "New password must have 10 to 1024");
    first.post("/account/password", &[("password", PASSWORD)]).await.goes_to("/account?done=password");
    assert!(!app.log_lines().contains(link.trim_start_matches("/sign-in/")));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_forms_of_our_own_pages_change_anything() {
    let app = TestApp::spawn().await;
    let ada = add(&app, "Ada", "admin").await;
    let bob = add(&app, "Bob", "viewer").await;
    let mut browser = signed_in(&app, "Ada").await;
    let other = signed_in(&app, "Bob").await.token().await;
    let own = browser.token().await;
    let form = [
        ("name", "Mallory"),
        ("email", "m@example.com"),
        ("role", "admin"),
        ("password", "another password"),
    ];
    let urls = [
        "/sign-out",
        "/account/name",
        "/account/password",
        "/account/sessions/end",
        &format!("/account/sessions/{bob}/end"),
        "/people",
        &format!("/people/{bob}"),
        &format!("/people/{bob}/link"),
        &format!("/people/{bob}/remove"),
        &format!("/people/{ada}/remove"),
    ];
    let before = (app.get("/v1/people").await.body, app.get("/v1/audit").await.body);
    for url in urls {
        browser.bare(url, &form).await.says(403, "This form was not sent from a page of ours");
        for token in [&other, "", "x"] {
            let form = [&form[..], &[("csrf", token)]].concat();
            assert_eq!(browser.bare(url, &form).await.status, 403, "{url} {token}");
        }
        let form = [&form[..], &[("csrf", own.as_str())]].concat();
        let ours = browser.headers.clone();
        for foreign in [
            vec![("origin", "https://evil.example".to_owned())],
            vec![("origin", "null".to_owned())],
            vec![("origin", app.url("")), ("sec-fetch-site", "cross-site".to_owned())],
            vec![("sec-fetch-site", "same-site".to_owned())],
        ] {
            browser.headers = foreign;
            assert_eq!(browser.bare(url, &form).await.status, 403, "{url} {:?}", browser.headers);
        }
        browser.headers = ours;
        // A GET changes nothing: there is none, or it only shows.
        assert!([200, 404, 405].contains(&browser.get(url).await.status), "{url}");
        Browser::new(&app).bare(url, &form).await.goes_to("/sign-in?next=%2F");
    }
    assert_eq!((app.get("/v1/people").await.body, app.get("/v1/audit").await.body), before);
    browser.get("/account").await.says(200, "Ada");

    // Signing in has no token yet, and still only our page may do it.
    let link = link(&app, Some("bob@example.com")).await;
    let mut foreign = Browser::new(&app);
    foreign.headers = vec![("origin", "https://evil.example".to_owned())];
    assert_eq!(foreign.sign_in("ada@example.com", PASSWORD).await.status, 403);
    assert_eq!(foreign.bare(&link, &[]).await.status, 403);
    assert!(foreign.cookie.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_https_the_cookie_is_for_this_host_and_https_only() {
    let app = TestApp::spawn().await;
    add(&app, "Ada", "viewer").await;
    let mut browser = Browser::new(&app);
    browser.headers.push(("x-forwarded-proto", "https".to_owned()));
    let begun = browser.sign_in("ada@example.com", PASSWORD).await;
    let kept = begun.cookies.iter().find(|cookie| !cookie.contains("Max-Age=0")).unwrap();
    assert!(kept.starts_with("__Host-dossier_session=dss_") && kept.contains("Secure"), "{kept}");
    assert!(kept.contains("Path=/") && kept.contains("HttpOnly") && !kept.contains("Domain"), "{kept}");
    browser.get("/account").await.says(200, "Ada");
    browser.post("/sign-out", &[]).await.goes_to("/sign-in");
    assert!(browser.cookie.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sign_in_begins_a_session_of_its_own() {
    let app = TestApp::spawn().await;
    add(&app, "Ada", "viewer").await;
    let mut browser = Browser::new(&app);
    browser.cookie = "dossier_session=dss_chosen-by-somebody-else".to_owned();
    browser.sign_in("ada@example.com", PASSWORD).await.goes_to("/");
    let first = browser.cookie.clone();
    assert!(first.len() > 50 && !first.contains("chosen"), "{first}");
    browser.sign_in("ada@example.com", PASSWORD).await.goes_to("/");
    assert_ne!(first, browser.cookie);
    let mut old = Browser::new(&app);
    old.cookie = first;
    old.get("/account").await.goes_to("/sign-in?next=%2Faccount");
    // A session opens the pages and nothing of the API.
    let cookie = browser.cookie.clone();
    let asked = app.send(browser.http.get(app.url("/v1/cases")).header(COOKIE, cookie)).await;
    assert_eq!(asked.code(), "unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_is_told_to_wait() {
    let app = TestApp::spawn().await;
    add(&app, "Ada", "viewer").await;
    let mut browser = Browser::new(&app);
    for n in 0..10 {
        // Behind a proxy addresses differ; the e-mail does not.
        browser.headers.retain(|(name, _)| *name != "x-forwarded-for");
        browser.headers.push(("x-forwarded-for", format!("198.51.100.{n}")));
        assert_eq!(browser.sign_in("ada@example.com", "a guess").await.status, 422);
    }
    let refused = browser.sign_in("ada@example.com", PASSWORD).await;
    refused.says(429, "Too many tries have failed. Wait 5 minutes");
    assert_eq!(refused.headers["retry-after"], "300");
    app.move_clock(secs(300));
    browser.sign_in("ada@example.com", PASSWORD).await.goes_to("/");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_changes_ones_own_account() {
    let app = TestApp::spawn().await;
    add(&app, "Ada", "viewer").await;
    let mut browser = signed_in(&app, "Ada").await;
    let mut elsewhere = signed_in(&app, "Ada").await;
    browser.post("/account/name", &[("name", "  ")]).await.says(422, "Name must have 1 to 200 characters.");
    browser
        .post("/account/name", &[("name", "<script>alert(1)</script>")])
        .await
        .goes_to("/account?done=name");
    let page = browser.get("/account?done=name").await;
    page.says(200, "Your name is changed.");
    assert!(!page.html.contains("<script>alert"), "{}", page.html);

    let wrong = [("present", "not this"), ("password", "another password")];
    browser.post("/account/password", &wrong).await.says(422, "Present password is not right");
    let right = [("present", PASSWORD), ("password", "another password")];
    browser.post("/account/password", &right).await.goes_to("/account?done=password");
    elsewhere.get("/account").await.goes_to("/sign-in?next=%2Faccount");
    browser.get("/account").await.says(200, "This one");

    elsewhere.sign_in("ada@example.com", "another password").await.goes_to("/");
    let html = browser.get("/account").await.html;
    let id = html.split("/account/sessions/").find_map(|part| part.split_once("/end")).unwrap().0;
    browser.post(&format!("/account/sessions/{id}/end"), &[]).await.goes_to("/account?done=session");
    elsewhere.get("/account").await.goes_to("/sign-in?next=%2Faccount");
    elsewhere.sign_in("ada@example.com", "another password").await.goes_to("/");
    browser.post("/account/sessions/end", &[]).await.goes_to("/account?done=others");
    elsewhere.get("/account").await.goes_to("/sign-in?next=%2Faccount");
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_let_people_in_and_out() {
    let app = TestApp::spawn().await;
    let ada = add(&app, "Ada", "admin").await;
    let mut admin = signed_in(&app, "Ada").await;
    let taken = [("name", "Eve <b>"), ("email", "ADA@example.com"), ("role", "viewer")];
    let refused = admin.post("/people", &taken).await;
    refused.says(422, "Ada has the e-mail ADA@example.com in this workspace already");
    refused.says(422, "Eve &#60;b&#62;");
    admin
        .post("/people", &[("name", "Bob"), ("email", "bob"), ("role", "viewer")])
        .await
        .says(422, "E-mail is not an e-mail");
    let added =
        admin.post("/people", &[("name", "Bob"), ("email", "bob@example.com"), ("role", "viewer")]).await;
    assert_eq!(added.status, 303);
    let url = added.location.trim_end_matches("?done=added").to_owned();
    admin.get(&added.location).await.says(200, "Make a sign-in link to let them in");

    let made = admin.post(&format!("{url}/link"), &[]).await;
    made.says(200, "it is not shown again");
    let (_, rest) = made.html.split_once(&app.url("/sign-in/")).expect("the link stands on the page");
    let link = format!("/sign-in/{}", rest.split(['<', '"']).next().unwrap());
    let mut bob = Browser::new(&app);
    bob.bare(&link, &[]).await.goes_to("/");
    // Below their role nothing of it can be seen or done.
    bob.get("/people").await.says(403, "admin");
    bob.get(&url).await.says(403, "admin");
    assert!(!bob.get("/account").await.html.contains(r#"href="/people""#));
    let grab = [("name", "Bob"), ("email", "bob@example.com"), ("role", "admin"), ("active", "on")];
    bob.post(&url, &grab).await.says(403, "admin");
    // Whether a form is whole is nobody's business who may not send it.
    bob.post(&url, &[]).await.says(403, "admin");
    bob.post("/people", &[]).await.says(403, "admin");

    admin.post(&url, &grab).await.goes_to(&format!("{url}?done=saved"));
    bob.get("/people").await.says(200, "Ada");
    // Not ticked is switched off.
    admin.post(&url, &grab[..3]).await.goes_to(&format!("{url}?done=saved"));
    bob.get("/people").await.goes_to("/sign-in?next=%2Fpeople");
    admin.get("/people").await.says(200, "Switched off");
    admin.post(&format!("{url}/link"), &[]).await.says(422, "Bob is switched off");
    let own = format!("/people/{ada}");
    let demoted = [("name", "Ada"), ("email", "ada@example.com"), ("role", "viewer"), ("active", "on")];
    admin.post(&own, &demoted).await.says(422, "Ada is the only admin");
    admin.post(&format!("{own}/remove"), &[]).await.says(422, "Ada is the only admin");
    admin.post(&format!("{url}/remove"), &[]).await.goes_to("/people?done=removed");
    // Nothing is said to be removed that was not.
    admin.post(&format!("{url}/remove"), &[]).await.says(404, "There is nothing here");
    assert!(!admin.get("/people").await.html.contains("bob@example.com"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_prints_a_link_that_signs_in() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::serve(folder.path()).with("LOG__LEVEL", "error");
    let (good, printed) = launch.clone().with("SERVER__LISTEN", "0.0.0.0:8081").run(&["sign-in-link"]).await;
    let link = printed.trim().strip_prefix("http://127.0.0.1:8081");
    let link = link.unwrap_or_else(|| panic!("{printed}")).to_owned();
    assert!(good && link.starts_with("/sign-in/") && link.len() > 50, "{printed}");
    for (words, says) in [
        (["sign-in-link", "--person", "nobody@example.com"], "nobody in this workspace has the e-mail"),
        (["sign-in-link", "--workspace", "elsewhere"], "there is no workspace `elsewhere`"),
    ] {
        let (good, printed) = launch.run(&words).await;
        assert!(!good && printed.contains(says), "{printed}");
    }
    let process = Launch::serve(folder.path()).start().await;
    let answer = client_that_stays().post(format!("{}{link}", process.base)).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()[LOCATION].to_str().unwrap()), (303, "/"));
    assert!(answer.headers()[SET_COOKIE].to_str().unwrap().starts_with("dossier_session=dss_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_nobody_touches_keeps_no_session_going() {
    let app = TestApp::spawn().await;
    add(&app, "Ada", "viewer").await;
    let mut browser = signed_in(&app, "Ada").await;
    for (name, value) in [("x-live", "1"), ("accept", "text/event-stream")] {
        browser.headers.push((name, value.to_owned()));
        app.move_clock(secs(7 * 3600));
        let answer = browser.get("/account").await;
        browser.headers.pop();
        // Twelve hours of rest are not over at the first; the first was no use of the session.
        if name == "x-live" {
            answer.says(200, "Ada");
        } else {
            answer.goes_to("/sign-in?next=%2Faccount");
        }
    }
}
