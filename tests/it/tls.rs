//! TLS against providers with certificates of the test's own: whom we trust, and how we prove who
//! we are.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::TLS12;
use tokio_rustls::rustls::{ALL_VERSIONS, RootCertStore, ServerConfig};

use crate::app::{Answer, MARKER, TestApp};

pub type Authority = CertifiedIssuer<'static, KeyPair>;

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

pub fn authority(name: &str, until: i32) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

pub fn issued(by: &Authority, name: &str, until: i32) -> Pair {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    Pair { certificate: params.signed_by(&key, by).unwrap().pem(), key: key.serialize_pem() }
}

fn self_signed(name: &str) -> Pair {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2100, 1, 1);
    Pair { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

/// A provider over TLS on a thread of its own; it answers `{"v": 1}` to everything.
pub struct Provider {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Provider {
    /// Shows this certificate; with an authority it wants one from its clients.
    pub fn start(own: &Pair, clients: Option<&Authority>) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        // With TLS 1.3 a client learns only by its first answer that its certificate is missed, or not at all.
        let versions = if clients.is_some() { &[&TLS12][..] } else { ALL_VERSIONS };
        let builder = ServerConfig::builder_with_protocol_versions(versions);
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.der().clone()).unwrap();
                builder.with_client_cert_verifier(
                    WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap(),
                )
            }
        };
        let chain = CertificateDer::pem_slice_iter(own.certificate.as_bytes()).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()));
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = serve(TcpListener::from_std(listener).unwrap(), acceptor) => {}
                }
            });
        });
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    pub fn allow(&self) -> String {
        format!("127.0.0.1:{},[::1]:{}", self.address.port(), self.address.port())
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((socket, _)) = listener.accept().await else { return };
        let acceptor = acceptor.clone();
        connections.spawn(async move {
            let Ok(mut stream) = acceptor.accept(socket).await else { return };
            let mut head = Vec::new();
            let mut buffer = [0; 4096];
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut buffer).await {
                    Ok(count) if count > 0 => head.extend_from_slice(&buffer[..count]),
                    _ => return,
                }
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 7\r\nconnection: close\r\n\r\n{\"v\":1}";
            drop(stream.write_all(answer).await);
            drop(stream.shutdown().await);
        });
    }
}

async fn app_for(provider: &Provider) -> TestApp {
    let allow = provider.allow();
    TestApp::spawn_with(&[("NETWORK__ALLOW", &allow)]).await
}

async fn connect(app: &TestApp, provider: &Provider, tls: Value) -> Answer {
    app.put("/v1/connections/bank", &json!({"base_url": provider.url(), "tls": tls})).await
}

/// What comes of one call: the data and the error of its run.
async fn call(app: &TestApp) -> (Value, Value) {
    let config = json!({"connection": "bank", "url": "/x"});
    app.define_one("/unused", json!({"retry": 0}), config).await;
    let case = app.filled(json!({})).await;
    (case["data"].clone(), case["fields"]["check"]["error"].clone())
}

