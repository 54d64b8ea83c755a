//! How the provider proves who it is, and how we do: `tls`.
//!
//! Here only the shape is read. Whether certificates and key can be used, fit and are in time is
//! looked at where connections are saved. That certificates are verified cannot be switched off.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::domain::api_call::Compiler;
use crate::domain::case_type::reader::Reader;
use crate::domain::problem::code;
use crate::domain::secret::HIDDEN;
use crate::domain::template::Template;

/// Bytes of `ca`, and of a certificate with its chain.
const LONGEST_CERTIFICATES: usize = 256 * 1024;
/// Bytes of a key.
const LONGEST_KEY: usize = 16_384;

/// What a connection says about TLS.
#[derive(Default)]
pub struct Tls {
    /// The authorities that are trusted, in PEM; none: the system's.
    pub ca: Option<String>,
    /// What we show when the provider asks for it.
    pub client: Option<ClientCertificate>,
    /// Secrets that it uses.
    pub secrets: BTreeSet<String>,
}

/// A certificate with its chain, and its key. Not `Debug`: the key may be a literal.
pub struct ClientCertificate {
    /// PEM: the certificate first.
    pub certificate: String,
    /// PEM, or a placeholder of a secret.
    pub key: Template,
}

impl Tls {
    /// Reads the member `tls`; answers with it its normal form, if it is there.
    pub(super) fn read(
        connection: &mut Reader<'_, '_>,
        compiler: &mut Compiler<'_>,
    ) -> (Self, Option<Value>) {
        let mut read = Self::default();
        let Some(value) = connection.get("tls") else { return (read, None) };
        let at = connection.at("tls");
        let Some(mut tls) = Reader::open(value, at, connection.findings) else { return (read, None) };
        let mut normal = Map::new();
        if let Some(text) = certificates("ca", &mut tls) {
            normal.insert("ca".to_owned(), text.into());
            read.ca = Some(text.to_owned());
        }
        if let Some((client, form)) = read_client(&mut tls, compiler) {
            normal.insert("client_certificate".to_owned(), form);
            read.client = Some(client);
        }
        tls.finish(|name| {
            let verifies = name.contains("verify") || name.contains("insecure");
            verifies.then_some(
                "certificates are always verified; to trust an authority of your own, give it in `ca`",
            )
        });
        read.secrets = std::mem::take(&mut compiler.secrets).into_keys().collect();
        (read, (!normal.is_empty()).then(|| normal.into()))
    }

    /// Whether the key was typed in, and is no secret.
    pub fn types_key(&self) -> bool {
        self.client.as_ref().is_some_and(|client| client.key.literal().is_some())
    }

    /// Whether it says nothing.
    pub const fn is_empty(&self) -> bool {
        self.ca.is_none() && self.client.is_none()
    }
}

fn read_client(tls: &mut Reader<'_, '_>, compiler: &mut Compiler<'_>) -> Option<(ClientCertificate, Value)> {
    let value = tls.get("client_certificate")?;
    let at = tls.at("client_certificate");
    let mut client = Reader::open(value, at, tls.findings)?;
    for (name, remedy) in [
        ("certificate", "give it as PEM, with its chain behind it"),
        ("key", "give it as PEM, best as a secret: `{secret.…}`"),
    ] {
        if client.get(name).is_none() {
            client.missing(name, remedy);
        }
    }
    let certificate = certificates("certificate", &mut client);
    let key = read_key(&mut client, compiler);
    client.finish(|_| None);
    let (certificate, (key, source)) = (certificate?, key?);
    let form = json!({"certificate": certificate, "key": source});
    Some((ClientCertificate { certificate: certificate.to_owned(), key }, form))
}

/// One or more certificates in PEM.
fn certificates<'v>(name: &'static str, reader: &mut Reader<'v, '_>) -> Option<&'v str> {
    let text = reader.text(name, LONGEST_CERTIFICATES)?.trim();
    if text.contains("PRIVATE KEY-----") {
        reader.problem(
            name,
            code::INVALID,
            "holds a private key: only certificates belong here, the key into `key`",
        );
        return None;
    }
    if !text.contains("-----BEGIN CERTIFICATE-----") {
        let message = "holds no certificate in PEM: it begins with `-----BEGIN CERTIFICATE-----`";
        reader.problem(name, code::INVALID, message);
        return None;
    }
    Some(text)
}

fn read_key<'v>(client: &mut Reader<'v, '_>, compiler: &mut Compiler<'_>) -> Option<(Template, &'v str)> {
    let source = client.text("key", LONGEST_KEY)?.trim();
    let at = client.at("key");
    let key = compiler.template(source, &at, client.findings)?;
    let is_pem = source.starts_with("-----BEGIN ") && source.contains("PRIVATE KEY-----");
    if source.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
        let message =
            "is protected by a password, which cannot be asked for: give it without one, best as a secret";
        client.problem("key", code::INVALID, message);
        return None;
    }
    if key.literal().is_some() && source != HIDDEN && !is_pem {
        let message =
            "is no private key in PEM: it begins with `-----BEGIN PRIVATE KEY-----`, or is `{secret.…}`";
        client.problem("key", code::INVALID, message);
        return None;
    }
    Some((key, source))
}
