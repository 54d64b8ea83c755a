//! `/docs` shows the API's description, with nothing from the network.

use crate::app::TestApp;
use crate::upstream::client;

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_all_that_it_loads_come_from_us() {
    let app = TestApp::spawn().await;
    let get = async |path: &str| {
        let answer = client().get(app.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        answer.text().await.unwrap()
    };
    let page = get("/docs/").await;
    let moved = client().get(app.url("/docs")).send().await.unwrap();
    assert_eq!((moved.status().as_u16(), moved.url().path()), (200, "/docs/"));
    assert_eq!(moved.text().await.unwrap(), page);

    let loaded: Vec<&str> =
        page.split('"').filter(|text| text.contains('.') && !text.contains(' ')).collect();
    assert!(loaded.len() >= 5, "{page}");
    for file in loaded {
        assert!(!file.contains("//"), "{file} is not ours");
        get(&format!("/docs/{}", file.trim_start_matches("./"))).await;
    }
    let start = get("/docs/swagger-initializer.js").await;
    assert!(start.contains("\"url\": \"../openapi.json\""), "{start}");
    assert!(start.contains("\"validatorUrl\": \"none\""), "{start}");
    assert!(!start.contains("http"), "{start}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_of_the_page_is_a_problem() {
    let app = TestApp::spawn().await;
    for path in ["/docs/nothing.js", "/docs/../v1", "/docs/a/b"] {
        assert_eq!(app.get(path).await.status, 404, "{path}");
    }
    let refused = app.send(app.request("POST", "/docs/")).await;
    assert_eq!((refused.status, refused.code()), (405, "method_not_allowed"));
    assert_eq!(refused.header("allow"), Some("GET, HEAD"));
}
