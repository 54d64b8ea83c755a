//! Signing in and out: by e-mail and password, or by a link that is good once.
//!
//! Each sign-in begins a session with a token of its own, of which only the hash is kept. Whose it
//! is, and with which role, is read again as soon as this process hears that access was changed: at once
//! here, with the commit's notification on PostgreSQL, and after 5 s where none comes. An
//! e-mail that nobody has takes as long as a wrong password.

use moka::future::Cache;

use super::access::REMEMBERED;
use super::error::ServiceError;
use super::passwords::Passwords;
use super::signed_in::{Begun, SignIn, SignedIn};
use super::throttle::Throttle;
use super::uses::Uses;
use crate::domain::clock::{Instant, SharedClock, SharedRng};
use crate::domain::ids::SessionId;
use crate::domain::person::LONGEST_PASSWORD;
use crate::domain::secret::SecretText;
use crate::domain::session;
use crate::domain::token::{self, TokenHash};
use crate::store::{Edited, NewSession, PersonRow, SessionRow, Store, StoreError};

/// Workspaces in which one e-mail is tried.
const WORKSPACES: u32 = 20;

/// Sessions of one person that are listed.
const LISTED: u32 = 200;

/// Sessions remembered at once.
const SESSIONS: u64 = 10_000;

/// The sessions of all workspaces.
pub struct Sessions {
    store: Store,
    clock: SharedClock,
    rng: SharedRng,
    passwords: Passwords,
    throttle: Throttle,
    known: Cache<TokenHash, (u64, (SessionRow, PersonRow))>,
    uses: Uses,
}

impl Sessions {
    pub(super) fn new(
        store: Store,
        clock: SharedClock,
        rng: SharedRng,
        passwords: Passwords,
        uses: Uses,
    ) -> Self {
        let known = Cache::builder().max_capacity(SESSIONS).time_to_live(REMEMBERED).build();
        Self { store, clock, rng, passwords, throttle: Throttle::default(), known, uses }
    }

    /// Signs in whose e-mail and password these are; none: nobody's. Where they fit in several
    /// workspaces, the first by name is taken. [`ServiceError::TooManyRequests`] after too many
    /// failures of this e-mail or address.
    pub async fn sign_in(&self, sign_in: SignIn) -> Result<Option<Begun>, ServiceError> {
        let SignIn { email, password, address, user_agent } = sign_in;
        let counted = self.throttle.begin(&email, address, self.clock.now())?;
        let mut people = self.store.read().await?.people_to_sign_in(&email, WORKSPACES).await?;
        if password.expose().chars().count() > LONGEST_PASSWORD {
            people.clear();
        }
        if people.is_empty() {
            self.passwords.verify(&password, None).await?;
        }
        for (person, kept) in people {
            if self.passwords.verify(&password, Some(kept.clone())).await? {
                self.throttle.succeeded(counted);
                return self.begin(person, kept, &user_agent).await;
            }
        }
        tracing::info!(%address, "a sign-in was refused: e-mail and password do not go together");
        Ok(None)
    }

    /// Whether a link would sign somebody in now.
    pub async fn is_link_good(&self, link: &str) -> Result<bool, ServiceError> {
        let found = self.store.read().await?.find_link(&token::hash(link)).await?;
        let now = self.clock.now();
        Ok(found.is_some_and(|link| link.person.active && link.used_at.is_none() && now < link.expires_at))
    }

