//! The shards' threads: each accepts from the one port, serves HTTP, and runs its shard. Also the handle that starts
//! them and brings them to an end.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt;

use super::admission::{Admission, Kind, PendingPlace};
use super::connection::From;
use super::reading::Upgraded;
use super::requests::{self, AnswerBody, Route};
use super::shard::Shard;
pub use super::shard::Shared;
use super::upgrade;
use crate::address::{canonical, of_request};
use crate::broker::{Delivery, Inbox};

/// Longest request, headers and all, bytes.
const REQUEST_BYTES_MAX: usize = 16 << 10;
/// Threads of one shard for reads from disk.
const DISK_THREADS: usize = 4;
/// Deliveries done in one turn: enough to gather many frames into one write, few enough that nobody waits for long.
const DELIVERIES_PER_TURN: usize = 512;
/// After this a connection that stays with HTTP is ended with its next answer, which says so, however busy it is: it holds
/// a place among those that have not said who they are. Closing it unannounced would meet requests on their way.
const HTTP_LIFETIME: Duration = Duration::from_secs(60);
/// An answer under way then has this much longer. A stream lives as long as its session.
const REQUEST_LIFETIME: Duration = Duration::from_secs(600);
/// The last bytes of a stream have this long to go out.
const GOODBYE: Duration = Duration::from_secs(5);
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
        let all: Arc<[_]> = inboxes.clone().into();
        for index in 0..inboxes.len() {
            let (listener, shared) = (listener.try_clone()?, shared.clone());
            let (inboxes, router) = (all.clone(), router.clone());
            let thread = std::thread::Builder::new().name(format!("shard-{index}"));
            threads.push(thread.spawn(move || run(index as u16, listener, shared, inboxes, router))?);
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

fn run(index: u16, listener: TcpListener, shared: Arc<Shared>, inboxes: Arc<[Arc<Inbox>]>, router: Router) {
    let inbox = inboxes[usize::from(index)].clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(DISK_THREADS).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return tracing::error!(%error, "a shard could not start"),
    };
    LocalSet::new().block_on(&runtime, async {
        let shard = Shard::new(index, shared.clone());
        let desk = Rc::new(Desk { index, shard: shard.clone(), shared, inboxes, router });
        let accepting = tokio::task::spawn_local(accept(listener, desk));
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

async fn accept(listener: TcpListener, desk: Rc<Desk>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "a shard cannot accept"),
    };
    loop {
        match listener.accept().await {
            Ok((socket, address)) => {
                let address = address.ip();
                let Some(place) = desk.shared.admission.pend(canonical(address)) else { continue };
                let _ = socket.set_nodelay(true);
                tokio::task::spawn_local(serve(socket, Visitor::new(address, place), desk.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "accepting failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// What a thread needs to serve requests.
pub struct Desk {
    /// The shard's number.
    pub index: u16,
    /// The shard of this thread.
    pub shard: Rc<RefCell<Shard>>,
    /// What all shards share.
    pub shared: Arc<Shared>,
    /// The ways into all shards, by number.
    pub inboxes: Arc<[Arc<Inbox>]>,
    /// For every path that is not the live edge's.
    router: Router,
}

/// Whoever is at the other end of a connection that speaks HTTP.
pub struct Visitor {
    address: IpAddr,
    /// Its place among those who have not said who they are; none after a request that spoke for a session.
    place: RefCell<Option<PendingPlace>>,
    /// The answer under way is the stream of a session.
    has_stream: Cell<bool>,
    /// The session of the stream has ended.
    over: CancellationToken,
    /// The next answer is the last one.
    is_old: Cell<bool>,
}

impl Visitor {
    fn new(address: IpAddr, place: PendingPlace) -> Self {
        let place = RefCell::new(Some(place));
        let (has_stream, is_old) = (Cell::new(false), Cell::new(false));
        Self { address, place, has_stream, over: CancellationToken::new(), is_old }
    }

    /// Whether it has its place, or gets one again.
    fn has_place(&self, admission: &Arc<Admission>) -> bool {
        let mut place = self.place.borrow_mut();
        if place.is_none() {
            *place = admission.pend(canonical(self.address));
        }
        place.is_some()
    }

    /// Its place, for a session that begins.
    pub fn take_place(&self, admission: &Arc<Admission>) -> Option<PendingPlace> {
        self.place.take().or_else(|| admission.pend(canonical(self.address)))
    }

    /// The address that counts for limits of tries: what trusted proxies say is believed.
    pub fn address_by(&self, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> IpAddr {
        let forwarded = headers.get_all("x-forwarded-for").iter();
        let forwarded: Vec<_> = forwarded.map(|value| value.to_str().unwrap_or_default()).collect();
        canonical(of_request(self.address, forwarded.into_iter(), trusted_proxies))
    }

    /// It spoke for a session, so it is known who it is.
    pub fn give_back_place(&self) {
        self.place.take();
    }

    /// The answer under way goes on until the guard is dropped.
    pub fn begin_stream(&self) -> DropGuard {
        self.has_stream.set(true);
        self.over.clone().drop_guard()
    }
}

/// Serves HTTP on a socket until it is upgraded or closed.
async fn serve(socket: TcpStream, visitor: Visitor, desk: Rc<Desk>) {
    let timeout = Duration::from_millis(desk.shared.config.connect_timeout_ms);
    let visitor = Rc::new(visitor);
    let service = service_fn(|request: Request<Incoming>| {
        let (visitor, desk) = (visitor.clone(), desk.clone());
        async move {
            let mut response = respond(request, &visitor, &desk).await;
            if visitor.is_old.get() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .max_buf_size(REQUEST_BYTES_MAX)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    // A request that was broken off has nobody left to tell. An upgraded socket has left this task by then.
    for patience in [HTTP_LIFETIME, REQUEST_LIFETIME] {
        tokio::select! {
            _ = connection.as_mut() => return,
            () = visitor.over.cancelled() => break,
            () = tokio::time::sleep(patience) => {}
        }
        if visitor.has_stream.get() {
            tokio::select! {
                _ = connection.as_mut() => return,
                () = visitor.over.cancelled() => break,
            }
        }
        visitor.is_old.set(true);
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(GOODBYE, connection).await;
}

async fn respond(mut request: Request<Incoming>, visitor: &Visitor, desk: &Rc<Desk>) -> Response<AnswerBody> {
    let path = request.uri().path();
    if !visitor.has_place(&desk.shared.admission) {
        return upgrade::full().map(Either::Left);
    }
    if let Some(route) = Route::of(path) {
        return requests::respond(route, request, visitor, desk).await;
    }
    if upgrade::PATHS.contains(&path) {
        return open_socket(request, visitor, desk).map(Either::Left);
    }
    request.extensions_mut().insert(axum::extract::ConnectInfo(visitor.address));
    let response = desk.router.clone().oneshot(request.map(Body::new)).await;
    response.unwrap_or_else(|never| match never {}).map(Either::Left)
}

fn open_socket(mut request: Request<Incoming>, visitor: &Visitor, desk: &Rc<Desk>) -> Response<Body> {
    let handshake = match upgrade::check(&request, &desk.shared.config.origins) {
        Ok(handshake) => handshake,
        Err(response) => return *response,
    };
    let Some(place) = desk.shared.admission.connect(Kind::Socket) else { return upgrade::full() };
    let Some(pending) = visitor.take_place(&desk.shared.admission) else { return upgrade::full() };
    let upgrading = hyper::upgrade::on(&mut request);
    let address = visitor.address_by(request.headers(), &desk.shared.trusted_proxies);
    let from = From { has_origin: handshake.has_origin, address };
    let (encoding, desk) = (handshake.encoding, desk.clone());
    tokio::task::spawn_local(async move {
        if let Some((socket, early)) = raw(upgrading).await {
            desk.shard.borrow_mut().adopt(Upgraded { socket, early, encoding, from, pending, place });
        }
    });
    handshake.response
}

/// The stream below the request, and what was read of it beyond the request.
async fn raw(upgrading: OnUpgrade) -> Option<(TcpStream, bytes::Bytes)> {
    let parts = upgrading.await.ok()?.downcast::<TokioIo<TcpStream>>().ok()?;
    Some((parts.io.into_inner(), parts.read_buf))
}
