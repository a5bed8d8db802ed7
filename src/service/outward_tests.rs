//! Where requests may go, as tables; and that they go nowhere else, over real sockets.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

fn outward(allowed: &[&str]) -> Outward {
    let allowed: Vec<_> = allowed.iter().map(|network| network.parse().unwrap()).collect();
    Outward::new(&allowed, Duration::from_secs(5)).unwrap()
}

#[test]
fn what_is_public() {
    for public in [
        "1.1.1.1",
        "93.184.216.34",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "223.255.255.1",
        "2606:4700::1111",
        "2a00::1",
        "2001:4860:4860::8888",
        "::ffff:1.1.1.1",
    ] {
        assert!(is_public(public.parse().unwrap()), "{public}");
    }
    for special in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.9.9.9",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::7f00:1",
        "64:ff9b::7f00:1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "100::1",
        "3fff::1",
        "5f00::1",
    ] {
        assert!(!is_public(special.parse().unwrap()), "{special}");
    }
}

#[test]
fn addresses_in_every_disguise() {
    let outward = outward(&[]);
    for url in [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://0/",
        "http://0x7f.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1:8080/",
        "https://192.168.1.1/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://127.0.0.1./",
        "http://１２７.０.０.１/",
        "http://127%2e0.0.1/",
        "http://[::]/",
    ] {
        let got = outward.check(url);
        assert!(matches!(got, Err(OutwardError::Refused(_))), "{url}: {got:?}");
    }
    for url in [
        "",
        "x",
        "/path",
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "http://",
        "http://u:p@example.org/",
        "http://example.org@127.0.0.1/",
        "javascript:alert(1)",
        "http://[fe80::1%25eth0]/",
    ] {
        let got = outward.check(url);
        assert!(matches!(got, Err(OutwardError::BadUrl(_))), "{url}: {got:?}");
    }
    for url in ["http://example.org", "https://example.org:8443/a?b#c", "http://1.1.1.1/", "http://[2606:4700::1111]/"]
    {
        assert!(outward.check(url).is_ok(), "{url}");
    }
}

#[test]
fn networks_that_the_settings_allow() {
    let outward = outward(&["127.0.0.0/8", "fd00::/8", "10.1.2.3/32"]);
    for (url, allowed) in [
        ("http://127.8.9.1/", true),
        ("http://[fd77::1]/", true),
        ("http://10.1.2.3/", true),
        ("http://[::ffff:127.0.0.1]/", true),
        ("http://10.1.2.4/", false),
        ("http://[fc00::1]/", false),
        ("http://128.0.0.1/", true),
        ("http://[::1]/", false),
        ("http://192.168.0.1/", false),
    ] {
        assert_eq!(outward.check(url).is_ok(), allowed, "{url}");
    }
    for wrong in ["", "10.0.0.0", "10.0.0.0/33", "::/129", "x/8", "10.0.0.0/x", "10.0.0.0/-1"] {
        assert!(wrong.parse::<Network>().is_err(), "{wrong}");
    }
    assert!("0.0.0.0/0".parse::<Network>().unwrap().contains("10.0.0.1".parse().unwrap()));
    assert!(!"0.0.0.0/0".parse::<Network>().unwrap().contains("::1".parse().unwrap()));
}

/// Answers every connection with this, and tells how many came.
async fn server(answer: String) -> (u16, Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::<std::sync::atomic::AtomicUsize>::default();
    let count = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let _ = socket.read(&mut [0; 4096]).await;
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    (port, seen)
}

#[tokio::test]
async fn a_name_that_leads_inside_is_not_connected_to() {
    let (port, seen) = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".into()).await;
    let url = format!("http://localhost:{port}/");
    let refused = outward(&[]).get(&url, 9).await;
    assert!(matches!(refused, Err(OutwardError::Refused(_))), "{refused:?}");
    assert_eq!(seen.load(std::sync::atomic::Ordering::SeqCst), 0);
    let allowed = outward(&["127.0.0.0/8", "::1/128"]).get(&url, 9).await;
    assert_eq!(allowed, Ok((200, b"ok".to_vec())));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_leads_nowhere() {
    let (inside, seen) = server("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret".into()).await;
    for target in [format!("http://127.0.0.1:{inside}/"), "http://169.254.169.254/latest/meta-data/".into()] {
        let answer = format!("HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n");
        let (port, _) = server(answer).await;
        let got = outward(&["127.0.0.0/8"]).post(&format!("http://127.0.0.1:{port}/"), &[], "x".into(), 9).await;
        assert_eq!(got, Ok((302, Vec::new())), "{target}");
    }
    assert_eq!(seen.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn only_so_much_of_an_answer_is_read() {
    let body = "x".repeat(100_000);
    let (port, _) = server(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await;
    let got = outward(&["127.0.0.0/8"]).get(&format!("http://127.0.0.1:{port}/"), 4_096).await;
    assert_eq!(got, Ok((200, vec![b'x'; 4_096])));
}
