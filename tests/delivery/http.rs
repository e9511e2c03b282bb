//! The client of all programs: what it sends, which proxies it takes, and how little an answer without an end can do.

use crate::support;
use crate::support::certificates::Authority;
use crate::support::server::{Server, whole};
use crate::support::{Program, free_port, have, wait_for};
use hyper::body::Bytes;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use svm_core::clock::Clock;
use svm_core::http::{Client, Connection, Failure, Method, client};
use svm_core::tls::TlsFiles;

fn connection(proxy: Option<String>) -> Connection {
    Connection { timeout: Duration::from_secs(5), tls: TlsFiles::default(), proxy }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    svm_core::http::install_tls();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

async fn post(client: &Client, body: &str) -> Result<(u16, String), Failure> {
    let answer = client.request(Method::POST).body(Bytes::from(body.to_owned())).send().await?;
    let status = answer.status.as_u16();
    Ok((status, String::from_utf8(answer.body(100_000).await?).unwrap()))
}

#[test]
fn addresses_go_over_the_wire_as_they_stand() {
    let server = Server::start();
    server.say(whole(&["200 OK"], "yes"));
    let place = format!("127.0.0.1:{}", server.port);
    for (path, sent) in [
        ("", "/"),
        ("/", "/"),
        ("/hooks/svm/", "/hooks/svm/"),
        ("/Hooks//a/../SVM/.", "/Hooks//a/../SVM/."),
        ("/?token=c2Vj/", "/?token=c2Vj/"),
        ("?token=c2Vj/", "/?token=c2Vj/"),
        ("/in?", "/in?"),
        ("/in?a=b?c=d&&", "/in?a=b?c=d&&"),
        ("/%7Esvm/%2E%2e/%2f?q=%2F%zz", "/%7Esvm/%2E%2e/%2f?q=%2F%zz"),
    ] {
        for proxy in [None, Some(format!("http://{place}"))] {
            let through = proxy.is_some();
            let url = format!("http://{place}{path}");
            let client = client(&url, &connection(proxy), false, Clock::system()).unwrap();
            assert_eq!(block_on(post(&client, "event")), Ok((200, "yes".to_owned())));
            let request = server.requests().last().unwrap().clone();
            let asked = if through { format!("http://{place}{sent}") } else { sent.to_owned() };
            assert_eq!(request.head.lines().next(), Some(format!("POST {asked} HTTP/1.1").as_str()));
            assert_eq!(request.header("host"), Some(place.as_str()));
            assert_eq!(request.body, b"event");
        }
    }
    // Nothing is asked where nobody could be meant.
    for wrong in ["http://h/#a", "http://u@h/", "ftp://h/", "http://h/a b"] {
        client(wrong, &connection(None), false, Clock::system()).unwrap_err();
    }
}

#[test]
fn one_connection_serves_many_requests_and_one_that_was_given_up_is_made_anew() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}/", listener.local_addr().unwrap().port());
    let serves = std::thread::spawn(move || {
        let mut counts = Vec::new();
        for requests in [3, 2] {
            let (mut stream, _) = listener.accept().unwrap();
            for _ in 0..requests {
                let request = support::server::Request::read(&stream).unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
                counts.push(String::from_utf8(request.body).unwrap());
            }
            // It closes without a word, as servers do after a while.
        }
        counts
    });
    let client = client(&url, &connection(None), true, Clock::system()).unwrap();
    block_on(async {
        for n in 0..5 {
            assert_eq!(post(&client, &n.to_string()).await, Ok((200, "ok".to_owned())), "{n}");
            if n == 2 {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    });
    assert_eq!(serves.join().unwrap(), ["0", "1", "2", "3", "4"]);
}

#[test]
fn a_name_with_a_dead_address_costs_a_moment() {
    // `localhost` is both, and only one of them is listened at.
    let server = Server::start();
    server.say(whole(&["200 OK"], "yes"));
    let url = format!("http://localhost:{}/", server.port);
    let client = client(&url, &connection(None), false, Clock::system()).unwrap();
    let began = Instant::now();
    assert_eq!(block_on(post(&client, "")), Ok((200, "yes".to_owned())));
    assert!(began.elapsed() < Duration::from_secs(2));
    let nobody = format!("http://localhost:{}/", free_port());
    let client = svm_core::http::client(&nobody, &connection(None), false, Clock::system()).unwrap();
    let failure = block_on(post(&client, "")).unwrap_err();
    assert!(matches!(&failure, Failure::Unreachable(why) if why.contains("refused")), "{failure}");
    let zoned = format!("http://[fe80::1%25lo]:{}/", free_port());
    let client = svm_core::http::client(&zoned, &connection(None), false, Clock::system()).unwrap();
    let failure = block_on(post(&client, "")).unwrap_err();
    assert!(matches!(failure, Failure::Unreachable(_) | Failure::Timeout), "{failure}");
}

// Proxies.

/// A proxy that answers CONNECT with these bytes, and connects where they say so.
fn proxy_that_says(head: &'static str) -> u16 {
    let server = Server::start();
    server.answer(move |request, stream| {
        stream.write_all(head.as_bytes())?;
        let status = head.split("HTTP/1.").last().unwrap().get(2..3);
        if !request.head.starts_with("CONNECT ") || status != Some("2") {
            return Ok(());
        }
        let mut to = TcpStream::connect(request.path())?;
        let (mut back, mut from) = (to.try_clone()?, stream.try_clone()?);
        let copies = std::thread::spawn(move || std::io::copy(&mut back, &mut from).map(drop));
        std::io::copy(stream, &mut to).ok();
        to.shutdown(std::net::Shutdown::Write).ok();
        copies.join().unwrap()
    });
    server.port
}

/// A server of openssl, and what trusts it.
fn tls_server(folder: &Path) -> (Program, u16, TlsFiles) {
    let authority = Authority::new(folder, "authority");
    let issued = authority.issue("server", "DNS:localhost,IP:127.0.0.1", 2);
    let port = free_port();
    let mut command = Command::new("openssl");
    command.args(["s_server", "-www", "-quiet", "-accept", &format!("127.0.0.1:{port}"), "-cert"]);
    command.arg(&issued.certificate).arg("-key").arg(&issued.key);
    let program = Program::start(&mut command, &folder.join("s_server.log"));
    wait_for("s_server", 20, || TcpStream::connect(("127.0.0.1", port)).ok());
    (program, port, authority.files(None))
}

fn get_through(proxy: &str, url: &str, tls: &TlsFiles) -> Result<u16, Failure> {
    let connection = Connection { tls: tls.clone(), ..connection(Some(proxy.to_owned())) };
    let client = client(url, &connection, false, Clock::system()).unwrap();
    block_on(async { client.request(Method::GET).send().await.map(|answer| answer.status.as_u16()) })
}

#[test]
fn any_2xx_is_a_tunnel_and_whatever_else_a_proxy_says_is_told_with_its_name() {
    if !have("openssl", "openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_server, port, tls) = tls_server(folder.path());
    let url = format!("https://localhost:{port}/");
    for head in [
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.0 200 OK\r\nProxy-Agent: x\r\n\r\n",
        "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 299 Whatever\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200\n\n",
    ] {
        let proxy = format!("http://127.0.0.1:{}", proxy_that_says(head));
        assert_eq!(get_through(&proxy, &url, &tls), Ok(200), "{head:?}");
    }
    for (head, message, code) in [
        (
            "HTTP/1.1 302 Found\r\nLocation: http://log.in/\r\n\r\n",
            "answers 302: it redirects, as a log-in page does",
            "proxy_refused",
        ),
        ("HTTP/1.1 400 Bad\r\n\r\n", "answers 400: it makes no tunnels", "proxy_refused"),
        (
            "HTTP/1.1 403 Forbidden\r\n\r\n<html>",
            "answers 403: it does not allow localhost:",
            "proxy_refused",
        ),
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "answers 407: the proxy requires a password",
            "http_407",
        ),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "answers 502: it cannot reach localhost:", "proxy_refused"),
        ("HTTP/1.1 503 Busy\r\n\r\n", "answers 503: it cannot reach", "proxy_refused"),
        ("SSH-2.0-OpenSSH\r\n\r\n", "does not answer as an HTTP proxy does", "proxy_refused"),
        ("\r\n\r\n\r\n", "does not answer as an HTTP proxy does", "proxy_refused"),
    ] {
        let port = proxy_that_says(head);
        let failure = get_through(&format!("http://127.0.0.1:{port}"), &url, &tls).unwrap_err();
        let said = failure.to_string();
        assert!(said.contains(message) && said.contains(&format!("the proxy 127.0.0.1:{port}")), "{said}");
        assert_eq!(failure.code().code(), code);
        assert_eq!(failure.is_configuration(), !message.contains("answers 50"), "{said}");
    }
    // Proxies that talk without end, and one that is not there.
    for again in [&b"HTTP/1.1 100 Continue\r\nX: y\r\n"[..], b"HTTP/1.1 100 Continue\r\n\r\n", b"\r\n", b"x"]
    {
        let endless = Server::start();
        endless.answer(move |_, stream| {
            loop {
                stream.write_all(&again.repeat(1000))?;
            }
        });
        let began = Instant::now();
        let failure = get_through(&format!("http://127.0.0.1:{}", endless.port), &url, &tls).unwrap_err();
        assert_eq!(failure.code().code(), "proxy_refused", "{failure}");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
    let nobody = free_port();
    let failure = get_through(&format!("http://127.0.0.1:{nobody}"), &url, &tls).unwrap_err();
    assert!(failure.to_string().contains(&format!("the proxy 127.0.0.1:{nobody}")), "{failure}");
}

#[test]
fn a_proxy_is_blamed_for_its_own_answers_to_plain_http_too() {
    for (status, code) in
        [("407 Proxy Authentication Required", Err("http_407")), ("502 Bad Gateway", Ok(502))]
    {
        let proxy = Server::start();
        proxy.say(whole(&[status], ""));
        let url = format!("http://127.0.0.1:{}/", free_port());
        let through = format!("http://127.0.0.1:{}", proxy.port);
        let asked = get_through(&through, &url, &TlsFiles::default());
        if let Err(failure) = &asked {
            assert!(
                failure.to_string().contains(&format!("the proxy 127.0.0.1:{}", proxy.port)),
                "{failure}"
            );
        }
        assert_eq!(asked.map_err(|failure| failure.code().to_string()), code.map_err(str::to_owned));
        // Without a proxy the same word is the server's own.
        let direct = client(&through, &connection(None), false, Clock::system()).unwrap();
        let answer = block_on(async {
            direct.request(Method::GET).send().await.map(|a| (a.status.as_u16(), a.proxy))
        });
        assert_eq!(answer.unwrap(), (status[..3].parse().unwrap(), None));
    }
}

#[test]
fn tinyproxy_gives_a_tunnel_or_says_why_not() {
    if !have("openssl", "openssl") || !have("tinyproxy", "tinyproxy") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_server, port, tls) = tls_server(folder.path());
    let url = format!("https://localhost:{port}/");
    for (more, message) in [
        (String::new(), Ok(200)),
        ("ConnectPort 563\n".to_owned(), Err("answers 403: it does not allow localhost:")),
        ("BasicAuth somebody secret\n".to_owned(), Err("answers 407: the proxy requires a password")),
    ] {
        let proxy = free_port();
        let config = folder.path().join(format!("{proxy}.conf"));
        std::fs::write(&config, format!("Port {proxy}\nListen 127.0.0.1\nTimeout 20\n{more}")).unwrap();
        let mut command = Command::new("tinyproxy");
        let _running =
            Program::start(command.arg("-d").arg("-c").arg(&config), &folder.path().join("tiny.log"));
        wait_for("tinyproxy", 10, || TcpStream::connect(("127.0.0.1", proxy)).ok());
        match (get_through(&format!("http://127.0.0.1:{proxy}"), &url, &tls), message) {
            (Ok(status), Ok(expected)) => assert_eq!(status, expected),
            (Err(failure), Err(message)) => assert!(failure.to_string().contains(message), "{failure}"),
            other => panic!("{other:?}"),
        }
    }
}

