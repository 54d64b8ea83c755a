//! What somebody typed into a form of a case, held until the form is answered. A page that refuses it
//! for a reason that passes (the database is away, the session has ended) holds it again, to be sent
//! once more; that page needs neither database nor session.
//!
//! Forms of cases only: what is typed elsewhere may be a password or a secret, and is never shown.

use std::rc::Rc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::ORIGIN;
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage as _, HttpRequest};

use super::case_inputs::print;
use super::case_places::DATA;
use super::labels::in_full;
use super::posted::{CSRF, Form, read, same_origin};
use crate::domain::ids::CaseId;

/// The forms that people type cases into.
const FORMS: [&str; 3] = ["/cases/new", "/cases/{id}", "/cases/{id}/fields/{field}/refresh"];
/// What they type beside data.
const NAMES: [&str; 6] = ["title", "reference", "status", "custom_status", "assignee", "input"];
/// Characters of a text that has a line of its own.
const LINE: usize = 80;

/// A form of a case, as it was sent.
#[derive(Debug)]
pub struct Typed {
    /// Where it was sent.
    pub path: String,
    /// Whether the browser says that a page of ours sent it.
    pub is_ours: bool,
    form: Form,
}

/// The same as a form, to be sent again.
#[derive(Debug)]
pub struct Again<'t> {
    /// Where to.
    pub path: &'t str,
    /// What goes along unseen.
    pub hidden: Vec<(&'t str, &'t str)>,
    /// What was typed.
    pub entries: Vec<Entry<'t>>,
}

/// Something that was typed.
#[derive(Debug)]
pub struct Entry<'t> {
    /// What it is called, as far as its name says.
    pub label: String,
    /// The name of its input.
    pub name: &'t str,
    /// What was typed.
    pub text: &'t str,
    /// Whether it needs several lines.
    pub long: bool,
}

/// The middleware: holds what is sent; goes around the search for the session.
pub async fn hold(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let form = request.method() == Method::POST
        && request.match_pattern().is_some_and(|pattern| FORMS.contains(&pattern.as_str()));
    // What another site sends is refused, and never shown as if somebody had typed it.
    if form && same_origin(request.headers()).is_ok() {
        let body = read(request.take_payload()).await?;
        let (path, is_ours) = (request.path().to_owned(), request.headers().contains_key(ORIGIN));
        let typed = Typed { path, is_ours, form: Form::parse(&body) };
        request.extensions_mut().insert(Rc::new(typed));
        request.set_payload(Payload::from(Bytes::from(body)));
    }
    next.call(request).await.map(ServiceResponse::map_into_boxed_body)
}

/// What this request holds.
pub fn typed_in(request: &HttpRequest) -> Option<Rc<Typed>> {
    request.extensions().get::<Rc<Typed>>().cloned()
}

/// The page that a form at this path lies on; none: it is no form of cases.
pub fn page_of(path: &str) -> Option<String> {
    let first = path.strip_prefix("/cases/")?.split('/').next()?;
    Some(first.parse::<CaseId>().map_or_else(|_| "/cases".to_owned(), |id| format!("/cases/{id}")))
}

impl Typed {
    /// Whether there is anything that somebody would have to type again.
    pub fn is_any(&self) -> bool {
        self.form.all().any(|(name, text)| self.is_typed(name, text))
    }

    /// To be sent again; `csrf` is what forms of this session carry, or empty: as it was sent.
    pub fn again<'t>(&'t self, csrf: &'t str) -> Again<'t> {
        let mut again = Again { path: &self.path, hidden: Vec::new(), entries: Vec::new() };
        for (name, text) in self.form.all() {
            if self.is_typed(name, text) {
                let label = in_full(name.strip_prefix(DATA).unwrap_or(name));
                let long = text.contains('\n') || text.chars().count() > LINE;
                again.entries.push(Entry { label, name, text, long });
            } else {
                again.hidden.push((name, if name == CSRF && !csrf.is_empty() { csrf } else { text }));
            }
        }
        again
    }

    fn is_typed(&self, name: &str, text: &str) -> bool {
        let was = self.form.get(&format!("was.{name}"));
        let changed = was.map_or_else(|| !text.trim().is_empty(), |was| print(text) != was);
        changed && (name.starts_with(DATA) || NAMES.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App, HttpResponse, web};

    use super::*;
    use crate::service::ServiceError;
    use crate::store::StoreError;
    use crate::ui::edge::edge;
    use crate::ui::refusal::Refusal;

    const CASE: &str = "/cases/019a0000-0000-7000-8000-000000000000";

    fn page(title: &str) -> Result<HttpResponse, Refusal> {
        let store = |error| Err(ServiceError::Store(error).into());
        match title {
            "away" => store(StoreError::Unavailable(String::new())),
            "unread" => store(StoreError::Unread(String::new())),
            "trouble" => Err(Refusal::trouble("a test")),
            "panic" => panic!("a test"),
            _ => Err(Refusal::not_found()),
        }
    }

    async fn sent(path: &str, title: &str) -> String {
        let refuse = |body: String| async move { page(body.split(['=', '&']).nth(1).unwrap_or_default()) };
        let around = |pattern: &str| {
            let resource = web::resource(pattern.to_owned()).route(web::post().to(refuse));
            resource.wrap(from_fn(hold)).wrap(from_fn(edge))
        };
        let app = App::new().service(around("/cases/{id}")).service(around("/people/{id}"));
        let body =
            format!("title={title}&data.a.b=new+text&was.data.a.b=0&data.same=&was.data.same={}", print(""));
        let request = TestRequest::post().uri(path).set_payload(body);
        let answer = call_service(&init_service(app).await, request.to_request()).await;
        String::from_utf8(read_body(answer).await.to_vec()).unwrap()
    }

    #[actix_web::test]
    async fn a_page_holds_what_is_worth_sending_again() {
        for title in ["away", "trouble", "panic"] {
            let html = sent(CASE, title).await;
            for text in [
                &format!("method=\"post\" action=\"{CASE}\""),
                "<label for=\"typed-2\">A b</label>",
                "name=\"data.a.b\" value=\"new text\"",
                "<input type=\"hidden\" name=\"data.same\" value=\"\">",
                &format!("href=\"{CASE}\">Back to the case"),
            ] {
                assert!(html.contains(text), "{title}: {text}: {html}");
            }
        }
        for (path, title) in [(CASE, "unread"), (CASE, "gone"), ("/people/1", "away")] {
            let html = sent(path, title).await;
            assert!(!html.contains("new text") && html.contains("Back to the"), "{title}: {html}");
        }
    }
}
