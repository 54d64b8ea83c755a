//! The endpoints of a connection: requests that fields take over.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::domain::api_call::{Compiler, read_endpoint};
use crate::domain::case_type::Context;
use crate::domain::case_type::findings::short;
use crate::domain::case_type::reader::Reader;
use crate::domain::ids::{KEY_RULE, is_key};
use crate::domain::problem::{code, join};

/// Endpoints of one connection.
const MOST: usize = 200;

/// The endpoints of a connection.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Endpoints {
    /// By key, each in its normal form.
    pub by_key: BTreeMap<String, Map<String, Value>>,
    /// Secrets that they use.
    pub secrets: BTreeSet<String>,
}

impl Endpoints {
    /// Reads the member `endpoints`.
    pub(super) fn read(connection: &mut Reader<'_, '_>, context: &Context<'_>) -> Self {
        let mut endpoints = Self::default();
        let Some(members) = connection.object("endpoints") else { return endpoints };
        if members.len() > MOST {
            let message = format!("has too many members: at most {MOST}");
            connection.problem("endpoints", code::OUT_OF_RANGE, message);
            return endpoints;
        }
        let at = connection.at("endpoints");
        let mut compiler = Compiler::for_endpoint(context);
        for (key, value) in members {
            let pointer = join(&at, short(key));
            if !is_key(key) {
                let message = format!("is not a valid key: {KEY_RULE}");
                connection.findings.problem(pointer, code::INVALID, message);
            } else if let Some(endpoint) = read_endpoint(value, pointer, &mut compiler, connection.findings) {
                endpoints.by_key.insert(key.clone(), endpoint);
            }
        }
        endpoints.secrets = compiler.secrets.into_keys().collect();
        endpoints
    }

    /// As rows and answers hold them.
    pub(super) fn normal_form(&self) -> Value {
        self.by_key.iter().map(|(key, endpoint)| (key.clone(), Value::Object(endpoint.clone()))).collect()
    }
}
