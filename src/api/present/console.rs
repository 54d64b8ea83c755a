//! What a test of a field came to, as answers show it.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::run::{PhasesView, RequestView, ResponseView};
use super::run_error::RunErrorView;
use super::words;
use crate::domain::run::Reason;
use crate::engine::{CallBeside, CalledFor, MappingTested, TargetTested, TargetVerdict, Tested};

/// What a test of a field came to, as far as it came. Nothing of it is recorded.
#[derive(Serialize, ToSchema)]
#[schema(as = FieldTest)]
pub struct TestedView {
    /// The request as it would be sent, or was; null when it could not be put together.
    request: Option<RequestView>,
    /// What was called on the way: for a token, after a redirect.
    calls: Vec<CallView>,
    /// The provider's answer, or the recorded one.
    response: Option<ResponseView>,
    phases: Option<PhasesView>,
    /// Why a run would be skipped now.
    skipped: Option<SkippedView>,
    /// What a run would say that went wrong.
    error: Option<RunErrorView>,
    /// What the answer would do to the case; null without a success.
    mapping: Option<MappingView>,
}

/// A call beside the exchange that the field is about.
#[derive(Serialize, ToSchema)]
#[schema(as = AuxiliaryCall)]
pub struct CallView {
    #[schema(value_type = words::CalledFor)]
    kind: CalledFor,
    request: RequestView,
    response: Option<ResponseView>,
    phases: Option<PhasesView>,
    error: Option<RunErrorView>,
}

/// Why a run would be skipped.
#[derive(Serialize, ToSchema)]
#[schema(as = Skipped)]
pub struct SkippedView {
    #[schema(value_type = words::Reason)]
    reason: Reason,
    /// Dotted paths of the input that is missing.
    missing: Vec<String>,
}

/// What an answer would do to the case, target by target.
#[derive(Serialize, ToSchema)]
#[schema(as = FieldTestMapping)]
pub struct MappingView {
    /// What the mapping makes of the answer, by dotted target; not those that fail.
    values: Map<String, Value>,
    /// Every target, also where another one fails; the run takes all or none.
    targets: Vec<TargetView>,
}

/// One target of a mapping.
#[derive(Serialize, ToSchema)]
#[schema(as = FieldTestTarget)]
pub struct TargetView {
    /// Its dotted path.
    target: String,
    /// Whether its path or template gave something; a default stands where it did not.
    found: bool,
    /// What the mapping makes of it.
    value: Option<Value>,
    /// `keep`: it would be left as it is, for an override, `if_empty` or `on_missing`.
    #[schema(value_type = words::TargetVerdict)]
    verdict: TargetVerdict,
    /// What the case holds there now.
    old: Option<Value>,
    /// Why it does not get its value.
    error: Option<String>,
}

impl From<Tested> for TestedView {
    fn from(tested: Tested) -> Self {
        Self {
            request: tested.request.map(RequestView::from),
            calls: tested.calls.into_iter().map(CallView::from).collect(),
            response: tested.response.map(ResponseView::from),
            phases: tested.phases.map(PhasesView::from),
            skipped: tested.skipped.map(|(reason, missing)| SkippedView { reason, missing }),
            error: tested.error.as_ref().map(RunErrorView::from),
            mapping: tested.mapping.map(MappingView::from),
        }
    }
}

impl From<CallBeside> for CallView {
    fn from(call: CallBeside) -> Self {
        Self {
            kind: call.kind,
            request: call.request.into(),
            response: call.response.map(ResponseView::from),
            phases: call.phases.map(PhasesView::from),
            error: call.error.as_ref().map(RunErrorView::from),
        }
    }
}

impl From<MappingTested> for MappingView {
    fn from(mapping: MappingTested) -> Self {
        let value = |it: &TargetTested| Some((it.target.clone(), it.value.clone()?));
        let values = mapping.targets.iter().filter_map(value).collect();
        Self { values, targets: mapping.targets.into_iter().map(TargetView::from).collect() }
    }
}

impl From<TargetTested> for TargetView {
    fn from(tested: TargetTested) -> Self {
        let TargetTested { target, found, value, verdict, old, error } = tested;
        Self { target, found, value, verdict, old, error }
    }
}
