//! Instants as answers spell them, and the closed sets of words for the `OpenAPI` document.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{KnownFormat, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::case;
use crate::domain::clock::{Instant, rfc3339};
use crate::domain::connection;
use crate::domain::event;
use crate::domain::failure;
use crate::domain::run;
use crate::domain::token;
use crate::domain::trigger;
use crate::engine;

/// An instant: RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Time(pub Instant);

impl From<Instant> for Time {
    fn from(at: Instant) -> Self {
        Self(at)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(self.0))
    }
}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
    }
}

impl ToSchema for Time {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Time")
    }
}

macro_rules! words {
    ($($name:ident = $all:expr, $spell:expr;)*) => {$(
        /// The words of the domain's type of this name.
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let words = $all.iter().map(|word| $spell(*word));
                ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )*};
}

words! {
    RunStatus = run::RunStatus::ALL, run::RunStatus::as_str;
    FieldStatus = run::FieldStatus::ALL, run::FieldStatus::as_str;
    WaitingFor = run::WaitingFor::ALL, run::WaitingFor::as_str;
    Reason = run::Reason::ALL, run::Reason::as_str;
    Priority = run::Priority::ALL, run::Priority::as_str;
    Outcome = run::Outcome::ALL, run::Outcome::as_str;
    FailureCode = failure::FailureCode::ALL, failure::FailureCode::as_str;
    Trigger = trigger::Trigger::ALL, trigger::Trigger::as_str;
    CaseStatus = case::CaseStatus::ALL, case::CaseStatus::as_str;
    EventKind = event::EventKind::ALL, event::EventKind::as_str;
    Source = case::Source::ALL, case::Source::as_str;
    ConnectionStatus = connection::ConnectionStatus::ALL, connection::ConnectionStatus::as_str;
    CalledFor = engine::CalledFor::ALL, engine::CalledFor::as_str;
    TestVerdict = engine::TestVerdict::ALL, engine::TestVerdict::as_str;
    StageName = engine::StageName::ALL, engine::StageName::as_str;
    StepName = engine::StepName::ALL, engine::StepName::as_str;
    TargetVerdict = engine::TargetVerdict::ALL, engine::TargetVerdict::as_str;
    Role = token::Role::ALL, token::Role::as_str;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_instant_has_milliseconds_and_a_z() {
        let at = chrono::DateTime::from_timestamp_millis(1_796_000_000_000).unwrap();
        assert_eq!(serde_json::to_value(Time(at)).unwrap(), json!("2026-11-30T00:53:20.000Z"));
    }

    #[test]
    fn words_are_listed_as_answers_spell_them() {
        let schema = serde_json::to_value(Outcome::schema()).unwrap();
        assert_eq!(schema, json!({"type": "string", "enum": ["ok", "failed", "unknown"]}));
    }
}
