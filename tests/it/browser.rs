//! Debian's Chromium, driven over its debugging pipe (the `DevTools` protocol, NUL-terminated JSON on
//! two file descriptors), so that no driver and no port is needed.
//!
//! A [`Tab`] has cookies of its own, remembers every address that it asked for, every dialog that a
//! page opened and everything that its console says. Waiting means waiting for the page to change.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

/// How long a page may take; only a test that fails ever waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Chromium reads commands from descriptor 3 and answers on 4; the shell lays our pipes there.
const LAUNCH: &str = r#"exec chromium "$@" 3<&0 4>&1 1>&2 0</dev/null"#;

const FLAGS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-pipe",
    "about:blank",
];

/// A running browser; gone when dropped.
pub struct Browser {
    process: Child,
    line: Arc<Line>,
    _profile: tempfile::TempDir,
}

/// The pipe: commands out, answers and events in.
struct Line {
    commands: Mutex<(u64, ChildStdin)>,
    answers: Mutex<HashMap<u64, oneshot::Sender<Value>>>,
    events: watch::Sender<Vec<Value>>,
}

impl Browser {
    /// Starts it with an empty profile.
    pub fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut process = Command::new("sh")
            .args(["-c", LAUNCH, "sh", &format!("--user-data-dir={}", profile.path().display())])
            .args(FLAGS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let line = Arc::new(Line {
            commands: Mutex::new((0, process.stdin.take().unwrap())),
            answers: Mutex::default(),
            events: watch::Sender::new(Vec::new()),
        });
        let (reading, output) = (line.clone(), BufReader::new(process.stdout.take().unwrap()));
        std::thread::spawn(move || {
            for message in output.split(0).map_while(Result::ok) {
                reading.heard(serde_json::from_slice(&message).unwrap());
            }
            // Nobody waits for what cannot come any more.
            reading.answers.lock().unwrap().clear();
        });
        Self { process, line, _profile: profile }
    }

    /// A tab with cookies of its own.
    pub async fn tab(&self) -> Tab {
        let context = self.line.send(None, "Target.createBrowserContext", json!({})).await.unwrap();
        let target = json!({"url": "about:blank", "browserContextId": context["browserContextId"]});
        let target = self.line.send(None, "Target.createTarget", target).await.unwrap();
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = self.line.send(None, "Target.attachToTarget", attach).await.unwrap();
        let tab = Tab { line: self.line.clone(), session: session["sessionId"].as_str().unwrap().to_owned() };
        for domain in ["Page", "Runtime", "Network", "Log"] {
            tab.send(&format!("{domain}.enable"), json!({})).await;
        }
        tab.wide(1280, 900).await;
        tab
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Line {
    fn heard(&self, message: Value) {
        match message["id"].as_u64() {
            Some(id) => {
                if let Some(waiting) = self.answers.lock().unwrap().remove(&id) {
                    drop(waiting.send(message));
                }
            }
            None => self.events.send_modify(|events| events.push(message)),
        }
    }

    /// The result of a command, or what the browser says is wrong with it.
    async fn send(&self, session: Option<&str>, method: &str, params: Value) -> Result<Value, String> {
        let (answer, answered) = oneshot::channel();
        {
            let mut commands = self.commands.lock().unwrap();
            commands.0 += 1;
            let mut command = json!({"id": commands.0, "method": method, "params": params});
            if let Some(session) = session {
                command["sessionId"] = session.into();
            }
            self.answers.lock().unwrap().insert(commands.0, answer);
            commands.1.write_all(format!("{command}\0").as_bytes()).unwrap();
            commands.1.flush().unwrap();
        }
        let answer = tokio::time::timeout(PATIENCE, answered).await;
        let mut answer =
            answer.map_err(|_| format!("{method} takes too long"))?.map_err(|_| "the browser is gone")?;
        match answer["error"]["message"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["result"].take()),
        }
    }
}

/// A page of the browser.
pub struct Tab {
    line: Arc<Line>,
    session: String,
}

impl Tab {
    async fn try_send(&self, method: &str, params: Value) -> Result<Value, String> {
        self.line.send(Some(&self.session), method, params).await
    }

