//! Credentials are planted in every place where one can stand, everything that can go wrong is made to
//! go wrong while the provider echoes them, and then all that a real process wrote and said is
//! searched for them.
//!
//! The process logs at `trace`. What is planted is unlike anything else, so a hit is a leak.

use std::collections::BTreeMap;
use std::sync::Mutex;

use base64::prelude::{
    BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD, Engine as _,
};
use futures_util::future::join_all;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::database::TestDatabase;
use crate::process::{Launch, Process, TOKEN};
use crate::upstream::{Call, Reply, Upstream, client, ok, status};

/// What is planted at a place: quotes, escapes and letters that every encoding writes differently.
fn plant(place: &str) -> String {
    format!("pl4nt/{place}+\"q\\s?&=%41 <ü>~{place}-end")
}

/// As [`plant`], where a header must be able to hold it.
fn ascii(place: &str) -> String {
    format!("pl4nt/{place}+\"q\\s?&=%41 <x>~{place}-end")
}

/// The spellings that are searched for; those of a longer text's base64 are what it shows of the value.
fn spellings(value: &str) -> Vec<(&'static str, String)> {
    let quoted = json!(value).to_string();
    let json = quoted[1..quoted.len() - 1].to_owned();
    let form: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let percent: Vec<_> = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let unicode: Vec<_> = value.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let html: Vec<_> = value.chars().map(|letter| format!("&#{};", u32::from(letter))).collect();
    vec![
        ("plain", value.to_owned()),
        ("json", json.clone()),
        ("json_slash", json.replace('/', "\\/")),
        ("json_unicode", unicode.concat()),
        ("form_lower", lower_percent(&form)),
        ("percent_space", form.replace('+', "%20")),
        ("form", form.clone()),
        ("percent_all", percent.concat()),
        ("base64", BASE64_STANDARD.encode(value)),
        ("base64_no_pad", BASE64_STANDARD_NO_PAD.encode(value)),
        ("base64_url", BASE64_URL_SAFE.encode(value)),
        ("base64_url_no_pad", BASE64_URL_SAFE_NO_PAD.encode(value)),
        ("hex", hex::encode(value)),
        ("hex_upper", hex::encode_upper(value)),
        ("html", html.concat()),
        ("base64_of_a_pair", core("user:", value)),
        ("base64_of_a_client", core("client:", &form)),
        ("base64_one_in", core("x", value)),
        ("base64_two_in", core("xy", value)),
    ]
}

/// From it somebody reads the whole value.
fn is_whole((name, _): &(&str, String)) -> bool {
    !name.starts_with("base64_o") && !name.ends_with("_in")
}

fn lower_percent(text: &str) -> String {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| format!("{all}%{}{}", part[..2].to_lowercase(), &part[2..]))
}

/// What the value alone decides of the base64 of a text in which it follows `before`.
fn core(before: &str, value: &str) -> String {
    let whole = BASE64_STANDARD_NO_PAD.encode(format!("{before}{value}"));
    let (from, to) = (before.len().div_ceil(3) * 4, (before.len() + value.len()) / 3 * 4);
    whole[from..to].to_owned()
}

/// Everything that was said, to be searched.
#[derive(Default)]
struct Said(Mutex<Vec<(String, String)>>);

impl Said {
    fn add(&self, what: impl Into<String>, text: impl Into<String>) {
        self.0.lock().unwrap().push((what.into(), text.into()));
    }

    /// Each value, in each spelling, in each text: none.
    fn assert_clean(&self, planted: &Planted) {
        let texts = self.0.lock().unwrap();
        let needles: Vec<_> = planted
            .iter()
            .flat_map(|(place, value)| {
                spellings(value).into_iter().map(move |(name, text)| (place, name, text))
            })
            .collect();
        let any: Vec<_> = needles.iter().map(|(_, _, text)| regex::escape(text)).collect();
        let any = regex::RegexBuilder::new(&any.join("|")).size_limit(1 << 28).build().unwrap();
        let mut hits = Vec::new();
        for (what, text) in texts.iter().filter(|(_, text)| any.is_match(text)).take(20) {
            let held = needles.iter().filter(|(_, _, needle)| text.contains(needle));
            hits.extend(held.map(|(place, spelling, _)| format!("{what} holds {place} as {spelling}")));
        }
        hits.truncate(40);
        assert!(hits.is_empty(), "{}", hits.join("\n"));
        assert!(texts.len() > 100, "only {} texts were searched", texts.len());
    }
}

