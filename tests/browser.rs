//! Two people chat on the page in a real browser, while the real server is killed and started again. Both must end
//! with the same list, with nothing lost and nothing there twice.
//!
//! `cargo test --test browser -- --ignored` takes the pictures of the documentation instead, into `target/browser/`.

#[path = "support/chromium.rs"]
mod chromium;
#[path = "support/server.rs"]
mod server;

use std::collections::HashSet;
use std::path::Path;

use chromium::{Browser, Tab, View};
use serde_json::{Value, json};
use server::Server;

/// Offset, message id and text of every message that a page shows.
const LIST: &str = "[...document.querySelectorAll('#messages > li')].map((item) => \
    [item.dataset.offset ?? 'pending', item.dataset.messageId, item.querySelector('.text').textContent])";
const NAMES: &str = "[...document.querySelectorAll('#members li')].map((item) => item.children[1].textContent).sort()";
const IS_ONLINE: &str = "document.getElementById('chat').dataset.state === 'online'";
/// A dead server is part of the test; what Chromium says about it is no problem of the page.
const ABOUT_DEAD_SERVER: &str = "WebSocket connection to ";

#[tokio::test]
async fn two_people_chat_while_the_server_is_killed() {
    let Some(mut browser) = browser().await else { return };
    let mut server = Server::start().await;
    let anna = browser.open("anna", &server.page(), View::default()).await;
    let boris = browser.open("boris", &server.page(), View { language: "ru-RU", ..View::default() }).await;
    enter(&mut browser, &anna, "Anna").await;
    enter(&mut browser, &boris, "Борис").await;
    let mut said = Vec::new();

    // Both are here, and one sees the other type before anything is said.
    for tab in [&anna, &boris] {
        browser.until(tab, &format!("String({NAMES}) === 'Anna,Борис'")).await;
    }
    focus(&mut browser, &anna).await;
    browser.type_text(&anna, "<b>Hello</b> & \"мир\"").await;
    browser.until(&boris, "document.getElementById('typing').textContent.includes('Anna')").await;
    browser.press_enter(&anna).await;
    said.push("<b>Hello</b> & \"мир\"".to_owned());
    say(&mut browser, &boris, "Привет", &mut said).await;
    for tab in [&anna, &boris] {
        browser.until(tab, &shows(&said)).await;
    }

    // Killed between messages: the page says so, takes messages all the same, and comes back by itself.
    server.kill().await;
    for tab in [&anna, &boris] {
        browser.until(tab, &format!("!({IS_ONLINE})")).await;
    }
    say(&mut browser, &anna, "said while nobody listens", &mut said).await;
    server.start_again().await;
    for tab in [&anna, &boris] {
        browser.until(tab, &shows(&said)).await;
    }

    // Stored, and the answer never arrives: the same message is sent again, and must not be there twice.
    browser.evaluate(&anna, "window.isDeaf = true").await;
    say(&mut browser, &anna, "stored, but who knows", &mut said).await;
    browser.until(&boris, &shows(&said)).await;
    assert_eq!(browser.evaluate(&anna, "document.querySelectorAll('.pending').length").await, 1);
    server.kill().await;
    browser.evaluate(&anna, "window.isDeaf = false").await;
    server.start_again().await;
    for tab in [&anna, &boris] {
        browser.until(tab, &shows(&said)).await;
    }

    // Killed in the middle of messages, at another place each time.
    for round in 0..6 {
        for n in 0..8 {
            say(&mut browser, &anna, &format!("anna {round}.{n}"), &mut said).await;
            say(&mut browser, &boris, &format!("boris {round}.{n}"), &mut said).await;
            if n == round {
                server.kill().await;
            }
        }
        server.start_again().await;
        for tab in [&anna, &boris] {
            browser.until(tab, IS_ONLINE).await;
        }
    }
    for tab in [&anna, &boris] {
        browser.until(tab, &shows(&said)).await;
        browser.until(tab, &format!("String({NAMES}) === 'Anna,Борис'")).await;
    }
    check_lists(&mut browser, &anna, &boris, &said).await;

    // A reload is the same person; scrolling up brings the whole list again.
    let user = browser.evaluate(&anna, "JSON.parse(sessionStorage.konvert).user").await;
    browser.bring_to_front(&anna).await;
    browser.reload(&anna).await;
    let scroll_up = "((box) => box.scrollTop = box.scrollTop ? 0 : 1)(document.getElementById('scroll'))";
    browser.until(&anna, &format!("({scroll_up}, {})", shows(&said))).await;
    assert_eq!(browser.evaluate(&anna, "JSON.parse(sessionStorage.konvert).user").await, user);
    check_lists(&mut browser, &anna, &boris, &said).await;

    check_problems(&browser);
    browser.close().await;
}

