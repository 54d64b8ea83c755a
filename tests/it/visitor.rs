//! Somebody who is signed in and looks at pages over HTTP, without script: forms, redirects, and
//! what must never stand in any page.

use reqwest::header::{CONTENT_LENGTH, COOKIE, LOCATION, SET_COOKIE};
use serde_json::json;
use url::form_urlencoded::Serializer;

use crate::app::{MARKER, TestApp};
use crate::upstream::client_that_stays;

/// What each of them signs in with.
pub const PASSWORD: &str = "correct horse battery";

/// A page as it came.
pub struct Page {
    pub status: u16,
    pub location: String,
    pub html: String,
}

impl Page {
    /// The page, when it has this status and says all of this.
    #[track_caller]
    pub fn says(self, status: u16, texts: &[&str]) -> String {
        assert_eq!(self.status, status, "{}", self.html);
        for text in texts {
            assert!(self.html.contains(text), "{text} is missing: {}", self.html);
        }
        self.html
    }

    /// That it leads there.
    #[track_caller]
    pub fn goes_to(&self, place: &str) {
        assert_eq!((self.status, self.location.as_str()), (303, place), "{}", self.html);
    }
}

/// A person with a session.
pub struct Visitor<'a> {
    app: &'a TestApp,
    http: reqwest::Client,
    cookie: String,
    pub csrf: String,
}

impl<'a> Visitor<'a> {
    /// Makes a person of this role and signs them in.
    pub async fn of(app: &'a TestApp, role: &str) -> Self {
        let email = format!("{role}@example.com");
        let person = json!({"name": role, "email": email, "role": role, "password": PASSWORD});
        app.post("/v1/people", &person).await.expect(201);
        let mut this = Self { app, http: client_that_stays(), cookie: String::new(), csrf: String::new() };
        let form = body(&[("email", &email), ("password", PASSWORD)]);
        let answer = this.http.post(app.url("/sign-in")).body(form).send().await.unwrap();
        let mut cookies = answer.headers().get_all(SET_COOKIE).iter().map(|cookie| cookie.to_str().unwrap());
        let kept = cookies.rfind(|cookie| !cookie.contains("Max-Age=0")).unwrap();
        this.cookie = kept.split(';').next().unwrap().to_owned();
        let account = this.get("/account").await.html;
        let (_, rest) = account.split_once(r#"name="csrf" value=""#).unwrap();
        rest.split_once('"').unwrap().0.clone_into(&mut this.csrf);
        this
    }

    pub async fn get(&self, path: &str) -> Page {
        self.send(self.http.get(self.app.url(path))).await
    }

    /// Asks for a page without its text; its size is told all the same.
    pub async fn head(&self, path: &str) -> (Page, Option<String>) {
        let request = self.http.head(self.app.url(path)).header(COOKIE, &self.cookie);
        let answer = request.send().await.unwrap();
        let header = |name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (location, length) = (header(LOCATION).unwrap_or_default(), header(CONTENT_LENGTH));
        let status = answer.status().as_u16();
        (Page { status, location, html: answer.text().await.unwrap() }, length)
    }

    /// Sends a form of a page.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Page {
        self.bare(path, &[form, &[("csrf", self.csrf.as_str())]].concat(), None).await
    }

    /// Sends a form as it stands, from this origin.
    pub async fn bare(&self, path: &str, form: &[(&str, &str)], origin: Option<&str>) -> Page {
        let request = self.http.post(self.app.url(path)).body(body(form));
        self.send(request.header("origin", origin.unwrap_or(&self.app.url("")))).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Page {
        let answer = request.header(COOKIE, &self.cookie).send().await.unwrap();
        let status = answer.status().as_u16();
        let location = answer.headers().get(LOCATION).map_or("", |place| place.to_str().unwrap()).to_owned();
        let html = answer.text().await.unwrap();
        assert!(!html.contains(MARKER) && !location.contains(MARKER), "a page holds the secret: {html}");
        Page { status, location, html }
    }
}

fn body(form: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(form).finish()
}

/// What must be escaped wherever it shows.
pub const HOSTILE: &str = r#"</pre><script>alert(1)</script><img src=x onerror="alert(2)">'"{{7*7}}"#;

/// That nothing of [`HOSTILE`] is markup.
#[track_caller]
pub fn harmless(html: &str) {
    for markup in ["<script>alert", "<img src=x", "</pre><script", "49}}"] {
        assert!(!html.contains(markup), "{markup}: {html}");
    }
}
