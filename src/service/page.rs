//! Pages of lists: keyset cursors and counts.
//!
//! A cursor is the position of the last item of a page, as base64url of its JSON, so it stays
//! right while rows come and go. It is no secret and is checked when it comes back.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::ServiceError;

/// Up to here totals are exact; lists are counted up to one above.
pub const EXACT_TOTAL: u64 = 10_000;

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// Most items, from 1 on.
    pub limit: u64,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// Whether the total is wanted.
    pub count: bool,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { limit: 50, cursor: None, count: false }
    }
}

impl PageRequest {
    /// The position after which the page begins.
    pub fn after<T: DeserializeOwned>(&self) -> Result<Option<T>, ServiceError> {
        self.cursor.as_deref().map(position).transpose()
    }

    /// How many to fetch: one more than a page holds, in which it shows whether there is another.
    pub fn fetch(&self) -> u64 {
        self.limit.saturating_add(1)
    }
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The cursor of the next page; none: this is the last.
    pub next: Option<String>,
    /// How many there are in all, when that was asked for and is not too many.
    pub total: Option<u64>,
    /// When it is: there are at least this many.
    pub total_at_least: Option<u64>,
}

impl<T> Page<T> {
    /// A page of what was fetched, [`PageRequest::fetch`] items of it; `position` tells of an
    /// item what comes after it.
    pub fn cut<P: Serialize>(mut fetched: Vec<T>, request: &PageRequest, position: impl Fn(&T) -> P) -> Self {
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
        let more = fetched.len() > limit;
        fetched.truncate(limit);
        let next = fetched.last().filter(|_| more).map(|last| cursor(&position(last)));
        Self { items: fetched, next, total: None, total_at_least: None }
    }

    /// With the total, counted up to one above [`EXACT_TOTAL`].
    #[must_use]
    pub fn with_total(mut self, counted: Option<u64>) -> Self {
        self.total = counted.filter(|count| *count <= EXACT_TOTAL);
        self.total_at_least = counted.filter(|count| *count > EXACT_TOTAL).map(|_| EXACT_TOTAL);
        self
    }

    /// The same page of something made of the items; what gives nothing is left out.
    pub fn filter_map<U>(self, make: impl FnMut(T) -> Option<U>) -> Page<U> {
        Page {
            items: self.items.into_iter().filter_map(make).collect(),
            next: self.next,
            total: self.total,
            total_at_least: self.total_at_least,
        }
    }

    /// The same page of something made of the items.
    pub fn map<U>(self, mut make: impl FnMut(T) -> U) -> Page<U> {
        self.filter_map(|item| Some(make(item)))
    }
}

/// A position as a cursor.
pub fn cursor<T: Serialize>(position: &T) -> String {
    // Positions are texts, numbers and ids, which always serialise.
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(position).unwrap_or_default())
}

/// The position that a cursor tells.
pub fn position<T: DeserializeOwned>(cursor: &str) -> Result<T, ServiceError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| ServiceError::BadCursor)?;
    serde_json::from_slice(&bytes).map_err(|_| ServiceError::BadCursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(limit: u64, cursor: Option<&str>) -> PageRequest {
        PageRequest { limit, cursor: cursor.map(str::to_owned), count: false }
    }

    #[test]
    fn a_page_is_followed_by_another_only_when_one_more_was_found() {
        for (found, items, next) in [(vec![], 0, None), (vec![1, 2], 2, None), (vec![1, 2, 3], 2, Some(2))] {
            let page = Page::cut(found, &request(2, None), |item| *item);
            assert_eq!(page.items.len(), items);
            assert_eq!(page.next.map(|next| position::<i32>(&next).unwrap()), next);
        }
    }

    #[test]
    fn a_cursor_that_is_not_ours_is_refused() {
        let good = cursor(&("a", 5));
        assert_eq!(request(1, Some(&good)).after::<(String, i64)>().unwrap(), Some(("a".to_owned(), 5)));
        assert_eq!(request(1, None).after::<String>().unwrap(), None);
        for bad in ["", "?", "e30", "bnVsbA", good.as_str()] {
            assert!(matches!(request(1, Some(bad)).after::<String>(), Err(ServiceError::BadCursor)), "{bad}");
        }
    }

    #[test]
    fn totals_are_exact_up_to_ten_thousand() {
        for (counted, total, at_least) in
            [(None, None, None), (Some(10_000), Some(10_000), None), (Some(10_001), None, Some(10_000))]
        {
            let page = Page::cut(Vec::<i32>::new(), &request(1, None), |item| *item).with_total(counted);
            assert_eq!((page.total, page.total_at_least), (total, at_least));
        }
    }
}