/// Every text and name of a JSON value, so that what JSON escapes again is found, too.
fn texts(value: &Value, all: &mut String) {
    match value {
        Value::String(text) => {
            all.push_str(text);
            all.push('\n');
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, all)),
        Value::Object(members) => {
            for (name, member) in members {
                all.push_str(name);
                all.push('\n');
                texts(member, all);
            }
        }
        _ => {}
    }
}

/// One place of credentials that go to the provider.
struct Place {
    name: &'static str,
    /// What its fields say, beside the url.
    config: Value,
    /// What arrives, and may be echoed.
    planted: Vec<String>,
}

fn place(name: &'static str, config: Value) -> Place {
    Place { name, config, planted: vec![plant(name)] }
}

/// Places in a field's own definition; all go over the connection `plain`, whose header has one, too.
fn places_of_fields() -> Vec<Place> {
    let own = |name: &'static str, auth: fn(String) -> Value| Place {
        name,
        config: json!({"connection": "plain", "auth": auth(ascii(name))}),
        planted: vec![ascii(name)],
    };
    let secret = |name: &str| format!("{{secret.{name}}}");
    vec![
        own("bearer", |value| json!({"type": "bearer", "token": value})),
        own("basic", |value| json!({"type": "basic", "username": "user", "password": value})),
        own("key_header", |value| json!({"type": "api_key", "key": "X-K", "value": value, "in": "header"})),
        own("key_query", |value| json!({"type": "api_key", "key": "k", "value": value, "in": "query"})),
        own("keys", |value| {
            json!({"type": "api_key", "keys": [
                {"key": "X-A", "value": value, "in": "header"}, {"key": "b", "value": value, "in": "query"}]})
        }),
        place(
            "params",
            json!({"connection": "plain", "params": {"p": secret("params"), "l": [secret("params")]}}),
        ),
        place("path", json!({"connection": "plain"})),
        place(
            "body",
            json!({"connection": "plain", "method": "POST", "body": {"a": [secret("body")], "b": "x{secret.body}y"}}),
        ),
        place(
            "form",
            json!({"connection": "plain", "method": "POST", "body_type": "form", "body": {"a": {"b": secret("form")}}}),
        ),
        place(
            "text",
            json!({"connection": "plain", "method": "PUT", "body_type": "text", "body": "v={secret.text}."}),
        ),
        Place {
            name: "header",
            config: json!({"connection": "plain", "headers": {"X-H": "a {secret.header} b"}}),
            planted: vec![ascii("header")],
        },
        // What a template makes of a secret is as secret.
        Place {
            name: "upper",
            config: json!({"connection": "plain", "headers": {"X-H": "{{ secret.header | upper }}"}}),
            planted: vec![ascii("header").to_uppercase()],
        },
        Place {
            name: "replaced",
            config: json!({"connection": "plain", "auth":
                {"type": "bearer", "token": "{{ secret.header | replace('pl4nt', 'made') }}"}}),
            planted: vec![ascii("header").replace("pl4nt", "made")],
        },
    ]
}

/// Connections that have credentials of their own, each with what a field over it sends along.
fn connections(upstream: &Upstream) -> Vec<(Place, Value)> {
    let token_url = |name: &str| upstream.url(&format!("/token/{name}"));
    let oauth = |name: &'static str, members: Value| {
        let mut auth = json!({"type": "oauth2_client_credentials", "token_url": token_url(name), "client_id": "client",
            "client_secret": plant(name)});
        auth.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        auth
    };
    let over = |name: &'static str, more: Vec<String>| Place {
        name,
        config: json!({"connection": name}),
        planted: [vec![plant(name)], more].concat(),
    };
    let tokens = |name: &str| vec![token(name), refresh_token(name)];
    let request = json!({
        "method": "POST", "url": token_url("odd"), "headers": {"X-Login": ascii("odd_header")},
        "body": {"login": "me", "pass": plant("odd"), "nested": {"key": "{secret.odd_secret}"}},
    });
    vec![
        (Place { planted: vec![ascii("plain")], ..over("plain", vec![]) }, json!({"type": "none"})),
        (
            Place { planted: vec![ascii("typed")], ..over("typed", vec![]) },
            json!({"type": "bearer", "token": ascii("typed")}),
        ),
        (
            over("oauth_body", tokens("oauth_body")),
            oauth("oauth_body", json!({"extra": {"assertion": plant("assertion")}})),
        ),
        (over("oauth_basic", tokens("oauth_basic")), oauth("oauth_basic", json!({"client_auth": "basic"}))),
        (
            over("oauth_user", [tokens("oauth_user"), vec![plant("password")]].concat()),
            oauth(
                "oauth_user",
                json!({"type": "oauth2_password", "username": "me", "password": plant("password")}),
            ),
        ),
        (
            over("odd", [tokens("odd"), vec![ascii("odd_header"), plant("odd_secret")]].concat()),
            json!({"type": "token_request", "request": request, "token_path": "$.access_token"}),
        ),
        // Its token endpoint refuses, and quotes what it got.
        (over("refused", vec![]), oauth("refused", json!({"client_auth": "basic"}))),
    ]
}

