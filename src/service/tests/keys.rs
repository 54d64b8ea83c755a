//! Keys of repeated requests, as the sweep forgets them.

use chrono::TimeDelta;

use super::house::house;
use crate::domain::once::{KEPT_FOR, Kept, Once, Repeat};
use crate::store::StoreError;

#[tokio::test]
async fn old_keys_are_forgotten_some_at_a_time() {
    let house = house().await;
    let (store, now) = (house.services.store.clone(), house.services.clock.now());
    let actor = house.actor("default").await;
    let requests = house.services.keys.clone();
    let once = move |n: i64| {
        let names = ("POST /v1/cases".to_owned(), format!("k{n}"));
        let once = requests.request(actor.workspace, actor.token().unwrap(), names, b"{}");
        Once { at: now + TimeDelta::seconds(n), ..once }
    };
    let keys: Vec<Once> = (0..4).map(once).collect();
    let all = keys.clone();
    let removed: Result<[u64; 3], StoreError> = store
        .write(move |tx| {
            Box::pin(async move {
                for key in &all {
                    assert!(tx.keep_once(key, &Kept::refused(422, "invalid")).await?);
                    assert!(!tx.keep_once(key, &Kept::refused(404, "not_found")).await?);
                }
                let before = now + TimeDelta::seconds(2);
                let mut removed = [0; 3];
                for count in &mut removed {
                    *count = tx.forget_old_keys(before, 2).await?;
                }
                Ok(removed)
            })
        })
        .await;
    assert_eq!(removed.unwrap(), [2, 1, 0]);
    let tx = store.read().await.unwrap();
    assert_eq!(tx.find_once(&keys[2]).await.unwrap(), None);
    let kept = Some(Repeat::Same(Kept::refused(422, "invalid")));
    assert_eq!(tx.find_once(&keys[3]).await.unwrap(), kept);
    let at = |after: TimeDelta| Once { at: keys[3].at + after, ..keys[3].clone() };
    let nearly = at(KEPT_FOR - TimeDelta::milliseconds(1));
    assert_eq!(tx.find_once(&nearly).await.unwrap(), kept);
    assert_eq!(tx.find_once(&at(KEPT_FOR)).await.unwrap(), None);
}