    /// Signs in whom a link is for, and uses it up; none: it is not good, or not any more.
    pub async fn use_link(&self, link: &str, user_agent: &str) -> Result<Option<Begun>, ServiceError> {
        let (hash, now) = (token::hash(link), self.clock.now());
        let token = session::generate(&*self.rng);
        let (id, of_token, agent) = (self.new_id(), token::hash(token.expose()), session::agent(user_agent));
        let used: Result<_, StoreError> = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let Some(link) = tx.find_link(&hash).await? else { return Ok(None) };
                    tx.hold(Edited::People(link.person.workspace)).await?;
                    if !tx.use_link(&hash, now).await? {
                        return Ok(None);
                    }
                    let Some(link) = tx.find_link(&hash).await?.filter(|link| link.person.active) else {
                        return Ok(None);
                    };
                    let row = row(id, &link.person, now, true, agent);
                    tx.insert_session(&NewSession { row: row.clone(), hash: of_token }).await?;
                    Ok(Some((row, link.person)))
                })
            })
            .await;
        Ok(used?.map(|(row, person)| {
            tracing::info!(person = %person.id, "somebody signed in by a link");
            Begun { signed_in: SignedIn::new(row, person, token.expose()), token }
        }))
    }

    /// `kept`: what the password was compared with.
    pub(super) async fn begin(
        &self,
        person: PersonRow,
        kept: String,
        user_agent: &str,
    ) -> Result<Option<Begun>, ServiceError> {
        let (now, token) = (self.clock.now(), session::generate(&*self.rng));
        let row = row(self.new_id(), &person, now, false, session::agent(user_agent));
        let new = NewSession { row, hash: token::hash(token.expose()) };
        let begun: Result<_, StoreError> = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    // Removed, switched off or given another password while that one was compared?
                    tx.hold(Edited::People(person.workspace)).await?;
                    let compared = tx.kept_password(person.id).await?.is_some_and(|now| now == kept);
                    let person = tx.find_person(person.workspace, person.id).await?;
                    let Some(person) = person.filter(|person| person.active && compared) else {
                        return Ok(None);
                    };
                    tx.insert_session(&new).await?;
                    Ok(Some((new.row, person)))
                })
            })
            .await;
        Ok(begun?.map(|(row, person)| {
            tracing::info!(person = %person.id, "somebody signed in");
            Begun { signed_in: SignedIn::new(row, person, token.expose()), token }
        }))
    }

    /// Whether somebody who is signed in knows their present password (`kept`). Guesses are counted as
    /// those of a sign-in are.
    pub(super) async fn is_present(
        &self,
        who: &SignedIn,
        password: &SecretText,
        kept: Option<String>,
    ) -> Result<bool, ServiceError> {
        let counted = self.throttle.begin_again(who.person.id, self.clock.now())?;
        let right = self.passwords.verify(password, kept).await?;
        if right {
            self.throttle.succeeded(counted);
        }
        Ok(right)
    }

    fn new_id(&self) -> SessionId {
        SessionId(self.rng.uuid(self.clock.now()))
    }

    /// Whose session this is, for something that they do; none: nobody's, or it has ended.
    pub async fn resume(&self, token: &str) -> Result<Option<SignedIn>, ServiceError> {
        let who = self.peek(token).await?;
        if let Some(who) = &who {
            self.uses.session(who.session.id, self.clock.now());
        }
        Ok(who)
    }

    /// The same for what a page does by itself: a session rests while nobody does anything.
    pub async fn peek(&self, token: &str) -> Result<Option<SignedIn>, ServiceError> {
        if !token.starts_with(session::PREFIX) {
            return Ok(None);
        }
        let hash = token::hash(token);
        // Before the row is read: what is heard of meanwhile makes it out of date.
        let heard = self.store.signals().access();
        let known = match self.known.get(&hash).await.filter(|(then, _)| *then == heard) {
            Some((_, known)) => known,
            None => match self.store.read().await?.find_session(&hash).await? {
                Some(found) => {
                    self.known.insert(hash, (heard, found.clone())).await;
                    found
                }
                None => return Ok(None),
            },
        };
        let ((mut row, person), now) = (known, self.clock.now());
        row.last_seen_at = self.uses.of_session(row.id, row.last_seen_at);
        if !person.active || !session::is_good(row.created_at, row.last_seen_at, now) {
            return Ok(None);
        }
        Ok(Some(SignedIn::new(row, person, token)))
    }

    /// Ends the session.
    pub async fn sign_out(&self, who: &SignedIn) -> Result<(), ServiceError> {
        match self.end(who, who.session.id).await {
            Err(ServiceError::NotFound(_)) => Ok(()),
            ended => ended,
        }
    }

    /// The person's own sessions that are good, the newest first.
    pub async fn list(&self, who: &SignedIn) -> Result<Vec<SessionRow>, ServiceError> {
        let mut rows = self.store.read().await?.list_sessions(who.person.id, LISTED).await?;
        let now = self.clock.now();
        for row in &mut rows {
            row.last_seen_at = self.uses.of_session(row.id, row.last_seen_at);
        }
        rows.retain(|row| session::is_good(row.created_at, row.last_seen_at, now));
        Ok(rows)
    }

    /// Ends one of the person's own sessions.
    pub async fn end(&self, who: &SignedIn, id: SessionId) -> Result<(), ServiceError> {
        let person = who.person.id;
        let ended =
            self.store.write(move |tx| Box::pin(async move { tx.end_session(person, id).await })).await;
        self.forget();
        if ended? { Ok(()) } else { Err(ServiceError::NotFound("session")) }
    }

    /// Ends all of the person's own sessions but this one; answers how many.
    pub async fn end_others(&self, who: &SignedIn) -> Result<u64, ServiceError> {
        let (person, this) = (who.person.id, who.session.id);
        let ended =
            self.store.write(move |tx| Box::pin(async move { tx.end_sessions(person, Some(this)).await }));
        let ended: Result<u64, StoreError> = ended.await;
        self.forget();
        Ok(ended?)
    }

    /// Reads anew whose sessions are whose. Sessions are remembered by hash, which is not known
    /// where people are changed, and that is rare.
    pub(super) fn forget(&self) {
        self.known.invalidate_all();
        self.store.signals().access_changed();
    }
}

fn row(id: SessionId, person: &PersonRow, now: Instant, by_link: bool, user_agent: String) -> SessionRow {
    SessionRow {
        id,
        person: person.id,
        workspace: person.workspace,
        created_at: now,
        last_seen_at: now,
        by_link,
        user_agent,
    }
}
