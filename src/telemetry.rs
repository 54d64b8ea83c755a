//! Logs: one line per event on standard error, without secrets.
//!
//! Every line passes a redactor on its way out, after it was formatted, so a credential does not
//! reach a log even where somebody logs a whole request by mistake. The redactor learns values
//! while the process runs: `LogRedactor::learn` wherever one is opened. This is the last net,
//! not a licence: what is stored and shown is redacted where it is made.

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, PoisonError, RwLock};

use ring::digest::{SHA256, digest};
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::domain::redact::{Label, Redactor};
use crate::domain::secret::SecretText;

/// Libraries that speak too much below this level. The dispatcher calls it an error of ours when
/// a connection ends early: trouble of whoever called, or what the sandbox was asked for.
const QUIET: &str = "sqlx=warn,sea_orm=warn,sea_orm_migration=warn,hyper=warn,hyper_util=warn,h2=warn,rustls=warn,\
                     reqwest=warn,actix_server=warn,actix_http=warn,actix_http::h1::dispatcher=off,mio=warn,tokio_cron_scheduler=warn";

/// Tokens of providers that are known at a time.
const PASSING: usize = 256;

/// What a log line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFormat {
    /// For people.
    Text,
    /// One object per line.
    Json,
}

/// Starts logging for the whole process, once. Without a format it is text on a terminal, else
/// JSON. The handle is how secrets become known.
pub fn init(format: Option<LineFormat>, level: Level) -> Result<LogRedactor, TryInitError> {
    let terminal = io::stderr().is_terminal();
    let format = format.unwrap_or(if terminal { LineFormat::Text } else { LineFormat::Json });
    let redactor = LogRedactor::default();
    let writer = Redacting { redactor: redactor.clone(), open: io::stderr };
    let builder = tracing_subscriber::fmt().with_env_filter(filter(level)).with_writer(writer);
    match format {
        LineFormat::Text => builder.with_ansi(terminal).finish().try_init()?,
        LineFormat::Json => builder.json().flatten_event(true).finish().try_init()?,
    }
    Ok(redactor)
}

/// What is quiet stays so at `info` and above; who asks for `error` gets nothing but errors.
fn filter(level: Level) -> EnvFilter {
    let own = level.as_str().to_lowercase();
    EnvFilter::new(if level == Level::ERROR { own } else { format!("{own},{QUIET}") })
}

/// The secrets that no log line may show. A handle: clones share what they know.
#[derive(Debug, Clone, Default)]
pub struct LogRedactor(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    values: Vec<(Label, SecretText)>,
    /// Tokens of providers, the latest ones: each is good for a while only.
    passing: VecDeque<SecretText>,
    /// SHA-256 of the values, so that learning one again costs nothing.
    seen: HashSet<[u8; 32]>,
    redactor: Arc<Redactor>,
}

impl LogRedactor {
    /// From now on this value is replaced by the label. What was learnt before stays known, as
    /// an older value of a secret may still be on its way.
    pub fn learn(&self, label: Label, value: &str) {
        self.learn_all([(label, value)]);
    }

    /// As [`LogRedactor::learn`] for many; each call with something new costs as much as all
    /// that is known.
    pub fn learn_all<'a>(&self, values: impl IntoIterator<Item = (Label, &'a str)>) {
        let values = values.into_iter().map(|(label, value)| (fingerprint(value), label, value));
        let new: Vec<_> = {
            let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
            values.filter(|(hash, ..)| !known.seen.contains(hash)).collect()
        };
        if new.is_empty() {
            return;
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (hash, label, value) in new {
            if known.seen.insert(hash) {
                known.keep(label, SecretText::from(value.to_owned()));
            }
        }
        let passing = known.passing.iter().map(|value| (Label::Token, value.expose()));
        let all = known.values.iter().map(|(label, value)| (label.clone(), value.expose())).chain(passing);
        let redactor = Arc::new(Redactor::new(all));
        known.redactor = redactor;
    }

    /// The redactor as of now.
    pub fn current(&self) -> Arc<Redactor> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).redactor)
    }
}

impl Known {
    fn keep(&mut self, label: Label, value: SecretText) {
        if label != Label::Token {
            self.values.push((label, value));
            return;
        }
        self.passing.push_back(value);
        if self.passing.len() > PASSING
            && let Some(oldest) = self.passing.pop_front()
        {
            self.seen.remove(&fingerprint(oldest.expose()));
        }
    }
}

fn fingerprint(value: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, value.as_bytes()).as_ref());
    hash
}

/// Opens a writer that redacts, once per line.
struct Redacting<O> {
    redactor: LogRedactor,
    open: O,
}

impl<'a, O: Fn() -> W, W: Write> MakeWriter<'a> for Redacting<O> {
    type Writer = RedactingWriter<W>;

    fn make_writer(&'a self) -> Self::Writer {
        RedactingWriter { redactor: self.redactor.current(), inner: (self.open)() }
    }
}

/// The subscriber writes a line in one piece, so no value is cut in two between calls.
struct RedactingWriter<W> {
    redactor: Arc<Redactor>,
    inner: W,
}

impl<W: Write> Write for RedactingWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.redactor.redact_bytes(line) {
            Cow::Borrowed(_) => self.inner.write(line),
            Cow::Owned(redacted) => self.inner.write_all(&redacted).map(|()| line.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut self.0.lock().unwrap())).unwrap()
        }
    }

    fn label(name: &str) -> Label {
        Label::Secret(name.parse().unwrap())
    }

    #[test]
    fn no_line_shows_what_was_learnt() {
        let (lines, redactor) = (Lines::default(), LogRedactor::default());
        let open = {
            let lines = lines.clone();
            move || lines.clone()
        };
        let writer = Redacting { redactor: redactor.clone(), open };
        let subscriber = tracing_subscriber::fmt().json().with_writer(writer).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(url = "https://x.test/?k=corr%22ct-horse", "sent corr\"ct-horse");
            assert!(lines.take().contains("ct-horse"));
            redactor.learn(label("vies_token"), "corr\"ct-horse");
            redactor.learn(label("other"), "battery-staple");
            let body = "{\"k\": \"corr\\\"ct-horse\"}";
            tracing::info!(url = "https://x.test/?k=corr%22ct-horse", body, ?body, "sent corr\"ct-horse");
            tracing::info!("battery-staple");
        });
        let text = lines.take();
        assert_eq!(text.matches("[secret vies_token]").count(), 4, "{text}");
        assert!(!text.contains("ct-horse") && text.contains("[secret other]"), "{text}");
        assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{text}");
    }

    #[test]
    fn what_is_known_is_not_built_again() {
        let redactor = LogRedactor::default();
        assert!(redactor.current().is_empty());
        redactor.learn(label("a"), "correct-horse");
        let before = redactor.current();
        redactor.learn(label("a"), "correct-horse");
        assert!(Arc::ptr_eq(&before, &redactor.current()));
        redactor.clone().learn(label("a"), "battery-staple");
        assert_eq!(redactor.current().redact("correct-horse battery-staple"), "[secret a] [secret a]");
        assert!(!format!("{redactor:?}").contains("horse"));
    }

    #[test]
    fn the_filter_quiets_libraries_and_not_us() {
        for (level, own, library) in [
            (Level::ERROR, "error", None),
            (Level::INFO, "info", Some("sqlx=warn")),
            (Level::TRACE, "trace", Some("h2=warn")),
        ] {
            let text = filter(level).to_string();
            assert!(text.contains(own), "{text}");
            assert_eq!(
                text.contains("=warn"),
                library.is_some_and(|library| text.contains(library)),
                "{text}"
            );
        }
    }
}
