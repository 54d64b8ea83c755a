//! Connections as nobody can mean them: each is refused with what is wrong at its place, never with 500,
//! and no message quotes what may be a credential.

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::app::TestApp;

const PATH: &str = "/v1/connections/vies";

/// Stands wherever a credential may.
const CREDENTIAL: &str = "cr3dential-that-is-typed";

/// Refused at this pointer, in words that hold this part; empty: any.
type Row = (Value, &'static str, &'static str);

async fn refuse(app: &TestApp, rows: impl IntoIterator<Item = Row>) {
    let mut odd = Vec::new();
    for (body, pointer, part) in rows {
        let answer = app.put(PATH, &body).await;
        let errors = answer.body["errors"].as_array().cloned().unwrap_or_default();
        let found = errors.iter().find(|error| error["pointer"] == pointer);
        let says = found.and_then(|error| error["message"].as_str()).unwrap_or_default();
        let fits = answer.status == 422 && found.is_some() && says.contains(part);
        if !fits || answer.body.to_string().contains(CREDENTIAL) {
            let shown: String = body.to_string().chars().take(200).collect();
            odd.push(format!(
                "{shown}\n  wants {pointer} with `{part}`\n  got {} {}",
                answer.status, answer.body
            ));
        }
    }
    assert!(odd.is_empty(), "{}", odd.join("\n"));
    assert_eq!(app.get(PATH).await.status, 404, "something of it was saved");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_cannot_be_called_are_refused() {
    let app = TestApp::spawn().await;
    let rows = [
        (format!("https://user:{CREDENTIAL}@a.example"), "credentials"),
        (format!("https://{CREDENTIAL}@a.example/x"), "credentials"),
        (format!("https://a.example/?key={CREDENTIAL}"), "query"),
        (format!("https://a.example/#{CREDENTIAL}"), "#"),
        (format!("{{secret.{CREDENTIAL}}}"), "template"),
        ("a.example".to_owned(), "https://"),
        ("//a.example".to_owned(), "https://"),
        ("/v1".to_owned(), "https://"),
        ("htps://a.example".to_owned(), "did you mean `https`?"),
        ("ftp://a.example".to_owned(), "scheme"),
        ("file:///etc/passwd".to_owned(), "scheme"),
        ("javascript://a.example".to_owned(), "scheme"),
        ("gopher://a.example".to_owned(), "scheme"),
        ("https://".to_owned(), ""),
        ("https:///x".to_owned(), ""),
        ("https://a.example:0".to_owned(), "port"),
        ("https://a.example:65536".to_owned(), "port"),
        ("https://a.example:99999999999999999999".to_owned(), "port"),
        ("https://a.example:-1".to_owned(), "port"),
        ("https://a.example:http".to_owned(), "port"),
        ("https://a example".to_owned(), "space"),
        ("https://a.example\\x".to_owned(), "backslash"),
        ("https://a.example/../x".to_owned(), ".."),
        ("https://[::1".to_owned(), ""),
        ("https://1.2.3.4.5".to_owned(), ""),
        ("https://256.1.1.1".to_owned(), ""),
        (format!("https://a.example/{}", "a".repeat(3000)), ""),
        (String::new(), ""),
    ];
    refuse(&app, rows.map(|(url, part)| (json!({"base_url": url}), "/base_url", part))).await;
    for url in [json!(5), json!(true), json!([]), json!({"a": CREDENTIAL})] {
        refuse(&app, [(json!({"base_url": url}), "/base_url", "")]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_of_a_wrong_type_is_said_at_its_place() {
    let app = TestApp::spawn().await;
    let wrong = [json!(5), json!(true), json!([CREDENTIAL]), json!({"a": CREDENTIAL}), json!(CREDENTIAL)];
    let good = |name: &str, value: &Value| match name {
        "timeout" => value.is_number(),
        // Of a word that is none there is no telling but by quoting it.
        "redirects" => value.is_string(),
        "redact" => value.is_array(),
        "headers" | "metadata" | "endpoints" => value.is_object(),
        _ => false,
    };
    let members = [
        "base_url",
        "headers",
        "endpoints",
        "timeout",
        "rate_limit",
        "breaker",
        "redirects",
        "tls",
        "metadata",
        "auth",
        "redact",
    ];
    for name in members {
        let rows = wrong.iter().filter(|value| !good(name, value) || name == "endpoints");
        for value in rows {
            let answer = app.put(PATH, &json!({name: value})).await;
            let text = answer.body.to_string();
            let at = answer.body["errors"][0]["pointer"].as_str().unwrap_or_default().to_owned();
            assert!(answer.status == 422 && at.starts_with(&format!("/{name}")), "{name} {value}: {text}");
            assert!(!text.contains(CREDENTIAL), "{name} {value}: {text}");
        }
    }
    for body in [json!(5), json!([CREDENTIAL]), json!(CREDENTIAL), json!(null)] {
        let answer = app.put(PATH, &body).await;
        assert!(
            matches!(answer.status, 400 | 422) && !answer.body.to_string().contains(CREDENTIAL),
            "{}",
            answer.body
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_that_cannot_be_meant_is_refused() {
    let app = TestApp::spawn().await;
    let typed = CREDENTIAL;
    let cc = |members: Value| {
        let mut auth = json!({"type": "oauth2_client_credentials", "token_url": "https://id.example/token", "client_id": "c", "client_secret": typed});
        auth.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        auth
    };
    let rows: Vec<Row> = vec![
        (json!({}), "/auth/type", ""),
        (json!({"type": null, "token": typed}), "/auth/type", ""),
        (json!({"type": 5, "token": typed}), "/auth/type", ""),
        (json!({"type": "bearar", "token": typed}), "/auth/type", "did you mean `bearer`?"),
        (json!({"type": "Bearer", "token": typed}), "/auth/type", "bearer"),
        (json!({"type": "oauth2", "token": typed}), "/auth/type", ""),
        (
            json!({"type": "oauth2_client_credential", "client_secret": typed}),
            "/auth/type",
            "did you mean `oauth2_client_credentials`?",
        ),
        (
            json!({"type": "oauth2_pasword", "password": typed}),
            "/auth/type",
            "did you mean `oauth2_password`?",
        ),
        (json!({"type": "digest", "username": "u", "password": typed}), "/auth/type", ""),
        (json!({"type": "hmac", "key": typed}), "/auth/type", ""),
        (json!({"type": "bearer"}), "/auth/token", ""),
        (json!({"type": "bearer", "tokn": typed}), "/auth/tokn", "did you mean `token`?"),
        (json!({"type": "bearer", "token": ""}), "/auth/token", ""),
        (json!({"type": "bearer", "token": 5}), "/auth/token", ""),
        (json!({"type": "bearer", "token": [typed]}), "/auth/token", ""),
        (json!({"type": "bearer", "token": typed, "username": "u"}), "/auth/username", ""),
        (json!({"type": "basic", "password": typed}), "/auth/username", ""),
        (
            json!({"type": "basic", "username": "u", "pasword": typed}),
            "/auth/pasword",
            "did you mean `password`?",
        ),
        (json!({"type": "api_key", "value": typed}), "/auth/key", ""),
        (json!({"type": "api_key", "key": "X-K", "value": {"a": typed}}), "/auth/value", ""),
        (json!({"type": "api_key", "key": "X-K", "value": typed, "in": "cookie"}), "/auth/in", ""),
        (
            json!({"type": "api_key", "key": "X-K", "value": typed, "in": "heder"}),
            "/auth/in",
            "did you mean `header`?",
        ),
        (json!({"type": "api_key", "keys": []}), "/auth/keys", ""),
        (json!({"type": "api_key", "keys": {"key": typed}}), "/auth/keys", ""),
        (json!({"type": "api_key", "keys": [typed]}), "/auth/keys/0", ""),
        (
            json!({"type": "api_key", "keys": [{"key": "a", "valu": typed, "in": "query"}]}),
            "/auth/keys/0/valu",
            "did you mean `value`?",
        ),
        (cc(json!({"client_id": null})), "/auth/client_id", ""),
        (cc(json!({"client_id": 5})), "/auth/client_id", ""),
        (cc(json!({"token_url": null})), "/auth/token_url", ""),
        (cc(json!({"token_url": 5})), "/auth/token_url", ""),
        (cc(json!({"token_url": format!("https://u:{typed}@id.example/")})), "/auth/token_url", ""),
        (cc(json!({"token_url": "ftp://id.example/"})), "/auth/token_url", ""),
        (cc(json!({"token_url": "https://id.example:99999/"})), "/auth/token_url", ""),
        (cc(json!({"token_url": "https://id.example:0/"})), "/auth/token_url", "port"),
        (cc(json!({"client_secret": null})), "/auth/client_secret", ""),
        (cc(json!({"client_secret": {"a": typed}})), "/auth/client_secret", ""),
        (cc(json!({"client_secert": typed})), "/auth/client_secert", "did you mean `client_secret`?"),
        (cc(json!({"scopes": 5})), "/auth/scopes", ""),
        (cc(json!({"scopes": ["a", 5]})), "/auth/scopes/1", ""),
        (cc(json!({"client_auth": "post"})), "/auth/client_auth", ""),
        (cc(json!({"client_auth": "basik"})), "/auth/client_auth", "did you mean `basic`?"),
        (cc(json!({"extra": [typed]})), "/auth/extra", ""),
        (cc(json!({"extra": {"a": {"b": typed}}})), "/auth/extra/a", ""),
        (cc(json!({"refresh_when": 5})), "/auth/refresh_when", ""),
        (cc(json!({"refresh_when": "status =="})), "/auth/refresh_when", ""),
        (cc(json!({"type": "oauth2_password", "password": typed})), "/auth/username", ""),
    ];
    refuse(&app, rows.into_iter().map(|(auth, pointer, part)| (json!({"auth": auth}), pointer, part))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_for_tokens_that_cannot_be_meant_are_refused() {
    let app = TestApp::spawn().await;
    let typed = CREDENTIAL;
    let asks = |request: Value, more: Value| {
        let mut auth = json!({"type": "token_request", "token_path": "$.t", "request": request});
        auth.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        auth
    };
    let rows: Vec<Row> = vec![
        (json!({"type": "token_request", "token_path": "$.t"}), "/auth/request", ""),
        (asks(json!(typed), json!({})), "/auth/request", ""),
        (asks(json!({}), json!({})), "/auth/request/url", ""),
        (asks(json!({"url": 5}), json!({})), "/auth/request/url", ""),
        (
            asks(json!({"url": "https://id.example/", "method": "FETCH"}), json!({})),
            "/auth/request/method",
            "",
        ),
        (
            asks(json!({"url": "https://id.example/", "headers": typed}), json!({})),
            "/auth/request/headers",
            "",
        ),
        (
            asks(json!({"url": "https://id.example/", "headers": {"X Y": typed}}), json!({})),
            "/auth/request/headers/X Y",
            "",
        ),
        (
            asks(json!({"url": "https://id.example/", "boddy": typed}), json!({})),
            "/auth/request/boddy",
            "did you mean `body`?",
        ),
        (
            asks(json!({"url": "https://id.example/", "body": typed}), json!({"token_path": null})),
            "/auth/token_path",
            "",
        ),
        (
            asks(json!({"url": "https://id.example/", "body": typed}), json!({"token_path": "$["})),
            "/auth/token_path",
            "",
        ),
        (
            asks(json!({"url": "https://id.example/", "body": typed}), json!({"expires_path": 5})),
            "/auth/expires_path",
            "",
        ),
        (
            asks(json!({"url": "https://id.example/", "body": typed}), json!({"header": "X Y"})),
            "/auth/header",
            "",
        ),
        (
            asks(json!({"url": "https://id.example/", "body": typed}), json!({"prefix": 5})),
            "/auth/prefix",
            "",
        ),
    ];
    refuse(&app, rows.into_iter().map(|(auth, pointer, part)| (json!({"auth": auth}), pointer, part))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_and_limits_that_cannot_be_meant_are_refused() {
    let app = TestApp::spawn().await;
    let one = |endpoint: Value| json!({"endpoints": {"one": endpoint}});
    let many: serde_json::Map<_, _> = (0..300).map(|n| (format!("e{n}"), json!({"path": "/x"}))).collect();
    refuse(
        &app,
        [
            (one(json!(5)), "/endpoints/one", ""),
            (one(json!({})), "/endpoints/one/path", "missing"),
            (one(json!({"path": 5})), "/endpoints/one/path", ""),
            (one(json!({"path": format!("https://u:{CREDENTIAL}@a.example/")})), "/endpoints/one/path", ""),
            (one(json!({"path": "//a.example/x"})), "/endpoints/one/path", ""),
            (one(json!({"path": "/x", "method": "GETT"})), "/endpoints/one/method", "did you mean `GET`?"),
            (one(json!({"path": "/x", "methd": "GET"})), "/endpoints/one/methd", "did you mean `method`?"),
            (one(json!({"path": "/x", "headers": [CREDENTIAL]})), "/endpoints/one/headers", ""),
            (one(json!({"path": "/x", "headers": {"Host": "a"}})), "/endpoints/one/headers/Host", ""),
            (one(json!({"path": "/x", "params": CREDENTIAL})), "/endpoints/one/params", ""),
            (one(json!({"path": "/x", "body_type": "xml"})), "/endpoints/one/body_type", ""),
            (one(json!({"path": "/x", "response_mapping": []})), "/endpoints/one/response_mapping", ""),
            (
                one(json!({"path": "/x", "auth": {"type": "bearer", "token": CREDENTIAL}})),
                "/endpoints/one/auth",
                "connection itself",
            ),
            (one(json!({"path": "/{secret.nope}"})), "/endpoints/one/path", "nope"),
            (json!({"endpoints": {"Bad Key": {"path": "/x"}}}), "/endpoints/Bad Key", "not a valid key"),
            (json!({"endpoints": many}), "/endpoints", "at most"),
            (json!({"timeout": -1}), "/timeout", ""),
            (json!({"timeout": 1.5}), "/timeout", ""),
            (json!({"timeout": 1e300}), "/timeout", ""),
            (json!({"breaker": {"failures": 1e18}}), "/breaker/failures", ""),
            (json!({"breaker": {"scope": "endpont"}}), "/breaker/scope", "did you mean `endpoint`?"),
            (json!({"redirects": "sme_host"}), "/redirects", "did you mean `same_host`?"),
            (json!({"redirects": true}), "/redirects", ""),
            (json!({"rate_limit": {"limit": -1, "period": 1}}), "/rate_limit/limit", ""),
            (json!({"rate_limit": {"windows": [5]}}), "/rate_limit/windows/0", ""),
            (json!({"headers": {"X": {"a": CREDENTIAL}}}), "/headers/X", ""),
            (json!({"headers": {"X": format!("{CREDENTIAL}\r\nX-Other: y")}}), "/headers/X", ""),
            (json!({"headers": {"": CREDENTIAL}}), "/headers/", ""),
            (json!({"metadata": [CREDENTIAL]}), "/metadata", ""),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_and_odd_pems_are_refused_without_a_word_of_them() {
    let app = TestApp::spawn().await;
    let pair = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["a".to_owned()]).unwrap().self_signed(&pair).unwrap().pem();
    let key = pair.serialize_pem();
    let client = |certificate: Value, key: Value| json!({"tls": {"client_certificate": {"certificate": certificate, "key": key}}});
    let many = certificate.repeat(1200);
    refuse(&app, [
        (json!({"tls": 5}), "/tls", ""),
        (json!({"tls": {"ca": [certificate]}}), "/tls/ca", ""),
        (json!({"tls": {"ca": {"pem": certificate}}}), "/tls/ca", ""),
        (json!({"tls": {"ca": many}}), "/tls/ca", ""),
        (json!({"tls": {"ca": "x".repeat(600_000)}}), "/tls/ca", ""),
        (json!({"tls": {"ca": format!("-----BEGIN CERTIFICATE-----\n{CREDENTIAL}\n-----END CERTIFICATE-----")}}), "/tls/ca", ""),
        (json!({"tls": {"caa": certificate}}), "/tls/caa", "did you mean `ca`?"),
        (json!({"tls": {"client_certificate": 5}}), "/tls/client_certificate", ""),
        (json!({"tls": {"client_certificate": {}}}), "/tls/client_certificate/certificate", "missing"),
        (client(json!(certificate), json!(5)), "/tls/client_certificate/key", ""),
        (client(json!(certificate), json!([key])), "/tls/client_certificate/key", ""),
        (client(json!(certificate), json!(CREDENTIAL)), "/tls/client_certificate/key", ""),
        (client(json!(certificate), json!(key.repeat(2000))), "/tls/client_certificate/key", ""),
        (client(json!(certificate), json!(format!("-----BEGIN PRIVATE KEY-----\n{CREDENTIAL}\n-----END PRIVATE KEY-----"))), "/tls/client_certificate/key", ""),
        (client(json!(key), json!(key)), "/tls/client_certificate/certificate", ""),
        (json!({"tls": {"client_certificate": {"certificate": certificate, "kee": key}}}), "/tls/client_certificate/kee", "did you mean `key`?"),
    ]).await;
    let line = key.lines().nth(1).unwrap();
    let refused = app.put(PATH, &client(json!(5), json!(key))).await.expect(422);
    assert!(!refused.to_string().contains(line), "{refused}");
    let whole = app.put(PATH, &json!({"tls": {"ca": "x".repeat(3 << 20)}})).await;
    assert_eq!(whole.status, 413, "{}", whole.body);
}
