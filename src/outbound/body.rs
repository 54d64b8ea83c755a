//! The body of an answer, read against the cap.
//!
//! Counts decompressed bytes as they come, so that an endless body and a decompression bomb cost
//! no more memory than the cap and one chunk. Time is the caller's: whoever drops the reading
//! drops the connection.

use bytes::{Bytes, BytesMut};
use reqwest::Response;

use super::classify;
use super::exchange::ExchangeFailure;

/// Reads the whole body, at most `limit` bytes of it.
pub async fn read(response: &mut Response, limit: usize) -> Result<Bytes, ExchangeFailure> {
    let too_large = || ExchangeFailure::TooLarge { limit };
    let announced = response.content_length().map(|length| usize::try_from(length).unwrap_or(usize::MAX));
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    while let Some(bytes) = chunk(response).await? {
        if body.len() + bytes.len() > limit {
            return Err(too_large());
        }
        if body.is_empty() {
            // The usual small answer is one chunk: nothing is copied where that can be.
            body = BytesMut::from(bytes);
        } else {
            body.extend_from_slice(&bytes);
        }
    }
    Ok(body.freeze())
}

async fn chunk(response: &mut Response) -> Result<Option<Bytes>, ExchangeFailure> {
    response.chunk().await.map_err(classify::of_body)
}
