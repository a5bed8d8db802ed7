//! `fanout`: one room with many subscribers; and `rooms`: many rooms with few.

use super::flow::{self, Plan};
use crate::bench::Bench;
use crate::error::Result;
use crate::figures::Outcome;
use crate::options::{Common, Fanout, Kind, Rooms, Traffic};

/// Settings of a started server: these scenarios hold more connections and traffic than a person makes.
pub const SETTINGS: [&str; 1] = ["gateway.outbox_count=65536"];

/// Runs `fanout`.
pub async fn fanout(common: &Common, options: &Fanout) -> Result<Outcome> {
    run(common, Plan { rooms: 1, members: options.subscribers, traffic: options.traffic.clone() }).await
}

/// Runs `rooms`.
pub async fn rooms(common: &Common, options: &Rooms) -> Result<Outcome> {
    run(common, Plan { rooms: options.rooms, members: options.members, traffic: options.traffic.clone() }).await
}

async fn run(common: &Common, plan: Plan) -> Result<Outcome> {
    let bench = Bench::prepare(common, &SETTINGS).await?;
    let found = flow::run(&bench, &plan).await;
    bench.stop().await?;
    Ok(found?.into_outcome(title(&plan)))
}

/// The plan in words.
pub fn title(plan: &Plan) -> String {
    let Traffic { kind, rate, saturate, payload, .. } = plan.traffic;
    let kind = if kind == Kind::Message { "durable messages" } else { "signals" };
    let pace = match saturate {
        Some(window) => format!("saturated with {window} under way (delays count from the actual send)"),
        None => format!("{rate}/s"),
    };
    let rooms = if plan.rooms == 1 { "1 room".to_owned() } else { format!("{} rooms", plan.rooms) };
    format!("{rooms} × {} subscribers, {kind} of {payload} B, {pace}", plan.members)
}
