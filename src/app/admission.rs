//! Who may come in when a process starts: the workspace `default`, the token of the settings,
//! and, at the very first start, a token in a file.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use percent_encoding::percent_decode_str;

use super::parts::default_workspace;
use crate::config::Settings;
use crate::domain::redact::Label;
use crate::domain::secret::SecretText;
use crate::service::Services;
use crate::telemetry::LogRedactor;

/// Sees to it that somebody may come in. Answers the file with the first token, when it was
/// written just now.
pub(super) async fn admit(
    settings: &Settings,
    services: &Services,
    log: &LogRedactor,
) -> anyhow::Result<Option<PathBuf>> {
    let workspace = default_workspace()?;
    services.access.ensure_workspace(&workspace).await?;
    let configured = settings.security.admin_token.as_ref();
    if let Some(token) = configured {
        log.learn(Label::Hidden, token.expose());
    }
    services.access.ensure_admin_token(&workspace, configured).await?;
    // A file on one of several machines is no place for the token of them all.
    if settings.database.is_shared() || !services.access.has_no_token().await? {
        return Ok(None);
    }
    let path = token_file(&settings.database.url);
    let token = services.access.generate();
    // The file comes first: a token in the database that nobody knows would lock everybody out.
    write(&path, &token)
        .with_context(|| format!("the first token could not be written to {}", path.display()))?;
    let first = services.access.insert_first_token(&workspace, &token).await?;
    Ok(Some(path).filter(|_| first))
}

/// `admin.token` beside the database.
fn token_file(url: &str) -> PathBuf {
    database_file(url).with_file_name("admin.token")
}

/// The file that a URL like `sqlite://data/dossier.db?mode=rwc` names.
pub(super) fn database_file(url: &str) -> PathBuf {
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = path.split('?').next().unwrap_or_default();
    PathBuf::from(percent_decode_str(path).decode_utf8_lossy().into_owned())
}

/// What an earlier database left there is good for nothing.
fn write(path: &Path, token: &SecretText) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(token.expose().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_lies_beside_the_database() {
        for (url, expected) in [
            ("sqlite://data/dossier.db", "data/admin.token"),
            ("sqlite:data/dossier.db?mode=rwc", "data/admin.token"),
            ("sqlite:///var/lib/dossier/x.db", "/var/lib/dossier/admin.token"),
            ("sqlite://my%20data/x.db", "my data/admin.token"),
            ("sqlite://dossier.db", "admin.token"),
        ] {
            assert_eq!(token_file(url), Path::new(expected), "{url}");
        }
    }

    #[test]
    fn only_the_owner_reads_the_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.token");
        fs::write(&path, "of an earlier database, and longer than the new one").unwrap();
        write(&path, &SecretText::from("dsr_x".to_owned())).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "dsr_x\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
