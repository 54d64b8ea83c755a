//! The scripted providers do what the tests rely on.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;

async fn get(url: String) -> reqwest::Response {
    client().get(url).send().await.unwrap()
}

#[tokio::test]
async fn routes_come_before_the_queue_and_the_queue_before_the_default() {
    let upstream = Upstream::start().await;
    upstream.answers([status(503), ok(json!({"n": 2}))]).await;
    upstream.otherwise(status(418));
    upstream.on("GET", "/route", ok(json!("route")));
    upstream.on_with("*", "/echo", |call| ok(json!({"said": call.query("say"), "body": call.text()})));

    assert_eq!(get(upstream.url("/x")).await.status(), 503);
    assert_eq!(get(upstream.url("/route?q=1")).await.json::<Value>().await.unwrap(), "route");
    assert_eq!(get(upstream.url("/x")).await.json::<Value>().await.unwrap()["n"], 2);
    assert_eq!(get(upstream.url("/x")).await.status(), 418);
    let echo = client().post(upstream.url("/echo?say=h%C3%A9")).body("hello").send().await.unwrap();
    assert_eq!(echo.json::<Value>().await.unwrap(), json!({"said": "hé", "body": "hello"}));
    assert_eq!(upstream.calls().len(), 5);
    assert!(upstream.unexpected().is_empty());
}

#[tokio::test]
async fn a_call_is_recorded_whole_and_an_unexpected_one_is_told() {
    let upstream = Upstream::start_on(SocketAddr::from(([127, 0, 0, 1], 0))).await;
    let sent = client()
        .put(upstream.url("/a%20b?x=1&x=2"))
        .header("X-Two", "a")
        .header("X-Two", "b")
        .json(&json!({"amount": 3}))
        .send();
    assert_eq!(sent.await.unwrap().status(), 501);

    let calls = upstream.wait_for_calls(1).await;
    assert_eq!((calls[0].method.as_str(), calls[0].path.as_str()), ("PUT", "/a%20b"));
    assert_eq!(calls[0].query, [("x".to_owned(), "1".to_owned()), ("x".to_owned(), "2".to_owned())]);
    assert_eq!(calls[0].header("x-two"), Some("a, b"));
    assert_eq!(calls[0].json(), json!({"amount": 3}));
    assert_eq!(calls[0].header("host"), Some(upstream.authority().as_str()));
    assert_eq!(upstream.unexpected().len(), 1);
}

#[tokio::test]
async fn a_held_reply_waits_for_its_release() {
    let upstream = Upstream::start().await;
    upstream.otherwise(ok(json!({})).held());
    let client = client();
    let both =
        async { tokio::join!(client.get(upstream.url("/1")).send(), client.get(upstream.url("/2")).send()) };
    let let_go = async {
        upstream.wait_for_calls(2).await;
        upstream.release();
    };
    let ((one, two), ()) = tokio::join!(both, let_go);
    assert!(one.unwrap().status().is_success() && two.unwrap().status().is_success());
    assert_eq!(upstream.most_in_flight(), 2);
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn connections_are_kept_and_counted() {
    let upstream = Upstream::start().await;
    upstream.otherwise(status(204));
    let client = client();
    for _ in 0..3 {
        drop(client.head(upstream.url("/")).send().await.unwrap());
    }
    assert_eq!(upstream.connections(), 1);
    assert_eq!(upstream.calls()[2].connection, 1);
}

#[tokio::test]
async fn a_dripping_body_comes_byte_by_byte() {
    let upstream = Upstream::start().await;
    upstream.answers([Reply::of("text/plain", "abc").dripping()]).await;
    let mut response = get(upstream.url("/")).await;
    for byte in [b"a", b"b", b"c"] {
        upstream.drip();
        assert_eq!(response.chunk().await.unwrap().unwrap(), byte.as_slice());
    }
    assert!(response.chunk().await.unwrap().is_none());
}

#[tokio::test]
async fn broken_answers_break() {
    let upstream = Upstream::start().await;
    upstream
        .answers([
            ok(json!([1, 2, 3])).cut_after(4),
            Reply::raw("\0\0 no http"),
            Reply::reset(),
            Reply::raw(""),
            Reply::never(),
        ])
        .await;
    assert!(get(upstream.url("/cut")).await.bytes().await.is_err());
    for path in ["/garbage", "/reset", "/close"] {
        assert!(client().get(upstream.url(path)).send().await.is_err(), "{path}");
    }
    let hangs = client().get(upstream.url("/never")).timeout(Duration::from_millis(50)).send().await;
    assert!(hangs.unwrap_err().is_timeout());
    let address = upstream.address();
    drop(upstream);
    assert!(client().get(format!("http://{address}/")).send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn endless_bodies_do_not_end_and_the_bomb_unpacks() {
    let upstream = Upstream::start().await;
    upstream.answers([Reply::endless("application/json", "[1,"), Reply::gzip_bomb()]).await;
    for first in [b'[', 0] {
        let mut response = get(upstream.url("/")).await;
        let mut bytes = 0;
        while bytes < 5_000_000 {
            let chunk = response.chunk().await.unwrap().unwrap();
            assert!(bytes > 0 || chunk[0] == first);
            bytes += chunk.len();
        }
    }
}

#[tokio::test]
async fn a_raw_provider_does_what_it_is_told() {
    let twice = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec();
    let raw = RawUpstream::start(move |number| match number {
        1 => vec![Step::Close],
        2 => vec![Step::ReadRequest, Step::Write(twice.clone()), Step::Write(twice.clone())],
        _ => vec![Step::ReadRequest, Step::Reset],
    });
    let raw = raw.await;
    assert!(client().get(raw.url("/")).send().await.is_err());
    assert_eq!(get(raw.url("/")).await.text().await.unwrap(), "{}");
    assert!(client().get(format!("http://{}/", raw.authority())).send().await.is_err());
    assert_eq!(raw.connections(), 3);
}
