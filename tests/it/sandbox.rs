//! The sandbox on a real socket: it listens where it says, hangs, cuts and stops.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use dossier::domain::clock::{Clock, Instant};
use dossier::sandbox::{Demo, start};
use serde_json::Value;
use tokio::sync::watch;

use crate::upstream::client;

/// Sleepers sleep for ever, and tell that they do.
struct StandingClock(watch::Sender<usize>);

impl Clock for StandingClock {
    fn now(&self) -> Instant {
        Instant::UNIX_EPOCH
    }

    fn sleep_until(&self, _: Instant) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.0.send_modify(|sleepers| *sleepers += 1);
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn the_sandbox_answers_hangs_cuts_and_stops() {
    let clock = Arc::new(StandingClock(watch::Sender::new(0)));
    let mut sleepers = clock.0.subscribe();
    let (address, server) = start(SocketAddr::from(([127, 0, 0, 1], 0)), clock).await.unwrap();
    let handle = server.handle();
    let talk = async {
        let guide: Value = ask(address, "/sandbox").await.unwrap().json().await.unwrap();
        for endpoint in guide["endpoints"].as_array().unwrap().iter().filter(|one| one["method"] == "GET") {
            let path = endpoint["path"].as_str().unwrap();
            assert_eq!(ask(address, path).await.unwrap().status(), 200, "{path}");
        }
        let cut = ask(address, "/rates?sandbox_fault=cut").await;
        assert!(cut.is_err() || cut.unwrap().bytes().await.is_err());

        tokio::select! {
            answer = ask(address, "/rates?sandbox_fault=timeout") => panic!("answered {answer:?}"),
            asleep = sleepers.wait_for(|sleepers| *sleepers == 1) => drop(asleep.unwrap()),
        }
        handle.stop(false).await;
    };
    let (ended, ()) = tokio::join!(server, talk);
    ended.unwrap();
    assert!(ask(address, "/sandbox").await.unwrap_err().is_connect());
    assert!(Demo::at(address).is_ok());
}

async fn ask(address: SocketAddr, path: &str) -> reqwest::Result<reqwest::Response> {
    client().get(format!("http://{address}{path}")).send().await
}
