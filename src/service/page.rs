//! Pages of lists: keyset cursors and counts.
//!
//! A cursor is the position of the last item of a page, as base64url of its JSON, so it stays
//! right while rows come and go. It is no secret and is checked when it comes back.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::ServiceError;

/// Up to here totals are exact.
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

    /// Cuts what was fetched, one item more than a page holds, to the page. The cursor of the
    /// next one when there is one; `position` tells of an item what comes after it.
    pub fn cut<T, P: Serialize>(&self, fetched: &mut Vec<T>, position: impl Fn(&T) -> P) -> Option<String> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = fetched.len() > limit;
        fetched.truncate(limit);
        fetched.last().filter(|_| more).map(|last| cursor(&position(last)))
    }

    /// How far to count: one further than totals are exact.
    pub fn most_counted(&self) -> u64 {
        EXACT_TOTAL + 1
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
    /// A page; `counted` may go up to one above [`EXACT_TOTAL`].
    pub fn new(items: Vec<T>, next: Option<String>, counted: Option<u64>) -> Self {
        let total = counted.filter(|count| *count <= EXACT_TOTAL);
        let total_at_least = counted.filter(|count| *count > EXACT_TOTAL).map(|_| EXACT_TOTAL);
        Self { items, next, total, total_at_least }
    }

    /// The same page of something made of the items.
    pub fn map<U>(self, make: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(make).collect(),
            next: self.next,
            total: self.total,
            total_at_least: self.total_at_least,
        }
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
        for (mut found, items, next) in
            [(vec![], 0, None), (vec![1, 2], 2, None), (vec![1, 2, 3], 2, Some(2))]
        {
            let cursor = request(2, None).cut(&mut found, |item| *item);
            assert_eq!(found.len(), items);
            assert_eq!(cursor.map(|next| position::<i32>(&next).unwrap()), next);
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
            let page = Page::new(Vec::<i32>::new(), None, counted);
            assert_eq!((page.total, page.total_at_least), (total, at_least));
        }
    }
}
