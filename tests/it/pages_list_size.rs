//! How large a list of cases becomes, whatever its names and its address: 200 KB at the most.

use serde_json::{Map, Value, json};

use crate::app::TestApp;
use crate::pages_size::{MARKUP, page, plain};
use crate::visitor::Visitor;

#[actix_web::test]
async fn a_list_under_a_long_address_has_no_room_for_all_its_bars() {
    let app = TestApp::spawn().await;
    let ada = Visitor::of(&app, "operator").await;
    let key = |n: usize| format!("{}{n:02}", "k".repeat(60));
    let field = |n: usize| {
        let mapping = json!({"response_mapping": {format!("o{n}"): "$.v"}});
        let mut field = app.field("/x", json!({"trigger": "manual"}), mapping);
        field["key"] = key(n).into();
        field["name"] = "<".repeat(200).into();
        field
    };
    let body = json!({"key": "long", "fields": (0..200).map(field).collect::<Vec<_>>()});
    app.put("/v1/case-types/long", &body).await.expect(201);
    let data: Map<String, Value> = (0..20).map(|n| (format!("o{n}"), json!(MARKUP.repeat(80)))).collect();
    for n in 0..60 {
        let case = json!({"case_type": "long", "reference": format!("{}{n}", "<".repeat(150)),
            "title": "acme ".repeat(80), "assignee": "é".repeat(90), "data": data});
        app.post("/v1/cases", &case).await.expect(201);
    }
    let address = format!("/cases?type=long&q=acme&assignee={}", "%C3%A9".repeat(90));
    page(&ada, &address).await;
    let chosen = (0..9).map(|n| format!("cols=field.{0}&field.{0}=never_run", key(n)));
    let html = page(&ada, &format!("{address}&{}", chosen.collect::<Vec<_>>().join("&"))).await;
    assert!(html.contains("There is no room for more bars"), "{}", html.len());
    // From there on as well.
    let next = html.split("rel=\"next\"").next().unwrap().rsplit("href=\"").next().unwrap();
    let (rows, next) = (html.matches("data-row").count(), plain(next.split('"').next().unwrap()));
    assert_ne!(html, page(&ada, &next).await);
    assert!((10..=50).contains(&rows), "{rows}");
}
