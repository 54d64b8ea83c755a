//! Case types: saved as a whole or not at all, one version after the other.
//!
//! A save reads, compares and writes in one transaction, so two at once make two versions, never
//! the same one twice. What is saved again unchanged stays the version it is.

use serde_json::{Map, Value};

use super::actor::Actor;
use super::audit;
use super::case_type_edit;
use super::case_type_views::{CaseTypeView, view};
use super::compiled::compile;
use super::credentials::{self, Described, Home};
use super::endpoint_uses::Leaned;
use super::error::ServiceError;
use super::indexing;
use super::known::known;
use super::once;
use super::plans::Plans;
use super::precondition;
use super::schedules;
use super::vault::Vault;
use crate::domain::audit::{AuditAction, AuditChange, AuditKind, Author};
use crate::domain::case_type::{CaseType, Known, Parsed};
use crate::domain::clock::{Instant, SharedClock, SharedRng};
use crate::domain::expected::Expected;
use crate::domain::ids::{CaseId, CaseTypeId, CaseTypeKey, WorkspaceId};
use crate::domain::once::{Kept, Once};
use crate::domain::problem::{Problem, code};
use crate::store::{CaseTypeRow, Edited, NewCaseTypeVersion, Store, Tx};

/// The case types of all workspaces. Cheap to clone.
#[derive(Clone)]
pub struct CaseTypes {
    pub(super) store: Store,
    clock: SharedClock,
    rng: SharedRng,
    pub(super) vault: Vault,
    plans: Plans,
}

/// A definition on its way in.
#[derive(Clone)]
struct Save {
    workspace: WorkspaceId,
    author: Author,
    body: Value,
    /// The key in the path; none: it must be in the body and new.
    key: Option<CaseTypeKey>,
    /// What the caller knows of it.
    expected: Expected,
    /// The key of the request, if it has one.
    once: Option<Once>,
}

impl Save {
    fn new(actor: &Actor, body: &Value) -> Self {
        Self {
            workspace: actor.workspace,
            author: actor.author(),
            body: body.clone(),
            key: None,
            expected: Expected::Anything,
            once: None,
        }
    }
}

struct Saved {
    row: CaseTypeRow,
    warnings: Vec<Problem>,
    created: bool,
    /// The cases whose runs it ended.
    touched: Vec<CaseId>,
}

impl CaseTypes {
    /// On this database.
    pub fn new(store: Store, clock: SharedClock, rng: SharedRng, vault: Vault, plans: Plans) -> Self {
        Self { store, clock, rng, vault, plans }
    }

    /// Makes a case type. With a key it is made once.
    pub async fn create(
        &self,
        actor: &Actor,
        body: &Value,
        once: Option<Once>,
    ) -> Result<CaseTypeView, ServiceError> {
        let new = Save { once, ..Save::new(actor, body) };
        let saved = self.save(new).await?;
        Ok(view(saved.row, saved.warnings))
    }

    /// Makes or replaces a case type, if it is as expected; `true`: it is new.
    pub async fn put(
        &self,
        actor: &Actor,
        key: &CaseTypeKey,
        body: &Value,
        expected: Expected,
    ) -> Result<(CaseTypeView, bool), ServiceError> {
        let replaced = Save { key: Some(key.clone()), expected, ..Save::new(actor, body) };
        let saved = self.save(replaced).await?;
        Ok((view(saved.row, saved.warnings), saved.created))
    }

    async fn save(&self, save: Save) -> Result<Saved, ServiceError> {
        let this = self.clone();
        let saved = self.store.write(move |tx| Box::pin(async move { this.write(tx, save).await })).await?;
        self.plans.saved(&saved.row).await;
        self.store.signals().changed(saved.touched.iter().copied());
        indexing::begin(&self.store).await;
        Ok(saved)
    }