#[tokio::test]
async fn the_page_follows_what_becomes_of_the_server() {
    let Some(mut browser) = browser().await else { return };
    let mut server = Server::start().await;
    let anna = browser.open("anna", &server.page(), View::default()).await;
    enter(&mut browser, &anna, "Anna").await;
    let mut said = Vec::new();
    say(&mut browser, &anna, "before", &mut said).await;
    browser.until(&anna, &shows(&said)).await;

    // Stopped in good order: the page knows when to come back, and does.
    assert_eq!(server.terminate().await, Some(0), "an orderly stop ends with 0");
    browser.until(&anna, &format!("!({IS_ONLINE})")).await;
    server.start_again().await;
    browser.until(&anna, &shows(&said)).await;

    // Everything is gone, the server's secret, too: the visitor is a new guest in a room with a new history, is told
    // so, and what waited to be sent is sent there.
    let user = browser.evaluate(&anna, "JSON.parse(sessionStorage.konvert).user").await;
    server.kill().await;
    server.forget_everything();
    browser.until(&anna, &format!("!({IS_ONLINE})")).await;
    let mut said = Vec::new();
    say(&mut browser, &anna, "after", &mut said).await;
    server.start_again().await;
    browser.until(&anna, &shows(&said)).await;
    browser.until(&anna, "!document.getElementById('notice').hidden").await;
    assert_ne!(browser.evaluate(&anna, "JSON.parse(sessionStorage.konvert).user").await, user);
    check_lists(&mut browser, &anna, &anna, &said).await;

    // Leaving is for good: the door is open again, and nobody is remembered.
    browser.evaluate(&anna, "document.getElementById('leave').click()").await;
    browser.until(&anna, "document.readyState === 'complete' && !document.getElementById('door').hidden").await;
    assert_eq!(browser.evaluate(&anna, "JSON.parse(sessionStorage.konvert).token").await, "");
    check_problems(&browser);
    browser.close().await;
}

#[tokio::test]
#[ignore = "takes the pictures of the documentation"]
async fn pictures() {
    let Some(mut browser) = browser().await else { return };
    let server = Server::start().await;
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("browser");
    let door = browser.open("door", &server.page(), View::default()).await;
    browser.until(&door, "!document.getElementById('door').hidden").await;
    browser.screenshot(&door, &directory.join("door.png")).await;
    let views = [
        View::default(),
        View { is_dark: true, language: "ru-RU", ..View::default() },
        View { is_phone: true, size: (390, 780), ..View::default() },
    ];
    let mut tabs = Vec::new();
    for (name, view) in ["Anna", "Boris", "Vera"].into_iter().zip(views) {
        let tab = browser.open(name, &server.page(), view).await;
        enter(&mut browser, &tab, name).await;
        tabs.push(tab);
    }
    let mut said = Vec::new();
    for (who, text) in [
        (1, "Good morning! The new server went live at six."),
        (0, "I saw. Did anybody notice?"),
        (1, "Nobody. I killed it twice while you were all writing."),
        (2, "Twice?"),
        (1, "Once by accident."),
        (0, "And the messages?"),
        (1, "All there, and none of them twice."),
        (0, "Then let's tell the others. I'll write the notes today."),
    ] {
        say(&mut browser, &tabs[who], text, &mut said).await;
        browser.until(&tabs[who], &shows(&said)).await;
    }
    focus(&mut browser, &tabs[2]).await;
    browser.type_text(&tabs[2], "I would like").await;
    for (tab, file) in tabs.iter().zip(["light.png", "dark.png", "phone.png"]) {
        browser.until(tab, &shows(&said)).await;
        browser.until(tab, "document.querySelectorAll('#members li').length === 3").await;
        if tab.name != "Vera" {
            browser.until(tab, "document.getElementById('typing').textContent.includes('Vera')").await;
        }
        browser.screenshot(tab, &directory.join(file)).await;
    }
    println!("pictures are in {}", directory.display());
    browser.close().await;
}

/// A browser; `None`, having said so, on a machine without one. A build machine must have one.
async fn browser() -> Option<Browser> {
    let Some(program) = chromium::find() else {
        assert!(std::env::var_os("CI").is_none(), "Chromium is not installed; it is needed where CI is set");
        println!("skipped: Chromium is not installed");
        return None;
    };
    Some(Browser::start(&program).await)
}

