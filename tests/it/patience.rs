//! A database that says nothing holds nobody up for ever who only reads, and serves all of them
//! again afterwards.

use std::pin::pin;

use futures_util::FutureExt as _;
use futures_util::future::{Either, join_all, select};

use crate::app::{TestApp, secs};
use crate::database::cluster;
use crate::visitor::Visitor;

/// More than a process has connections that read.
const READERS: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_is_told_in_time_that_the_database_is_away() {
    if cluster().is_none() {
        return;
    }
    let app = TestApp::spawn().await;
    app.define(serde_json::json!([])).await;
    let case = app.create(serde_json::json!({})).await;
    let visitor = Visitor::of(&app, "admin").await;
    let url = format!("/v1/cases/{case}");
    let held = app.database.hold("LOCK TABLE cases, seaql_migrations IN ACCESS EXCLUSIVE MODE");

    let (ready, ()) = tokio::join!(app.get("/health/ready"), async {
        app.database.wait_for_waiting(1).await;
        app.move_clock(secs(3));
    });
    assert_eq!((ready.status, ready.code()), (503, "unavailable"), "{}", ready.body);

    // Who wishes to wait waits so much longer.
    let mut longer = pin!(app.request("GET", &url).header("prefer", "wait=5").send());
    let asked = pin!(app.database.wait_for_waiting(2));
    assert!(matches!(select(&mut longer, asked).await, Either::Right(_)));
    let reading = async { tokio::join!(visitor.get("/cases"), join_all((0..3).map(|_| app.get(&url)))) };
    let ((page, answers), ()) = tokio::join!(reading, async {
        app.database.wait_for_waiting(6).await;
        app.move_clock(secs(15));
    });
    page.says(503, &["The database is not there just now", "Nothing was changed"]);
    for answer in answers {
        assert_eq!((answer.status, answer.code()), (503, "unavailable"), "{}", answer.body);
        assert_eq!(answer.header("retry-after"), Some("2"));
    }
    assert!((&mut longer).now_or_never().is_none());
    app.move_clock(secs(5));
    assert_eq!(longer.await.unwrap().status(), 503);

    // Their connections come back when the database goes on.
    drop(held);
    for _ in 0..3 {
        for answer in join_all((0..READERS).map(|_| app.get(&url))).await {
            assert_eq!(answer.expect(200)["id"], *case);
        }
    }
    app.get("/health/ready").await.expect(200);
    visitor.get("/cases").await.says(200, &[]);
}
