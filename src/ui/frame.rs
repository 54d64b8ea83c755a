//! What all pages have around their content, and how one is sent.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use askama::Template;

use super::words::frame as w;
use crate::domain::token::Role;

/// The pages that the bar at the top leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The list of cases and the cases themselves.
    Cases,
    /// The history of runs.
    Runs,
    /// Case types.
    CaseTypes,
    /// Connections.
    Connections,
    /// Schedules.
    Schedules,
    /// Secrets.
    Secrets,
    /// People who may sign in.
    People,
}

impl Place {
    /// All, as they stand in the bar.
    const ALL: [Self; 7] = [
        Self::Cases,
        Self::Runs,
        Self::CaseTypes,
        Self::Connections,
        Self::Schedules,
        Self::Secrets,
        Self::People,
    ];

    /// Its address.
    pub const fn url(self) -> &'static str {
        match self {
            Self::Cases => "/cases",
            Self::Runs => "/runs",
            Self::CaseTypes => "/case-types",
            Self::Connections => "/connections",
            Self::Schedules => "/schedules",
            Self::Secrets => "/secrets",
            Self::People => "/people",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Cases => w::CASES,
            Self::Runs => w::RUNS,
            Self::CaseTypes => w::CASE_TYPES,
            Self::Connections => w::CONNECTIONS,
            Self::Schedules => w::SCHEDULES,
            Self::Secrets => w::SECRETS,
            Self::People => w::PEOPLE,
        }
    }

    /// The least role that may open it.
    const fn role(self) -> Role {
        if matches!(self, Self::People) { Role::Admin } else { Role::Viewer }
    }
}

/// Who looks at the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// What their forms carry, so that no page of somebody else's can send one.
    pub csrf: Arc<str>,
}

/// What stands around the content of a page.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The title in the browser's tab.
    pub title: String,
    /// The entry of the bar that the page belongs to.
    pub place: Option<Place>,
    /// Who looks; none: nobody is signed in.
    pub guest: Option<Guest>,
    /// What the form before has done.
    pub done: Option<&'static str>,
    /// Where the page hears that something has changed; none: it does not live.
    pub events: Option<String>,
}

impl Frame {
    /// The frame of a page that needs no sign-in.
    pub fn for_nobody() -> Self {
        Self { title: String::new(), place: None, guest: None, done: None, events: None }
    }

    /// The frame of a page for this person.
    pub fn of(guest: Guest, place: Place) -> Self {
        Self { guest: Some(guest), place: Some(place), ..Self::for_nobody() }
    }

    /// The same under a title.
    #[must_use]
    pub fn titled(&self, title: impl Into<String>) -> Self {
        Self { title: title.into(), ..self.clone() }
    }

    /// The same, saying what was done; none says nothing.
    #[must_use]
    pub fn saying(self, done: Option<&'static str>) -> Self {
        Self { done, ..self }
    }

    /// The same, living: it hears of changes at this address.
    #[must_use]
    pub fn hearing(self, events: impl Into<String>) -> Self {
        Self { events: Some(events.into()), ..self }
    }

    /// Whether whoever looks may do what this role may.
    pub fn may(&self, role: Role) -> bool {
        self.guest.as_ref().is_some_and(|guest| guest.role.allows(role))
    }

    /// Whether they may work on cases: for templates.
    pub fn may_work(&self) -> bool {
        self.may(Role::Operator)
    }

    /// Whether they may change connections and secrets: for templates.
    pub fn may_build(&self) -> bool {
        self.may(Role::Builder)
    }

    /// What forms carry, or nothing.
    pub fn csrf(&self) -> &str {
        self.guest.as_ref().map_or("", |guest| &guest.csrf)
    }

    /// The entries of the bar: address, name, whether the page belongs to it.
    pub fn places(&self) -> Vec<(&'static str, &'static str, bool)> {
        let shown = Place::ALL.into_iter().filter(|place| self.may(place.role()));
        shown.map(|place| (place.url(), place.name(), self.place == Some(place))).collect()
    }
}

/// A page, to be sent.
pub fn page(template: &impl Template) -> HttpResponse {
    answer(StatusCode::OK, template)
}

/// A page with another status.
pub fn answer(status: StatusCode, template: &impl Template) -> HttpResponse {
    sent(status, written_page(template))
}

/// A page as it is written; empty, with a line in the log, when it cannot be.
pub fn written_page(template: &impl Template) -> String {
    template.render().unwrap_or_else(|cause| {
        // A template fails only when a value in it cannot be written as text.
        tracing::error!(%cause, "a page could not be written");
        String::new()
    })
}

/// A page that is written.
pub fn sent(status: StatusCode, html: String) -> HttpResponse {
    if html.is_empty() {
        return HttpResponse::InternalServerError().finish();
    }
    HttpResponse::build(status).content_type(ContentType::html()).body(html)
}
