//! What all lists answer: a page of items and the way to the next one.

use actix_web::HttpResponse;
use serde::Serialize;

use crate::service::Page;

/// A page as it is sent.
#[derive(Serialize)]
struct List<V> {
    items: Vec<V>,
    next_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_at_least: Option<u64>,
}

/// Answers a page, each item in its view.
pub fn answer<T, V: Serialize>(page: Page<T>, mut view: impl FnMut(T) -> V) -> HttpResponse {
    HttpResponse::Ok().json(List {
        items: page.items.into_iter().map(&mut view).collect(),
        next_cursor: page.next,
        total: page.total,
        total_at_least: page.total_at_least,
    })
}
