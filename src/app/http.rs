//! The HTTP server: binds the address and hands the doors their use cases.

use std::io;
use std::net::{SocketAddr, TcpListener};

use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};

use crate::api::{self, ApiSettings};
use crate::engine::Console;
use crate::service::Services;
use crate::ui;

/// Threads that answer requests; each is a runtime of its own.
const THREADS: usize = 2;

/// Binds and starts; the server runs when it is awaited.
pub(super) fn listen(
    address: SocketAddr,
    services: Services,
    console: Console,
    request_bytes: usize,
) -> io::Result<(SocketAddr, Server)> {
    let listener = TcpListener::bind(address)?;
    let bound = listener.local_addr()?;
    let (services, console) = (web::Data::new(services), web::Data::new(console));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(services.clone())
            .app_data(console.clone())
            .app_data(web::Data::new(ApiSettings { request_bytes }))
            .configure(ui::configure)
            .configure(api::configure)
            .configure(ui::configure_rest)
    })
    .workers(THREADS)
    .disable_signals()
    .shutdown_timeout(10)
    .listen(listener)?
    .run();
    Ok((bound, server))
}
