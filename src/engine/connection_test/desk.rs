//! Where the door hands in a test of a connection: at the desk of the test console, with as many places.

use std::sync::Arc;

use serde_json::Value;

use super::connectivity;
use super::hints;
use super::report::{ConnectionTested, Report, StepName, TestVerdict};
use super::request::{Called, Wanted};
use super::sample::Sample;
use crate::domain::connection::{Connection, ConnectionStatus};
use crate::domain::failure::Failure;
use crate::domain::ids::ConnectionKey;
use crate::domain::problem::code;
use crate::engine::console::desk::{Console, NotTested};
use crate::engine::console::steps::{Tested, beside, refused};
use crate::engine::console::subject::Subject;
use crate::engine::context::{Deadline, Engine, Stop, Trace};
use crate::engine::prepare::{self, DEFAULT_TIMEOUT_MS, Prepared};
use crate::outbound::TlsPolicy;
use crate::service::{Actor, ConnectionPlan, ServiceError};

impl Console {
    /// Tests a connection in three stages as `body` asks.
    pub async fn test_connection(
        &self,
        actor: &Actor,
        key: &ConnectionKey,
        body: &Value,
    ) -> Result<ConnectionTested, NotTested> {
        let wanted = Wanted::read(body)?;
        let _place = self.place(actor.workspace)?;
        let found = self.engine.connections.current(actor.workspace, key).await?;
        let (plan, status) = found.ok_or(ServiceError::NotFound("connection"))?;
        let subject = if plan.connection().base_url.is_some() || matches!(wanted.call, Called::Field(..)) {
            Some(subject(&self.engine, actor, key, &wanted).await.map_err(refused)?)
        } else {
            None
        };
        let tested = self.take(actor, plan, status, subject.as_ref());
        Ok(Box::pin(tested).await.map_err(refused)?)
    }

    async fn take(
        &self,
        actor: &Actor,
        plan: ConnectionPlan,
        status: ConnectionStatus,
        subject: Option<&Subject>,
    ) -> Result<ConnectionTested, Stop> {
        let engine = &*self.engine;
        let (mut report, mut trace) = (Report::begin(engine), Trace::default());
        let mut tested = Tested::default();
        let prepared = match subject {
            Some(subject) => gather(engine, subject).await?,
            None => Err(None),
        };
        let timeout_ms = match &prepared {
            Ok(prepared) => prepared.timeout_ms(),
            Err(_) => plan.connection().timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS),
        };
        let deadline = Deadline::start(engine, timeout_ms);
        let policy = policy(plan.connection(), &prepared)?;
        connectivity::look(engine, plan.connection(), policy, deadline, &mut report).await;
        let mut proves = false;
        match (&prepared, subject) {
            _ if report.has_failed() => {}
            (Ok(prepared), Some(subject)) => {
                let prepared = prepared.clone();
                let sample = Sample { engine, limits: self.limits, subject, prepared, deadline };
                proves = Box::pin(sample.take(&mut report, &mut trace, &mut tested)).await?;
            }
            (Err(Some(failure)), _) => {
                report.failed(StepName::Credentials, failure.detail.as_str(), hints::of(failure));
            }
            _ => {}
        }
        let passed = !report.has_failed();
        let status = if passed && proves {
            engine.connections.passed(actor, &plan, engine.clock.now()).await?.unwrap_or(status)
        } else {
            status
        };
        let calls = std::mem::take(&mut trace.calls);
        tested.calls = calls.into_iter().map(|call| beside(engine, call, &trace)).collect();
        let Trace { request, response, phases, .. } = trace;
        Ok(ConnectionTested {
            connection: plan.connection().key.clone(),
            version: plan.version(),
            verdict: if passed { TestVerdict::Passed } else { TestVerdict::Failed },
            status,
            certificate: report.certificate,
            stages: report.stages(),
            sample: Tested { request, response, phases, ..tested },
        })
    }
}

/// What the sample call is made of.
async fn subject(
    engine: &Engine,
    actor: &Actor,
    connection: &ConnectionKey,
    wanted: &Wanted,
) -> Result<Subject, Stop> {
    let workspace = actor.workspace;
    let (plan, field) = match &wanted.call {
        Called::Connection(endpoint, params) => {
            let sample =
                engine.plans.over_connection(workspace, connection, endpoint.as_ref(), params).await?;
            (sample.plan, sample.field)
        }
        Called::Field(case_type, field) => {
            let plan = engine.plans.now(workspace, case_type).await?;
            (plan.ok_or(ServiceError::NotFound("case type"))?, field.clone())
        }
    };
    let call = prepare::called(&plan, &field).map_err(|_| ServiceError::NotFound("field"))?;
    if call.connection.as_ref() != Some(connection) {
        let message = format!("the field does not go over the connection `{connection}`: name one that does");
        return Err(ServiceError::invalid("/field/key", code::INVALID, message).into());
    }
    let method = call.request.method;
    if !wanted.confirm && !method.is_safe() {
        let message = format!(
            "`{}` may change something at the provider: add `\"confirm\": true` to send it",
            method.as_str()
        );
        return Err(ServiceError::invalid("/confirm", code::REQUIRED, message).into());
    }
    Subject::of_plan(engine, (plan, &field), &wanted.sample, wanted.input.clone()).await
}

/// What the call reads; else why it cannot be had.
type Gathered = Result<Arc<Prepared>, Option<Failure>>;

async fn gather(engine: &Engine, subject: &Subject) -> Result<Gathered, Stop> {
    let gathered = prepare::gather(engine, &subject.occasion(), subject.plan.clone(), &subject.outputs).await;
    match gathered {
        Ok(prepared) => Ok(Ok(Arc::new(prepared))),
        Err(Stop::Failed(failure)) => Ok(Err(Some(*failure))),
        Err(stop) => Err(stop),
    }
}

/// How TLS to the connection is made. Where its parts cannot be had, only a connection without any
/// goes on.
fn policy(connection: &Connection, prepared: &Gathered) -> Result<Result<Option<TlsPolicy>, Failure>, Stop> {
    match (prepared, &connection.base_url) {
        (Ok(prepared), Some(url)) => match prepared.tls_for(url) {
            Ok(policy) => Ok(Ok(policy)),
            Err(Stop::Failed(failure)) => Ok(Err(*failure)),
            Err(stop) => Err(stop),
        },
        (Err(Some(failure)), _) if !connection.tls.is_empty() => Ok(Err(failure.clone())),
        _ => Ok(Ok(None)),
    }
}