fn token(name: &str) -> String {
    format!("t0ken-{name}/+of.the~provider==")
}

fn refresh_token(name: &str) -> String {
    format!("refresh-t0ken-{name}/+of.the~provider==")
}

/// All of `planted` in every whole spelling, in the words of an answer.
fn echoes(planted: &[String]) -> Value {
    let mut all = Vec::new();
    for value in planted {
        let spelled: BTreeMap<_, _> = spellings(value).into_iter().filter(is_whole).collect();
        let names: BTreeMap<_, _> =
            spelled.values().take(4).map(|text| (format!("in {text} a name"), true)).collect();
        let mut pairs =
            ["user:", "x", "xy"].map(|before| BASE64_STANDARD.encode(format!("{before}{value}\n"))).to_vec();
        let form: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        pairs.push(BASE64_STANDARD.encode(format!("client:{form}")));
        all.push(json!({"spelled": spelled, "names": names, "pairs": pairs}));
    }
    let said = planted.join(" and ");
    json!({"all": all, "error": {"code": planted[0], "description": format!("no: {said}")}, "value": said})
}

/// What the provider says to a field in this mode, with all that was planted in its place.
fn answer(mode: &str, planted: &[String]) -> Reply {
    let echo = echoes(planted);
    let text = echo.to_string();
    let reply = match mode {
        "ok" | "cached" | "unmapped" => ok(echo),
        "missing" => crate::upstream::json(404, echo),
        "invalid" => Reply::of("application/json", text[..text.len() - 1].to_owned()),
        "page" => status(500).header("content-type", "text/html").body(format!("<p>{text}</p>")),
        "moved" => {
            let form: String = url::form_urlencoded::byte_serialize(planted[0].as_bytes()).collect();
            status(302).header("location", &format!("http://elsewhere.example/{form}?key={form}"))
        }
        "latin" => Reply::of("application/json; charset=iso-8859-1", latin(&text)),
        "cut" => ok(echo).cut_after(300),
        _ => Reply::reset(),
    };
    if matches!(mode, "reset") {
        return reply;
    }
    let mut reply = reply.header("set-cookie", &format!("session={mode}-c00kie-planted"));
    for value in planted {
        for (name, spelled) in spellings(value).into_iter().filter(is_whole) {
            reply = reply.header(&format!("x-{}", name.replace('_', "-")), &format!("it is {spelled}."));
        }
    }
    reply
}

fn latin(text: &str) -> Vec<u8> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap_or(b'?')).collect()
}

/// What the provider does, and what a field says of it.
const MODES: [(&str, Option<&str>); 10] = [
    ("ok", None),
    ("cached", None),
    ("latin", None),
    ("unmapped", Some("mapping_failed")),
    ("missing", Some("http_status")),
    ("invalid", Some("invalid_response")),
    ("page", Some("http_status")),
    ("moved", Some("redirect_refused")),
    ("cut", Some("connect_failed")),
    ("reset", Some("connect_failed")),
];

