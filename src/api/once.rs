//! `Idempotency-Key`: a POST that is sent twice has its effect once, and both answers agree.
//!
//! Around every POST with a key: what came to something before is replayed and the handler never
//! asked; what is refused is kept as a refusal. The effect itself is kept by the use case, in the
//! transaction of the effect; a handler only passes [`IdempotencyKey`] on. When two arrive at
//! once, the use case of the later one finds the key taken, and its answer becomes a replay too.

use std::future::{Ready, ready};
use std::rc::Rc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, FromRequest, HttpMessage as _, HttpRequest, HttpResponse};

use super::body;
use super::error::{ApiError, Code};
use super::extract::Wait;
use super::replay;
use crate::domain::once::{Kept, Once, is_key};
use crate::service::{Actor, Services};

/// The header.
const HEADER: &str = "idempotency-key";

/// The key of a request, for the use case that keeps it; none: it has no key.
pub struct IdempotencyKey(pub Option<Once>);

impl FromRequest for IdempotencyKey {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(request.extensions().get::<Once>().cloned())))
    }
}

/// The middleware; goes inside of authentication.
pub async fn once(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let asked = match Asked::of(&mut request).await {
        Ok(Some(asked)) => asked,
        Ok(None) => return next.call(request).await.map(ServiceResponse::map_into_boxed_body),
        Err(error) => return Ok(request.error_response(error)),
    };
    match asked.services.keys.find(&asked.once).await {
        Ok(Some(kept)) => {
            let answer = asked.replay(&kept).await;
            // `into_response` would drop the error, and with it the id that the edge names it by.
            return Ok(ServiceResponse::new(request.into_parts().0, answer));
        }
        Ok(None) => {}
        Err(error) => return Ok(request.error_response(ApiError::from(error))),
    }
    request.extensions_mut().insert(asked.once.clone());
    let answer = next.call(request).await?.map_into_boxed_body();
    asked.finish(answer).await
}

/// A request with a key.
struct Asked {
    once: Once,
    actor: Rc<Actor>,
    services: Data<Services>,
    wait: Wait,
}

impl Asked {
    /// Reads the whole body for its mark, and puts it back.
    async fn of(request: &mut ServiceRequest) -> Result<Option<Self>, ApiError> {
        if request.method() != Method::POST {
            return Ok(None);
        }
        let Some(key) = key(request.headers())? else { return Ok(None) };
        let actor = request.extensions().get::<Rc<Actor>>().cloned();
        let actor = actor.ok_or_else(|| ApiError::internal("a key outside of authentication"))?;
        let token = actor.token().ok_or_else(|| ApiError::internal("a key without a token"))?;
        let services = request.app_data::<Data<Services>>().cloned();
        let services = services.ok_or_else(|| ApiError::internal("no services"))?;
        let payload = request.take_payload();
        let bytes = body::whole(request.request(), payload).await?;
        let path = format!("POST {}", request.path());
        let once = services.keys.request(actor.workspace, token, (path, key), &bytes);
        request.set_payload(Payload::from(bytes));
        let wait = Wait::of(request.headers());
        Ok(Some(Self { once, actor, services, wait }))
    }

    async fn replay(&self, kept: &Kept) -> HttpResponse {
        match replay::answer(&self.services, &self.actor, kept, self.wait).await {
            Ok(answer) => answer,
            Err(error) => HttpResponse::from_error(error),
        }
    }

    async fn finish(self, answer: ServiceResponse<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
        let refusal = answer.response().error().map(ApiError::of);
        if let Some(kept) = refusal.as_ref().and_then(ApiError::repeated) {
            let replayed = self.replay(kept).await;
            return Ok(ServiceResponse::new(answer.into_parts().0, replayed));
        }
        let noted = match refusal {
            Some(error) if error.code().stays() => {
                let code = error.code();
                self.services.keys.refused(self.once, code.status(), code.as_str()).await
            }
            None if answer.status() == 200 && self.wait.is_asked() => {
                self.services.keys.raise(self.once, 200).await
            }
            _ => Ok(()),
        };
        if let Err(error) = noted {
            // What was answered is true; only a repetition would be looked at anew.
            tracing::warn!(%error, "how a request with a key was answered could not be kept");
        }
        Ok(answer)
    }
}

fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(HEADER);
    let Some(value) = values.next() else { return Ok(None) };
    match value.to_str() {
        Ok(key) if is_key(key) && values.next().is_none() => Ok(Some(key.to_owned())),
        _ => Err(ApiError::new(
            Code::MalformedRequest,
            "`Idempotency-Key` is not a key: send one, of 1 to 255 visible ASCII characters without spaces; a UUID \
             will do.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_key_is_read_or_refused() {
        let read = |values: &[&str]| {
            let mut request = TestRequest::post();
            for value in values {
                request = request.append_header((HEADER, *value));
            }
            key(request.to_http_request().headers())
        };
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&["k-1"]).unwrap().as_deref(), Some("k-1"));
        for bad in [&[""][..], &["a b"], &["k", "k"], &["ключ"]] {
            assert!(read(bad).unwrap_err().to_string().starts_with("400 malformed_request: "), "{bad:?}");
        }
    }
}