    async fn write(&self, tx: &Tx, save: Save) -> Result<Saved, ServiceError> {
        tx.hold(Edited::Definitions(save.workspace)).await?;
        let asked = save.once.clone();
        once::first(tx, asked.as_ref()).await?;
        let saved = self.write_first(tx, save).await?;
        once::keep(tx, asked.as_ref(), Kept::created(format!("/v1/case-types/{}", saved.row.key))).await?;
        Ok(saved)
    }

    async fn write_first(&self, tx: &Tx, save: Save) -> Result<Saved, ServiceError> {
        let known = known(tx, save.workspace).await?;
        // What would be refused anyway is refused for its own sake (RFC 9110, section 13.2.1).
        let Parsed { case_type, warnings } = parse(&save, &known)?;
        let before = tx.find_case_type(save.workspace, &case_type.key).await?;
        if save.key.is_some() {
            precondition::check_case_type(tx, before.as_ref(), &save.expected).await?;
        }
        if before.is_some() && save.key.is_none() {
            let detail = format!(
                "there is a case type `{key}` already; replace it with `PUT /v1/case-types/{key}`, or choose \
                 another key",
                key = case_type.key
            );
            return Err(ServiceError::AlreadyExists(detail));
        }
        let definition = self.sealed(tx, (&case_type, &known), before.as_ref(), &save).await?;
        let author = save.author.clone();
        let change = audited(before.as_ref(), &definition);
        if let Some(row) = before.as_ref().filter(|row| row.definition == definition) {
            return Ok(Saved { row: row.clone(), warnings, created: false, touched: Vec::new() });
        }
        let saved = self.add_version(tx, &case_type, before, definition, save, warnings).await?;
        schedules::follow(tx, &saved.row, &case_type, saved.row.updated_at, &*self.rng).await?;
        let change = change(&saved.row);
        tx.add_audit(saved.row.workspace, &author, &change, saved.row.updated_at).await?;
        Ok(saved)
    }

    async fn sealed(
        &self,
        tx: &Tx,
        (case_type, known): (&CaseType, &Known),
        before: Option<&CaseTypeRow>,
        save: &Save,
    ) -> Result<Value, ServiceError> {
        let mut form = case_type.normal_form();
        if !credentials::any(&mut form) {
            return Ok(form);
        }
        let compiled = match before {
            Some(row) => {
                let leaned = Leaned::load(tx, row.workspace, &row.definition).await?;
                Some(compile(row, &leaned, &self.vault)?)
            }
            None => None,
        };
        let before = before
            .zip(compiled.as_ref())
            .map(|(row, (case_type, _))| Described { definition: &row.definition, case_type });
        let home = Home { vault: &self.vault, workspace: save.workspace, case_type: &case_type.key };
        let new = Described { definition: &form, case_type };
        credentials::seal(new, before, &known.connections, &save.body, home)
    }

    async fn add_version(
        &self,
        tx: &Tx,
        case_type: &CaseType,
        before: Option<CaseTypeRow>,
        definition: Value,
        save: Save,
        warnings: Vec<Problem>,
    ) -> Result<Saved, ServiceError> {
        let now = self.clock.now();
        let created = before.is_none();
        let row = CaseTypeRow {
            id: before.as_ref().map_or_else(|| CaseTypeId(self.rng.uuid(now)), |row| row.id),
            workspace: save.workspace,
            key: case_type.key.clone(),
            version: before.as_ref().map_or(1, |row| row.version + 1),
            definition,
            created_at: before.as_ref().map_or(now, |row| row.created_at),
            updated_at: now,
        };
        let new = NewCaseTypeVersion { row, by: save.author.by };
        let touched = if let Some(before) = before {
            tx.add_case_type_version(&new).await?;
            case_type_edit::apply(tx, &before, case_type, now).await?
        } else {
            tx.insert_case_type(&new).await?;
            Vec::new()
        };
        let indexed: Vec<&str> = case_type
            .fields
            .iter()
            .filter(|field| field.plain().is_some_and(|plain| plain.index))
            .map(|field| field.key.as_str())
            .collect();
        tx.set_indexed(new.row.id, &indexed).await?;
        Ok(Saved { row: new.row, warnings, created, touched })
    }

