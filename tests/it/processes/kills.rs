//! `kill -9` at any moment: nothing lost, nothing stuck, nothing half-written, one key each.

use tokio::sync::watch;

use super::fleet::{Fleet, count, pause};
use super::ledger::Ledger;
use super::{crowd, disk_full};
use crate::mixture::Dice;

/// How hard it is tried.
pub struct Plan {
    pub replicas: usize,
    pub kills: usize,
    pub enrichments: usize,
    pub seed: u64,
}

impl Plan {
    /// This many kills and enrichments, unless `DOSSIER_KILLS`, `DOSSIER_ENRICHMENTS` and `DOSSIER_SEED`
    /// say otherwise.
    pub fn of(replicas: usize, kills: usize, enrichments: usize) -> Self {
        Self {
            replicas,
            kills: count("DOSSIER_KILLS", kills),
            enrichments: count("DOSSIER_ENRICHMENTS", enrichments),
            seed: count("DOSSIER_SEED", 1) as u64,
        }
    }
}

/// Cases are created all the while; a part of them before each kill, which comes some milliseconds
/// after the provider was asked about some things that are new to it.
pub async fn kill_and_check(plan: Plan, url: Option<&str>) -> Fleet {
    let mut dice = Dice(plan.seed);
    let ledger = Ledger::moody(plan.seed).await;
    let mut fleet = Fleet::start(plan.replicas, &ledger.upstream.authority(), url).await;
    let doors = fleet.doors();
    crowd::define(&doors, &ledger.upstream.url("/post")).await;
    let total = plan.enrichments / crowd::FIELDS;
    let (allow, allowed) = watch::channel(0);
    let people = crowd::create_all(&doors, total, &allowed);
    for kill in 0..plan.kills {
        let part = total * (kill + 1) / plan.kills - total * kill / plan.kills;
        allow.send_modify(|allowed| *allowed += part);
        ledger.grown_to(ledger.size() + usize::try_from(dice.roll(part.max(1) as u64)).unwrap()).await;
        pause(dice.roll(30)).await;
        fleet.kill(usize::try_from(dice.roll(plan.replicas as u64)).unwrap());
        fleet.add().await;
    }
    allow.send_replace(total);
    let cases = people.join_all().await.concat();
    crowd::check(&doors, cases, || ledger.books()).await;
    fleet
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_kill_9_at_random_moments_loses_nothing() {
    let fleet = kill_and_check(Plan::of(1, 5, 300), None).await;
    disk_full::assert_whole(&fleet.file()).await;
}
