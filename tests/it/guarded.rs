//! What a provider, or the network before it, can do to us: nothing that costs more than a
//! failed run.

use serde_json::{Value, json};

use crate::app::{TestApp, secs};
use crate::upstream::{RawUpstream, Reply, Step, Upstream, ok, status};

/// Spellings of this machine, of its neighbours and of nothing; `{port}` is the provider's.
const FORBIDDEN: [&str; 39] = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.0.0.01",
    "127.255.255.254",
    "0x7f000001",
    "0x7f.1",
    "0X7F.0.0.0x1",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "127.0.0.1.",
    "%31%32%37.0.0.1",
    "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
    "127\u{3002}0\u{3002}0\u{3002}1",
    "localhost",
    "LocalHost",
    "localhost.",
    "provider.localhost",
    "0.0.0.0",
    "0",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fe80::1]",
    "[fc00::1]",
    "[ff02::1]",
    "10.0.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "255.255.255.255",
];

#[tokio::test(flavor = "multi_thread")]
async fn this_machine_is_blocked_in_every_spelling() {
    // Another port is allowed: the exception must not widen.
    let app = TestApp::spawn_with(&[("NETWORK__ALLOW", "127.0.0.1:1, api.example")]).await;
    let port = app.upstream.address().port();
    let mut fields = Vec::new();
    for (index, host) in FORBIDDEN.iter().enumerate() {
        for (kind, url) in [
            ("literal", format!("http://{host}:{port}/x")),
            ("param", format!("http://{{params.h{index}}}:{port}/x")),
        ] {
            let key = format!("{kind}{index}");
            let mut field = app.field("/", json!({"key": key}), json!({"url": url}));
            field["api_config"]["response_mapping"] = json!({key: "$.value"});
            fields.push(field);
        }
    }
    let params: serde_json::Map<String, Value> =
        FORBIDDEN.iter().enumerate().map(|(index, host)| (format!("h{index}"), json!(host))).collect();
    let body = json!({"key": "test", "params": params, "fields": fields});
    let answer = app.put("/v1/case-types/test", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let case = app.filled(json!({})).await;
    for (index, host) in FORBIDDEN.iter().enumerate() {
        for kind in ["literal", "param"] {
            let state = &case["fields"][format!("{kind}{index}")];
            assert_eq!(state["error"]["code"], "blocked_address", "{kind} {host}: {state}");
            assert_eq!((&state["status"], &state["attempt"]), (&json!("failed"), &json!(1)), "{host}");
        }
    }
    assert_eq!(app.upstream.connections(), 0);
}

/// Spellings of addresses, and which they are: the URL's reader knows, and what is judged is what it read.
const SPELLED: &[(&str, &str)] = &[
    ("127.0.0.1", "127.0.0.1"),
    ("127.1", "127.0.0.1"),
    ("127.0.1", "127.0.0.1"),
    ("2130706433", "127.0.0.1"),
    ("017700000001", "127.0.0.1"),
    ("0177.0.0.1", "127.0.0.1"),
    ("0177.0.1", "127.0.0.1"),
    ("0177.1", "127.0.0.1"),
    ("0177.0.0.0x1", "127.0.0.1"),
    ("00000177.0.0.01", "127.0.0.1"),
    ("0x7f000001", "127.0.0.1"),
    ("0x7F.1", "127.0.0.1"),
    ("0x7f.0x0.0x1", "127.0.0.1"),
    ("0x7f.0.0.01", "127.0.0.1"),
    ("127.0x0.0.1.", "127.0.0.1"),
    ("127.0.0x1", "127.0.0.1"),
    ("127.65535", "127.0.255.255"),
    ("0", "0.0.0.0"),
    ("0x", "0.0.0.0"),
    ("0.0", "0.0.0.0"),
    ("169.254.43518", "169.254.169.254"),
    ("169.16689662", "169.254.169.254"),
    ("2852039166", "169.254.169.254"),
    ("0xa9fea9fe", "169.254.169.254"),
    ("0251.0376.0251.0376", "169.254.169.254"),
    ("0xA9.254.0251.0xfe", "169.254.169.254"),
    ("012.1", "10.0.0.1"),
    ("0xa000001", "10.0.0.1"),
    ("3232235777", "192.168.1.1"),
    ("0300.0250.257", "192.168.1.1"),
    ("172.1048577", "172.16.0.1"),
    ("0xac.16.1", "172.16.0.1"),
    ("4294967295", "255.255.255.255"),
    ("037777777777", "255.255.255.255"),
    ("\u{ff11}\u{ff12}\u{ff17}\u{3002}\u{ff11}", "127.0.0.1"),
    ("%31%32%37%2e%31", "127.0.0.1"),
    ("%30x7f.1", "127.0.0.1"),
    ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
    ("[0:0:0:0:0:FFFF:7F00:1]", "::ffff:127.0.0.1"),
    ("[0000:0000:0000:0000:0000:ffff:169.254.169.254]", "::ffff:169.254.169.254"),
    ("[::127.0.0.1]", "::7f00:1"),
    ("[::ffff:0:127.0.0.1]", "::ffff:0:7f00:1"),
    ("[2002:7f00:1::]", "2002:7f00:1::"),
    ("[64:ff9b::127.0.0.1]", "64:ff9b::7f00:1"),
    ("[64:ff9b:1::10.0.0.1]", "64:ff9b:1::a00:1"),
    ("[2001:0:808:808::80ff:fffe]", "2001:0:808:808::80ff:fffe"),
    ("[2600::5efe:127.0.0.1]", "2600::5efe:7f00:1"),
    ("[2600::200:5efe:10.0.0.1]", "2600::200:5efe:a00:1"),
];

#[test]
fn an_address_is_judged_whatever_its_spelling() {
    use dossier::outbound::{Verdict, judge};
    for (spelled, is) in SPELLED {
        let url = url::Url::parse(&format!("http://{spelled}/")).unwrap();
        let address: std::net::IpAddr = match url.host().unwrap() {
            url::Host::Ipv4(address) => address.into(),
            url::Host::Ipv6(address) => address.into(),
            url::Host::Domain(name) => panic!("{spelled} was taken for the name {name}"),
        };
        assert_eq!(address, is.parse::<std::net::IpAddr>().unwrap(), "{spelled}");
        assert!(matches!(judge(address), Verdict::Refused(_)), "{spelled} was let through");
    }
    // What is no address of four bytes is none, and no name either.
    for nothing in
        ["256.256.256.256", "0x100000000", "4294967296", "1.2.3.4.5", "127.0.0.09", "[::127.0.0.1.5]"]
    {
        assert!(url::Url::parse(&format!("http://{nothing}/")).is_err(), "{nothing}");
    }
}

/// `localhost` is looked up here and nowhere else; of what it leads to, what is allowed is called.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_here_is_called_only_when_it_is_allowed() {
    let provider = Upstream::start().await;
    provider.otherwise(ok(json!({"value": 1})));
    let port = provider.address().port();
    for (allow, host, called) in [
        ("api.example".to_owned(), "localhost", false),
        (format!("127.0.0.1:{}", port ^ 1), "localhost", false),
        (format!("[::1]:{port}"), "provider.localhost", false),
        (format!("127.0.0.1:{port}"), "localhost", true),
        (format!("127.0.0.0/8:{port}"), "LOCALHOST.", true),
        (format!("localhost:{port}"), "localhost", true),
        (format!("localhost:{}", port ^ 1), "localhost", false),
        // The name is allowed, not the address, nor another name for it.
        (format!("localhost:{port}"), "127.0.0.1", false),
        (format!("localhost:{port}"), "other.localhost", false),
    ] {
        let app = TestApp::spawn_with(&[("NETWORK__ALLOW", &allow)]).await;
        let before = provider.calls_so_far();
        let config = json!({"url": format!("http://{host}:{port}/x")});
        app.define_one("/", json!({"retry": 0}), config).await;
        let case = app.filled(json!({})).await;
        let state = &case["fields"]["check"];
        if called {
            assert_eq!(state["status"], "succeeded", "{allow} {host}: {state}");
        } else if host == "provider.localhost" {
            // The one address that is allowed is that of nobody.
            assert_eq!(state["error"]["code"], "connect_failed", "{allow} {host}: {state}");
        } else {
            assert_eq!(state["error"]["code"], "blocked_address", "{allow} {host}: {state}");
        }
        assert_eq!(provider.calls_so_far(), before + usize::from(called), "{allow} {host}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_allowed_is_allowed_in_every_spelling() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise(ok(json!({"value": 1})));
    let port = app.upstream.address().port();
    for host in ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "017700000001", "127.0.0.1."] {
        let config = json!({"url": format!("http://{host}:{port}/x")});
        app.define_one("/", json!({}), config).await;
        assert_eq!(app.filled(json!({})).await["fields"]["check"]["status"], "succeeded", "{host}");
    }
    for host in ["127.0.0.2", "[::1]", "[::ffff:127.0.0.1]"] {
        let config = json!({"url": format!("http://{host}:{port}/x")});
        app.define_one("/", json!({}), config).await;
        let case = app.filled(json!({})).await;
        assert_eq!(case["fields"]["check"]["error"]["code"], "blocked_address", "{host}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_http_goes_out() {
    let app = TestApp::spawn().await;
    let authority = app.upstream.authority();
    for url in [
        "ftp://{a}/x",
        "file:///etc/passwd",
        "gopher://{a}/x",
        "data:text/plain,x",
        "ws://{a}/",
        "//{a}/x",
        "/x",
        "{a}/x",
        "http:///x",
        "http://",
        "",
        "http://user:pw@{a}/x",
        "http://{a}:99999/x",
        "{{ data.url }}",
        "{data.url}",
        "http://{data.host}/x",
        "http://{{ data.host }}:80/x",
        "http://127.0.0.1:{data.port}/x",
        "http://{input.host}/x",
        "http://{case.title}/x",
        "http://{secret.x}/x",
        "{data.scheme}://{a}/x",
        "http://{a}{data.x}/x",
        "http://x{{ data.x }}.example/x",
        "http://{{ params.h ~ data.x }}/x",
    ] {
        let url = url.replace("{a}", &authority);
        let field = app.field("/", json!({}), json!({"url": url}));
        let answer = app.put("/v1/case-types/test", &json!({"key": "test", "fields": [field]})).await;
        assert_eq!((answer.status, answer.code()), (422, "invalid"), "{url}: {}", answer.body);
        let at = &answer.body["errors"][0]["pointer"];
        assert_eq!(at, "/fields/0/api_config/url", "{url}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_never_change_the_host() {
    let app = TestApp::spawn().await;
    app.upstream.otherwise_with(|call| ok(json!({"value": call.header("host")})));
    let values = [
        "@evil.example",
        "//evil.example",
        "\\\\evil.example",
        "/../..",
        ":80@evil.example",
        "?@evil.example",
        "#@evil.example",
        "{params.host}",
        "{{ secret.x }}",
        "http://evil.example/",
        "%2f%2fevil.example",
        "\r\nHost: evil",
        "\t",
        "\u{202e}x",
        "x\u{0}",
    ];
    for url in [
        format!("http://{}/{{data.x}}", app.upstream.authority()),
        format!("http://{}/a?{{data.x}}", app.upstream.authority()),
        format!("http://{}/{{data.x}}/{{data.x}}", app.upstream.authority()),
        "{params.base}/{data.x}".to_owned(),
        "http://{params.host}/{data.x}".to_owned(),
    ] {
        let host = app.upstream.authority();
        let field =
            app.field("/", json!({}), json!({"url": url, "headers": {"X": "{{ data.y | default('') }}"}}));
        let params = json!({"host": host, "base": format!("http://{host}")});
        let body = json!({"key": "test", "params": params, "fields": [field]});
        let saved = app.put("/v1/case-types/test", &body).await;
        assert!(saved.status < 300, "{url}: {}", saved.body);
        for value in values {
            let case = json!({"case_type": "test", "data": {"x": value}});
            let made = app.post("/v1/cases", &case).await;
            if value.contains('\0') {
                assert_eq!((made.status, made.code()), (422, "invalid"));
                continue;
            }
            app.drain().await;
            let case = app.case(made.expect(201)["id"].as_str().unwrap()).await;
            let state = &case["fields"]["check"];
            match state["status"].as_str() {
                Some("succeeded") => assert_eq!(case["data"]["value"], json!(host), "{url} {value}"),
                _ => assert_eq!(state["error"]["code"], "template_failed", "{url} {value}: {state}"),
            }
        }
    }
    // A header takes no second line.
    app.define_one("/h", json!({}), json!({"headers": {"X": "{data.y}"}})).await;
    let before = app.upstream.calls().len();
    let case = app.filled(json!({"y": "a\r\nEvil: 1"})).await;
    assert_eq!(case["fields"]["check"]["error"]["code"], "template_failed", "{}", case["fields"]);
    assert_eq!(app.upstream.calls().len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_elsewhere_are_refused_and_named() {
    let app = TestApp::spawn().await;
    for code in [301, 302, 303, 307, 308] {
        let before = app.upstream.calls().len();
        app.upstream.answers([status(code).header("Location", "http://elsewhere.example/x?a=1")]).await;
        app.define_one("/check", json!({}), json!({})).await;
        let case = app.filled(json!({})).await;
        let error = &case["fields"]["check"]["error"];
        assert_eq!(error["code"], "redirect_refused", "{code}: {error}");
        assert_eq!((&error["retryable"], &error["http_status"]), (&json!(false), &json!(code)), "{error}");
        let detail = error["detail"].as_str().unwrap();
        assert!(detail.contains("http://elsewhere.example/x") && !detail.contains("a=1"), "{error}");
        assert_eq!(app.upstream.calls().len(), before + 1);
    }
    // Without a location it is an answer like any other.
    for reply in [status(304), status(302), status(300)] {
        app.upstream.answers([reply]).await;
        let case = app.filled(json!({})).await;
        assert_eq!(case["fields"]["check"]["error"]["code"], "http_status", "{}", case["fields"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_end_are_cut_at_the_limit() {
    let app = TestApp::spawn().await;
    let big = vec![b'1'; 3 << 20];
    let announced = Reply::of("application/json", big.clone());
    let fits = ok(json!({"value": "x".repeat((2 << 20) - 12)}));
    let table = [
        (Reply::endless("application/json", vec![b' '; 16 * 1024]), "response_too_large"),
        (Reply::endless("text/plain", vec![b'x'; 16 * 1024]), "response_too_large"),
        (Reply::gzip_bomb(), "response_too_large"),
        (announced, "response_too_large"),
        (fits, "mapping_failed"),
    ];
    for (reply, code) in table {
        app.upstream.answers([reply]).await;
        app.define_one("/check", json!({"retry": 2}), json!({})).await;
        let case = app.filled(json!({})).await;
        let state = &case["fields"]["check"];
        assert_eq!((&state["status"], &state["error"]["code"]), (&json!("failed"), &json!(code)), "{state}");
        assert_eq!(state["error"]["retryable"], false);
        assert!(case["data"].get("value").is_none());
    }
    // Deeper than we read, wider than we show.
    let deep = "[".repeat(100_000);
    let deep_and_whole = format!("{}{}", "[".repeat(129), "]".repeat(129));
    for text in [deep, deep_and_whole] {
        app.upstream.answers([Reply::of("application/json", text)]).await;
        let case = app.filled(json!({})).await;
        assert_eq!(case["fields"]["check"]["error"]["code"], "invalid_response", "{}", case["fields"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dripping_answer_ends_by_the_clock() {
    let app = TestApp::spawn().await;
    app.upstream.answers([ok(json!({"value": "x".repeat(500)})).dripping()]).await;
    app.define_one("/check", json!({"timeout": 10_000, "retry": 0}), json!({})).await;
    let id = app.create(json!({})).await;
    app.upstream.wait_for_calls(1).await;
    for _ in 0..9 {
        app.upstream.drip();
        app.move_clock(secs(1));
        assert_eq!(app.case(&id).await["fields"]["check"]["status"], "running");
    }
    app.upstream.drip();
    app.advance(secs(1)).await;
    let case = app.case(&id).await;
    let state = &case["fields"]["check"];
    assert_eq!((&state["status"], &state["error"]["code"]), (&json!("failed"), &json!("timeout")), "{state}");
    assert_eq!(app.runs(&id).await[0]["attempts"][0]["outcome"], "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_head_costs_one_failed_run() {
    let many: Vec<String> = (0..20_000).map(|n| format!("x-{n}: {n}\r\n")).collect();
    let many = many.concat();
    let long = format!("x: {}\r\n", "y".repeat(4 << 20));
    let heads = [
        format!("HTTP/1.1 200 OK\r\n{many}content-length: 2\r\n\r\n{{}}"),
        format!("HTTP/1.1 200 OK\r\n{long}content-length: 2\r\n\r\n{{}}"),
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 5\r\n\r\n{}".to_owned(),
        "HTTP/1.1 999999 OK\r\n\r\n".to_owned(),
        "SSH-2.0-OpenSSH_9.6\r\n".to_owned(),
        "\u{0}\u{1}\u{2}\u{3}".to_owned(),
        String::new(),
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nabcd".to_owned(),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{}".to_owned(),
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_owned(),
    ];
    let count = heads.len();
    let provider = RawUpstream::start(move |number| {
        vec![Step::ReadRequest, Step::Write(heads[(number - 1) % count].clone().into_bytes()), Step::Close]
    })
    .await;
    let app = TestApp::spawn_with(&[("NETWORK__ALLOW", &provider.authority())]).await;
    app.define_one("/", json!({"retry": 0}), json!({"url": provider.url("/x")})).await;
    for number in 0..count {
        let id = app.create(json!({})).await;
        app.drain().await;
        // The circuit opens by and by; then it is the probe.
        app.advance(secs(31)).await;
        let case = app.case(&id).await;
        let state = &case["fields"]["check"];
        assert_eq!(state["status"], "failed", "{number}: {state}");
        let code = state["error"]["code"].as_str().unwrap();
        let known = ["connect_failed", "invalid_response", "response_too_large", "http_status"];
        assert!(known.contains(&code), "{number}: {state}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_headers_are_kept_up_to_a_limit() {
    let app = TestApp::spawn().await;
    let mut reply = ok(json!({"value": 1}));
    for n in 0..90 {
        reply = reply.header(&format!("x-{n}"), &"y".repeat(2000));
    }
    app.upstream.otherwise(reply);
    app.define_one("/check", json!({}), json!({})).await;
    let case = app.filled(json!({})).await;
    let run = app.runs(case["id"].as_str().unwrap()).await.remove(0);
    assert_eq!(case["fields"]["check"]["status"], "succeeded", "{}", case["fields"]);
    assert!(run["attempts"][0]["response"]["headers"].to_string().len() < 40_000);
}
