//! The shards' threads: each accepts from the one port, serves HTTP, and runs its shard. Also the handle that starts
//! them and brings them to an end.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::MissedTickBehavior;
use tower::ServiceExt;

use super::admission::PendingPlace;
pub use super::shard::Shared;
use super::shard::{Shard, Upgraded};
use super::upgrade;
use crate::broker::{Delivery, Inbox};

/// Longest request, headers and all, bytes.
const REQUEST_BYTES_MAX: usize = 16 << 10;
/// Threads of one shard for reads from disk.
const DISK_THREADS: usize = 4;
/// Deliveries done in one turn: enough to gather many frames into one write, few enough that nobody waits for long.
const DELIVERIES_PER_TURN: usize = 512;
/// A connection that stays with HTTP is ended after this, however busy it is, because it holds a place among those that
/// have not said who they are.
const HTTP_LIFETIME: Duration = Duration::from_secs(60);
/// A shard that is not empty this long after the order to drain ends all the same.
const DRAIN: Duration = Duration::from_secs(10);
/// When accepting fails, for want of descriptors say, this is waited before the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The running shards.
pub struct Gateway {
    inboxes: Vec<Arc<Inbox>>,
    threads: Vec<JoinHandle<()>>,
}

impl Gateway {
    /// Starts one thread per inbox. `router` serves every path but the socket's.
    ///
    /// # Errors
    /// When the listener cannot be shared or a thread cannot be started.
    pub fn start(
        listener: &TcpListener,
        shared: Arc<Shared>,
        inboxes: Vec<Arc<Inbox>>,
        router: Router,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let mut threads = Vec::new();
        for (index, inbox) in inboxes.iter().enumerate() {
            let (listener, shared) = (listener.try_clone()?, shared.clone());
            let (inbox, router) = (inbox.clone(), router.clone());
            let thread = std::thread::Builder::new().name(format!("shard-{index}"));
            threads.push(thread.spawn(move || run(index as u16, listener, shared, &inbox, router))?);
        }
        Ok(Self { inboxes, threads })
    }

    /// Tells every connection to go and waits until the shards have ended. Blocks.
    pub fn drain(self) {
        for inbox in &self.inboxes {
            inbox.put([Delivery::Drain]);
        }
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a shard ended by a panic");
            }
        }
    }
}

fn run(index: u16, listener: TcpListener, shared: Arc<Shared>, inbox: &Inbox, router: Router) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(DISK_THREADS).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return tracing::error!(%error, "a shard could not start"),
    };
    LocalSet::new().block_on(&runtime, async {
        let shard = Shard::new(index, shared.clone());
        let accepting = tokio::task::spawn_local(accept(listener, shard.clone(), shared, router));
        let ticking = tokio::task::spawn_local(tick(shard.clone()));
        let mut deliveries = Vec::new();
        while !shard.borrow().is_draining() {
            inbox.take(&mut deliveries).await;
            work_off(&shard, &mut deliveries).await;
        }
        accepting.abort();
        // What is committed while the shard drains still has its answers and pushes to go out.
        let ending = async {
            while !shard.borrow().is_empty() {
                tokio::select! {
                    () = inbox.take(&mut deliveries) => work_off(&shard, &mut deliveries).await,
                    () = tokio::time::sleep(Duration::from_millis(20)) => {}
                }
            }
        };
        if tokio::time::timeout(DRAIN, ending).await.is_err() {
            tracing::warn!(shard = index, "connections were left at the end of the drain");
        }
        ticking.abort();
    });
}

/// Does what came through the inbox, some at a time: after each part everything is written, and the shard's other tasks
/// get their turn.
async fn work_off(shard: &RefCell<Shard>, deliveries: &mut Vec<Delivery>) {
    let mut deliveries = deliveries.drain(..);
    while deliveries.len() > 0 {
        shard.borrow_mut().on_deliveries(deliveries.by_ref().take(DELIVERIES_PER_TURN));
        tokio::task::yield_now().await;
    }
}

async fn tick(shard: Rc<RefCell<Shard>>) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    second.tick().await;
    loop {
        second.tick().await;
        shard.borrow_mut().on_second();
    }
}

async fn accept(listener: TcpListener, shard: Rc<RefCell<Shard>>, shared: Arc<Shared>, router: Router) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "a shard cannot accept"),
    };
    loop {
        match listener.accept().await {
            Ok((socket, address)) => {
                let address = upgrade::canonical(address.ip());
                let Some(place) = shared.admission.pend(address) else { continue };
                let _ = socket.set_nodelay(true);
                tokio::task::spawn_local(serve(socket, address, place, shard.clone(), shared.clone(), router.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "accepting failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves HTTP on a socket until it is upgraded or closed.
async fn serve(
    socket: TcpStream,
    address: IpAddr,
    place: PendingPlace,
    shard: Rc<RefCell<Shard>>,
    shared: Arc<Shared>,
    router: Router,
) {
    let timeout = Duration::from_millis(shared.config.connect_timeout_ms);
    let place = Rc::new(RefCell::new(Some(place)));
    let service = service_fn(|request: Request<Incoming>| {
        let (place, shard, shared, router) = (place.clone(), shard.clone(), shared.clone(), router.clone());
        async move { Ok::<_, Infallible>(respond(request, address, &place, shard, &shared, router).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .max_buf_size(REQUEST_BYTES_MAX)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    // A request that was broken off has nobody left to tell. An upgraded socket has left this task by then.
    let _ = tokio::time::timeout(HTTP_LIFETIME, connection).await;
}

async fn respond(
    mut request: Request<Incoming>,
    address: IpAddr,
    place: &RefCell<Option<PendingPlace>>,
    shard: Rc<RefCell<Shard>>,
    shared: &Arc<Shared>,
    router: Router,
) -> Response<Body> {
    if !upgrade::PATHS.contains(&request.uri().path()) {
        request.extensions_mut().insert(axum::extract::ConnectInfo(address));
        return router.oneshot(request.map(Body::new)).await.unwrap_or_else(|never| match never {});
    }
    let handshake = match upgrade::check(&request, &shared.config.origins) {
        Ok(handshake) => handshake,
        Err(response) => return *response,
    };
    let (Some(connection), Some(pending)) = (shared.admission.connect(), place.take()) else { return upgrade::full() };
    let upgrading = hyper::upgrade::on(&mut request);
    let (encoding, has_origin) = (handshake.encoding, handshake.has_origin);
    tokio::task::spawn_local(async move {
        if let Some((socket, early)) = raw(upgrading).await {
            let upgraded = Upgraded { socket, early, encoding, has_origin, pending, place: connection };
            shard.borrow_mut().adopt(upgraded);
        }
    });
    handshake.response
}

/// The stream below the request, and what was read of it beyond the request.
async fn raw(upgrading: OnUpgrade) -> Option<(TcpStream, bytes::Bytes)> {
    let parts = upgrading.await.ok()?.downcast::<TokioIo<TcpStream>>().ok()?;
    Some((parts.io.into_inner(), parts.read_buf))
}
