//! Konvert, a realtime message broker server for chat.

pub mod auth;
pub mod broker;
pub mod cli;
pub mod config;
pub mod gateway;
pub mod journal;
pub mod metrics;
pub mod rest;
pub mod sabotage;
pub mod secrets;
