//! The body of an action that takes none: left out, or an object without members.
//!
//! Anything else is refused, so that nobody believes in a setting that is not there.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde_json::Value;

use super::body::OptionalJson;
use super::error::ApiError;
use crate::domain::case_type::findings::Findings;
use crate::domain::case_type::reader::Reader;
use crate::service::ServiceError;

/// There is nothing in the body.
pub struct NoMembers;

impl FromRequest for NoMembers {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = OptionalJson::from_request(request, payload);
        Box::pin(async move { Ok(check(body.await?.0.as_ref())?) })
    }
}

fn check(body: Option<&Value>) -> Result<NoMembers, ServiceError> {
    let Some(body) = body else { return Ok(NoMembers) };
    let mut findings = Findings::default();
    if let Some(reader) = Reader::open(body, "", &mut findings) {
        reader.finish(|_| Some("this action takes no members, so leave the body out"));
    }
    if findings.problems.is_empty() { Ok(NoMembers) } else { Err(ServiceError::Invalid(findings.problems)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_or_an_empty_object_will_do() {
        assert!(check(None).is_ok() && check(Some(&json!({}))).is_ok());
        for (wrong, pointer) in [(json!([]), ""), (json!(null), ""), (json!({"force": true}), "/force")] {
            let Err(ServiceError::Invalid(problems)) = check(Some(&wrong)) else { panic!("{wrong}") };
            assert_eq!(problems[0].pointer, pointer, "{problems:?}");
        }
    }
}