async fn enter(browser: &mut Browser, tab: &Tab, name: &str) {
    browser.until(tab, "document.readyState === 'complete' && !document.getElementById('door').hidden").await;
    browser.evaluate(tab, "document.getElementById('name').select()").await;
    browser.type_text(tab, name).await;
    browser.press_enter(tab).await;
    browser.until(tab, IS_ONLINE).await;
}

async fn focus(browser: &mut Browser, tab: &Tab) {
    browser.evaluate(tab, "document.getElementById('text').focus()").await;
}

async fn say(browser: &mut Browser, tab: &Tab, text: &str, said: &mut Vec<String>) {
    focus(browser, tab).await;
    browser.type_text(tab, text).await;
    browser.press_enter(tab).await;
    said.push(text.to_owned());
}

/// Whether a page shows everything that was said, all of it stored.
fn shows(said: &[String]) -> String {
    format!(
        "{IS_ONLINE} && !document.querySelector('.pending') && \
         {}.every((text) => {LIST}.some((item) => item[2] === text))",
        json!(said)
    )
}

/// No error, no exception, no violation of the content policy.
fn check_problems(browser: &Browser) {
    let problems: Vec<_> = browser.problems.iter().filter(|problem| !problem.contains(ABOUT_DEAD_SERVER)).collect();
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Both pages show the same: offsets from 1 without a hole, every text and every message id once.
async fn check_lists(browser: &mut Browser, anna: &Tab, boris: &Tab, said: &[String]) {
    let (left, right) = (browser.evaluate(anna, LIST).await, browser.evaluate(boris, LIST).await);
    assert_eq!(left, right, "two people see two histories");
    let list: Vec<[String; 3]> = serde_json::from_value(left).expect("a list of triples");
    let offsets: Vec<_> = list.iter().map(|item| item[0].clone()).collect();
    assert_eq!(offsets, (1..=said.len()).map(|offset| offset.to_string()).collect::<Vec<_>>());
    let ids: HashSet<_> = list.iter().map(|item| &item[1]).collect();
    assert_eq!(ids.len(), list.len(), "a message id is there twice");
    let mut texts: Vec<_> = list.iter().map(|item| item[2].clone()).collect();
    let mut wanted = said.to_vec();
    texts.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(json!(texts), Value::from(wanted), "something is lost or there twice");
}

/// The documentation shows every operation and error, tries one, and breaks nothing of the content policy.
#[tokio::test]
async fn the_documentation_shows_and_tries_every_operation() {
    let Some(mut browser) = browser().await else { return };
    let server = Server::start().await;
    let address = format!("{}api/docs", server.page());
    let tab = browser.open("docs", &format!("{address}#not_found"), View::default()).await;
    browser.until(&tab, "document.body.dataset.ready === 'yes'").await;
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs");
    std::fs::create_dir_all(&pictures).expect("a directory");
    assert_eq!(browser.evaluate(&tab, "document.querySelector('.aimed').id").await, "not_found");
    browser.screenshot(&tab, &pictures.join("errors.png")).await;

    let document = reqwest::get(format!("{}api/openapi.json", server.page())).await.expect("the description");
    let document: Value = document.json().await.expect("JSON");
    let paths = document["paths"].as_object().expect("paths").values();
    let count: usize = paths.map(|item| item.as_object().map_or(0, serde_json::Map::len)).sum();
    assert_eq!(browser.evaluate(&tab, "document.querySelectorAll('details.operation').length").await, count);
    // Everything can be opened.
    browser
        .evaluate(&tab, "document.querySelectorAll('details.operation').forEach((one) => { one.open = true; })")
        .await;
    browser
        .until(
            &tab,
            "[...document.querySelectorAll('details.operation')].every((one) => one.querySelector('form.try'))",
        )
        .await;
    browser.evaluate(&tab, "location.hash = '#op-post_server_publish'").await;
    browser.screenshot(&tab, &pictures.join("operation.png")).await;

    let health = "document.getElementById('op-get_health')";
    browser.evaluate(&tab, &format!("{health}.querySelector('form').requestSubmit()")).await;
    browser.until(&tab, &format!("{health}.querySelector('.answer-head')?.textContent.startsWith('200')")).await;
    browser
        .evaluate(&tab, "document.getElementById('language').click(); document.getElementById('theme').click()")
        .await;
    browser.until(&tab, "document.getElementById('errors').textContent === 'Ошибки'").await;
    browser.evaluate(&tab, "location.hash = ''; scrollTo(0, 0)").await;
    browser.screenshot(&tab, &pictures.join("dark.png")).await;
    assert!(browser.problems.is_empty(), "{:?}", browser.problems);
    browser.close().await;
}
