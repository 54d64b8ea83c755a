//! The sample workspace of `dossier demo`: case types, a secret, connections and cases that use the
//! sandbox.
//!
//! The files below `config/demo` are compiled in; where the sandbox listens is put into them
//! here: in the connections, which the case types name, and as the only host of the secret. What comes
//! out are bodies for the API, not yet checked by anybody.

use std::net::SocketAddr;

use serde::Deserialize;
use serde_json::Value;

use super::data::DataError;

/// Bodies of requests that set the workspace up, in this order.
pub struct Demo {
    /// For `PUT /v1/secrets/{name}`.
    pub secrets: Vec<DemoSecret>,
    /// For `POST /v1/connections`.
    pub connections: Vec<Value>,
    /// For `POST /v1/case-types`.
    pub case_types: Vec<Value>,
    /// For `POST /v1/cases`.
    pub cases: Vec<DemoCase>,
}

/// A secret that the sandbox knows.
#[derive(Debug, Clone, Deserialize)]
pub struct DemoSecret {
    /// As the case types name it.
    pub name: String,
    /// What the sandbox accepts.
    pub value: String,
    /// Where it may be sent: the sandbox.
    pub hosts: Vec<String>,
}

/// A case, and what it is there to show.
#[derive(Debug, Clone, Deserialize)]
pub struct DemoCase {
    /// In a few words, for the list of what to try.
    pub shows: String,
    /// The body.
    pub case: Value,
}

impl Demo {
    /// The sample workspace for a sandbox at this address.
    pub fn at(sandbox: SocketAddr) -> Result<Self, DataError> {
        let mut secrets: Vec<DemoSecret> =
            serde_json::from_str(include_str!("../../config/demo/secrets.json"))?;
        for host in secrets.iter_mut().flat_map(|secret| &mut secret.hosts) {
            *host = host.replace("{sandbox}", &sandbox.to_string());
        }
        let connections = include_str!("../../config/demo/connections.json");
        let connections = serde_json::from_str(&connections.replace("{sandbox}", &sandbox.to_string()))?;
        let case_types = vec![
            serde_json::from_str(include_str!("../../config/demo/company_onboarding.json"))?,
            serde_json::from_str(include_str!("../../config/demo/loan_application.json"))?,
        ];
        let cases = serde_json::from_str(include_str!("../../config/demo/cases.json"))?;
        Ok(Self { secrets, connections, case_types, cases })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::sandbox::credit::CREDIT_TOKEN;
    use crate::sandbox::data::World;

    fn demo() -> Demo {
        Demo::at(SocketAddr::from(([127, 0, 0, 1], 4711))).unwrap()
    }

    #[test]
    fn every_field_calls_the_sandbox_through_a_connection_with_a_name() {
        let demo = demo();
        let fields = demo.case_types.iter().flat_map(|one| one["fields"].as_array().unwrap());
        for call in fields.filter_map(|field| field.get("api_config")) {
            let named = |connection: &&Value| connection["key"] == call["connection"];
            let connection = demo.connections.iter().find(named).unwrap();
            assert!(connection["base_url"].as_str().unwrap().starts_with("http://127.0.0.1:4711"));
            assert!(connection["name"].is_string(), "{connection}");
        }
        assert_eq!(demo.secrets.len(), 1);
        assert_eq!(demo.secrets[0].value, CREDIT_TOKEN);
        assert_eq!(demo.secrets[0].hosts, ["127.0.0.1:4711"]);
    }

    #[test]
    fn twenty_cases_of_the_two_types_each_say_what_they_show() {
        let demo = demo();
        let keys: Vec<&Value> = demo.case_types.iter().map(|one| &one["key"]).collect();
        assert!(demo.cases.iter().all(|one| keys.contains(&&one.case["case_type"]) && !one.shows.is_empty()));
        let references: BTreeSet<_> =
            demo.cases.iter().map(|one| one.case["reference"].to_string()).collect();
        assert_eq!((demo.cases.len(), references.len()), (20, 20));
    }

    #[test]
    fn plain_values_of_the_cases_belong_to_plain_fields() {
        let demo = demo();
        for case_type in &demo.case_types {
            let fields = case_type["fields"].as_array().unwrap();
            let plain =
                |key: &str| fields.iter().any(|field| field["key"] == key && field["type"] != "api_call");
            for one in demo.cases.iter().filter(|one| one.case["case_type"] == case_type["key"]) {
                assert!(one.case["data"].as_object().unwrap().keys().all(|key| plain(key)), "{}", one.case);
            }
        }
    }

    #[test]
    fn every_troubled_company_is_shown() {
        let demo = demo();
        let shown: Vec<String> = demo.cases.iter().map(|one| one.case["data"].to_string()).collect();
        let world = World::read().unwrap();
        for company in world.companies().iter().filter(|company| !company.faults.is_empty()) {
            assert!(shown.iter().any(|data| data.contains(&company.vat)), "{}", company.vat);
        }
    }
}
