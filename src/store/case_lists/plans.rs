//! Lists stay quick however many cases there are: proved by the plans that SQLite makes, since a
//! test that measures time proves nothing. Nothing is put in order that an index has in order, and
//! no table is gone through from end to end.

use std::collections::BTreeSet;

use sea_orm::QueryResult;
use tempfile::TempDir;
use uuid::Uuid;

use super::filter::{CaseFilter, CaseSort, DataFilter, FieldFilter, FieldWord};
use super::page::Along;
use super::select::{Selection, Way};
use crate::domain::case::CaseStatus;
use crate::domain::data::DataPath;
use crate::domain::ids::{CaseId, CaseTypeId, FieldKey, WorkspaceId};
use crate::domain::search::wanted_keys;
use crate::store::database::Store;
use crate::store::error::StoreError;
use crate::store::statement::{int, sql, uuid};
use crate::store::testing;
use crate::store::tx::Tx;

const HOME: WorkspaceId = WorkspaceId(Uuid::from_u128(1));
const TYPE: CaseTypeId = CaseTypeId(Uuid::from_u128(2));

/// `$3` cases, with words and values; one in a thousand is rare.
const FURNISH: [&str; 6] = [
    "INSERT INTO workspace (id, key, name, params, created_at, updated_at) SELECT $1, 'w', 'w', '{}', 0, 0 \
     WHERE $2 IS NOT NULL AND $3 > 0",
    "INSERT INTO case_type (id, workspace_id, key, version, indexed, created_at, updated_at) \
     SELECT $2, $1, 't', 1, '[\"vat\"]', 0, 0 WHERE $3 > 0",
    "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < $3) \
     INSERT INTO cases (id, workspace_id, case_type_id, reference, title, status, data, provenance, version, revision, \
       created_at, updated_at, words) \
     SELECT CAST(x'00000000000000000000' || printf('%06d', n) AS BLOB), $1, $2, printf('R-%06d', n), 'Title', \
       CASE WHEN n % 1000 = 0 THEN 'closed' ELSE 'in_progress' END, \
       json_object('vat', n % 1000, 'plain', n), '{}', 1, 1, n, n, ' title' FROM n",
    "INSERT INTO case_word SELECT workspace_id, lower(title), id FROM cases WHERE $1 = workspace_id AND $2 = $2 AND $3 > 0",
    "INSERT INTO case_index SELECT case_type_id, 'vat', 'n' || json_extract(data, '$.vat'), id FROM cases \
     WHERE $1 = workspace_id AND $2 = $2 AND $3 > 0",
    "INSERT INTO field_state (case_id, field, status, run_id, attempt, attempts_max, cached, case_type_id) \
     SELECT id, 'check', CASE WHEN status = 'closed' THEN 'failed' ELSE 'succeeded' END, id, 1, 1, FALSE, case_type_id \
     FROM cases WHERE $1 = workspace_id AND $2 = $2 AND $3 > 0",
];

async fn furnished(cases: i64) -> (TempDir, Store) {
    let (folder, store) = testing::store().await;
    let written: Result<(), StoreError> = store
        .write(move |tx| {
            Box::pin(async move {
                for statement in FURNISH {
                    tx.execute(sql(statement, vec![uuid(HOME.0), uuid(TYPE.0), int(cases)])).await?;
                }
                Ok(())
            })
        })
        .await;
    written.unwrap();
    (folder, store)
}

fn data(path: &str, value: &str) -> Vec<DataFilter> {
    vec![DataFilter { path: DataPath::parse_exact(path).unwrap(), keys: wanted_keys(value) }]
}

fn failed() -> FieldFilter {
    FieldFilter {
        field: "check".to_owned(),
        word: FieldWord::Ended("failed", None),
        enabled_in: vec![TYPE],
        disabled_in: Vec::new(),
        expired: Vec::new(),
    }
}

async fn select(tx: &Tx, filter: CaseFilter) -> Selection {
    tx.select_cases(HOME, filter).await.unwrap().unwrap_or_else(|wide| panic!("{wide:?}"))
}