// Answers without an end.

/// Writes the same without end; how much was taken.
fn pours(head: &'static [u8], again: &'static [u8]) -> (u16, std::sync::mpsc::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (report, message) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
        stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
        let many = again.repeat(1 + 8192 / again.len());
        let mut count = 0;
        let mut writes = stream.write_all(head);
        while writes.is_ok() {
            writes = stream.write_all(&many);
            count += many.len();
        }
        report.send(count).ok();
    });
    (port, message)
}

#[test]
fn what_has_no_end_is_hung_up_on_after_little_work_and_the_others_go_on() {
    for (name, head, again, code) in [
        ("interim answers", &b""[..], &b"HTTP/1.1 100 Continue\r\n\r\n"[..], "answer_too_large"),
        (
            "interim answers with headers",
            b"",
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
            "answer_too_large",
        ),
        ("a head", b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", "answer_too_large"),
        ("one header", b"HTTP/1.1 200 OK\r\nX: ", b"yyyyyyyyyyyyyyyy", "answer_too_large"),
        ("a status line", b"HTTP/1.1 200 ", b"OK", "answer_too_large"),
        ("empty lines", b"", b"\r\n", "answer_too_large"),
        (
            "tiny chunks",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"1\r\nx\r\n",
            "answer_too_large",
        ),
        (
            "chunk extensions",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"1;aaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n",
            "answer_too_large",
        ),
        (
            "trailers",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            b"X: y\r\n",
            "answer_too_large",
        ),
        ("a body", b"HTTP/1.1 200 OK\r\n\r\n", b"yyyyyyyyyyyyyyyy", "answer_too_large"),
    ] {
        let (port, poured) = pours(head, again);
        let client =
            client(&format!("http://127.0.0.1:{port}/"), &connection(None), true, Clock::system()).unwrap();
        let began = Instant::now();
        let (asked, longest) = block_on(async {
            let ticks = async {
                let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
                loop {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    longest = longest.max(last.elapsed());
                    last = Instant::now();
                    LONGEST.with(|cell| cell.set(longest));
                }
            };
            tokio::select! {
                asked = post(&client, "event") => (asked, LONGEST.with(std::cell::Cell::get)),
                never = ticks => never,
            }
        });
        let failure = asked.unwrap_err();
        // hyper has bounds of its own for some; then its word stands.
        assert!([code, "answer_cut"].contains(&&*failure.code().code()), "{name}: {failure}");
        assert!(began.elapsed() < Duration::from_secs(2), "{name}: {:?}", began.elapsed());
        assert!(longest < Duration::from_millis(500), "{name}: the others waited {longest:?}");
        let count = poured.recv_timeout(Duration::from_secs(10)).unwrap();
        // What lies in the kernel's buffers was written, though nobody read it.
        assert!(count < 16 << 20, "{name}: {count} bytes were taken");
    }
}

thread_local! {
    static LONGEST: std::cell::Cell<Duration> = const { std::cell::Cell::new(Duration::ZERO) };
}
