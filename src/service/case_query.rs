//! What a list of cases is asked for, and what that means for the store.

use super::actor::Actor;
use super::error::ServiceError;
use super::page;
use super::plans::Plans;
use crate::domain::case::{Case, CaseStatus};
use crate::domain::clock::Instant;
use crate::domain::data::DataPath;
use crate::domain::failure::FailureCode;
use crate::domain::run::{Reason, WaitingFor};
use crate::domain::search;
use crate::store::{CaseFilter, CaseSort, DataFilter, FieldFilter, FieldWord};

/// A list as the doors ask for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct CaseQuery {
    /// Key of the case type.
    pub case_type: Option<String>,
    /// How far they have come.
    pub status: Option<CaseStatus>,
    /// … in the workspace's own words.
    pub custom_status: Option<String>,
    /// Who works on them.
    pub assignee: Option<String>,
    /// The one with this reference.
    pub reference: Option<String>,
    /// Changed at this time or later.
    pub updated_since: Option<Instant>,
    /// Field, status and, if given, reason: `field.<key>=<status>[:<reason>]`.
    pub fields: Vec<(String, String, Option<String>)>,
    /// Words of reference and title, or beginnings of them; all must be there.
    pub q: Option<String>,
    /// Dotted paths of values, and what they must be: the JSON scalar, or the text.
    pub data: Vec<(DataPath, String)>,
    /// The order.
    pub sort: CaseSort,
    /// Greatest first.
    pub descending: bool,
}

impl CaseQuery {
    /// The cursor of the page that begins behind a case.
    pub fn after(&self, case: &Case) -> String {
        let order = CaseFilter { sort: self.sort, descending: self.descending, ..CaseFilter::default() };
        page::cursor(&(order.order(), order.sort_value(case), case.id))
    }

    /// The same cases from the other end.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self { descending: !self.descending, ..self }
    }

    /// Whether it leaves all cases of a case type, in whatever order.
    pub(super) fn is_everything(&self) -> bool {
        let Self { status, custom_status, assignee, reference, updated_since, fields, q, data, .. } = self;
        let texts = [custom_status, assignee, reference, q].into_iter().all(Option::is_none);
        texts && status.is_none() && updated_since.is_none() && fields.is_empty() && data.is_empty()
    }

    pub(super) async fn filter(
        self,
        plans: &Plans,
        actor: &Actor,
        now: Instant,
    ) -> Result<CaseFilter, ServiceError> {
        let mut fields = Vec::with_capacity(self.fields.len());
        for (field, word, reason) in &self.fields {
            let word = field_word(word, reason.as_deref())?;
            let (mut enabled_in, mut disabled_in, mut expired) = (Vec::new(), Vec::new(), Vec::new());
            for plan in plans.all_current(actor.workspace).await? {
                match plan.case_type.field(field).and_then(|field| field.api_call()) {
                    Some(call) if call.enabled => {
                        enabled_in.push(plan.id);
                        expired.extend(call.fresh_for().map(|fresh| (plan.id, now - fresh)));
                    }
                    Some(_) => disabled_in.push(plan.id),
                    None => {}
                }
            }
            fields.push(FieldFilter { field: field.clone(), word, enabled_in, disabled_in, expired });
        }
        Ok(CaseFilter {
            case_type: self.case_type,
            status: self.status,
            custom_status: self.custom_status,
            assignee: self.assignee,
            reference: self.reference,
            updated_since: self.updated_since,
            fields,
            words: self.q.as_deref().map(search::words).unwrap_or_default(),
            data: self
                .data
                .into_iter()
                .map(|(path, text)| DataFilter { path, keys: search::wanted_keys(&text) })
                .collect(),
            sort: self.sort,
            descending: self.descending,
        })
    }
}

fn field_word(word: &str, reason: Option<&str>) -> Result<FieldWord, ServiceError> {
    let unknown =
        |what: &str| ServiceError::BadQuery(format!("`{what}` is no state that a field can be filtered by"));
    let found = match (word, reason) {
        ("never_run", None) => FieldWord::NeverRun,
        ("running", None) => FieldWord::Running,
        ("disabled", None) => FieldWord::Disabled,
        ("cached", None) => FieldWord::Cached,
        ("stale", None) => FieldWord::Stale,
        ("succeeded", None) => FieldWord::Ended("succeeded", None),
        ("queued", None) => FieldWord::Queued(None),
        ("queued", Some(waiting)) => {
            FieldWord::Queued(Some(WaitingFor::parse(waiting).ok_or_else(|| unknown(waiting))?.as_str()))
        }
        ("skipped", None) => FieldWord::Ended("skipped", None),
        ("skipped", Some(reason)) => {
            FieldWord::Ended("skipped", Some(Reason::parse(reason).ok_or_else(|| unknown(reason))?.as_str()))
        }
        ("failed", None) => FieldWord::Ended("failed", None),
        ("failed", Some(reason)) => FieldWord::Ended(
            "failed",
            Some(FailureCode::parse(reason).ok_or_else(|| unknown(reason))?.as_str()),
        ),
        (word, _) => return Err(unknown(word)),
    };
    Ok(found)
}