/// One call that cannot come about, with what the builder is told.
async fn fails(app: &TestApp, part: &str) {
    let (data, error) = call(app).await;
    assert_eq!(
        (&data, &error["code"], &error["retryable"]),
        (&json!({}), &json!("tls_failed"), &json!(false)),
        "{error}"
    );
    assert!(error["detail"].as_str().unwrap().contains(part), "{error}");
    assert!(error["message"].as_str().unwrap().contains("secure connection"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_of_its_own_is_trusted_by_its_connection_only() {
    let ours = authority("Ours", 2100);
    let provider = Provider::start(&issued(&ours, "localhost", 2100), None);
    let app = app_for(&provider).await;
    connect(&app, &provider, json!(null)).await.expect(201);
    fails(&app, "give its certificate in `tls.ca`").await;
    // A bundle is as good, and one authority among several is enough.
    let bundle = format!("{}\n{}", authority("Other", 2100).pem(), ours.pem());
    let saved = connect(&app, &provider, json!({"ca": bundle})).await.expect(200);
    assert_eq!(saved["tls"]["ca"], bundle.trim());
    assert_eq!(call(&app).await.1, Value::Null);
    connect(&app, &provider, json!({"ca": authority("Other", 2100).pem()})).await.expect(200);
    fails(&app, "was not issued by an authority that is trusted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_over_or_for_another_host_is_refused() {
    let ours = authority("Ours", 2100);
    for (own, part) in [
        (issued(&ours, "localhost", 2021), "has expired: its operator must renew it"),
        (issued(&ours, "bank.example", 2100), "the certificate is not for `localhost`"),
        (self_signed("localhost"), "`localhost`"),
    ] {
        let provider = Provider::start(&own, None);
        let app = app_for(&provider).await;
        connect(&app, &provider, json!({"ca": ours.pem()})).await.expect(201);
        fails(&app, part).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_other_side_is_said_in_words() {
    // The most common one of one's own: that of an authority, used by a server.
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2100, 1, 1));
    let own = Pair { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() };
    let provider = Provider::start(&own, None);
    let app = app_for(&provider).await;
    connect(&app, &provider, json!({"ca": own.certificate})).await.expect(201);
    fails(&app, "is that of an authority (CA:TRUE)").await;
    // One that is a server's own is trusted where it is given.
    let own = self_signed("localhost");
    let provider = Provider::start(&own, None);
    let app = app_for(&provider).await;
    connect(&app, &provider, json!({"ca": own.certificate})).await.expect(201);
    assert_eq!(call(&app).await.1, Value::Null);
    // http to a port that speaks TLS, and the other way round.
    let plain = json!({"base_url": provider.url().replace("https", "http")});
    app.put("/v1/connections/bank", &plain).await.expect(200);
    let tested = app.post("/v1/connections/bank/test", &json!({})).await.expect(200).to_string();
    assert!(tested.contains("must begin with https://"), "{tested}");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut speaks_http = JoinSet::new();
    speaks_http.spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let read = socket.read(&mut [0; 4096]).await;
            assert!(read.is_ok());
            drop(socket.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await);
        }
    });
    let app = TestApp::spawn_with(&[("NETWORK__ALLOW", &address)]).await;
    let encrypted = json!({"base_url": format!("https://{address}")});
    app.put("/v1/connections/bank", &encrypted).await.expect(201);
    fails(&app, "must begin with http://").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_no_key_is_said_to_be_none() {
    let ours = authority("Ours", 2100);
    let provider = Provider::start(&issued(&ours, "localhost", 2100), Some(&ours));
    let app = app_for(&provider).await;
    let own = issued(&ours, "dossier", 2100);
    app.put("/v1/secrets/bank_key", &json!({"value": own.key, "hosts": []})).await.expect(201);
    let client = json!({"certificate": own.certificate, "key": "{secret.bank_key}"});
    connect(&app, &provider, json!({"ca": ours.pem(), "client_certificate": client})).await.expect(201);
    let value = "no key at all";
    app.put("/v1/secrets/bank_key", &json!({"value": value, "hosts": []})).await.expect(200);
    fails(&app, "is no private key in PEM").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_is_shown_to_who_asks_for_it() {
    let (ours, theirs) = (authority("Ours", 2100), authority("Theirs", 2100));
    let provider = Provider::start(&issued(&theirs, "localhost", 2100), Some(&ours));
    let app = app_for(&provider).await;
    connect(&app, &provider, json!({"ca": theirs.pem()})).await.expect(201);
    fails(&app, "`localhost` wants a client certificate").await;
    let own = issued(&ours, "dossier", 2100);
    let client = json!({"certificate": own.certificate, "key": own.key});
    let saved =
        connect(&app, &provider, json!({"ca": theirs.pem(), "client_certificate": client})).await.expect(200);
    assert_eq!(saved["tls"]["client_certificate"]["key"], "[hidden]");
    assert_eq!(call(&app).await.1, Value::Null);
    // Written back as it was read it stays, also over a restart; in the rows it cannot be read.
    let read = app.get("/v1/connections/bank").await.expect(200);
    assert_eq!(app.put("/v1/connections/bank", &read).await.expect(200)["version"], saved["version"]);
    let middle = own.key.lines().nth(1).unwrap();
    let rows = String::from_utf8_lossy(&app.database_bytes()).into_owned();
    assert!(!rows.contains(middle), "the key lies open in the database");
    // Of an authority that the provider does not know.
    let stranger = issued(&theirs, "dossier", 2100);
    let client = json!({"certificate": stranger.certificate, "key": stranger.key});
    connect(&app, &provider, json!({"ca": theirs.pem(), "client_certificate": client})).await.expect(200);
    fails(&app, "another client certificate").await;
    // As a secret.
    app.put("/v1/secrets/bank_key", &json!({"value": own.key, "hosts": []})).await.expect(201);
    let client = json!({"certificate": own.certificate, "key": "{secret.bank_key}"});
    let saved =
        connect(&app, &provider, json!({"ca": theirs.pem(), "client_certificate": client})).await.expect(200);
    assert_eq!(saved["tls"]["client_certificate"]["key"], "{secret.bank_key}");
    assert_eq!(call(&app).await.1, Value::Null);
    assert_eq!(app.delete("/v1/secrets/bank_key").await.code(), "in_use");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_is_refused_at_the_save() {
    let app = TestApp::spawn().await;
    let (ours, over) = (authority("Ours", 2100), authority("Over", 2021));
    let (own, other, old) =
        (issued(&ours, "dossier", 2100), issued(&ours, "dossier", 2100), issued(&ours, "dossier", 2021));
    app.put("/v1/secrets/other_key", &json!({"value": other.key, "hosts": []})).await.expect(201);
    let client = |certificate: &str, key: &str| json!({"client_certificate": {"certificate": certificate, "key": key}});
    let broken = ours.pem().replace("MII", "!!!");
    for (tls, pointer, part) in [
        (json!({"ca": "x"}), "/tls/ca", "no certificate in PEM"),
        (json!({"ca": broken}), "/tls/ca", ""),
        (json!({"ca": own.key}), "/tls/ca", "only certificates belong here"),
        (json!({"ca": over.pem()}), "/tls/ca", "has expired, on 2021-01-01"),
        (json!({"ca": format!("{}{}", ours.pem(), over.pem())}), "/tls/ca", "certificate 2 of 2"),
        (json!({"ca": 5}), "/tls/ca", "a text"),
        (client(&own.certificate, &other.key), "/tls/client_certificate/key", "does not fit the certificate"),
        (client(&own.certificate, "{secret.other_key}"), "/tls/client_certificate/key", "does not fit"),
        (
            client(&own.certificate, "{secret.othr_key}"),
            "/tls/client_certificate/key",
            "did you mean `other_key`?",
        ),
        (client(&own.certificate, MARKER), "/tls/client_certificate/key", "no private key in PEM"),
        (client(&own.certificate, "[hidden]"), "/tls/client_certificate/key", "type it in"),
        (client(&old.certificate, &old.key), "/tls/client_certificate/certificate", "has expired"),
        (
            json!({"client_certificate": {"key": own.key}}),
            "/tls/client_certificate/certificate",
            "is missing",
        ),
        (json!({"verify": false}), "/tls/verify", "certificates are always verified"),
    ] {
        let refused = app.put("/v1/connections/bank", &json!({"tls": tls})).await.expect(422);
        let found = &refused["errors"][0];
        assert_eq!(found["pointer"], pointer, "{refused}");
        assert!(found["message"].as_str().unwrap().contains(part), "{refused}");
        assert!(!refused.to_string().contains(own.key.lines().nth(1).unwrap()), "a key is quoted");
    }
    assert_eq!(app.get("/v1/connections/bank").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_origin_does_not_get_the_key() {
    let app = TestApp::spawn().await;
    let own = issued(&authority("Ours", 2100), "dossier", 2100);
    let mut body = json!({
        "base_url": "https://one.example", "tls": {"client_certificate": {"certificate": own.certificate, "key": own.key}},
    });
    app.put("/v1/connections/bank", &body).await.expect(201);
    body["base_url"] = json!("https://two.example");
    body["tls"]["client_certificate"]["key"] = json!("[hidden]");
    let moved = app.put("/v1/connections/bank", &body).await.expect(200);
    assert_eq!(moved.get("tls"), None, "{moved}");
    assert_eq!(moved["warnings"][0]["pointer"], "/tls/client_certificate/key");
}
