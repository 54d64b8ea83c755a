//! Summaries, for those who do not want to wait.

use serde_json::json;

use super::house::{house, key};
use crate::domain::clock::Clock as _;
use crate::service::CaseQuery;

#[tokio::test]
async fn who_does_not_wait_for_a_summary_goes_on_without() {
    let house = house().await;
    let (services, actor) = (&house.services, house.actor("default").await);
    house.put_type(&actor, &json!({"key": "kyb", "fields": [{"key": "vat", "type": "text"}]})).await.unwrap();
    services.cases.create(&actor, &json!({"case_type": "kyb", "data": {}}), None).await.unwrap();

    let (now, key) = (house.clock.now(), key("kyb"));
    let soon = services.cases.summary_until(now, &actor, &key, CaseQuery::default()).await;
    assert_eq!(soon.unwrap(), None, "the time was up before it was counted");
    let later = services.cases.summary(&actor, &key, CaseQuery::default()).await.unwrap();
    assert_eq!((later.total, later.partial), (1, false));
    let part = CaseQuery { q: Some("nothing".to_owned()), ..CaseQuery::default() };
    let part = services.cases.summary(&actor, &key, part).await.unwrap();
    assert_eq!((part.total, part.partial), (0, true), "what was asked is another summary");
}
