//! How the URL of a database is shown: without what nobody but the server may know.

/// `postgres://user:[hidden]@host/database`; the query goes, since it can hold a password, too.
pub(super) fn without_password(url: &str) -> String {
    if url.starts_with("sqlite:") {
        return url.to_owned();
    }
    let all = url;
    let url = url.split('?').next().unwrap_or_default();
    if all.contains('@') && !url.contains('@') {
        // A password that is not written as URLs want it: where it ends cannot be told.
        return "[hidden]".to_owned();
    }
    let parts = url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?)));
    match parts {
        Some((scheme, (user, place))) => match user.split_once(':') {
            Some((user, _)) => format!("{scheme}://{user}:[hidden]@{place}"),
            None => url.to_owned(),
        },
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for (url, shown) in [
            ("sqlite://data/dossier.db?mode=rwc", "sqlite://data/dossier.db?mode=rwc"),
            ("postgres://dossier:s@cr:et@db:5432/d", "postgres://dossier:[hidden]@db:5432/d"),
            ("postgres://dossier@db/d?password=x", "postgres://dossier@db/d"),
            ("postgres://dossier:s?cr@et@db:5432/d", "[hidden]"),
            ("postgresql:///d?host=/run/postgresql", "postgresql:///d"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
