//! Requests that must be refused, many of them: who asks, what has to come back, and what went wrong all the same.

use futures_util::StreamExt as _;
use futures_util::stream::iter;
use konvert_protocol::{ErrorCode, v1};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::api::{Answer, Api, PASSWORD};
use crate::world::Who::{self, Administrator, AnyUser, Anybody, Key, Manager, Member, Own, Session, Steward};
use crate::world::{World, route};

/// So many requests are under way at once.
const AT_ONCE: usize = 8;

/// What has to come back.
#[derive(Debug, Clone, Copy)]
pub enum Wanted {
    /// A problem of this status and name.
    Exactly(u16, &'static str),
    /// Any problem that the asker can do something about.
    Refused,
    /// A problem, if it is read: who still sends what is too much may find the connection closed.
    TooLarge { is_file: bool },
    /// Anything but a failure of the server.
    NoFailure,
}

/// The form of every body that cannot be read.
pub const BAD: Wanted = Wanted::Exactly(400, "bad_request");
/// The form of every body of another type.
pub const OTHER_TYPE: Wanted = Wanted::Exactly(415, "unsupported_type");

/// Whether it is what came back.
pub fn judge(answer: &Answer, wanted: Wanted) -> Result<(), String> {
    let (status, body) = (answer.status.as_u16(), &answer.body);
    match wanted {
        Wanted::NoFailure if status < 400 => return Ok(()),
        Wanted::TooLarge { is_file: false } => return judge(answer, Wanted::Exactly(413, "body_too_large")),
        Wanted::Exactly(want, name) if (status, body["name"].as_str()) != (want, Some(name)) => {
            return Err(format!("{status} {body}, not {want} {name}"));
        }
        _ if !(400..500).contains(&status) => return Err(format!("{status} {body}")),
        _ => {}
    }
    let code = ErrorCode::ALL.iter().find(|code| body["code"] == code.number());
    let told = code.map(|code| json!([status, code.name(), code.is_temporary(), format!("/api/docs#{}", code.name())]));
    let is_whole = told == Some(json!([body["status"], body["name"], body["temporary"], body["type"]]))
        && ["title", "detail"].iter().all(|name| body[name].as_str().is_some_and(|text| !text.is_empty()))
        && answer.headers.get("content-type").is_some_and(|kind| kind == "application/problem+json");
    if is_whole { Ok(()) } else { Err(format!("{status} {body} with {:?} is no problem", answer.headers)) }
}

/// One request, and what has to come of it.
pub struct Shot {
    pub what: String,
    pub request: RequestBuilder,
    pub wanted: Wanted,
}

/// The world, everybody who may ask something of it, and what went wrong.
pub struct Trial {
    pub world: World,
    pub root: Api,
    nobody: Api,
    document: Value,
    pub wrong: Vec<String>,
    /// How often there was no answer, where that may be.
    pub closed: usize,
}

impl Trial {
    pub async fn begin() -> Self {
        let world = World::new().await;
        let root = Api::administrator(&world.server).await;
        let nobody = Api::new(&world.server);
        let document = nobody.get("/api/openapi.json").await.ok();
        Self { world, root, nobody, document, wrong: Vec::new(), closed: 0 }
    }

    /// Those who may ask, each by what they are.
    pub fn callers(&self, who: Who) -> Vec<(&'static str, Api)> {
        let World { ann, member, stranger, operator, .. } = &self.world;
        let callers = match who {
            Anybody | Session => vec![("anybody", &self.nobody)],
            AnyUser => vec![("a user", ann), ("another user", stranger)],
            Own => vec![("whose it is", ann)],
            Member => vec![("its owner", ann), ("a member", member)],
            Manager => vec![("its owner", ann)],
            Administrator => vec![("an administrator", &self.root)],
            Key(_) => vec![("a program", operator)],
            Steward => vec![("an administrator", &self.root), ("a program", operator)],
        };
        callers.into_iter().map(|(as_what, api)| (as_what, api.clone())).collect()
    }

