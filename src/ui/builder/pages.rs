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

    /// How this list goes on: `word` names what is further.
    pub fn further(&self, list: &'static str, word: &'static str, next: Option<String>) -> Further {
        let first = self.query.text("cursor").map(|_| list);
        Further { first, next: next_url(list, next), word }
    }
}

/// Where a list goes on, and back to its beginning.
pub struct Further {
    /// The address of its beginning; none: this is it.
    pub first: Option<&'static str>,
    /// The address of its next part.
    pub next: Option<String>,
    /// What that is called.
    pub word: &'static str,
}

/// The address of the next part of a list.
pub fn next_url(list: &str, cursor: Option<String>) -> Option<String> {
    cursor.map(|cursor| format!("{list}?cursor={}", byte_serialize(cursor.as_bytes()).collect::<String>()))
}
