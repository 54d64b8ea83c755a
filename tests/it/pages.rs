//! Every page in Debian's Chromium, against the real binary with the demo's data: what all of them
//! promise, whoever wrote the data.
//!
//! axe-core (from `tests/npm`) judges them by WCAG 2.2 AA, in light and dark, wide and narrow. With
//! `DOSSIER_PICTURES=FOLDER` each is also kept as a picture.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use crate::authorization;
use crate::browser::{Browser, Tab};
use crate::demo_process::Demo;

/// No page is larger, whatever it shows.
const LARGEST: f64 = 200_000.0;

/// A demo with a browser that is signed in.
pub struct Shown {
    pub demo: Demo,
    pub tab: Tab,
    _browser: Browser,
    _folder: tempfile::TempDir,
}

impl Shown {
    /// Starts both; the cases have come to their end.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (temporary, log) = (folder.path().join("tmp"), folder.path().join("log"));
        std::fs::create_dir(&temporary).unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let demo = tokio::task::spawn_blocking(move || Demo::start(listen, &temporary, &log)).await.unwrap();
        let browser = Browser::start();
        let tab = browser.tab().await;
        tab.open(demo.sign_in_link()).await;
        tab.follow("main button").await;
        let shown = Self { demo, tab, _browser: browser, _folder: folder };
        for case in shown.cases().await {
            // Asked with `Prefer: wait`, a case answers when nothing of it waits or works any more.
            shown.demo.get(&format!("/v1/cases/{}", case["id"].as_str().unwrap())).await;
        }
        shown
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.demo.exported("DOSSIER"))
    }

    async fn cases(&self) -> Vec<Value> {
        self.demo.get("/v1/cases?limit=200").await["items"].as_array().unwrap().clone()
    }

    /// The page of the case with this reference.
    pub async fn case(&self, reference: &str) -> String {
        let found = self.demo.get(&format!("/v1/cases?reference={reference}")).await;
        format!("/cases/{}", found["items"][0]["id"].as_str().unwrap())
    }

    /// A name and a path for each page that there is.
    async fn pages(&self) -> Vec<(String, String)> {
        let mut pages: Vec<(String, String)> = [
            ("cases", "/cases"),
            ("cases-failed", "/cases?type=company_onboarding&field.registry=failed"),
            ("cases-none", "/cases?q=nobodyhasthis"),
            ("case-new", "/cases/new?type=company_onboarding"),
            ("runs", "/runs"),
            ("runs-failed", "/runs?status=failed"),
            ("case-types", "/case-types"),
            ("case-type", "/case-types/company_onboarding"),
            ("connections", "/connections"),
            ("schedules", "/schedules"),
            ("secrets", "/secrets"),
            ("people", "/people"),
            ("account", "/account"),
            ("nothing", "/nothing/here"),
        ]
        .map(|(name, path)| (name.to_owned(), path.to_owned()))
        .to_vec();
        for reference in ["KYB-1001", "KYB-1003", "KYB-1010", "KYB-1011", "LOAN-2002"] {
            let path = self.case(reference).await;
            pages.push((format!("case-{reference}-edited"), format!("{path}?edit=identity")));
            pages.push((format!("case-{reference}"), path));
        }
        for (name, list) in [("run-failed", "/v1/runs?status=failed"), ("run", "/v1/runs?status=succeeded")] {
            let run = self.demo.get(list).await["items"][0]["id"].as_str().unwrap().to_owned();
            pages.push((name.to_owned(), format!("/runs/{run}")));
        }
        for connection in self.demo.get("/v1/connections").await["items"].as_array().unwrap() {
            let key = connection["key"].as_str().unwrap();
            pages.push((format!("connection-{key}"), format!("/connections/{key}")));
        }
        pages
    }
}