    /// Any command of the protocol.
    pub async fn send(&self, method: &str, params: Value) -> Value {
        self.try_send(method, params).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn told(&self, method: &str) -> Vec<Value> {
        let events = self.line.events.borrow();
        let ours = events.iter().filter(|event| event["sessionId"] == self.session.as_str());
        ours.filter(|event| event["method"] == method).map(|event| event["params"].clone()).collect()
    }

    /// Opens an address and waits until its page is there.
    pub async fn open(&self, url: &str) {
        let before = self.told("Page.loadEventFired").len();
        let answer = self.send("Page.navigate", json!({"url": url})).await;
        assert!(answer["errorText"].is_null(), "{url}: {answer}");
        self.loaded_more_than(before).await;
    }

    async fn loaded_more_than(&self, before: usize) {
        let mut events = self.line.events.subscribe();
        let loaded = events.wait_for(|_| true);
        drop(loaded.await);
        let wait = async {
            while self.told("Page.loadEventFired").len() <= before {
                events.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the page never came");
    }

    /// The value of an expression in the page; promises are waited for.
    pub async fn eval(&self, expression: &str) -> Value {
        self.try_eval(expression).await.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    async fn try_eval(&self, expression: &str) -> Result<Value, String> {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut answer = self.try_send("Runtime.evaluate", params).await?;
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        Ok(answer["result"]["value"].take())
    }

    /// Waits until an expression holds; looks whenever the page changes, or another one comes.
    pub async fn until(&self, condition: &str) {
        let watch = format!(
            "new Promise((done) => {{
               const look = () => {{ try {{ if ({condition}) {{ seen.disconnect(); done(true); }} }} catch {{}} }};
               const seen = new MutationObserver(look);
               seen.observe(document, {{subtree: true, childList: true, attributes: true, characterData: true}});
               document.addEventListener('focusin', look);
               addEventListener('load', look);
               look();
             }})"
        );
        let wait = async {
            loop {
                let loaded = self.told("Page.loadEventFired").len();
                match self.try_eval(&watch).await {
                    Ok(_) => return,
                    // The page went away while we looked at it: look at the next one.
                    Err(error) if error.contains("navigated") || error.contains("destroyed") => {
                        self.loaded_more_than(loaded.saturating_sub(1)).await;
                    }
                    Err(error) => panic!("{condition}: {error}"),
                }
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            let page = self.eval("document.body.innerText").await;
            panic!("never: {condition}\n{}", page.as_str().unwrap_or_default());
        }
    }

    /// Waits until the page shows this text.
    pub async fn until_it_says(&self, text: &str) {
        self.until(&format!("document.body.innerText.includes({})", json!(text))).await;
    }

    /// Clicks, as a mouse does, in the middle of what the selector finds first.
    pub async fn click(&self, selector: &str) {
        let place = self
            .eval(&format!(
                "(() => {{ const one = document.querySelector({}); if (!one) return null;
                   one.scrollIntoView({{block: 'center', behavior: 'instant'}});
                   const box = one.getBoundingClientRect();
                   return [box.x + box.width / 2, box.y + box.height / 2]; }})()",
                json!(selector)
            ))
            .await;
        assert!(place.is_array(), "nothing to click at {selector}");
        for kind in ["mousePressed", "mouseReleased"] {
            let event =
                json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.send("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Clicks on something that leads to another page, and waits for that page.
    pub async fn follow(&self, selector: &str) {
        let before = self.told("Page.loadEventFired").len();
        self.click(selector).await;
        self.loaded_more_than(before).await;
    }

    /// Presses a key that leads to another page, and waits for that page.
    pub async fn follow_key(&self, key: &str) {
        let before = self.told("Page.loadEventFired").len();
        self.press(key).await;
        self.loaded_more_than(before).await;
    }

    /// Types into what has the focus.
    pub async fn write(&self, text: &str) {
        self.send("Input.insertText", json!({"text": text})).await;
    }

    /// Replaces what stands in an input.
    pub async fn fill(&self, selector: &str, text: &str) {
        self.eval(&format!("document.querySelector({}).select?.()", json!(selector))).await;
        self.eval(&format!("document.querySelector({}).focus()", json!(selector))).await;
        self.write(text).await;
    }

    /// Presses a key: a character, `Enter`, `Escape`, `Tab`.
    pub async fn press(&self, key: &str) {
        let text = match key {
            "Enter" => "\r",
            _ if key.chars().count() == 1 => key,
            _ => "",
        };
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "Tab" => 9,
            _ => 0,
        };
        let down = json!({"type": "keyDown", "key": key, "text": text, "windowsVirtualKeyCode": code});
        self.send("Input.dispatchKeyEvent", down).await;
        let up = json!({"type": "keyUp", "key": key, "windowsVirtualKeyCode": code});
        self.send("Input.dispatchKeyEvent", up).await;
    }

    /// As wide and high as this, in CSS pixels.
    pub async fn wide(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.send("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// As for people who like it dark, or light.
    pub async fn dark(&self, dark: bool) {
        let scheme = json!({"name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" }});
        self.send("Emulation.setEmulatedMedia", json!({"features": [scheme]})).await;
    }

    /// No page runs script any more; [`Tab::eval`] still does.
    pub async fn without_script(&self) {
        self.send("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    }

    /// A picture of the whole page (PNG).
    pub async fn picture(&self) -> Vec<u8> {
        use base64::prelude::{BASE64_STANDARD, Engine as _};
        let answer = self.send("Page.captureScreenshot", json!({"captureBeyondViewport": true})).await;
        BASE64_STANDARD.decode(answer["data"].as_str().unwrap()).unwrap()
    }

    /// Every address that pages have asked for.
    pub fn asked(&self) -> Vec<String> {
        let sent = self.told("Network.requestWillBeSent");
        sent.iter().filter_map(|sent| Some(sent["request"]["url"].as_str()?.to_owned())).collect()
    }

    /// Every dialog that a page has opened: `alert` and its like.
    pub fn dialogs(&self) -> Vec<Value> {
        self.told("Page.javascriptDialogOpening")
    }

    /// What the console says: errors of scripts, and what the policy has kept out.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.told("Log.entryAdded").into_iter().map(|told| told["entry"].to_string());
        let thrown =
            self.told("Runtime.exceptionThrown").into_iter().map(|told| told["exceptionDetails"].to_string());
        log.chain(thrown).collect()
    }
}