    /// Deletes a case type that has no cases, if it is as expected.
    pub async fn delete(
        &self,
        actor: &Actor,
        key: &CaseTypeKey,
        expected: Expected,
    ) -> Result<(), ServiceError> {
        let (wanted, actor, now) = (key.clone(), actor.clone(), self.clock.now());
        let row = self
            .store
            .write(move |tx| Box::pin(async move { remove(tx, &actor, &wanted, &expected, now).await }))
            .await?;
        self.plans.removed(&row).await;
        Ok(())
    }
}

/// A key in the body must be the one in the path; without one it is taken from there.
fn parse(save: &Save, known: &Known) -> Result<Parsed, ServiceError> {
    let (Some(key), Some(body)) = (&save.key, save.body.as_object()) else {
        return CaseType::parse(&save.body, known).map_err(ServiceError::Invalid);
    };
    let own = body.get("key").filter(|own| !own.is_null());
    let differs = own.is_some_and(|own| own != key.as_str());
    let mut with_key = Map::from_iter([("key".to_owned(), Value::from(key.as_str()))]);
    with_key.extend(
        body.iter().filter(|(name, _)| *name != "key").map(|(name, value)| (name.clone(), value.clone())),
    );
    let parsed = CaseType::parse(&Value::Object(with_key), known);
    if !differs {
        return parsed.map_err(ServiceError::Invalid);
    }
    let message = format!("is not the key in the path, `{key}`: leave it out, or send it to its own path");
    let mut problems = vec![Problem::new("/key", code::INVALID, message)];
    problems.extend(parsed.err().into_iter().flatten());
    Err(ServiceError::Invalid(problems))
}

/// What the audit says of a save, once the row is there.
fn audited(
    before: Option<&CaseTypeRow>,
    definition: &Value,
) -> impl FnOnce(&CaseTypeRow) -> AuditChange + use<> {
    let action = if before.is_some() { AuditAction::Changed } else { AuditAction::Created };
    let version = before.map(|row| row.version);
    let changed = before.map(|row| audit::paths(&row.definition, definition)).unwrap_or_default();
    move |row| {
        AuditChange::of(AuditKind::CaseType, action, row.key.as_str())
            .with_id(row.id.0)
            .with_versions(version, Some(row.version))
            .with_changed(changed)
    }
}

async fn remove(
    tx: &Tx,
    actor: &Actor,
    key: &CaseTypeKey,
    expected: &Expected,
    now: Instant,
) -> Result<CaseTypeRow, ServiceError> {
    let workspace = actor.workspace;
    tx.hold(Edited::Definitions(workspace)).await?;
    let row = tx.find_case_type(workspace, key).await?.ok_or(ServiceError::NotFound("case type"))?;
    precondition::check_case_type(tx, Some(&row), expected).await?;
    // Who is about to add its first case has done so, or finds it gone.
    if !tx.hold_case_type(row.id).await? {
        return Err(ServiceError::NotFound("case type"));
    }
    let cases = tx.count_cases_of_type(row.id).await?;
    if cases > 0 {
        let users = if cases == 1 { "1 case".to_owned() } else { format!("{cases} cases") };
        let detail = format!("the case type `{key}` has {users}; delete them first");
        return Err(ServiceError::InUse { detail, users: vec![users] });
    }
    tx.delete_case_type(workspace, key).await?;
    let change = AuditChange::of(AuditKind::CaseType, AuditAction::Deleted, key.as_str())
        .with_id(row.id.0)
        .with_versions(Some(row.version), None);
    tx.add_audit(workspace, &actor.author(), &change, now).await?;
    Ok(row)
}
