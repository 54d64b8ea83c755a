//! Hashes and compares passwords, beside the threads that answer, and few at once: each takes
//! tens of milliseconds and 19 MiB.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::error::ServiceError;
use crate::domain::clock::SharedRng;
use crate::domain::password::{self, UnusableHash};
use crate::domain::secret::SecretText;
use crate::store::StoreError;

/// How many are hashed at once.
const AT_ONCE: usize = 2;

/// Cheap to clone; clones share their places.
#[derive(Clone)]
pub(super) struct Passwords {
    places: Arc<Semaphore>,
    rng: SharedRng,
}

impl Passwords {
    pub(super) fn new(rng: SharedRng) -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), rng }
    }

    /// What is to be kept of a password.
    pub(super) async fn hash(&self, password: SecretText) -> Result<String, ServiceError> {
        let rng = self.rng.clone();
        self.beside(move || password::hash(&password, &*rng)).await
    }

    /// Whether a password is the one of which this was kept; with none it takes as long.
    pub(super) async fn verify(
        &self,
        password: &SecretText,
        kept: Option<String>,
    ) -> Result<bool, ServiceError> {
        let (password, there) = (password.clone(), kept.is_some());
        let kept = kept.unwrap_or_else(password::nothing);
        Ok(self.beside(move || password::verify(&password, &kept)).await? && there)
    }

    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, UnusableHash> + Send + 'static,
    ) -> Result<T, ServiceError> {
        // The semaphore is never closed; a place that is not given is no reason to stop.
        let place = self.places.clone().acquire_owned().await.ok();
        let done = spawn_blocking(move || {
            let _place = place;
            work()
        });
        Ok(done.await.map_err(|_| StoreError::Panicked)??)
    }
}
