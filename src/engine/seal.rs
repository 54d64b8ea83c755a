//! Holds a begun run to the request that it was begun with.
//!
//! The first attempt fixes a fingerprint of the request; a retry goes out only when it is still
//! the same one. Else the run gives way to a newer one, with a new key, so that no key ever
//! carries two different requests and no answer is taken for that of another request.
//!
//! The fingerprint says nothing about secrets: where a template reads one outside `auth`, its
//! name stands for its value, so that a rotated secret changes nothing and nobody can guess a
//! secret from the row. For the same reason the attempt always counts as the first.

use std::sync::Arc;

use ring::digest;
use serde_json::{Map, Value};

use super::context::{Engine, Stop, Trace};
use super::occasion::root_run;
use super::prepare::Prepared;
use super::render::{self, IDEMPOTENCY_KEYS, Rendered};
use crate::domain::ids::RunId;
use crate::domain::redact::Redactor;
use crate::domain::run::{Fired, NewRun, Reason};
use crate::domain::template::Scope;
use crate::store::{ClaimedRun, Seal};

/// Renders the request of an attempt, or gives way to a newer run.
pub(super) async fn render(
    engine: &Engine,
    run: &ClaimedRun,
    prepared: &mut Prepared,
    trace: &mut Trace,
) -> Result<Rendered, Stop> {
    if run.attempt > 1 && gives_way(engine, run, prepared).await? {
        return Err(Stop::Superseded(None));
    }
    match (seen(run, prepared, trace), &run.fingerprint) {
        (Ok((request, print)), Some(kept)) if print != *kept => {
            if run.attempt > 1 {
                return Err(changed(engine, run, prepared).await);
            }
            another(run, prepared, request, print, trace)
        }
        (Ok((request, print)), _) => {
            trace.fingerprint = Some(print);
            Ok(request)
        }
        (Err(_), Some(_)) if run.attempt > 1 && standing(run, prepared).is_err() => {
            Err(changed(engine, run, prepared).await)
        }
        (Err(stop), _) => Err(stop),
    }
}

/// Puts the fingerprint into the row before a request that is not safe to repeat leaves for the
/// first time. That of a safe one goes there with the report.
pub(super) async fn keep(
    engine: &Engine,
    run: &ClaimedRun,
    prepared: &Prepared,
    trace: &Trace,
) -> Result<(), Stop> {
    let safe = prepared.call().is_none_or(|call| call.request.method.is_safe());
    let goes_with_report = safe && run.fingerprint.is_none();
    let Some(fingerprint) = trace.fingerprint.clone() else { return Ok(()) };
    if goes_with_report || run.fingerprint.as_ref() == Some(&fingerprint) {
        return Ok(());
    }
    let idempotency_key = prepared.idempotency_key.clone();
    let seal = Seal { run_id: run.id, token: run.token, fingerprint, idempotency_key };
    if engine.store.seal(seal).await? { Ok(()) } else { Err(Stop::Lost) }
}

/// Whether a newer run waits behind a retry that only reads.
async fn gives_way(engine: &Engine, run: &ClaimedRun, prepared: &Prepared) -> Result<bool, Stop> {
    if prepared.call().is_none_or(|call| !call.request.method.is_safe()) {
        return Ok(false);
    }
    let tx = engine.store.read().await?;
    Ok(tx.has_unbegun(run.case.case.id, &run.field).await?)
}

/// The request and its fingerprint.
fn seen(run: &ClaimedRun, prepared: &Prepared, trace: &mut Trace) -> Result<(Rendered, Vec<u8>), Stop> {
    let request = render::render(prepared, trace)?;
    let varies = prepared.varies();
    let print = if varies { standing(run, prepared)? } else { fingerprint(&request, None) };
    Ok((request, print))
}

/// The key of the run that this one repeats stood for another request: this run takes its own.
fn another(
    run: &ClaimedRun,
    prepared: &mut Prepared,
    request: Rendered,
    print: Vec<u8>,
    trace: &mut Trace,
) -> Result<Rendered, Stop> {
    let own = run.id.to_string();
    let (request, print) = if prepared.idempotency_key == own {
        (request, print)
    } else {
        prepared.take_key(own);
        seen(run, prepared, trace)?
    };
    trace.fingerprint = Some(print);
    Ok(request)
}

/// The fingerprint of the request as it stands over all attempts.
fn standing(run: &ClaimedRun, prepared: &Prepared) -> Result<Vec<u8>, Stop> {
    let mut first = prepared.scope.clone();
    first.set("run", root_run(&run.into(), 1));
    let mut apart = first.clone();
    apart.set("secret", named(&prepared.secrets.values));
    let render = |scope: &Scope| render::render_with(prepared, scope, &mut Trace::default());
    match render(&apart) {
        Ok(request) => Ok(fingerprint(&request, None)),
        // A formula that computes with a secret may not take its name.
        Err(_) => Ok(fingerprint(&render(&first)?, Some(&prepared.redactor()))),
    }
}

/// The secrets, each with its name for a value.
fn named(secrets: &Map<String, Value>) -> Arc<Value> {
    let named = secrets.keys().map(|name| (name.clone(), Value::String(format!("[secret {name}]"))));
    Arc::new(Value::Object(named.collect()))
}