async fn plan(tx: &Tx, statement: String, values: Vec<sea_orm::Value>) -> String {
    let rows = tx.all(sql(format!("EXPLAIN QUERY PLAN {statement}"), values)).await.unwrap();
    let line = |row: &QueryResult| row.try_get::<String>("", "detail").unwrap();
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_order_is_walked_along_its_index() {
    let (_folder, store) = furnished(3).await;
    let tx = store.read().await.unwrap();
    for sort in [CaseSort::CreatedAt, CaseSort::UpdatedAt, CaseSort::Reference, CaseSort::Title] {
        for (descending, after) in [(false, false), (true, false), (false, true), (true, true)] {
            let filter = CaseFilter { sort, descending, ..CaseFilter::default() };
            let place =
                if matches!(sort, CaseSort::CreatedAt | CaseSort::UpdatedAt) { 1.into() } else { "R".into() };
            let after = after.then_some((place, CaseId(Uuid::nil())));
            let (statement, values) =
                tx.page(&select(&tx, filter).await, after.clone(), 50, Along::Order(None));
            let plan = plan(&tx, statement, values).await;
            let used = format!("SEARCH cases USING INDEX {} (workspace_id=?", sort.index());
            assert!(plan.contains(&used), "{sort:?} {descending}: {plan}");
            assert!(after.is_none() || plan.contains('>') || plan.contains('<'), "{plan}");
            assert!(!plan.contains("TEMP B-TREE") && !plan.contains("SCAN"), "{sort:?} {descending}: {plan}");
        }
    }
}

#[tokio::test]
async fn what_is_rare_is_taken_first_and_what_is_not_is_walked() {
    let (_folder, store) = furnished(3_000).await;
    let tx = store.read().await.unwrap();
    let all = CaseFilter::default;
    let cases: [(CaseFilter, bool, u64, &str); 7] = [
        (CaseFilter { status: Some(CaseStatus::Closed), ..all() }, true, 3, "cases_status"),
        (CaseFilter { status: Some(CaseStatus::InProgress), ..all() }, false, 2_997, "cases_created"),
        (CaseFilter { reference: Some("R-000007".to_owned()), ..all() }, true, 1, "cases_reference"),
        (CaseFilter { fields: vec![failed()], ..all() }, true, 3, "field_state_shown"),
        (CaseFilter { data: data("vat", "5"), ..all() }, true, 3, "SEARCH case_index USING PRIMARY KEY"),
        (CaseFilter { words: BTreeSet::from(["tit".to_owned()]), ..all() }, false, 3_000, "cases_created"),
        (
            CaseFilter { words: BTreeSet::from(["tit".to_owned()]), data: data("vat", "5"), ..all() },
            true,
            3,
            "SEARCH case_index USING PRIMARY KEY",
        ),
    ];
    for (filter, few, count, index) in cases {
        let name = format!("{filter:?}");
        let selection = select(&tx, filter).await;
        assert_eq!(matches!(selection.way, Way::Few(..)), few, "{name}");
        assert_eq!(tx.count_cases(&selection, 10_000).await.unwrap(), count, "{name}");
        let found = tx.list_cases(&selection, None, 5).await.unwrap();
        assert_eq!(found.len() as u64, count.min(5), "{name}");
        let along = if few { Along::Source } else { Along::Order(None) };
        let (statement, values) = tx.page(&selection, None, 50, along);
        let plan = plan(&tx, statement, values).await;
        assert!(plan.contains(index), "{name}: {plan}");
        assert!(!plan.contains("SCAN cases") && !plan.contains("SCAN run"), "{name}: {plan}");
        assert_eq!(plan.contains("TEMP B-TREE FOR ORDER BY"), few, "{name}: {plan}");
    }
}

#[tokio::test]
async fn a_walk_ends_soon_and_turns_to_what_all_conditions_have_in_common() {
    let (_folder, store) = furnished(6_000).await;
    let untouched = FieldFilter { word: FieldWord::NeverRun, ..failed() };
    let succeeded = FieldFilter { word: FieldWord::Ended("succeeded", None), ..failed() };
    let common = BTreeSet::from(["tit".to_owned()]);
    let cases = [
        (
            vec![untouched.clone()],
            BTreeSet::new(),
            0,
            "SEARCH field_state USING COVERING INDEX field_state_shown",
        ),
        (
            vec![succeeded.clone()],
            BTreeSet::new(),
            5_994,
            "SEARCH field_state USING COVERING INDEX field_state_shown",
        ),
        (
            Vec::new(),
            common.clone(),
            6_000,
            "SEARCH case_word USING PRIMARY KEY (workspace_id=? AND word>? AND word<?)",
        ),
    ];
    let tx = store.read().await.unwrap();
    for (fields, words, count, index) in cases {
        let selection = select(&tx, CaseFilter { fields, words, ..CaseFilter::default() }).await;
        let name = format!("{:?}", selection.filter);
        assert!(matches!(selection.way, Way::Walk(_, Some(_))), "{name}");
        // Along the order only so far,
        let edge = tx.edge(&selection, None).await.unwrap();
        assert_eq!(edge.as_ref().map(|(value, _)| value), Some(&5_001.into()), "{name}");
        let (statement, values) = tx.page(&selection, None, 50, Along::Order(edge.clone()));
        let near = plan(&tx, statement, values).await;
        assert!(near.contains("cases_created (workspace_id=? AND created_at<?)"), "{name}: {near}");
        assert!(!near.contains("TEMP B-TREE"), "{name}: {near}");
        // … and from indexes then.
        let (statement, values) = tx.page(&selection, None, 50, Along::Source);
        let far = plan(&tx, statement, values).await;
        assert!(far.contains(index) && !far.contains("SCAN cases"), "{name}: {far}");
        assert_eq!(tx.count_cases(&selection, 10_000).await.unwrap(), count, "{name}");
        // Behind the edge the order ends before another walk does.
        assert_eq!(tx.edge(&selection, edge).await.unwrap(), None, "{name}");
    }
    drop(tx);
    // What stands far off is found, by a page after the edge and by one that begins before it.
    let far = "DELETE FROM field_state WHERE case_id IN (SELECT id FROM cases WHERE created_at > 5998)";
    let gone: Result<u64, StoreError> =
        store.write(move |tx| Box::pin(async move { tx.execute(sql(far, Vec::new())).await })).await;
    assert_eq!(gone.unwrap(), 2);
    let tx = store.read().await.unwrap();
    let asked = CaseFilter { fields: vec![untouched], words: common, ..CaseFilter::default() };
    for descending in [false, true] {
        let selection = select(&tx, CaseFilter { descending, ..asked.clone() }).await;
        let found = tx.list_cases(&selection, None, 50).await.unwrap();
        let mut at: Vec<_> = found.iter().map(|one| one.row.case.created_at.timestamp_millis()).collect();
        if descending {
            at.reverse();
        }
        assert_eq!(at, [5_999, 6_000]);
        let after = Some((at[0].into(), found[usize::from(descending)].row.case.id));
        let next = tx.list_cases(&selection, after, 50).await.unwrap();
        assert_eq!(next.len(), usize::from(!descending));
    }
}

#[tokio::test]
async fn at_most_ten_thousand_cases_are_looked_into() {
    let (_folder, store) = furnished(10_001).await;
    let tx = store.read().await.unwrap();
    let asked = CaseFilter { data: data("plain", "17"), ..CaseFilter::default() };
    let Err(wide) = tx.select_cases(HOME, asked.clone()).await.unwrap() else {
        panic!("too many were looked into")
    };
    assert_eq!((wide.path.to_string(), wide.filling), ("plain".to_owned(), false));
    // Other filters leave fewer.
    let fewer = CaseFilter { status: Some(CaseStatus::InProgress), ..asked };
    assert_eq!(tx.count_cases(&select(&tx, fewer).await, 10).await.unwrap(), 1);
    // An index needs no look, however many there are.
    let indexed = CaseFilter { data: data("vat", "17"), ..CaseFilter::default() };
    assert_eq!(tx.count_cases(&select(&tx, indexed).await, 100).await.unwrap(), 10);
}

#[tokio::test]
async fn older_cases_are_filled_in_step_by_step() {
    let (_folder, store) = furnished(600).await;
    let steps = store.write(|tx| {
        Box::pin(async move {
            tx.set_indexed(TYPE, &["plain"]).await?;
            let mut steps = 0;
            while tx.fill().await? {
                steps += 1;
            }
            Ok::<_, StoreError>(steps)
        })
    });
    // Two walks of three steps: one adds values, one takes the old ones away.
    assert_eq!(steps.await.unwrap(), 6);
    let tx = store.read().await.unwrap();
    let indexed = "SELECT count(*) FROM case_index WHERE field = 'plain'";
    assert_eq!(tx.number(sql(indexed, Vec::new())).await.unwrap(), 600);
    assert_eq!(tx.number(sql("SELECT count(*) FROM case_index", Vec::new())).await.unwrap(), 600);
    assert!(!tx.is_filling().await.unwrap());
}

#[tokio::test]
async fn counts_and_events_are_read_from_indexes() {
    let (_folder, store) = furnished(3).await;
    let tx = store.read().await.unwrap();
    let field: FieldKey = "check".parse().unwrap();
    assert_eq!(tx.count_states(TYPE, &field, None).await.unwrap().iter().map(|one| one.count).max(), Some(3));
    let statement = crate::store::summary::states_statement();
    let states = plan(&tx, statement, vec![uuid(TYPE.0), "check".into(), int(0)]).await;
    assert!(states.contains("SEARCH field_state USING COVERING INDEX field_state_shown"), "{states}");
    let reads = states.lines().filter(|line| line.contains("field_state"));
    assert!(reads.clone().all(|line| line.contains("COVERING")) && reads.count() == 6, "{states}");
    let (statement, values) = crate::store::summary::live_statement(HOME, TYPE);
    let live = plan(&tx, statement, values).await;
    for index in ["run_due", "run_parked", "run_leased"] {
        assert!(live.contains(&format!("SEARCH run USING INDEX {index}")), "{live}");
    }
    assert!(!live.contains("SCAN run"), "{live}");
}
