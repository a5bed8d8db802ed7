//! Makes a town: users, groups between them, and messages in those, by the same ways that people use; or takes the one
//! that was made in the same directory before.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

use indicatif::ProgressBar;
use konvert_protocol::v1::{self, server_frame};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::JoinSet;

use crate::bench::Bench;
use crate::client::Connection;
use crate::error::{Error, Result, setup};
use crate::http::Http;
use crate::options::Rest;

/// Requests under way at a time.
const CONCURRENCY: usize = 32;
/// Publishes under way at a time, of each publishing connection.
const IN_FLIGHT: usize = 256;
/// Publishing connections.
const PUBLISHERS: usize = 4;
/// Members of a group beside the one who makes it.
const OTHERS: usize = 4;

/// What is remembered of a town, beside the server's data.
const FILE: &str = "town.json";

/// What is remembered: by which options it was made, and what came of it.
#[derive(Serialize, Deserialize)]
struct Memory {
    users: usize,
    dialogs: usize,
    busy_dialogs: usize,
    messages: u64,
    seed: u64,
    made: Vec<(String, usize)>,
}

/// What was made.
pub struct Town {
    /// A token of each user.
    pub tokens: Vec<String>,
    /// Each group with the number of one of its members.
    pub dialogs: Vec<(String, usize)>,
    /// The number of the user who is in as many groups as was asked for.
    pub busy: usize,
}

/// Name of a user.
fn user(number: usize) -> String {
    format!("town-{number}")
}

/// The number of the user who is in as many groups as was asked for.
const BUSY: usize = 0;

/// The town that `options` describe, and whether it was made just now. In a directory that is kept it is made once.
pub async fn town(bench: &Bench, dir: Option<&Path>, options: &Rest, seed: u64) -> Result<(Town, bool)> {
    let file = dir.filter(|_| bench.server.is_some()).map(|dir| dir.join(FILE));
    let tokens = (0..options.users).map(|number| bench.target.tokens.of(&user(number))).collect::<Result<Vec<_>>>()?;
    let Rest { users, dialogs, busy_dialogs, messages, .. } = *options;
    if let Some(file) = file.as_deref().filter(|file| file.is_file()) {
        let memory: Memory = serde_json::from_slice(&std::fs::read(file)?)
            .map_err(|error| setup(format!("{}: {error}", file.display())))?;
        let is_it = (memory.users, memory.dialogs, memory.busy_dialogs, memory.messages, memory.seed)
            == (users, dialogs, busy_dialogs, messages, seed);
        return match is_it {
            true => Ok((Town { tokens, dialogs: memory.made, busy: BUSY }, false)),
            false => Err(setup(format!("{} is of a town made by other options; give another --dir", file.display()))),
        };
    }
    let town = populate(bench, tokens, options, seed).await?;
    if let Some(file) = file {
        let memory = Memory { users, dialogs, busy_dialogs, messages, seed, made: town.dialogs.clone() };
        std::fs::write(file, serde_json::to_vec(&memory).unwrap_or_default())?;
    }
    Ok((town, true))
}

async fn populate(bench: &Bench, tokens: Vec<String>, options: &Rest, seed: u64) -> Result<Town> {
    let http = &Http::new(&bench.target)?;
    let tokens = Rc::new(tokens);
    let bar = bench.bar("users", options.users as u64);
    let come = |number: usize| {
        let (http, tokens) = (http.clone(), tokens.clone());
        async move {
            http.ask(Method::GET, "/api/auth/me", &tokens[number], None).await?.ok()?;
            Ok(number)
        }
    };
    many(options.users, &bar, come).await?;

    let mut random = SmallRng::seed_from_u64(seed);
    let plan: Vec<(usize, Vec<String>)> = (0..options.dialogs)
        .map(|number| {
            let maker = random.random_range(0..options.users);
            let mut others: Vec<usize> = (0..OTHERS).map(|_| random.random_range(0..options.users)).collect();
            if number < options.busy_dialogs {
                others.push(BUSY);
            }
            others.sort_unstable();
            others.dedup();
            others.retain(|&other| other != maker);
            (maker, others.into_iter().map(user).collect())
        })
        .collect();
    let plan = Rc::new(plan);
    let bar = bench.bar("groups", options.dialogs as u64);
    let found = |number: usize| {
        let (http, tokens, plan) = (http.clone(), tokens.clone(), plan.clone());
        async move {
            let (maker, members) = &plan[number];
            let body = json!({"kind": "group", "title": format!("Group {number}"), "members": members});
            let made = http.ask(Method::POST, "/api/dialogs", &tokens[*maker], Some(&body)).await?.ok()?;
            let id = made["id"].as_str().ok_or_else(|| Error::Protocol(format!("a dialog without id: {made}")))?;
            Ok((id.to_owned(), *maker))
        }
    };
    let dialogs = many(options.dialogs, &bar, found).await?;

    let bar = bench.bar("messages", options.messages);
    let counter = Rc::new(Cell::new(0));
    let rooms: Rc<Vec<String>> = Rc::new(dialogs.iter().map(|(id, _)| id.clone()).collect());
    let mut tasks = JoinSet::new();
    for number in 0..PUBLISHERS {
        let connection = bench.target.connect(number, &format!("town-crier-{number}"), Vec::new()).await?.connection;
        tasks.spawn_local(speak(connection, rooms.clone(), counter.clone(), options.messages, bar.clone()));
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|error| Error::Protocol(error.to_string()))??;
    }
    bar.finish_and_clear();
    let tokens = Rc::unwrap_or_clone(tokens);
    Ok(Town { tokens, dialogs, busy: BUSY })
}

/// Does something `count` times, some of them at once; the results in any order.
async fn many<T, F>(count: usize, bar: &ProgressBar, work: impl Fn(usize) -> F) -> Result<Vec<T>>
where
    T: 'static,
    F: Future<Output = Result<T>> + 'static,
{
    let mut tasks = JoinSet::new();
    let mut results = Vec::with_capacity(count);
    for number in 0..count {
        if tasks.len() >= CONCURRENCY
            && let Some(done) = tasks.join_next().await
        {
            results.push(done.map_err(|error| Error::Protocol(error.to_string()))??);
            bar.inc(1);
        }
        tasks.spawn_local(work(number));
    }
    while let Some(done) = tasks.join_next().await {
        results.push(done.map_err(|error| Error::Protocol(error.to_string()))??);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(results)
}

/// Publishes to the groups in turn until all have been published that shall be.
async fn speak(
    connection: Connection,
    rooms: Rc<Vec<String>>,
    counter: Rc<Cell<u64>>,
    end: u64,
    bar: ProgressBar,
) -> Result<()> {
    let mut under_way = 0;
    loop {
        let mut frames = Vec::new();
        while under_way < IN_FLIGHT && counter.get() < end {
            let number = counter.replace(counter.get() + 1);
            let publish = v1::Publish {
                room: rooms[number as usize % rooms.len()].clone(),
                message_id: format!("town-{number}"),
                payload: format!("Message {number}, as long as what people usually write to each other.").into(),
                ..Default::default()
            };
            frames.push(v1::ClientFrame::new(connection.next_id(), publish));
            under_way += 1;
        }
        for frames in frames.chunks(64) {
            connection.send(frames).await?;
        }
        if under_way == 0 {
            return Ok(());
        }
        match connection.next().await?.body {
            Some(server_frame::Body::Published(_)) => {
                under_way -= 1;
                bar.inc(1);
            }
            Some(server_frame::Body::Error(error)) => return Err(Error::Refused(error)),
            _ => {}
        }
    }
}
