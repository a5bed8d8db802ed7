//! A store that speaks S3, in this process: objects and uploads in parts in memory. It believes no request whose signature
//! it does not come to by a computation of its own, holds its callers to the rules of S3, writes down what it was asked, and
//! fails as the test wants.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hmac::{Hmac, Mac as _};
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

use crate::server::Setup;

pub const KEY_ID: &str = "AKKONVERTTESTS";
pub const SECRET: &str = "not/even+a.secret/of-anybody";
const REGION: &str = "test-1";
const BUCKET: &str = "files";
const PREFIX: &str = "of/tests";
/// Every part but the last one has at least this many bytes.
const PART_BYTES_MIN: usize = 5 << 20;
/// How long a part takes to arrive: long enough that one more than may be sent together would be seen.
const PART_TAKES: Duration = Duration::from_millis(100);
/// How long the first part waits for a second one to be there with it.
const PART_WAITS: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How requests are answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mood {
    Well,
    /// With this status, whatever is asked.
    Failing(u16),
    /// The same, but only requests of this method.
    FailingAt(&'static str, u16),
    /// Not at all.
    Silent,
    /// As if somebody had deleted the bucket.
    Bucketless,
    /// As if another key were the right one; what was sent is repeated in the answer.
    Refusing,
    /// The next object that is read breaks off after so many bytes, once.
    Breaking(usize),
}

#[derive(Debug, Clone)]
pub struct Asked {
    pub method: Method,
    pub key: String,
    pub query: String,
    pub bytes: usize,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Bytes>,
    uploads: BTreeMap<String, (String, BTreeMap<usize, Bytes>)>,
    uploads_begun: usize,
    asked: Vec<Asked>,
    parts_now: usize,
    parts_most: usize,
    wrong: Vec<String>,
    mood: Option<Mood>,
}

#[derive(Clone)]
pub struct Store {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Store {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let store = Self { port, state: Arc::default() };
        let me = store.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let me = me.clone();
                let service = service_fn(move |request| {
                    let me = me.clone();
                    async move { Ok::<_, Infallible>(me.take(request).await) }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(socket), service));
            }
        });
        store
    }

    /// A server whose files stay here. It waits two seconds for an answer.
    pub fn setup(&self) -> Setup {
        Setup::default()
            .set("blobs.url", format!("s3://{BUCKET}/{PREFIX}/"))
            .set("blobs.endpoint", format!("http://127.0.0.1:{}/", self.port))
            .set("blobs.region", REGION)
            .set("blobs.access_key_id", KEY_ID)
            .set("blobs.secret_access_key", SECRET)
            .set("blobs.answer_s", 2)
    }

    /// What a file is called here.
    pub fn key(hash: &str) -> String {
        format!("{PREFIX}/{}/{hash}", &hash[..2])
    }

    pub fn feel(&self, mood: Mood) {
        self.state().mood = Some(mood);
    }

    pub fn objects(&self) -> BTreeMap<String, Bytes> {
        self.state().objects.clone()
    }

    /// As if somebody else had deleted it.
    pub fn lose(&self, hash: &str) {
        self.state().objects.remove(&Self::key(hash)).expect("it is there");
    }

    /// Uploads in parts that nobody has completed or aborted.
    pub fn unfinished(&self) -> usize {
        self.state().uploads.len()
    }

    /// How many parts there were at most at once.
    pub fn parts_most(&self) -> usize {
        self.state().parts_most
    }

    /// What was asked since the last time, but for looking whether anybody is there.
    pub fn asked(&self) -> Vec<Asked> {
        let asked = std::mem::take(&mut self.state().asked);
        asked.into_iter().filter(|asked| !asked.key.ends_with("/is-anybody-there")).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.state.lock().expect("no panic");
        assert!(state.wrong.is_empty(), "{:?}", state.wrong);
        state
    }

    async fn take(&self, request: Request<Incoming>) -> Response {
        let (parts, body) = request.into_parts();
        let Ok(body) = axum::body::to_bytes(Body::new(body), 64 << 20).await else {
            return refuse(400, "IncompleteBody", "it broke off");
        };
        let path = parts.uri.path().to_owned();
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let key = path.strip_prefix(&format!("/{BUCKET}/")).unwrap_or_default().to_owned();
        let mood = {
            if let Err(why) = verify(&parts, &body) {
                return refuse(403, "SignatureDoesNotMatch", &why);
            }
            let mut state = self.state.lock().expect("no panic");
            if !key.starts_with(PREFIX) {
                state.wrong.push(format!("{path} is not of this prefix"));
            }
            let (method, bytes) = (parts.method.clone(), body.len());
            state.asked.push(Asked { method, key: key.clone(), query: query.clone(), bytes });
            state.mood.unwrap_or(Mood::Well)
        };
        match mood {
            Mood::Failing(status) => return refuse(status, "InternalError", "we are sorry"),
            Mood::FailingAt(method, status) if parts.method == method => {
                return refuse(status, "InternalError", "again");
            }
            Mood::Silent => std::future::pending().await,
            Mood::Bucketless => return refuse(404, "NoSuchBucket", "the bucket does not exist"),
            Mood::Refusing => {
                let told = format!("{:?} and as everybody knows {SECRET}", parts.headers[header::AUTHORIZATION]);
                return refuse(403, "SignatureDoesNotMatch", &told);
            }
            Mood::Well | Mood::Breaking(_) | Mood::FailingAt(..) => {}
        }
        let asked = |name: &str| {
            let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            pairs.into_iter().find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
        };
        match (parts.method.as_str(), asked("uploadId"), asked("partNumber")) {
            ("POST", None, None) if asked("uploads").is_some() => self.begin(key),
            ("PUT", Some(upload), Some(number)) => self.part(&upload, number.parse().expect("a number"), body).await,
            ("POST", Some(upload), None) => self.complete(&upload, &body),
            ("DELETE", Some(upload), None) => {
                self.state().uploads.remove(&upload);
                StatusCode::NO_CONTENT.into_response()
            }
            ("PUT", None, None) => {
                let tag = tag(&body);
                self.state().objects.insert(key, body);
                [(header::ETAG, tag)].into_response()
            }
            ("DELETE", None, None) => {
                self.state().objects.remove(&key);
                StatusCode::NO_CONTENT.into_response()
            }
            ("GET" | "HEAD", None, None) => self.give(&key, &parts),
            other => refuse(501, "NotImplemented", &format!("{other:?}")),
        }
    }

    fn begin(&self, key: String) -> Response {
        let mut state = self.state();
        state.uploads_begun += 1;
        let upload = format!("upload-{}", state.uploads_begun);
        state.uploads.insert(upload.clone(), (key, BTreeMap::new()));
        xml(&format!("<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"))
    }

    async fn part(&self, upload: &str, number: usize, body: Bytes) -> Response {
        {
            let mut state = self.state();
            state.parts_now += 1;
            state.parts_most = state.parts_most.max(state.parts_now);
        }
        let together = async {
            while self.parts_most() < 2 {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        // Whether it came is seen by the count.
        let _ = tokio::time::timeout(PART_WAITS, together).await;
        tokio::time::sleep(PART_TAKES).await;
        let mut state = self.state();
        state.parts_now -= 1;
        let tag = tag(&body);
        match state.uploads.get_mut(upload) {
            Some((_, parts)) => drop(parts.insert(number, body)),
            None => return refuse(404, "NoSuchUpload", "it was never begun, or has ended"),
        }
        [(header::ETAG, tag)].into_response()
    }

    fn complete(&self, upload: &str, body: &[u8]) -> Response {
        let mut state = self.state();
        let Some((key, parts)) = state.uploads.remove(upload) else {
            return refuse(404, "NoSuchUpload", "it was never begun, or has ended");
        };
        let list = String::from_utf8_lossy(body).into_owned();
        let mut whole = Vec::new();
        for (index, (number, part)) in parts.iter().enumerate() {
            let is_named = list.contains(&format!("<PartNumber>{number}</PartNumber>"));
            let is_right = *number == index + 1 && is_named && list.contains(tag(part).trim_matches('"'));
            if !is_right || (part.len() < PART_BYTES_MIN && *number < parts.len()) {
                state.wrong.push(format!("part {number} of {} bytes is not in order: {list}", part.len()));
            }
            whole.extend_from_slice(part);
        }
        let tag = tag(&whole);
        state.objects.insert(key, whole.into());
        xml(&format!("<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>"))
    }

    fn give(&self, key: &str, parts: &Parts) -> Response {
        let Some(object) = self.state().objects.get(key).cloned() else {
            return refuse(404, "NoSuchKey", "the key does not exist");
        };
        let tag = [(header::ETAG, tag(&object))];
        if parts.method == Method::HEAD {
            return (tag, [(header::CONTENT_LENGTH, object.len().to_string())]).into_response();
        }
        let (size, range) = (object.len(), parts.headers.get(header::RANGE));
        let Some(range) = range.map(|range| range.to_str().expect("text")) else {
            return (tag, object).into_response();
        };
        let (first, last) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).expect("a range");
        let first: usize = first.parse().expect("a number");
        let last = last.parse().map_or(size - 1, |last: usize| last.min(size - 1));
        let stretch = object.slice(first..=last);
        let about = [
            (header::CONTENT_RANGE, format!("bytes {first}-{last}/{size}")),
            (header::CONTENT_LENGTH, stretch.len().to_string()),
        ];
        let mut state = self.state();
        let body = match state.mood {
            Some(Mood::Breaking(after)) => {
                state.mood = None;
                let broken = Err(std::io::Error::other("the line is cut"));
                Body::from_stream(futures_util::stream::iter([Ok(stretch.slice(..after)), broken]))
            }
            _ => stretch.into(),
        };
        (StatusCode::PARTIAL_CONTENT, tag, about, body).into_response()
    }
}

