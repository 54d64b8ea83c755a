//! `/secrets`: names, hosts, dates and users. A value goes in by the form and comes out nowhere: not
//! in the list, and not in a form that is shown again because something in it is wrong.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use super::pages::{Asked, Further, next_url};
use crate::domain::expected::Expected;
use crate::domain::ids::SecretName;
use crate::domain::problem::code;
use crate::domain::token::Role;
use crate::service::{PutSecret, SecretUser, ServiceError, Services};
use crate::store::SecretInfo;
use crate::ui::frame::{Frame, Place, answer};
use crate::ui::history::actions::see;
use crate::ui::moment::Moment;
use crate::ui::posted::{Form, Posted};
use crate::ui::refusal::Refusal;
use crate::ui::visitor::Visitor;
use crate::ui::words::secrets as w;
use crate::ui::wrong::Wrong;

/// Users that are listed of each.
const USERS: usize = 8;

/// A secret in the list.
struct SecretRow {
    name: String,
    version: i64,
    hosts: Vec<String>,
    redact: bool,
    changed: Moment,
    used: Option<Moment>,
    /// Who uses it, and where that is.
    users: Vec<(String, String)>,
    more_users: usize,
    /// The address of the form with it.
    replace: String,
}

/// What is in the form, but for the value.
#[derive(Debug, Default)]
struct Typed {
    name: String,
    hosts: String,
    redact: bool,
    /// It is there, and gets another value.
    replaces: bool,
}

#[derive(Template)]
#[template(path = "builder/secrets.html")]
struct SecretsPage<'a> {
    frame: Frame,
    rows: Vec<SecretRow>,
    further: Further,
    typed: Typed,
    wrong: &'a Wrong,
    open: bool,
}

/// The page.
pub async fn page(
    services: Data<Services>,
    visitor: Visitor,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    shown(&services, &visitor, &Asked::of(&request), None, &Wrong::default()).await
}

/// Makes a secret, or gives one another value.
pub async fn put(services: Data<Services>, posted: Posted) -> Result<HttpResponse, Refusal> {
    let Posted { visitor, form } = posted;
    visitor.require(Role::Builder)?;
    let typed = Typed {
        name: form.text("name").unwrap_or_default().to_owned(),
        hosts: form.get("hosts").unwrap_or_default().to_owned(),
        redact: form.ticked("redact"),
        replaces: form.ticked("replaces"),
    };
    let done = if typed.replaces { "replaced" } else { "saved" };
    match save(&services, &visitor, &typed, &form).await {
        Ok(()) => Ok(see("/secrets", done)),
        Err(error) => {
            let asked = Asked { query: Form::default() };
            shown(&services, &visitor, &asked, Some(typed), &Wrong::of(error)?).await
        }
    }
}

async fn save(
    services: &Services,
    visitor: &Visitor,
    typed: &Typed,
    form: &Form,
) -> Result<(), ServiceError> {
    let invalid =
        |error: &dyn std::fmt::Display| ServiceError::invalid("/name", code::INVALID, error.to_string());
    let name: SecretName = typed.name.parse().map_err(|error| invalid(&error))?;
    let hosts: Vec<String> = typed
        .hosts
        .split([',', '\n', ' ', '\r'])
        .filter(|host| !host.is_empty())
        .map(str::to_owned)
        .collect();
    let value = form.get("value").unwrap_or_default().to_owned();
    let secret = PutSecret::new(value, &hosts, typed.redact)?;
    // Who puts in a new one shall not write over one that is there by mistake.
    let expected = if typed.replaces { Expected::Anything } else { Expected::Absent };
    let put = services.secrets.put(&visitor.actor, name, secret, expected).await;
    put.map(|_| ()).map_err(|error| match error {
        ServiceError::VersionMismatch { .. } => ServiceError::AlreadyExists(w::TAKEN.to_owned()),
        error => error,
    })
}

/// Deletes a secret that nobody uses.
pub async fn delete(
    services: Data<Services>,
    posted: Posted,
    path: Path<String>,
) -> Result<HttpResponse, Refusal> {
    posted.visitor.require(Role::Builder)?;
    let name: SecretName = path.parse().map_err(|_| Refusal::not_found())?;
    services.secrets.delete(&posted.visitor.actor, &name).await?;
    Ok(see("/secrets", "deleted"))
}

async fn shown(
    services: &Services,
    visitor: &Visitor,
    asked: &Asked,
    typed: Option<Typed>,
    wrong: &Wrong,
) -> Result<HttpResponse, Refusal> {
    let list = services.secrets.list(&visitor.actor, asked.page()).await?;
    let users = services.secrets.users(&visitor.actor).await?;
    let now = services.clock.now();
    let replaced = asked.query.text("replace");
    let replaced = list.items.iter().find(|info| Some(info.name.as_str()) == replaced).map(Typed::of);
    let open = typed.is_some() || replaced.is_some();
    let row = |info: &SecretInfo| {
        let users = users.get(info.name.as_str()).map_or(&[][..], Vec::as_slice);
        SecretRow {
            name: info.name.to_string(),
            version: info.version,
            hosts: info.hosts.iter().map(ToString::to_string).collect(),
            redact: info.redact,
            changed: Moment::age(info.updated_at, now),
            used: info.last_used_at.map(|at| Moment::age(at, now)),
            users: users.iter().take(USERS).map(user).collect(),
            more_users: users.len().saturating_sub(USERS),
            replace: next_url("/secrets", asked.query.text("cursor").map(str::to_owned)).map_or_else(
                || format!("/secrets?replace={}", info.name),
                |url| format!("{url}&replace={}", info.name),
            ),
        }
    };
    let page = SecretsPage {
        frame: visitor.frame(Place::Secrets, w::TITLE).saying(w::done(asked.done())),
        rows: list.items.iter().map(row).collect(),
        further: asked.further("/secrets", w::FURTHER, list.next),
        typed: typed.or(replaced).unwrap_or(Typed { redact: true, ..Typed::default() }),
        wrong,
        open,
    };
    let status = if wrong.is_any() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(answer(status, &page))
}

impl Typed {
    /// A secret that gets another value.
    fn of(info: &SecretInfo) -> Self {
        let hosts: Vec<String> = info.hosts.iter().map(ToString::to_string).collect();
        Self { name: info.name.to_string(), hosts: hosts.join("\n"), redact: info.redact, replaces: true }
    }
}

/// Who uses it and where that is.
fn user(user: &SecretUser) -> (String, String) {
    match user {
        SecretUser::Field { case_type, field } => {
            (format!("{case_type}.{field}"), format!("/case-types/{case_type}#field-{field}"))
        }
        SecretUser::Connection(key) => (key.clone(), format!("/connections/{key}")),
    }
}
