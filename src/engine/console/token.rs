//! A token for a test: fetched for it alone and used once, so that its call is seen whatever this
//! process or another one holds. It is kept nowhere and touches no lane.

use crate::domain::auth::Lifetime;
use crate::domain::secret::SecretText;
use crate::engine::authorize::shown;
use crate::engine::context::{Deadline, Engine, Stop, Trace};
use crate::engine::held_tokens::HeldToken;
use crate::engine::prepare::Prepared;
use crate::engine::render::Rendered;
use crate::engine::token_fetch;
use crate::engine::wanted::Wanted;
use crate::service::ProviderToken;

/// The token that the request wants; none: it proves itself in another way, or not at all.
pub(in crate::engine) async fn token(
    engine: &Engine,
    prepared: &Prepared,
    request: &Rendered,
    deadline: Option<Deadline>,
    trace: &mut Trace,
) -> Result<Option<HeldToken>, Stop> {
    let Some(wanted) = Wanted::of(engine, prepared, prepared.auth_for(&request.url))? else {
        return Ok(None);
    };
    // What could not be sent for want of a token.
    trace.request = Some(shown(request, &prepared.redactor()));
    let deadline = deadline.unwrap_or_else(|| Deadline::start(engine, prepared.timeout_ms()));
    let asked = token_fetch::ask(engine, &wanted, &deadline).await;
    trace.calls.push(asked.call);
    let answer = asked.outcome?;
    let now = engine.clock.now();
    let expires_at = match answer.lifetime {
        Lifetime::Once => now,
        Lifetime::Until(end) => end,
    };
    let text = SecretText::from(answer.token);
    let token = ProviderToken { text, version: 0, fetched_at: now, expires_at };
    engine.provider_tokens.tell_logs(&token);
    Ok(Some(HeldToken::new(token, true)))
}
