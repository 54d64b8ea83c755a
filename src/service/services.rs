//! All use cases, as the doors get them.

use std::sync::Arc;

use super::access::Access;
use super::audit::Audit;
use super::cache::CachedAnswers;
use super::case_types::CaseTypes;
use super::cases::Cases;
use super::connection_plans::ConnectionPlans;
use super::connections::Connections;
use super::events::Events;
use super::fields::Fields;
use super::live::Live;
use super::once::Keys;
use super::passwords::Passwords;
use super::people::People;
use super::plans::Plans;
use super::provider_tokens::ProviderTokens;
use super::runs::Runs;
use super::schedules::Schedules;
use super::secrets::Secrets;
use super::sessions::Sessions;
use super::summary::Summaries;
use super::uses::Uses;
use super::vault::Vault;
use super::workspaces::Workspaces;
use crate::domain::clock::{SharedClock, SharedRng};
use crate::metrics::Metrics;
use crate::store::{CommitLimits, Store};

/// All use cases. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// Workspaces and tokens.
    pub access: Access,
    /// People who sign in.
    pub people: Arc<People>,
    /// Their sessions.
    pub sessions: Arc<Sessions>,
    /// The caller's own workspace.
    pub workspaces: Workspaces,
    /// Who changed what.
    pub audit: Audit,
    /// When tokens and secrets were used last.
    pub uses: Uses,
    /// What seals and opens.
    pub vault: Vault,
    /// Secrets.
    pub secrets: Secrets,
    /// Tokens that providers gave us.
    pub provider_tokens: ProviderTokens,
    /// Case types.
    pub case_types: CaseTypes,
    /// Connections.
    pub connections: Arc<Connections>,
    /// Compiled connections.
    pub connection_plans: ConnectionPlans,
    /// Compiled case types.
    pub plans: Plans,
    /// Cases.
    pub cases: Cases,
    /// Fields.
    pub fields: Fields,
    /// The run history.
    pub runs: Runs,
    /// What happened to cases.
    pub events: Events,
    /// What is happening to them.
    pub live: Live,
    /// Schedules and their ticks.
    pub schedules: Schedules,
    /// Cached answers.
    pub cache: CachedAnswers,
    /// Requests that may be sent twice.
    pub keys: Arc<Keys>,
    /// The rows below them, for lists and for readiness.
    pub store: Store,
    /// What is counted.
    pub metrics: Metrics,
    /// Time.
    pub clock: SharedClock,
}

impl Services {
    /// Puts them together on an open database.
    pub fn new(store: Store, clock: SharedClock, rng: SharedRng, vault: Vault, limits: CommitLimits) -> Self {
        let plans = Plans::new(store.clone(), vault.clone());
        let uses = Uses::default();
        let cases = Cases {
            store: store.clone(),
            plans: plans.clone(),
            clock: clock.clone(),
            rng: rng.clone(),
            limits,
            summaries: Summaries::default(),
        };
        let schedules =
            Schedules { store: store.clone(), plans: plans.clone(), clock: clock.clone(), rng: rng.clone() };
        let compiled = ConnectionPlans::new(store.clone(), vault.clone());
        let connections =
            Connections::new(store.clone(), clock.clone(), rng.clone(), vault.clone(), plans.clone());
        let secrets = Secrets::new(
            store.clone(),
            clock.clone(),
            rng.clone(),
            vault.clone(),
            plans.clone(),
            compiled.clone(),
            uses.clone(),
        );
        let workspaces = Workspaces { store: store.clone(), clock: clock.clone(), plans: plans.clone() };
        let passwords = Passwords::new(rng.clone());
        let sessions = Arc::new(Sessions::new(
            store.clone(),
            clock.clone(),
            rng.clone(),
            passwords.clone(),
            uses.clone(),
        ));
        let people = People {
            store: store.clone(),
            clock: clock.clone(),
            rng: rng.clone(),
            passwords,
            sessions: sessions.clone(),
        };
        Self {
            people: Arc::new(people),
            sessions,
            connections: Arc::new(connections),
            connection_plans: compiled,
            access: Access::new(store.clone(), clock.clone(), rng.clone(), uses.clone()),
            workspaces,
            audit: Audit { store: store.clone() },
            uses,
            vault: vault.clone(),
            secrets,
            provider_tokens: ProviderTokens::new(store.clone(), clock.clone(), vault.clone()),
            case_types: CaseTypes::new(store.clone(), clock.clone(), rng, vault.clone(), plans.clone()),
            plans: plans.clone(),
            fields: Fields { cases: cases.clone() },
            cache: CachedAnswers { store: store.clone(), plans },
            runs: Runs { cases: cases.clone() },
            schedules,
            events: Events { store: store.clone() },
            live: Live::new(store.clone(), clock.clone()),
            keys: Arc::new(Keys { store: store.clone(), clock: clock.clone(), vault }),
            cases,
            store,
            metrics: Metrics::default(),
            clock,
        }
    }
}