    /// What the served description says of a route.
    pub fn operation(&self, method: &str, path: &str) -> &Value {
        let paths = self.document["paths"].as_object().expect("paths");
        let wanted = route(method, path);
        let (_, item) = paths
            .iter()
            .find(|(path, item)| route(method, path) == wanted && !item[method.to_lowercase()].is_null())
            .expect("it is described");
        &item[method.to_lowercase()]
    }

    /// Paths with their methods, as they are described.
    pub fn paths(&self) -> Vec<(String, Vec<String>)> {
        let paths = self.document["paths"].as_object().expect("paths").iter();
        let methods =
            |item: &Value| item.as_object().expect("methods").keys().map(|name| name.to_uppercase()).collect();
        paths.map(|(path, item)| (path.clone(), methods(item))).collect()
    }

    /// The forms that something may have: what is referred to is looked up, and alternatives stand side by side.
    pub fn forms<'a>(&'a self, schema: &'a Value) -> Vec<&'a Value> {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.forms(self.document.pointer(reference.trim_start_matches('#')).expect("it is there"));
        }
        match schema["oneOf"].as_array() {
            Some(several) => several.iter().flat_map(|one| self.forms(one)).collect(),
            None => vec![schema],
        }
    }

    /// A body that would be taken from whoever may, where that of the row would not.
    pub fn sound(&self, method: &str, path: &str, body: &Value) -> Value {
        let sound = match (method, path) {
            (_, "/api/auth/sign-up") => json!({"login": "newcomer", "password": PASSWORD, "name": "N"}),
            (_, "/api/auth/sign-in") => json!({"login": "ann", "password": PASSWORD}),
            ("PUT", "/api/auth/password") => json!({"old_password": PASSWORD, "new_password": PASSWORD}),
            (_, "/api/server/users") => json!({"user": "u-1", "name": "One"}),
            (_, "/api/server/rooms") => json!({"room": "shop-1"}),
            (_, "/api/dialogs/{dialog}/invites") => json!({"uses_max": 1}),
            _ => body.clone(),
        };
        serde_json::from_str(&self.world.fill(&sound.to_string())).expect("JSON")
    }

    /// Keeps what did not come back as it has to.
    pub fn note(&mut self, what: &str, answer: Option<&Answer>, wanted: Wanted) {
        // Without an answer the connection was closed, which is a refusal too.
        if let Some(Err(why)) = answer.map(|answer| judge(answer, wanted)) {
            self.wrong.push(format!("{what}: {}", why.chars().take(400).collect::<String>()));
        }
    }

    /// Fires them all, several at a time.
    pub async fn fire(&mut self, shots: Vec<Shot>) {
        let answers = iter(shots).map(|Shot { what, request, wanted }| async move {
            match wanted {
                Wanted::TooLarge { .. } => (what, Api::try_answer(request).await.ok(), wanted),
                _ => (what, Some(Api::answer(request).await), wanted),
            }
        });
        let answers: Vec<_> = answers.buffer_unordered(AT_ONCE).collect().await;
        for (what, answer, wanted) in answers {
            self.closed += usize::from(answer.is_none());
            self.note(&what, answer.as_ref(), wanted);
        }
    }

    /// Everything must be as it was; `what` could have changed it.
    pub async fn unchanged(&mut self, before: &Value, what: &str) {
        // Her session hears from her in time to stay.
        self.world.live.pushes().await;
        let after = self.world.things().await;
        assert!(after == *before, "{what} changed something:\n{before}\n{after}\n{}", self.wrong.join("\n"));
    }

    /// Nothing may have gone wrong, and the session that was made at the beginning is still there.
    pub async fn end(mut self, before: &Value) {
        assert!(
            self.wrong.is_empty(),
            "{} were not refused as they should be:\n{}",
            self.wrong.len(),
            self.wrong.join("\n")
        );
        assert_eq!(self.world.hers().await, *before);
        let room = self.world.dialog.clone();
        assert_eq!(self.world.live.refused(v1::Unsubscribe { room }).await.name, "not_subscribed");
    }
}