/// What axe-core finds that keeps people out: the rule, and where.
async fn barriers(tab: &Tab) -> Vec<String> {
    let axe = authorization::folder().join("node_modules/axe-core/axe.min.js");
    let axe = std::fs::read_to_string(&axe)
        .unwrap_or_else(|error| panic!("{} cannot be read ({error}): run tests/run once", axe.display()));
    tab.eval(&format!("(() => {{ {axe}\n }})()")).await;
    let found = tab
        .eval(
            "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})
               .then(({violations}) => violations.filter(({impact}) => impact === 'serious' || impact === 'critical')
                 .map(({id, nodes}) => `${id}: ${nodes.slice(0, 3).map(({target, failureSummary}) => target + ' ' + failureSummary).join(' | ')}`))",
        )
        .await;
    found.as_array().unwrap().iter().map(|one| one.as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_open_to_everybody_small_and_speaks_to_nobody_else() {
    let shown = Shown::start().await;
    let pictures = std::env::var_os("DOSSIER_PICTURES");
    let mut found = Vec::new();
    for (name, path) in shown.pages().await {
        for (dark, width) in [(false, 1280), (true, 390)] {
            shown.tab.dark(dark).await;
            shown.tab.wide(width, 900).await;
            shown.tab.open(&shown.url(&path)).await;
            let at = format!("{path} ({})", if dark { "dark, narrow" } else { "light, wide" });
            found.extend(barriers(&shown.tab).await.into_iter().map(|barrier| format!("{at}: {barrier}")));
            let size = shown.tab.eval("performance.getEntriesByType('navigation')[0].decodedBodySize").await;
            if size.as_f64().is_none_or(|size| size > LARGEST) {
                found.push(format!("{at}: {size} bytes"));
            }
            let headings = shown.tab.eval("document.querySelectorAll('h1').length").await;
            if headings != 1 {
                found.push(format!("{at}: {headings} headings say what the page is"));
            }
            let across = shown.tab.eval("document.documentElement.scrollWidth - innerWidth").await;
            if across.as_i64().is_none_or(|across| across > 0) {
                found.push(format!("{at}: the page itself moves sideways by {across}"));
            }
            shown.tab.wide(320, 900).await;
            let across = shown.tab.eval("document.documentElement.scrollWidth - innerWidth").await;
            if across.as_i64().is_none_or(|across| across > 0) {
                found.push(format!("{at}: at 400 % the page moves sideways by {across}"));
            }
            shown.tab.wide(width, 900).await;
            if let Some(folder) = &pictures {
                let file = format!("{name}-{}.png", if dark { "dark" } else { "light" });
                std::fs::write(Path::new(folder).join(file), shown.tab.picture().await).unwrap();
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    let origin = shown.url("/");
    let foreign: Vec<_> = shown
        .tab
        .asked()
        .into_iter()
        .filter(|url| !url.starts_with(&origin) && !url.starts_with("data:"))
        .collect();
    assert_eq!(foreign, Vec::<String>::new());
    let complaints: Vec<_> =
        shown.tab.complaints().into_iter().filter(|complaint| !complaint.contains("/nothing/here")).collect();
    assert_eq!(complaints, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_looks_like_script_is_only_ever_read() {
    let shown = Shown::start().await;
    let injections: Vec<&str> = include_str!("injections.txt").lines().collect();
    assert_eq!(injections.len(), 54);
    let fields: Vec<Value> = vec![
        json!({"key": "note", "type": "text", "name": injections[0], "section": "s"}),
        json!({"key": "all", "type": "json", "name": injections[11]}),
    ];
    let case_type = json!({"key": "hostile", "name": injections[15], "description": injections[25],
        "sections": [{"key": "s", "name": injections[1]}], "fields": fields});
    shown.send("/v1/case-types", &case_type).await;
    let all: serde_json::Map<String, Value> =
        injections.iter().enumerate().map(|(n, text)| (format!("n{n}"), json!(text))).collect();
    for (number, text) in injections.iter().enumerate() {
        let case = json!({"case_type": "hostile", "reference": format!("R{number} {text}"), "title": text,
            "assignee": text, "data": {"note": text, "all": all}});
        shown.send("/v1/cases", &case).await;
    }
    let list = shown.demo.get("/v1/cases?case_type=hostile&limit=200").await;
    let cases: Vec<String> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| format!("/cases/{}", case["id"].as_str().unwrap()))
        .collect();
    assert_eq!(cases.len(), injections.len());
    let mut pages =
        vec!["/cases?type=hostile".to_owned(), "/case-types".to_owned(), "/case-types/hostile".to_owned()];
    pages.extend(cases.iter().flat_map(|case| [case.clone(), format!("{case}?edit=s")]));
    for path in pages {
        shown.tab.open(&shown.url(&path)).await;
        // Whatever waits for the mouse or the focus gets both.
        shown.tab.eval("for (const one of document.querySelectorAll('main *')) { one.dispatchEvent(new MouseEvent('mouseover', {bubbles: true})); one.focus?.(); }").await;
        assert_eq!(shown.tab.dialogs(), Vec::<Value>::new(), "{path}");
        let strangers = shown.tab.eval("document.querySelectorAll('main script, iframe, object, embed, main img, main link, base, meta[http-equiv], main style').length").await;
        assert_eq!(strangers, 0, "{path}");
    }
    // The focus was given away above, before the form that opens could take it.
    let complaints: Vec<_> =
        shown.tab.complaints().into_iter().filter(|complaint| !complaint.contains("Autofocus")).collect();
    assert_eq!(complaints, Vec::<String>::new(), "the policy had nothing to keep out");
}

impl Shown {
    /// Sends JSON to the API; it must be taken.
    pub async fn send(&self, path: &str, body: &Value) -> Value {
        self.demo.post(path, body).await
    }
}
