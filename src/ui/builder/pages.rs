//! What the lists of this folder have in common: where a page of them begins, what was done before.

use actix_web::HttpRequest;
use url::form_urlencoded::byte_serialize;

use crate::service::PageRequest;
use crate::ui::posted::Form;

/// Where pages about connections hear that calls were made. What no call tells, a switch by hand or a
/// pause that is over, they look for by themselves: `data-every` in their templates.
pub const EVENTS: &str = "/cases/events";

/// The part of a list that an address asks for, and what a form before has done.
pub struct Asked {
    /// The query.
    pub query: Form,
}

impl Asked {
    /// By the address.
    pub fn of(request: &HttpRequest) -> Self {
        Self { query: Form::parse(request.query_string().as_bytes()) }
    }

    /// The code of what was done.
    pub fn done(&self) -> &str {
        self.query.get("done").unwrap_or_default()
    }

    /// The part of the list.
    pub fn page(&self) -> PageRequest {
        PageRequest { cursor: self.query.text("cursor").map(str::to_owned), ..PageRequest::default() }
    }

    /// Whether it begins behind the first item.
    pub fn later(&self) -> bool {
        self.query.text("cursor").is_some()
    }
}

/// The address of the next part of a list.
pub fn next_url(list: &str, cursor: Option<String>) -> Option<String> {
    cursor.map(|cursor| format!("{list}?cursor={}", byte_serialize(cursor.as_bytes()).collect::<String>()))
}