/// SHA-256 over method, URL, headers and body, each with its length before it; `hidden`: as the
/// redactor shows them.
fn fingerprint(request: &Rendered, hidden: Option<&Redactor>) -> Vec<u8> {
    let mut digest = digest::Context::new(&digest::SHA256);
    let mut add = |part: &[u8]| {
        let shown = hidden.map(|redactor| redactor.redact_bytes(part));
        let part = shown.as_deref().unwrap_or(part);
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part);
    };
    add(request.method.as_str().as_bytes());
    add(request.url.as_str().as_bytes());
    let mut headers: Vec<(String, &str)> =
        request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_str())).collect();
    headers.sort_unstable();
    for (name, value) in headers.iter().filter(|(name, _)| !IDEMPOTENCY_KEYS.contains(&name.as_str())) {
        add(name.as_bytes());
        add(value.as_bytes());
    }
    add(request.body.as_deref().unwrap_or_default());
    digest.finish().as_ref().to_vec()
}

/// Gives way to a new run of the same trigger, input and rank, under the current version.
async fn changed(engine: &Engine, run: &ClaimedRun, prepared: &Prepared) -> Stop {
    match successor(engine, run, prepared).await {
        Ok(run) => Stop::Superseded(Some(Box::new(run))),
        Err(stop) => stop,
    }
}

async fn successor(engine: &Engine, run: &ClaimedRun, prepared: &Prepared) -> Result<NewRun, Stop> {
    let now = engine.clock.now();
    let plan = engine.plans.by_id_now(run.case_type_id).await?;
    let current = plan.as_ref().and_then(|plan| Some((plan, plan.case_type.field(run.field.as_str())?)));
    let (under, call) = match current.and_then(|(plan, field)| Some((plan.under(), field.api_call()?))) {
        Some(current) => current,
        None => (prepared.plan.under(), prepared.call().ok_or(Stop::Cancelled(Reason::FieldRemoved))?),
    };
    let why = Fired { trigger: run.trigger, priority: run.priority, by: format!("run:{}", run.id), at: now };
    Ok(NewRun {
        input: run.input.clone(),
        force: run.force,
        overwrite: run.overwrite,
        depth: run.depth,
        parent_run_id: run.parent_run_id,
        old: run.old.as_deref().cloned(),
        retry_of: run.retry_of,
        replaces: Some(run.id),
        ..NewRun::new(RunId(engine.rng.uuid(now)), &run.case.case, under, &run.field, call, why)
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::domain::api_call::Method;
    use crate::domain::redact::Label;

    fn request(url: &str, headers: &[(&str, &str)], body: &str) -> Rendered {
        Rendered {
            method: Method::Post,
            url: url.parse().unwrap(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: Some(Bytes::copy_from_slice(body.as_bytes())),
        }
    }

    #[test]
    fn a_fingerprint_knows_what_is_asked_for_and_no_more() {
        let url = "https://registry.example/a?x=1";
        let one = fingerprint(&request(url, &[("Accept", "a"), ("X-B", "b")], "{}"), None);
        assert_eq!(one.len(), 32);
        let same: [&[(&str, &str)]; 3] = [
            &[("x-b", "b"), ("ACCEPT", "a")],
            &[("Accept", "a"), ("Idempotency-Key", "k"), ("X-B", "b")],
            &[("X-B", "b"), ("x-idempotency-key", "k"), ("Accept", "a")],
        ];
        for headers in same {
            assert_eq!(fingerprint(&request(url, headers, "{}"), None), one, "{headers:?}");
        }
        let others = [
            request("https://registry.example/a?x=2", &[("Accept", "a"), ("X-B", "b")], "{}"),
            request(url, &[("Accept", "a"), ("X-B", "c")], "{}"),
            request(url, &[("Accept", "a")], "{}"),
            request(url, &[("Accept", "a"), ("X-B", "b")], "[]"),
            request(url, &[("Accept", "aX-B"), ("", "b")], "{}"),
            Rendered { method: Method::Put, ..request(url, &[("Accept", "a"), ("X-B", "b")], "{}") },
            Rendered { body: None, ..request(url, &[("Accept", "a"), ("X-B", "b")], "{}") },
        ];
        for other in others {
            assert_ne!(fingerprint(&other, None), one, "{} {:?}", other.url, other.headers);
        }
    }

    #[test]
    fn a_fingerprint_of_hidden_values_does_not_depend_on_them() {
        let print = |secret: &str| {
            let redactor = Redactor::new([(Label::Secret("pin".parse().unwrap()), secret)]);
            let request =
                request(&format!("https://registry.example/{secret}"), &[("X-Pin", secret)], secret);
            (fingerprint(&request, Some(&redactor)), fingerprint(&request, None))
        };
        let (first, second) = (print("first-secret"), print("other-secret"));
        assert_eq!(first.0, second.0);
        assert_ne!(first.1, second.1);
    }

    #[test]
    fn a_secret_stands_for_itself_by_name() {
        let secrets = json!({"pin": "first-secret"});
        assert_eq!(*named(secrets.as_object().unwrap()), json!({"pin": "[secret pin]"}));
    }
}