fn tag(bytes: &[u8]) -> String {
    format!("\"{}\"", &hex(&Sha256::digest(bytes))[..32])
}

fn xml(text: &str) -> Response {
    ([(header::CONTENT_TYPE, "application/xml")], format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}"))
        .into_response()
}

fn refuse(status: u16, code: &str, message: &str) -> Response {
    let error = xml(&format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"));
    (StatusCode::from_u16(status).expect("a status"), error).into_response()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length will do");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Whether a request is signed as AWS Signature Version 4 has it, with this store's key, and its body is what was signed.
fn verify(parts: &Parts, body: &[u8]) -> Result<(), String> {
    let said = |name: &str| said(&parts.headers, name).ok_or(format!("no {name}"));
    let authorization = said("authorization")?;
    let fields = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("signed otherwise")?;
    let field = |name: &str| {
        let found = fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
        found.ok_or(format!("no {name} in {authorization}"))
    };
    let date = said("x-amz-date")?;
    let day = date.get(..8).ok_or("no date")?;
    let scope = format!("{day}/{REGION}/s3/aws4_request");
    if field("Credential")? != format!("{KEY_ID}/{scope}") {
        return Err(format!("not this store's key: {authorization}"));
    }
    let digest = said("x-amz-content-sha256")?;
    if digest != hex(&Sha256::digest(body)) {
        return Err(format!("the body is not {digest}"));
    }
    let signed = field("SignedHeaders")?;
    let mut headers = String::new();
    for name in signed.split(';') {
        headers.push_str(&format!("{name}:{}\n", said(name)?.trim()));
    }
    for name in ["host", "x-amz-content-sha256", "x-amz-date"] {
        if !signed.split(';').any(|signed| signed == name) {
            return Err(format!("{name} is not signed"));
        }
    }
    let mut query: Vec<_> = parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).collect();
    query.sort_unstable();
    let query: Vec<_> =
        query.iter().map(|pair| if pair.contains('=') { (*pair).to_owned() } else { format!("{pair}=") }).collect();
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    let request = format!("{method}\n{path}\n{}\n{headers}\n{signed}\n{digest}", query.join("&"));
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(&request)));
    let key = [REGION, "s3", "aws4_request"]
        .iter()
        .fold(mac(format!("AWS4{SECRET}").as_bytes(), day), |key, text| mac(&key, text));
    match hex(&mac(&key, &text)) == field("Signature")? {
        true => Ok(()),
        false => Err(format!("the signature is wrong: {request}")),
    }
}

fn said(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
