//! What an attempt has to have before its request can be authorized: a token, where there is one.
//!
//! Everything else that `auth` names is put on the request as it is.

use std::sync::Arc;

use super::authorize::shown;
use super::context::{Deadline, Engine, Stop, Trace};
use super::held_tokens::HeldToken;
use super::prepare::Prepared;
use super::render::Rendered;
use super::send::Received;
use super::tokens;
use super::wanted::Wanted;
use crate::domain::clock::Instant;
use crate::domain::lane::LaneOutcome;
use crate::store::ClaimedRun;

/// The token of an attempt, if its `auth` is one.
pub(super) struct Credentials<'p>(Option<WithToken<'p>>);

struct WithToken<'p> {
    wanted: Wanted<'p>,
    token: Arc<HeldToken>,
    deadline: Deadline,
}

impl<'p> Credentials<'p> {
    /// Gathers what is needed. The time of the attempt begins with it.
    pub(super) async fn gather(
        engine: &Engine,
        run: &ClaimedRun,
        prepared: &'p Prepared,
        request: &Rendered,
        trace: &mut Trace,
    ) -> Result<Self, Stop> {
        let auth = prepared.auth_for(&request.url);
        let Some(wanted) = Wanted::of(engine, prepared, auth)? else { return Ok(Self(None)) };
        // What could not be sent for want of a token.
        trace.request = Some(shown(request, &prepared.redactor()));
        let deadline = Deadline::start(engine, prepared.timeout_ms());
        let token = Box::pin(tokens::token(engine, run, &wanted, &deadline, trace)).await?;
        Ok(Self(Some(WithToken { wanted, token, deadline })))
    }

    /// The token.
    pub(super) fn token(&self) -> Option<&HeldToken> {
        self.0.as_ref().map(|it| &*it.token)
    }

    /// When the time of the attempt is up, if that has begun.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.0.as_ref().map(|it| it.deadline)
    }

    /// Whether the provider says that the token is not good any more.
    pub(super) fn are_refused(&self, received: &Received) -> bool {
        let Some(WithToken { wanted, .. }) = &self.0 else { return false };
        // Who never got the token says nothing about it.
        if received.elsewhere {
            return false;
        }
        let answer = &received.answer;
        let says_so = || {
            let rule = wanted.auth.refresh_when.as_ref();
            rule.is_some_and(|rule| rule.holds_leniently(&answer.scope()).unwrap_or(false))
        };
        answer.status == 401 || says_so()
    }

    /// Another token in the place of one that is refused; `sent`: when the request with it left.
    pub(super) async fn renew(
        &mut self,
        engine: &Engine,
        run: &ClaimedRun,
        sent: Instant,
        trace: &mut Trace,
    ) -> Result<(), Stop> {
        let Some(WithToken { wanted, token, deadline }) = &mut self.0 else { return Ok(()) };
        trace.lane = Some(LaneOutcome::Answered);
        trace.permit_used = true;
        *token = tokens::another(engine, run, wanted, (token, sent), deadline, trace).await?;
        Ok(())
    }
}