/// The fields of a place, one for each mode.
fn fields(place: &Place) -> impl Iterator<Item = Value> + '_ {
    MODES.into_iter().map(move |(mode, _)| {
        let key = format!("{}_{mode}", place.name);
        let mut config = place.config.clone();
        let last = if place.name == "path" { "{secret.path}" } else { "x" };
        config["url"] = format!("/{mode}/{}/{last}", place.name).into();
        let got = if mode == "unmapped" { json!({"path": "$.value", "type": "integer"}) } else { json!("$") };
        config["response_mapping"] =
            json!({format!("got.{key}"): got, format!("head.{key}"): {"from": "headers", "path": "$"}});
        config["output_variable"] = format!("out_{key}").into();
        let cache = if mode == "cached" { 600 } else { 0 };
        json!({"key": key, "type": "api_call", "retry": 0, "cache_duration": cache, "api_config": config})
    })
}

/// A process, and what it said.
struct Scene {
    process: Process,
    said: Said,
}

impl Scene {
    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut request = client()
            .request(method.parse().unwrap(), format!("{}{path}", self.process.base))
            .bearer_auth(TOKEN)
            .header("prefer", "wait=30");
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), format!("{:?}", answer.headers()));
        let text = answer.text().await.unwrap();
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        let mut all = format!("{headers}\n{text}\n");
        texts(&body, &mut all);
        self.said.add(format!("{method} {path} ({status})"), all);
        (status, body)
    }

    #[track_caller]
    fn good(what: &str, (status, body): (u16, Value)) -> Value {
        assert!(status < 300, "{what}: {status} {body}");
        body
    }

    async fn put(&self, path: &str, body: Value) -> Value {
        Self::good(path, self.call("PUT", path, Some(&body)).await)
    }

    async fn get(&self, path: &str) -> Value {
        Self::good(path, self.call("GET", path, None).await)
    }

    /// A new case, when all its runs have ended.
    async fn case(&self) -> Value {
        let made = self.call("POST", "/v1/cases", Some(&json!({"case_type": "planted", "data": {}}))).await;
        let id = Self::good("case", made)["id"].as_str().unwrap().to_owned();
        loop {
            let case = self.get(&format!("/v1/cases/{id}")).await;
            if case["settled"] == true {
                return case;
            }
        }
    }
}

/// What the provider answers, by what stands in the path: token calls, and `/mode/place`.
fn script(upstream: &Upstream, planted: BTreeMap<String, Vec<String>>) {
    upstream.otherwise_with(move |call: &Call| {
        let mut words = call.path.split('/').skip(1);
        let (mode, place) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        // What is no HTTP at all.
        let Some(all) = planted.get(place) else { return status(400) };
        match (mode, place) {
            ("token", "refused") => {
                let mut said = echoes(all);
                said["access_token"] = token("refused").into();
                crate::upstream::json(400, said)
            }
            ("token", _) => ok(json!({"access_token": token(place), "refresh_token": refresh_token(place),
                "expires_in": 3600, "echo": echoes(all)}))
            .header("x-subject-token", &token(place))
            .header("x-odd-name", &token(place)),
            _ => answer(mode, all),
        }
    });
}

/// All that the provider got, to see that what was planted did arrive.
fn arrived(upstream: &Upstream) -> String {
    let mut all = String::new();
    for call in upstream.calls() {
        let path = percent_encoding::percent_decode_str(&call.path).decode_utf8_lossy().into_owned();
        let query = call.query.iter().map(|(_, value)| value.clone());
        let headers = call.headers.values().cloned();
        let body = String::from_utf8_lossy(&call.body).into_owned();
        for text in [path, body].into_iter().chain(query).chain(headers) {
            all.push_str(&text);
            all.push('\n');
        }
    }
    all
}

