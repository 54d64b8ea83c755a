//! People who sign in: added and changed through the API, signed in by password or by a link that
//! is good once, and out again when that is to be.

use std::net::IpAddr;

use dossier::domain::secret::SecretText;
use dossier::service::{Begun, PersonPatch, ServiceError, SignIn};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::app::{TestApp, secs};
use crate::database::cluster;
use crate::upstream::client;
use crate::visitor::{HOSTILE, PASSWORD as VISITORS, Visitor, harmless};

/// It must be found nowhere but in the request that sets it.
const PASSWORD: &str = "pAsSw0rd-planted-here";

const HOUR: u64 = 3600;

async fn add(app: &TestApp, name: &str, role: &str) -> String {
    let email = format!("{}@example.com", name.to_lowercase());
    let body = json!({"name": name, "email": email, "role": role, "password": PASSWORD});
    let made = app.post("/v1/people", &body).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

async fn try_from(
    app: &TestApp,
    address: &str,
    email: &str,
    password: &str,
) -> Result<Option<Begun>, ServiceError> {
    let address: IpAddr = address.parse().unwrap();
    let (email, password) = (email.to_owned(), SecretText::from(password.to_owned()));
    let user_agent = "Mozilla/5.0 (X11; Linux)".to_owned();
    Box::pin(app.services().sessions.sign_in(SignIn { email, password, address, user_agent })).await
}

async fn sign_in(app: &TestApp, name: &str) -> Begun {
    let email = format!("{}@EXAMPLE.com ", name.to_lowercase());
    try_from(app, "192.0.2.1", &email, PASSWORD).await.unwrap().expect("the password is right")
}

async fn is_good(app: &TestApp, begun: &Begun) -> bool {
    app.services().sessions.resume(begun.token.expose()).await.unwrap().is_some()
}

async fn workspace(app: &TestApp) -> dossier::domain::ids::WorkspaceId {
    app.services().access.workspace(&"default".parse().unwrap()).await.unwrap().unwrap().id
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_added_read_changed_and_removed() {
    let app = TestApp::spawn().await;
    let body = json!({"name": "Ada", "email": "Ada@Example.com", "role": "operator", "password": PASSWORD});
    let made = app.post("/v1/people", &body).await;
    let id = made.body["id"].as_str().unwrap().to_owned();
    let url = format!("/v1/people/{id}");
    assert_eq!(made.header("location"), Some(url.as_str()));
    for member in ["name", "role", "active", "password"] {
        let refused = app.patch(&url, &json!({ member: null })).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], format!("/{member}"), "{refused}");
    }
    let expected =
        json!({"id": id, "name": "Ada", "email": "Ada@Example.com", "role": "operator", "active": true});
    assert_eq!(made.expect(201), expected);
    assert_eq!(app.get(&url).await.expect(200), expected);
    assert_eq!(app.get("/v1/people?count=true").await.expect(200)["items"], json!([expected]));

    // What was read may be written back, and what is absent stays.
    assert_eq!(app.patch(&url, &expected).await.expect(200), expected);
    let changed = app.patch(&url, &json!({"role": "viewer", "active": false})).await.expect(200);
    assert_eq!(
        (&changed["role"], &changed["name"], &changed["active"]),
        (&json!("viewer"), &json!("Ada"), &json!(false))
    );

    app.delete(&url).await.expect(204);
    assert_eq!(app.get(&url).await.status, 404);
    assert_eq!(app.delete(&url).await.code(), "not_found");
    let audit = app.get("/v1/audit?kind=person").await.expect(200);
    let entries: Vec<_> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (&entry["action"], &entry["changed"]))
        .collect();
    let expected = [
        (&json!("deleted"), &json!([])),
        (&json!("changed"), &json!(["active", "role"])),
        (&json!("created"), &json!([])),
    ];
    assert_eq!(entries, expected);
    assert_eq!(audit["items"][0]["key"], "Ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_with_its_place() {
    let app = TestApp::spawn().await;
    let id = add(&app, "Ada", "operator").await;
    let good = json!({"name": "Bob", "email": "bob@example.com", "role": "viewer"});
    let cases = [
        (json!({"name": null}), "/name"),
        (json!({"name": ""}), "/name"),
        (json!({"name": "a\nb"}), "/name"),
        (json!({"email": "bob"}), "/email"),
        (json!({"email": 5}), "/email"),
        (json!({"role": "owner"}), "/role"),
        (json!({"role": null}), "/role"),
        (json!({"active": "yes"}), "/active"),
        (json!({"password": "too short"}), "/password"),
        (json!({"password": "x".repeat(1025)}), "/password"),
        (json!({"password": "BOB@example.com"}), "/password"),
        (json!({"pass": PASSWORD}), "/pass"),
    ];
    for (change, pointer) in cases {
        let mut body = good.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = app.post("/v1/people", &body).await.expect(422);
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        // Bob's e-mail may be Ada's password.
        if change["password"] != "BOB@example.com" {
            assert_eq!(app.patch(&format!("/v1/people/{id}"), &change).await.status, 422, "{change}");
        }
        assert!(!refused.to_string().contains(PASSWORD), "{refused}");
    }
    let taken = json!({"name": "Other", "email": "ADA@example.com", "role": "viewer"});
    let taken = app.post("/v1/people", &taken).await.expect(409);
    assert_eq!(taken["code"], "already_exists");
    assert!(taken["detail"].as_str().unwrap().contains("Ada has the e-mail"), "{taken}");
    let bob = app.post("/v1/people", &good).await.expect(201)["id"].as_str().unwrap().to_owned();
    let moved = app.patch(&format!("/v1/people/{bob}"), &json!({"email": "ada@example.COM"})).await;
    assert_eq!((moved.status, moved.code()), (409, "already_exists"));
    // One's own e-mail is not taken, however it is spelt.
    app.patch(&format!("/v1/people/{bob}"), &json!({"email": "BOB@example.com"})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_added_once_under_one_key() {
    let app = TestApp::spawn().await;
    let body = json!({"name": "Ada", "email": "ada@example.com", "role": "viewer"});
    let ask = || app.send(app.request("POST", "/v1/people").header("idempotency-key", "k").json(&body));
    let (first, again) = (ask().await, ask().await);
    assert_eq!((first.status, again.status, &first.body), (201, 201, &again.body));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_admin_stays() {
    let app = TestApp::spawn().await;
    let (ada, bob) = (add(&app, "Ada", "admin").await, add(&app, "Bob", "operator").await);
    let url = format!("/v1/people/{ada}");
    for change in [json!({"role": "builder"}), json!({"active": false})] {
        let refused = app.patch(&url, &change).await.expect(409);
        assert_eq!(refused["code"], "in_use", "{refused}");
        assert!(refused["detail"].as_str().unwrap().contains("Ada is the only admin"), "{refused}");
    }
    assert_eq!(app.delete(&url).await.code(), "in_use");
    app.patch(&url, &json!({"name": "Ada L."})).await.expect(200);
    // A second one who is switched off is none.
    app.patch(&format!("/v1/people/{bob}"), &json!({"role": "admin", "active": false})).await.expect(200);
    assert_eq!(app.delete(&url).await.code(), "in_use");
    app.patch(&format!("/v1/people/{bob}"), &json!({"active": true})).await.expect(200);
    // Both at once: one stays.
    let urls = [url, format!("/v1/people/{bob}")];
    let statuses = join_all(urls.iter().map(|url| app.delete(url))).await;
    let mut statuses: Vec<_> = statuses.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_knows_the_password_signs_in_and_acts_as_themselves() {
    let app = TestApp::spawn().await;
    app.define(json!([{"key": "colour", "type": "text"}])).await;
    let case = app.create(json!({"colour": "red"})).await;
    let id = add(&app, "Ada", "operator").await;
    let begun = sign_in(&app, "Ada").await;
    let who = app.services().sessions.resume(begun.token.expose()).await.unwrap().unwrap();
    assert_eq!(who.actor.by(), "person:Ada <ada@example.com>");
    assert_eq!(
        (who.person.id.to_string(), who.session.user_agent.as_str()),
        (id, "Mozilla/5.0 (X11; Linux)")
    );
    assert_eq!(who.csrf, begun.signed_in.csrf);
    let body: Value = json!({"data": {"colour": "blue"}});
    let services = app.services();
    let patched = services.cases.patch(
        &who.actor,
        case.parse().unwrap(),
        &body,
        true,
        dossier::domain::expected::Expected::Anything,
    );
    Box::pin(patched).await.unwrap();
    let entry = app.case(&case).await["provenance"]["colour"].clone();
    assert_eq!((&entry["source"], &entry["by"]), (&json!("person"), &json!("person:Ada <ada@example.com>")));

    for (email, password) in [
        ("ada@example.com", "not the password"),
        ("nobody@example.com", PASSWORD),
        ("", ""),
        ("ada@example.com", ""),
        ("ada@example.com", &format!("{PASSWORD}{}", "x".repeat(5000))),
    ] {
        assert!(try_from(&app, "192.0.2.1", email, password).await.unwrap().is_none(), "{email}");
    }
    let viewer = add(&app, "Vic", "viewer").await;
    let vic = sign_in(&app, "Vic").await.signed_in;
    let refused = services.people.patch(&vic.actor, viewer.parse().unwrap(), PersonPatch::default()).await;
    assert!(matches!(refused, Err(ServiceError::Forbidden { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_that_fail_are_throttled_until_the_clock_says_otherwise() {
    let app = TestApp::spawn().await;
    add(&app, "Ada", "operator").await;
    let sessions = app.services().sessions.clone();
    let link = app.services().people.link_in(workspace(&app).await, Some("ada@example.com")).await.unwrap();
    for n in 0..10 {
        let address = format!("192.0.2.{n}");
        assert!(try_from(&app, &address, "ada@example.com", "wrong").await.unwrap().is_none());
    }
    let refused = try_from(&app, "192.0.2.77", "Ada@example.com", PASSWORD).await.unwrap_err();
    let ServiceError::TooManyRequests { retry_after, .. } = refused else { panic!("{refused}") };
    assert_eq!(retry_after, secs(300));
    // A link helps whose e-mail somebody else has blocked.
    assert!(sessions.use_link(link.expose(), "x").await.unwrap().is_some());
    app.move_clock(secs(300));
    sign_in(&app, "Ada").await;
    for n in 0..30 {
        assert!(
            try_from(&app, "192.0.2.200", &format!("n{n}@example.com"), "wrong").await.unwrap().is_none()
        );
    }
    assert!(try_from(&app, "192.0.2.200", "ada@example.com", PASSWORD).await.is_err());
    assert!(try_from(&app, "192.0.2.201", "ada@example.com", PASSWORD).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_good_once_however_many_use_it_at_the_same_time() {
    let app = TestApp::spawn().await;
    let (people, sessions) = (&app.services().people, &app.services().sessions);
    let link = people.link_in(workspace(&app).await, None).await.unwrap();
    assert!(sessions.is_link_good(link.expose()).await.unwrap(), "to look at it does not use it up");
    let tries = join_all((0..8).map(|_| sessions.use_link(link.expose(), "x"))).await;
    let begun: Vec<Begun> = tries.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(begun.len(), 1);
    let who = &begun[0].signed_in;
    assert_eq!((who.actor.by().as_str(), who.person.role.as_str()), ("person:Admin", "admin"));
    assert!(!sessions.is_link_good(link.expose()).await.unwrap());

    // The same admin gets the next one, which ends after an hour.
    let late = people.link_in(workspace(&app).await, None).await.unwrap();
    assert_eq!(app.get("/v1/people").await.expect(200)["items"].as_array().unwrap().len(), 1);
    app.move_clock(secs(HOUR));
    assert!(!sessions.is_link_good(late.expose()).await.unwrap());
    assert!(sessions.use_link(late.expose(), "x").await.unwrap().is_none());
    assert!(sessions.use_link("nonsense", "x").await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_with_whom_it_is_for() {
    let app = TestApp::spawn().await;
    add(&app, "Root", "admin").await;
    let id = add(&app, "Ada", "admin").await;
    let (people, sessions) = (&app.services().people, &app.services().sessions);
    let mut links = Vec::new();
    for _ in 0..2 {
        links.push(people.link_in(workspace(&app).await, Some("ADA@example.com")).await.unwrap());
        app.patch(&format!("/v1/people/{id}"), &json!({"active": false})).await.expect(200);
        app.patch(&format!("/v1/people/{id}"), &json!({"active": true})).await.expect(200);
    }
    links.push(people.link_in(workspace(&app).await, Some("ada@example.com")).await.unwrap());
    app.delete(&format!("/v1/people/{id}")).await.expect(204);
    for link in links {
        assert!(sessions.use_link(link.expose(), "x").await.unwrap().is_none());
    }
    let nobody = people.link_in(workspace(&app).await, Some("ada@example.com")).await.unwrap_err();
    assert!(matches!(nobody, ServiceError::NotFound("person")), "{nobody}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_it_rests_and_after_a_week() {
    let app = TestApp::spawn().await;
    add(&app, "Ada", "operator").await;
    let (used, rests) = (sign_in(&app, "Ada").await, sign_in(&app, "Ada").await);
    for _ in 0..15 {
        app.move_clock(secs(11 * HOUR));
        assert!(is_good(&app, &used).await);
        app.sweep().await;
    }
    assert!(!is_good(&app, &rests).await);
    let who = app.services().sessions.resume(used.token.expose()).await.unwrap().unwrap();
    assert_eq!(app.services().sessions.list(&who).await.unwrap().len(), 1);
    app.move_clock(secs(3 * HOUR));
    assert!(!is_good(&app, &used).await, "a week is over");
    app.sweep().await;
    assert!(app.services().sessions.list(&who).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_switched_off_is_out_and_another_role_counts_at_once() {
    let app = TestApp::spawn().await;
    add(&app, "Root", "admin").await;
    let url = format!("/v1/people/{}", add(&app, "Ada", "builder").await);
    let (one, two) = (sign_in(&app, "Ada").await, sign_in(&app, "Ada").await);
    app.patch(&url, &json!({"role": "viewer", "name": "Ada L."})).await.expect(200);
    let who = app.services().sessions.resume(one.token.expose()).await.unwrap().unwrap();
    assert_eq!(
        (who.actor.role.as_str(), who.actor.by().as_str()),
        ("viewer", "person:Ada L. <ada@example.com>")
    );
    app.patch(&url, &json!({"active": false})).await.expect(200);
    assert!(!is_good(&app, &one).await && !is_good(&app, &two).await);
    assert!(try_from(&app, "192.0.2.1", "ada@example.com", PASSWORD).await.unwrap().is_none());
    app.patch(&url, &json!({"active": true})).await.expect(200);
    assert!(!is_good(&app, &one).await, "an ended session does not come back");

    let other = sign_in(&app, "Ada").await;
    app.patch(&url, &json!({"password": "another one, and long"})).await.expect(200);
    assert!(!is_good(&app, &other).await);
    assert!(try_from(&app, "192.0.2.1", "ada@example.com", PASSWORD).await.unwrap().is_none());
    let last =
        try_from(&app, "192.0.2.1", "ada@example.com", "another one, and long").await.unwrap().unwrap();
    app.delete(&url).await.expect(204);
    assert!(!is_good(&app, &last).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_end_their_own_sessions_and_change_their_own_password() {
    let app = TestApp::spawn().await;
    let id = add(&app, "Ada", "viewer").await;
    add(&app, "Bob", "viewer").await;
    let (sessions, people) = (&app.services().sessions, &app.services().people);
    let (one, two, bobs) =
        (sign_in(&app, "Ada").await, sign_in(&app, "Ada").await, sign_in(&app, "Bob").await);
    assert_ne!(one.token.expose(), two.token.expose());
    assert_ne!(one.signed_in.csrf, two.signed_in.csrf);
    let foreign = sessions.end(&bobs.signed_in, one.signed_in.id()).await;
    assert!(matches!(foreign, Err(ServiceError::NotFound("session"))));
    sessions.end(&one.signed_in, two.signed_in.id()).await.unwrap();
    assert!(is_good(&app, &one).await && !is_good(&app, &two).await);

    let three = sign_in(&app, "Ada").await;
    let secret = |text: &str| SecretText::from(text.to_owned());
    let wrong =
        people.change_password(&one.signed_in, Some(secret("wrong")), secret("another password")).await;
    assert!(matches!(wrong, Err(ServiceError::Invalid(_))), "{wrong:?}");
    assert!(people.change_password(&one.signed_in, None, secret("another password")).await.is_err());
    assert!(people.change_password(&one.signed_in, Some(secret(PASSWORD)), secret("short")).await.is_err());
    people.change_password(&one.signed_in, Some(secret(PASSWORD)), secret("another password")).await.unwrap();
    assert!(is_good(&app, &one).await && !is_good(&app, &three).await && is_good(&app, &bobs).await);

    // Who has forgotten it comes by a link and sets a new one.
    let link = people.link_in(workspace(&app).await, Some("ada@example.com")).await.unwrap();
    let by_link = sessions.use_link(link.expose(), "x").await.unwrap().unwrap();
    people.change_password(&by_link.signed_in, None, secret("a third password")).await.unwrap();
    assert!(try_from(&app, "192.0.2.1", "ada@example.com", "a third password").await.unwrap().is_some());
    assert_eq!(by_link.signed_in.person.id.to_string(), id);
    sessions.sign_out(&by_link.signed_in).await.unwrap();
    sessions.sign_out(&by_link.signed_in).await.unwrap();
    assert!(!is_good(&app, &by_link).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_ends_all_sessions_of_somebody_else() {
    let app = TestApp::spawn().await;
    let (ada, bob) = (add(&app, "Ada", "operator").await, add(&app, "Bob", "viewer").await);
    let (one, two, bobs) =
        (sign_in(&app, "Ada").await, sign_in(&app, "Ada").await, sign_in(&app, "Bob").await);
    let people = app.services().people.clone();
    let refused = people.end_sessions(&bobs.signed_in.actor, ada.parse().unwrap()).await;
    assert!(matches!(refused, Err(ServiceError::Forbidden { .. })), "{refused:?}");

    let url = format!("/v1/people/{ada}/sessions");
    app.delete(&url).await.expect(204);
    assert!(!is_good(&app, &one).await && !is_good(&app, &two).await && is_good(&app, &bobs).await);
    // Again changes nothing, so nothing is said of it.
    app.delete(&url).await.expect(204);
    let audit = app.get("/v1/audit?kind=person").await.expect(200);
    let ended: Vec<_> =
        audit["items"].as_array().unwrap().iter().filter(|it| it["action"] == "sessions_ended").collect();
    assert_eq!((ended.len(), &ended[0]["key"], &ended[0]["id"]), (1, &json!("Ada"), &json!(ada)));
    assert!(is_good(&app, &sign_in(&app, "Ada").await).await, "the password stays good");
    assert_eq!(app.delete("/v1/people/0193e0a0-0000-7000-8000-000000000000/sessions").await.status, 404);

    // The same by the page, which only an admin has.
    let (admin, viewer) = (Visitor::of(&app, "admin").await, Visitor::of(&app, "operator").await);
    let page = format!("/people/{bob}");
    admin.get(&page).await.says(200, &["End all of their sessions"]);
    assert_eq!(viewer.post(&format!("{page}/sessions/end"), &[]).await.status, 403);
    let form = [("csrf", "wrong")];
    assert_eq!(admin.bare(&format!("{page}/sessions/end"), &form, None).await.status, 403);
    assert!(is_good(&app, &bobs).await);
    let done = admin.post(&format!("{page}/sessions/end"), &[]).await;
    done.goes_to(&format!("{page}?done=ended"));
    admin.get(&done.location).await.says(200, &["signed out everywhere."]);
    assert!(!is_good(&app, &bobs).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_account_page_names_browsers_and_escapes_what_they_say() {
    let app = TestApp::spawn().await;
    let viewer = Visitor::of(&app, "viewer").await;
    let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/141.0 Safari/537.36";
    for agent in [chrome, HOSTILE] {
        let (email, password) = ("viewer@example.com".to_owned(), SecretText::from(VISITORS.to_owned()));
        let (address, user_agent) = ("192.0.2.9".parse().unwrap(), agent.to_owned());
        let sign_in = SignIn { email, password, address, user_agent };
        Box::pin(app.services().sessions.sign_in(sign_in)).await.unwrap().unwrap();
    }
    let page = viewer.get("/account").await;
    let page = page.says(200, &["Chrome on Linux", "Unknown browser", &format!("title=\"{chrome}\"")]);
    harmless(&page);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_e_mail_in_two_workspaces_is_told_apart_by_its_password() {
    let app = TestApp::spawn().await;
    add(&app, "Ada", "viewer").await;
    let access = &app.services().access;
    let mut ids = Vec::new();
    for (key, name, password) in
        [("zeta", "Zeta", PASSWORD), ("beta", "Beta", "the one of beta"), ("alpha", "Alpha", PASSWORD)]
    {
        let row = access.create_workspace(&key.parse().unwrap(), Some(name.to_owned())).await.unwrap();
        let request = dossier::service::NewTokenRequest {
            name: "ops".into(),
            role: dossier::domain::token::Role::Admin,
            overrides: true,
            expires_at: None,
        };
        let token = access.create_in(row.id, request).await.unwrap().1;
        let body = json!({"name": name, "email": "ada@example.com", "role": "viewer", "password": password});
        let request = client().post(app.url("/v1/people")).bearer_auth(token.expose()).json(&body);
        app.send(request).await.expect(201);
        ids.push(row.id);
    }
    let of = async |password: &str| {
        let begun = try_from(&app, "192.0.2.1", "ada@example.com", password).await.unwrap();
        begun.unwrap().signed_in.actor.workspace
    };
    assert_eq!(of("the one of beta").await, ids[1]);
    // In order of the workspaces' names: Alpha before Zeta and default.
    assert_eq!(of(PASSWORD).await, ids[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_token_or_link_is_kept_or_said() {
    let app = TestApp::spawn().await;
    let id = add(&app, "Ada", "admin").await;
    let begun = sign_in(&app, "Ada").await;
    let link = app.services().people.link_in(workspace(&app).await, Some("ada@example.com")).await.unwrap();
    app.patch(&format!("/v1/people/{id}"), &json!({"password": format!("{PASSWORD}-2")})).await.expect(200);
    let mut said = app.log_lines();
    for url in ["/v1/people", "/v1/audit", &format!("/v1/people/{id}")] {
        said += &app.get(url).await.expect(200).to_string();
    }
    let rows = app.database_bytes();
    for secret in [PASSWORD, begun.token.expose(), begun.signed_in.csrf.as_str(), link.expose()] {
        assert!(!said.contains(secret), "{secret} was said");
        assert!(!rows.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "{secret} was kept");
    }
    assert!(!said.contains("$argon2id$"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_token_opens_no_api_and_a_token_no_session() {
    let app = TestApp::spawn().await;
    add(&app, "Ada", "admin").await;
    let begun = sign_in(&app, "Ada").await;
    let answer = app.send(client().get(app.url("/v1/cases")).bearer_auth(begun.token.expose())).await;
    assert_eq!(answer.code(), "unauthorized");
    assert!(app.services().sessions.resume(crate::app::TOKEN).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_good_on_all_processes() {
    if cluster().is_none() {
        return;
    }
    let first = TestApp::spawn().await;
    let second = first.beside(&[]).await;
    add(&first, "Ada", "viewer").await;
    let begun = sign_in(&first, "Ada").await;
    assert!(is_good(&second, &begun).await);
    let link =
        first.services().people.link_in(workspace(&first).await, Some("ada@example.com")).await.unwrap();
    let (a, b) = tokio::join!(
        first.services().sessions.use_link(link.expose(), "x"),
        second.services().sessions.use_link(link.expose(), "x")
    );
    assert!(a.unwrap().is_some() ^ b.unwrap().is_some());
}
