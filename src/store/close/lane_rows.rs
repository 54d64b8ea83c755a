//! What a batch of reports changes about lanes, and parked runs that join another one.
//!
//! A success in a lane with which all is well writes nothing and reads nothing: whether a lane
//! has a row comes with the runs. A lane is held only when something about it changes.

use std::collections::{BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use super::batch::Held;
use super::closing::{Closing, Ending, LaneReport, Verdict};
use crate::domain::failure::RunError;
use crate::domain::ids::RunId;
use crate::domain::lane::{Lane, LaneOutcome, Of, Quota};
use crate::domain::run::{Reason, RunStatus};
use crate::store::error::StoreError;
use crate::store::firings::{Unbegun, join_waiting};
use crate::store::lanes::{self, LanePlace};
use crate::store::tx::Tx;

type Report<'c> = (LanePlace, &'c Closing, &'c LaneReport);

/// Takes in what the attempts say about their lanes; answers the runs whose failure counts.
pub(super) async fn report(
    tx: &Tx,
    closings: &[&Closing],
    held: &Held,
) -> Result<HashSet<RunId>, StoreError> {
    let reports: Vec<Report<'_>> = closings
        .iter()
        .filter_map(|closing| Some((closing, closing.lane.as_ref()?)))
        .filter(|(closing, report)| {
            leaves_a_mark(report) || held.get(&closing.run_id.0).is_some_and(|(_, has_lane)| *has_lane)
        })
        .map(|(closing, report)| ((closing.seen.case.workspace, report.key.clone()), *closing, report))
        .collect();
    let changed = of_somebody(tx, changed(tx, &reports).await?).await?;
    let Some(now) = closings.iter().map(|closing| closing.at).max() else { return Ok(HashSet::new()) };
    let mut counted = HashSet::new();
    let mut lanes =
        if changed.is_empty() { HashMap::default() } else { lanes::hold(tx, &changed, now).await? };
    let epochs = tx.credentials_epochs(&refused(&reports)).await?;
    for place in &changed {
        let mut lane = lanes.remove(place).unwrap_or_default();
        for (_, closing, report) in reports.iter().filter(|(of, ..)| of == place) {
            let refusals = (lane.refusals, lane.held);
            if apply(&mut lane, closing, report) {
                counted.insert(closing.run_id);
            }
            let current = epochs.get(&place.0.0).copied().unwrap_or_default();
            if is_refusal(report) && report.credentials_epoch < current {
                (lane.refusals, lane.held) = refusals;
            }
        }
        lane.tidy(now);
        lanes::save(tx, place, &lane, now).await?;
    }
    Ok(counted)
}

/// Whether it leaves a mark on a lane that has none.
const fn is_trouble(report: &LaneReport) -> bool {
    use LaneOutcome as L;
    matches!(report.outcome, L::Failed | L::Unauthorized | L::Limited { .. })
}

/// Whether the provider did not take our credentials.
const fn is_refusal(report: &LaneReport) -> bool {
    matches!(report.outcome, LaneOutcome::Unauthorized)
}

/// The workspaces whose credentials were refused. A refusal of credentials that are others by now
/// does not count. Their epochs are read while the lanes are held: whoever changes credentials ends
/// the hold of a lane in the same transaction, so he comes either before or after.
fn refused(reports: &[Report<'_>]) -> BTreeSet<Uuid> {
    reports.iter().filter(|(.., report)| is_refusal(report)).map(|(place, ..)| place.0.0).collect()
}

/// Whether it is worth a row to a lane that has none.
fn leaves_a_mark(report: &LaneReport) -> bool {
    is_trouble(report) || quota(report).is_some()
}

/// What is left of the provider's limit is shown with its connection; elsewhere nobody sees it.
fn quota(report: &LaneReport) -> Option<&Quota> {
    report.quota.as_ref().filter(|_| report.key.connection().is_some())
}

/// The lanes that these reports change. Looked at without a lock: what changes meanwhile was
/// reported by others.
async fn changed(tx: &Tx, reports: &[Report<'_>]) -> Result<BTreeSet<LanePlace>, StoreError> {
    let troubled = |places: &BTreeSet<LanePlace>, place: &LanePlace| places.contains(place);
    let mut changed: BTreeSet<LanePlace> =
        reports.iter().filter(|(.., report)| is_trouble(report)).map(|(place, ..)| place.clone()).collect();
    let rest: BTreeSet<&LanePlace> =
        reports.iter().map(|(place, ..)| place).filter(|place| !troubled(&changed, place)).collect();
    let mut known = lanes::read(tx, rest.iter().copied(), false).await?;
    for place in rest {
        let lane = known.remove(place).unwrap_or_default();
        let mut after = lane.clone();
        for (_, closing, report) in reports.iter().filter(|(of, ..)| of == place) {
            apply(&mut after, closing, report);
        }
        if after != lane {
            changed.insert(place.clone());
        }
    }
    Ok(changed)
}

/// Those whose connection is there: one that was deleted leaves no lane, so nothing is told of it.
async fn of_somebody(tx: &Tx, places: BTreeSet<LanePlace>) -> Result<BTreeSet<LanePlace>, StoreError> {
    let mut known = BTreeSet::new();
    for place in places {
        let there = match place.1.connection() {
            Some(connection) => tx.keep_connection(place.0, connection).await?,
            None => true,
        };
        if there {
            known.insert(place);
        }
    }
    Ok(known)
}

fn apply(lane: &mut Lane, closing: &Closing, report: &LaneReport) -> bool {
    if let Some(at) = report.unused {
        lane.give_back(at);
    }
    if let Some(quota) = quota(report) {
        lane.quota = Some(quota.clone());
    }
    let of = Of { run: closing.run_id, endpoint: report.endpoint.as_deref() };
    lane.report(closing.at, of, report.outcome, report.counted)
}

/// Lets runs that are unbegun again join those that wait behind them; answers which did.
pub(super) async fn join(tx: &Tx, closings: &[&Closing]) -> Result<HashSet<RunId>, StoreError> {
    let unbegun = closings.iter().filter_map(|closing| match closing.verdict {
        Verdict::Park { unbegin: true, .. } => {
            Some(Unbegun { run: closing.run_id, case: closing.case_id(), field: closing.field.clone() })
        }
        _ => None,
    });
    join_waiting(tx, &unbegun.collect::<Vec<_>>()).await
}

/// How a run ends that joined another one.
pub(super) fn superseded(closing: &Closing) -> Ending {
    let error = RunError::superseded(false, 0, closing.at);
    Ending {
        status: RunStatus::Cancelled,
        reason: Some(Reason::Superseded),
        missing: Vec::new(),
        error: Some(error),
        effect: None,
        successor: None,
        cached_from: None,
        keeps_state: false,
    }
}