/// Auths that are refused, each with a credential in it.
fn wrong_auths(value: &str) -> Vec<Value> {
    vec![
        json!({"type": "bearer", "tokn": value}),
        json!({"type": "bearr", "token": value}),
        json!({"type": "bearer", "token": [value]}),
        json!({"type": "bearer", "token": {"value": value}}),
        json!({"type": "bearer", "token": format!("{value}\u{0}")}),
        json!({"type": "bearer", "token": format!("{value}\nx")}),
        json!({"type": "bearer", "token": format!("{value}{{daata.x}}")}),
        json!({"type": "bearer", "token": format!("{value}{{{{ nope. }}}}")}),
        json!({"type": "bearer", "token": format!("{{{{ '{value}' | nofilter }}}}")}),
        json!({"type": "bearer", "token": value, "extra": 1}),
        json!({"type": "basic", "username": 5, "password": value}),
        json!({"type": "basic", "password": value}),
        json!({"type": "api_key", "key": "X Y", "value": value, "in": "header"}),
        json!({"type": "api_key", "key": "X", "value": value, "in": "cookie"}),
        json!({"type": "api_key", "keys": [{"key": "a", "value": value, "in": "header"}, {"key": "A", "value": value, "in": "header"}]}),
        json!({"type": "oauth2_client_credentials", "client_id": "x", "client_secret": value}),
        json!({"type": "oauth2_client_credentials", "token_url": "mailto:me", "client_id": "x", "client_secret": value}),
        json!({"type": "oauth2_client_credentials", "token_url": "https://me:pl4nt-mistake-pw@a.example/", "client_id": "x", "client_secret": value}),
        json!({"type": "oauth2_client_credentials", "token_url": "https://a.example/", "client_id": "x", "client_secret": value, "scopes": {"a": 1}}),
        json!({"type": "oauth2_password", "token_url": "https://a.example/", "client_id": "x", "password": value}),
        json!({"type": "token_request", "request": {"url": "https://a.example/", "headers": {"X-Login": value}, "body": {"pass": value}}}),
        json!({"type": "token_request", "token_path": "$[", "request": {"url": "https://a.example/", "body": value}}),
        json!({"type": "token_request", "token_path": "$.t", "request": {"url": "ftp://a.example/", "headers": {"X Y": value}}}),
        json!(value),
        json!([value]),
        json!({"type": "bearer", "token": "[hidden]"}),
    ]
}

/// Bodies that are refused, each with a credential in it.
async fn mistakes(scene: &Scene) {
    let value = plant("mistake");
    let mut odd = Vec::new();
    for auth in wrong_auths(&value) {
        for (method, path, body) in [
            ("PUT", "/v1/connections/wrong", json!({"base_url": "https://a.example", "auth": auth})),
            (
                "PUT",
                "/v1/case-types/wrong",
                json!({"fields": [{"key": "c", "type": "api_call", "api_config":
                    {"url": "https://a.example/", "auth": auth, "response_mapping": {"v": "$"}}}]}),
            ),
        ] {
            let (status, body) = scene.call(method, path, Some(&body)).await;
            let place = body["errors"][0]["pointer"].as_str().unwrap_or_default();
            if status != 422 || !place.contains("auth") {
                odd.push(format!("{path} {auth}: {status} {body}"));
            }
        }
    }
    assert!(odd.is_empty(), "{}", odd.join("\n"));
    for (path, body) in [
        ("/v1/connections/wrong", json!({"base_url": "https://user:pl4nt-mistake-pw@a.example/"})),
        ("/v1/connections/wrong", json!({"base_url": "https://a.example/?key=pl4nt-mistake-pw"})),
        (
            "/v1/connections/wrong",
            json!({"tls": {"client_certificate": {"certificate": value, "key": value}}}),
        ),
        ("/v1/connections/wrong", json!({"tls": {"client_certificate": {"certificate": 5, "key": [value]}}})),
        ("/v1/secrets/wrong", json!({"value": {"a": value}})),
        ("/v1/secrets/wrong", json!({"value": value, "hosts": "a.example"})),
        ("/v1/secrets/wrong", json!({"value": value, "redact": "no"})),
        ("/v1/secrets/wrong", json!({"valu": value})),
        ("/v1/secrets/Wrong Name", json!({"value": value})),
        ("/v1/secrets/wrong", json!(value)),
    ] {
        let (status, body) = scene.call("PUT", path, Some(&body)).await;
        assert!((400..500).contains(&status), "{path}: {status} {body}");
    }
    // No JSON, and a bad token.
    let base = &scene.process.base;
    let http = client();
    let broken = http
        .put(format!("{base}/v1/secrets/wrong"))
        .bearer_auth(TOKEN)
        .header("content-type", "application/json");
    let broken = broken.body(format!("{{\"value\": \"{value}")).send().await.unwrap();
    assert_eq!(broken.status(), 400);
    scene.said.add("no JSON", broken.text().await.unwrap());
    let stranger =
        http.get(format!("{base}/v1/cases?token={}", hex::encode(&value))).bearer_auth("pl4nt-mistake-pw");
    let stranger = stranger.send().await.unwrap();
    assert_eq!(stranger.status(), 401);
    scene.said.add("a bad token", stranger.text().await.unwrap());
}

