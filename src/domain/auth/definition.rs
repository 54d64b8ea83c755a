//! What there is to prove who one is, compiled.

use std::collections::BTreeSet;
use std::fmt;

use super::token_answer::TokenPaths;
use crate::domain::api_call::{BodyTemplate, Method};
use crate::domain::template::{Expression, Template, UrlTemplate};

/// Proof of identity, compiled. Its `Debug` names the type only: it may hold literal credentials.
pub enum Auth {
    /// Nothing was said: the connection's, and none without a connection.
    Inherited,
    /// None, whatever the connection says.
    None,
    /// `Authorization: Bearer …` (RFC 6750).
    Bearer {
        /// The token.
        token: Template,
    },
    /// `Authorization: Basic …` (RFC 7617).
    Basic {
        /// The name, without a colon.
        username: Template,
        /// The password; may be empty.
        password: Template,
    },
    /// Keys of the provider's own; at least one, no two in the same place.
    ApiKeys(Vec<ApiKey>),
    /// A token that is fetched first, and shared.
    Token(Box<TokenAuth>),
}

/// One key of a provider's own.
pub struct ApiKey {
    /// The name of the header or query parameter.
    pub key: String,
    /// The key itself.
    pub value: Template,
    /// Where it goes.
    pub place: KeyPlace,
}

/// Where an API key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyPlace {
    /// Into a header.
    #[default]
    Header,
    /// Into the query.
    Query,
}

/// How a token is had, and how requests bear it.
pub struct TokenAuth {
    /// The call that answers with it.
    pub source: TokenCallSource,
    /// Where the answer has the token, and how long it holds.
    pub paths: TokenPaths,
    /// The header that bears the token.
    pub header: String,
    /// What stands before it there.
    pub prefix: String,
    /// Besides a 401: whether an answer says that the token is not good any more.
    pub refresh_when: Option<Expression>,
}

/// The call that answers with a token.
pub enum TokenCallSource {
    /// A grant of OAuth 2.0 (RFC 6749, sections 4.3 and 4.4).
    OAuth(Box<OAuth>),
    /// Any request.
    Request(Box<TokenRequest>),
}

/// A grant of OAuth 2.0.
pub struct OAuth {
    /// The token endpoint.
    pub token_url: UrlTemplate,
    /// Who we are.
    pub client_id: Template,
    /// Proof of it; none: a public client.
    pub client_secret: Option<Template>,
    /// How the two are sent.
    pub client_auth: ClientAuth,
    /// The user for whom we ask, with the password; none: for ourselves.
    pub user: Option<(Template, Template)>,
    /// What the token shall be good for.
    pub scopes: Vec<Template>,
    /// For whom it shall be good.
    pub audience: Option<Template>,
    /// Parameters that the provider asks for besides.
    pub extra: Vec<Extra>,
}

/// A parameter that a provider asks for besides; several values repeat it.
pub struct Extra {
    /// Its name.
    pub name: String,
    /// Its values.
    pub values: Vec<Template>,
}

/// How a client proves who it is to a token endpoint (RFC 6749, section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// In the form.
    #[default]
    Body,
    /// As HTTP Basic.
    Basic,
}

/// Any request that answers with a token.
pub struct TokenRequest {
    /// The method.
    pub method: Method,
    /// Where it goes.
    pub url: UrlTemplate,
    /// Names as they were written, each with its value.
    pub headers: Vec<(String, Template)>,
    /// The body.
    pub body: Option<BodyTemplate>,
}

impl TokenAuth {
    /// Where the token comes from.
    pub const fn url(&self) -> &UrlTemplate {
        match &self.source {
            TokenCallSource::OAuth(oauth) => &oauth.token_url,
            TokenCallSource::Request(request) => &request.url,
        }
    }

    /// Names of the secrets that its call sends.
    pub fn secrets(&self) -> BTreeSet<String> {
        let url = self.url().secrets();
        match &self.source {
            TokenCallSource::OAuth(oauth) => url.into_iter().chain(oauth.secrets()).collect(),
            TokenCallSource::Request(request) => url.into_iter().chain(request.secrets()).collect(),
        }
    }
}

impl OAuth {
    fn secrets(&self) -> impl Iterator<Item = String> {
        let user = self.user.iter().flat_map(|(name, password)| [name, password]);
        let all = [&self.client_id].into_iter().chain(&self.client_secret).chain(user);
        let all = all.chain(&self.scopes).chain(&self.audience);
        all.chain(self.extra.iter().flat_map(|extra| &extra.values)).flat_map(Template::secrets)
    }
}

impl TokenRequest {
    fn secrets(&self) -> impl Iterator<Item = String> {
        let headers = self.headers.iter().flat_map(|(_, value)| value.secrets());
        headers.chain(self.body.iter().flat_map(BodyTemplate::secrets))
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inherited => "Inherited",
            Self::None => "None",
            Self::Bearer { .. } => "Bearer",
            Self::Basic { .. } => "Basic",
            Self::ApiKeys(_) => "ApiKeys",
            Self::Token(_) => "Token",
        })
    }
}
