//! What a test of a connection came to, as answers show it.

use serde::Serialize;
use utoipa::ToSchema;

use super::console::TestedView;
use super::words::{self, Time};
use crate::domain::connection::ConnectionStatus;
use crate::domain::ids::ConnectionKey;
use crate::engine::{
    CertificateSeen, ConnectionTested, StageName, StageTested, StepName, StepTested, TestVerdict,
};

/// What a test of a connection came to. It touches no circuit, no limit and no case.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectionTest)]
pub struct ConnectionTestView {
    /// Key of the connection.
    #[schema(value_type = String)]
    connection: ConnectionKey,
    /// The version that was tested.
    version: i64,
    /// `passed` or `failed`.
    #[schema(value_type = words::TestVerdict)]
    verdict: TestVerdict,
    /// How far the connection has come by now: a test that passes makes `configured` `tested`.
    #[schema(value_type = words::ConnectionStatus)]
    status: ConnectionStatus,
    /// Always the three: `connectivity`, `authentication`, `end_to_end`.
    stages: Vec<StageView>,
    /// The provider's certificate; null without TLS.
    certificate: Option<CertificateView>,
    /// The sample call as the test console shows one, as far as it came.
    sample: TestedView,
}

/// One stage of a test.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectionTestStage)]
pub struct StageView {
    #[schema(value_type = words::StageName)]
    name: StageName,
    /// `failed` where a step has failed; `skipped` where all are.
    #[schema(value_type = words::TestVerdict)]
    verdict: TestVerdict,
    /// Milliseconds in all; null where all steps are skipped.
    ms: Option<u64>,
    /// Always the same, in this order.
    steps: Vec<StepView>,
}

/// One step of a stage.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectionTestStep)]
pub struct StepView {
    #[schema(value_type = words::StepName)]
    name: StepName,
    /// `skipped`: there was nothing to look at, or a step before it has failed.
    #[schema(value_type = words::TestVerdict)]
    verdict: TestVerdict,
    /// Milliseconds; null for a skipped one.
    ms: Option<u64>,
    /// What was found, in plain words.
    detail: Option<String>,
    /// How to mend it, where there is something to mend.
    hint: Option<String>,
}

/// The certificate that a provider showed.
#[derive(Serialize, ToSchema)]
#[schema(as = SeenCertificate)]
pub struct CertificateView {
    expires_at: Time,
    /// Whole days until then.
    days_left: i64,
}

impl From<ConnectionTested> for ConnectionTestView {
    fn from(tested: ConnectionTested) -> Self {
        Self {
            connection: tested.connection,
            version: tested.version,
            verdict: tested.verdict,
            status: tested.status,
            stages: tested.stages.into_iter().map(StageView::from).collect(),
            certificate: tested.certificate.map(CertificateView::from),
            sample: tested.sample.into(),
        }
    }
}

impl From<StageTested> for StageView {
    fn from(stage: StageTested) -> Self {
        let took = stage.steps.iter().filter_map(|step| step.ms);
        let ms = took.reduce(|sum, ms| sum + ms);
        let StageTested { name, verdict, steps } = stage;
        Self { name, verdict, ms, steps: steps.into_iter().map(StepView::from).collect() }
    }
}

impl From<StepTested> for StepView {
    fn from(step: StepTested) -> Self {
        let StepTested { name, verdict, ms, detail, hint } = step;
        Self { name, verdict, ms, detail, hint }
    }
}

impl From<CertificateSeen> for CertificateView {
    fn from(seen: CertificateSeen) -> Self {
        Self { expires_at: Time(seen.valid_until), days_left: seen.days_left }
    }
}