/// Every kind of test that the console makes.
async fn tests(scene: &Scene, places: &[Place]) {
    for place in places {
        for mode in ["ok", "invalid", "unmapped", "moved"] {
            let path = format!("/v1/case-types/planted/fields/{}_{mode}/test", place.name);
            for body in [json!({}), json!({"send": true, "confirm": true})] {
                Scene::good(&path, scene.call("POST", &path, Some(&body)).await);
            }
        }
        let path = format!("/v1/case-types/planted/fields/{}_ok/test", place.name);
        let known: Vec<_> = place.planted.iter().filter(|value| !value.contains("t0ken-")).cloned().collect();
        let recorded =
            json!({"response": {"status": 200, "headers": {"x-echo": known[0]}, "body": echoes(&known)}});
        Scene::good(&path, scene.call("POST", &path, Some(&recorded)).await);
        // A field that is not saved, with the same credentials.
        let mut field = fields(place).next().unwrap();
        field["name"] = "Tried".into();
        let unsaved = json!({"field": field, "send": true, "confirm": true});
        Scene::good(&path, scene.call("POST", &path, Some(&unsaved)).await);
    }
}

/// Every connection that has credentials, tested in stages: alone, and by each field over it.
async fn staged_tests(scene: &Scene, places: &[Place]) {
    let mut all: Vec<_> = ["tls", "refused"].map(|name| (name, json!({}))).to_vec();
    for place in places {
        let connection = place.config["connection"].as_str().unwrap();
        if connection == place.name {
            all.push((connection, json!({})));
        }
        for mode in ["ok", "missing", "invalid", "page", "moved", "unmapped", "latin", "cut", "reset"] {
            let field = json!({"case_type": "planted", "key": format!("{}_{mode}", place.name)});
            all.push((connection, json!({"field": field, "data": {}, "confirm": true})));
        }
    }
    let mut verdicts = BTreeMap::new();
    for (connection, body) in all {
        let path = format!("/v1/connections/{connection}/test");
        let tested = Scene::good(&path, scene.call("POST", &path, Some(&body)).await);
        let verdict = tested["verdict"].as_str().unwrap().to_owned();
        *verdicts.entry(verdict).or_insert(0) += 1;
    }
    assert!(verdicts["passed"] > places.len() && verdicts["failed"] > places.len(), "{verdicts:?}");
}

/// Formulas that cannot be worked out, each over a secret.
async fn formulas(scene: &Scene) {
    for formula in [
        "int",
        "float",
        "round",
        "abs",
        "date_format('%d')",
        "times(2)",
        "join(',')",
        "first",
        "items",
        "digits | int",
        "length",
        "replace('pl4nt')",
        "prefix(5)",
        "remove(5)",
        "title",
        "trim('p')",
        "list",
        "reverse",
        "urlencode",
        "tojson",
    ] {
        let header = format!("{{{{ secret.header | {formula} }}}}");
        let config = json!({"connection": "plain", "url": "/ok/header/x", "headers": {"X-H": header},
            "params": {"n": "{{ secret.header + 1 }}", "m": "{{ -secret.header }}", "o": "{{ secret.header[1:] }}"},
            "response_mapping": {"got": "$"}});
        let field = json!({"key": "formula", "type": "api_call", "api_config": config});
        let path = "/v1/case-types/planted/fields/formula/test";
        let (status, body) = scene.call("POST", path, Some(&json!({"field": field}))).await;
        assert!(matches!(status, 200 | 422), "{formula}: {body}");
        // The same where nothing else is wrong.
        let mut field = field;
        field["api_config"]["params"] = json!({});
        let (status, body) = scene.call("POST", path, Some(&json!({"field": field, "send": true}))).await;
        assert!(matches!(status, 200 | 422), "{formula}: {body}");
    }
}

