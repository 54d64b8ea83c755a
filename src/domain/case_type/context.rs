//! What a field may refer to while it is read: the things around the case type, and the parts
//! of the case type that are already known.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use url::Url;

/// What exists in the workspace around a case type.
#[derive(Debug, Default, Clone)]
pub struct Known {
    /// The secrets by name, each with its `hosts` (a host, with an optional port).
    pub secrets: BTreeMap<String, Vec<String>>,
    /// The connections by key.
    pub connections: BTreeMap<String, KnownConnection>,
    /// The params of the workspace.
    pub params: Map<String, Value>,
}

/// What a field may know of a connection.
#[derive(Debug, Default, Clone)]
pub struct KnownConnection {
    /// Its `base_url`, if it has one.
    pub base_url: Option<Url>,
    /// Its endpoints by key, each in its normal form.
    pub endpoints: BTreeMap<String, Map<String, Value>>,
}

impl KnownConnection {
    /// Of a connection's definition in its normal form.
    pub fn of(definition: &Value) -> Self {
        let base_url = definition.get("base_url").and_then(Value::as_str).and_then(|url| url.parse().ok());
        let endpoints = definition.get("endpoints").and_then(Value::as_object).into_iter().flatten();
        let endpoints =
            endpoints.filter_map(|(key, endpoint)| Some((key.clone(), endpoint.as_object()?.clone())));
        Self { base_url, endpoints: endpoints.collect() }
    }
}

/// What the readers of a field look names up in.
#[derive(Debug)]
pub struct Context<'k> {
    /// What exists in the workspace.
    pub known: &'k Known,
    /// Params of the case type over those of the workspace: what `params` will read.
    pub params: Map<String, Value>,
    /// Keys of the sections.
    pub sections: BTreeSet<String>,
    /// Members of `data` that plain fields, targets and output variables name, where others are
    /// refused (`additional_data` is false).
    pub named: Option<BTreeSet<String>>,
    /// Output variables of all fields, as far as they are well-formed.
    pub outputs: Vec<String>,
}

impl<'k> Context<'k> {
    /// For what belongs to no case type.
    pub fn of_workspace(known: &'k Known) -> Self {
        let params = known.params.clone();
        Self { known, params, sections: BTreeSet::new(), named: None, outputs: Vec::new() }
    }

    /// The output variables that a field may read: those of other fields.
    pub fn outputs_without(&self, own: Option<&str>) -> Vec<String> {
        self.outputs.iter().filter(|name| Some(name.as_str()) != own).cloned().collect()
    }
}
