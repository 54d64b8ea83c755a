//! Use cases: what people, the API and the engine do, with nothing of HTTP or SQL.
//!
//! A service takes an [`Actor`], works in its workspace only, and answers with a value or a
//! [`ServiceError`]. It never waits for the engine: it queues a run and returns.
//!
//! [`Actor`]: crate::service::Actor
//! [`ServiceError`]: crate::service::ServiceError

/// Who asks.
mod actor;

/// Why something was refused.
mod endpoint_uses;
mod error;

/// Parts of lists.
mod page;

/// How long somebody who reads waits.
mod patience;

/// Changes that expect a version, and requests that are sent twice.
mod once;
mod precondition;

/// The holder of the master key.
mod vault;

/// Workspaces and tokens.
mod access;
mod first_access;
mod new_token;
mod uses;
mod workspaces;

/// People, their passwords and sessions.
mod passwords;
mod people;
mod person_request;
mod sessions;
mod sign_in_links;
mod signed_in;
mod throttle;

/// Who changed what.
mod audit;

/// All that is sealed, under another master key.
mod rotation;

/// Secrets.
mod opened;
mod put_secret;
mod secret_users;
mod secrets;

/// Tokens that providers gave us.
mod provider_tokens;

/// Credentials that were typed into a field.
mod credentials;
mod field_target;
mod sealed_members;
mod typed_headers;

/// Connections: used, saved, and what they mean for their lanes.
mod connection_actions;
mod connection_credentials;
mod connection_health;
mod connection_lanes;
mod connection_origin;
mod connection_plans;
mod connection_tested;
mod connection_tls;
mod connection_views;
mod connections;

/// Case types, compiled once per version.
mod compiled;
mod plan;
mod plans;
mod shared_params;

/// … and as they would be with another field, or to try a connection out.
mod sample_plan;
mod trial;

/// Case types, saved.
mod case_type_edit;

mod case_type_views;
mod case_types;
/// What older cases lack in words and indexes.
mod indexing;

/// Cases.
mod case_body;
mod case_lists;
mod case_neighbours;
mod case_query;
mod cases;
mod change;
mod views;
mod waiting;

/// How the fields of many cases stand.
mod summary;

/// What happened to cases, and what is happening.
mod events;
mod live;
mod live_state;

/// Fields.
mod fields;
mod known;

/// Runs.
mod run_actions;
mod runs;

/// Schedules and their ticks.
mod schedules;
mod ticks;

/// Cached answers, forgotten.
mod cache;

/// Runs that wait.
mod queue;

/// All of them together.
mod services;

/// Open streams of events.
mod listening;

/// Stories on a real database.
#[cfg(test)]
mod tests;

pub use access::Access;
pub use actor::{Actor, Who};
pub use audit::{Audit, Verified};
pub use cache::{CachePurge, CachedAnswers};
pub use case_body::problems_of_new;
pub use case_query::CaseQuery;
pub use case_type_views::{CaseTypeVersionView, CaseTypeView};
pub use case_types::CaseTypes;
pub use cases::Cases;
pub use connection_actions::ConnectionAction;
pub use connection_health::ConnectionHealth;
pub use connection_lanes::{CircuitHealth, LaneHealth};
pub use connection_plans::{ConnectionPlan, ConnectionPlans};
pub use connection_views::ConnectionView;
pub use connections::Connections;
pub use endpoint_uses::ConnectionUse;
pub use error::ServiceError;
pub use events::Events;
pub use fields::{Fields, RefreshRequest};
pub use indexing::go_on;
pub use listening::{Entry, Heard, Listening};
pub use live::{Live, Watch};
pub use new_token::NewTokenRequest;
pub use once::Keys;
pub use opened::{OpenFailed, Opened};
pub use page::{EXACT_TOTAL, Page, PageRequest, cursor, position};
pub use patience::{PROBING, READING, in_time};
pub use people::People;
pub use person_request::{NewPersonRequest, PersonPatch};
pub use plan::Plan;
pub use plans::Plans;
pub use provider_tokens::{FoundToken, ProviderToken, ProviderTokens, TokenPlace};
pub use put_secret::PutSecret;
pub use rotation::{KeyCheck, Rotated, adopt, check_keys, compare_keys, rotate};
pub use runs::Runs;
pub use sample_plan::SamplePlan;
pub use schedules::{ScheduleView, Schedules};
pub use secret_users::SecretUser;
pub use secrets::Secrets;
pub use services::Services;
pub use sessions::Sessions;
pub use signed_in::{Begun, SignIn, SignedIn};
pub use summary::{FieldSummary, Summary};
pub use ticks::Progress;
pub use uses::Uses;
pub use vault::{OnOpened, ReadKeys, Vault};
pub use views::CaseView;
pub use workspaces::{WorkspacePatch, Workspaces};