/// Whatever can be read.
async fn read_all(scene: &Scene, case: &Value) {
    let id = case["id"].as_str().unwrap();
    let mut cursor = String::new();
    loop {
        let list = scene.get(&format!("/v1/runs?case={id}&limit=200{cursor}")).await;
        for run in list["items"].as_array().unwrap() {
            scene.get(&format!("/v1/runs/{}", run["id"].as_str().unwrap())).await;
        }
        let Some(next) = list["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    for path in [
        "/v1/cases?include=outputs,provenance",
        "/v1/case-types",
        "/v1/case-types/planted",
        "/v1/case-types/planted/versions",
        "/v1/connections",
        "/v1/connections/plain",
        "/v1/connections/odd",
        "/v1/connections/odd/health",
        "/v1/connections/tls",
        "/v1/secrets",
        "/v1/tokens",
        "/v1/workspace",
        "/v1/audit?limit=200",
        "/v1/schedules",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/health/ready",
    ] {
        scene.get(path).await;
    }
}

/// Commands, those that fail at their start among them.
async fn commands(launch: &Launch, said: &Said) {
    let db = "postgres://user:pl4nt-db-pw@127.0.0.1:1/none?password=pl4nt-db-pw";
    let given = format!("PLANTED={}", plant("from_env"));
    let from_env = launch.clone().behind(&["env", &given]);
    let unknown = launch.clone().with("SECURITY__ADMIN_TOKN", plant("from_env"));
    let lines: [(&Launch, &[&str], bool); 12] = [
        (launch, &["config"], true),
        (&from_env, &["secrets", "set", "from_env", "--from-env", "PLANTED"], true),
        (&unknown, &["config"], false),
        (launch, &["secrets", "list"], true),
        (launch, &["workspace", "list"], true),
        (launch, &["audit", "verify"], true),
        (launch, &["openapi"], true),
        (&launch.clone().with("SECURITY__MASTER_KEY", plant("bad_key")), &["serve"], false),
        (&launch.clone().with("SECURITY__MASTER_KEY", BASE64_STANDARD.encode([0x5a; 32])), &["serve"], false),
        (&launch.clone().with("SECURITY__ADMIN_TOKEN", plant("bad_admin")), &["serve"], false),
        (&launch.clone().with("DATABASE__URL", db), &["config"], true),
        (&launch.clone().with("DATABASE__URL", db), &["migrate"], false),
    ];
    let printed = join_all(lines.iter().map(|(launch, words, _)| launch.run(words))).await;
    for ((_, words, good), (went_well, printed)) in lines.into_iter().zip(printed) {
        assert_eq!(went_well, good, "{words:?}: {printed}");
        said.add(format!("dossier {}", words.join(" ")), printed);
    }
}

/// A key for a client certificate that is never shown to anybody, and its connection.
async fn plant_tls(scene: &Scene, upstream: &Upstream) -> String {
    let pair = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["dossier".to_owned()]).unwrap().self_signed(&pair).unwrap().pem();
    let key = pair.serialize_pem();
    let base = upstream.url("").replace("http:", "https:");
    let tls = json!({"ca": certificate, "client_certificate": {"certificate": certificate, "key": key}});
    scene.put("/v1/connections/tls", json!({"base_url": base, "timeout": 1000, "tls": tls})).await;
    key
}

/// What was planted: where, and what.
type Planted = Vec<(String, String)>;

/// Plants at every place that goes to the provider; answers those places.
async fn plant_all(scene: &Scene, upstream: &Upstream, planted: &mut Planted) -> Vec<Place> {
    for name in ["params", "path", "body", "form", "text", "header", "plain", "odd_secret"] {
        let value = if matches!(name, "header" | "plain") { ascii(name) } else { plant(name) };
        scene.put(&format!("/v1/secrets/{name}"), json!({"value": value, "hosts": []})).await;
    }
    let mut places = places_of_fields();
    for (place, auth) in connections(upstream) {
        let headers = if place.name == "plain" { json!({"X-Conn": "{secret.plain}"}) } else { json!({}) };
        let body = json!({"base_url": upstream.url(""), "auth": auth, "headers": headers, "breaker": {"failures": 100}});
        let saved = scene.put(&format!("/v1/connections/{}", place.name), body).await;
        // What was read is sent back, and a `[hidden]` in it means what it stands for.
        scene.put(&format!("/v1/connections/{}", place.name), saved).await;
        places.push(place);
    }
    for place in &places {
        planted.extend(place.planted.iter().map(|value| (place.name.to_owned(), value.clone())));
    }
    planted.push(("refused's token".to_owned(), token("refused")));
    // What goes over `plain` brings the header of `plain`, too.
    let over_plain = |place: &Place| place.config["connection"] == "plain";
    let known = places.iter().map(|place| {
        let header = over_plain(place).then(|| ascii("plain"));
        (place.name.to_owned(), place.planted.iter().cloned().chain(header).collect())
    });
    script(upstream, known.collect());
    places.retain(|place| place.name != "refused");
    places
}

/// Saves the case type of all places, and makes a token.
async fn define(scene: &Scene, places: &[Place], planted: &mut Planted) {
    let mut all: Vec<_> = places.iter().flat_map(fields).collect();
    for name in ["refused", "tls"] {
        let config = json!({"connection": name, "url": format!("/ok/{name}"), "response_mapping": {format!("got.{name}"): "$"}});
        all.push(json!({"key": format!("{name}_ok"), "type": "api_call", "retry": 0, "api_config": config}));
    }
    let saved = scene.put("/v1/case-types/planted", json!({"fields": all})).await;
    scene.put("/v1/case-types/planted", saved).await;
    let body = json!({"name": "t", "role": "viewer"});
    let (_, made) = scene.process.call(&client(), "POST", "/v1/tokens", Some(&body)).await;
    planted.push(("api token".to_owned(), made["token"].as_str().unwrap().to_owned()));
}

/// Every call came out as it should, with what was planted.
fn assert_provoked(case: &Value, places: &[Place], upstream: &Upstream) {
    let arrived = arrived(upstream);
    for place in places {
        for (mode, code) in MODES {
            let state = &case["fields"][format!("{}_{mode}", place.name)];
            assert_eq!(state["error"]["code"].as_str(), code, "{} {mode}: {state}", place.name);
        }
        let mut all = place.planted.iter().flat_map(|value| spellings(value));
        assert!(all.any(|(_, text)| arrived.contains(&text)), "{} did not arrive", place.name);
    }
    assert_eq!(case["fields"]["refused_ok"]["error"]["code"], "auth_failed");
    assert!(!case["fields"]["tls_ok"]["error"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_planted_anywhere_is_found_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let database = TestDatabase::create(folder.path());
    let upstream = Upstream::start().await;
    let master_key = BASE64_STANDARD.encode([0xa7; 32]);
    let settings = database.settings(folder.path()).into_iter();
    let launch =
        settings.fold(Launch::serve(folder.path()), |launch, (name, value)| launch.with(name, value));
    let launch = launch
        .with("SECURITY__MASTER_KEY", master_key.clone())
        .with("NETWORK__ALLOW", upstream.authority())
        .with("LOG__LEVEL", "trace");
    let scene = Scene { process: launch.start().await, said: Said::default() };
    let mut planted: Planted = ["mistake", "from_env", "bad_key", "bad_admin", "assertion"]
        .map(|name| (name.to_owned(), plant(name)))
        .to_vec();
    for (name, value) in [
        ("admin token", TOKEN),
        ("mistake", "pl4nt-mistake-pw"),
        ("database", "pl4nt-db-pw"),
        ("cookie", "c00kie-planted"),
        ("master key", master_key.as_str()),
    ] {
        planted.push((name.to_owned(), value.to_owned()));
    }
    let places = plant_all(&scene, &upstream, &mut planted).await;
    let key = plant_tls(&scene, &upstream).await;
    let lines: Vec<_> = key.lines().filter(|line| !line.starts_with("--")).collect();
    planted.extend(lines.iter().map(|line| ("tls key".to_owned(), (*line).to_owned())));
    planted.push(("tls key".to_owned(), lines.concat()));
    define(&scene, &places, &mut planted).await;

    let case = scene.case().await;
    assert_provoked(&case, &places, &upstream);
    // The same from the cache.
    let again = scene.case().await;
    assert_eq!(again["fields"]["params_cached"]["cached"], true, "{}", again["fields"]["params_cached"]);
    mistakes(&scene).await;
    tests(&scene, &places).await;
    staged_tests(&scene, &places).await;
    formulas(&scene).await;
    read_all(&scene, &case).await;
    commands(&launch, &scene.said).await;

    let Scene { process, said } = scene;
    said.add("the database", String::from_utf8_lossy(&database.bytes()));
    let log = process.log();
    assert!(log.len() > 10_000, "the log says too little: {log}");
    said.add("the log", log);
    assert!(process.terminate().await);
    said.add("the database at the end", String::from_utf8_lossy(&database.bytes()));
    said.assert_clean(&planted);
}
