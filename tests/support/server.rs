//! A server whose answers a test writes byte by byte, and which remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A request as it came.
pub struct Request {
    pub at: Instant,
    /// Request line and headers, without the empty line.
    pub head: String,
    pub body: Vec<u8>,
}

impl Request {
    /// Reads one request; `None` where the connection ends before.
    pub fn read(stream: &TcpStream) -> Option<Self> {
        stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let (mut head, mut length, at) = (String::new(), 0, Instant::now());
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        Some(Self { at, head, body })
    }

    /// The body without its compression.
    pub fn content(&self) -> Vec<u8> {
        match self.header("content-encoding") {
            Some("zstd") => zstd::decode_all(&self.body[..]).unwrap(),
            _ => self.body.clone(),
        }
    }

    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

type Script = dyn Fn(&Request, &mut TcpStream) -> std::io::Result<()> + Send + Sync;

/// The server: one request a connection, each answered by the script of the moment.
#[derive(Clone)]
pub struct Server {
    pub port: u16,
    script: Arc<Mutex<Arc<Script>>>,
    requests: Arc<Mutex<Vec<Arc<Request>>>>,
}

impl Server {
    pub fn start() -> Self {
        Self::on(0)
    }

    pub fn on(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let nothing: Arc<Script> = Arc::new(|_, _| Ok(()));
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            script: Arc::new(Mutex::new(nothing)),
            requests: Arc::default(),
        };
        let shared = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(mut stream), shared) = (stream, shared.clone()) else { continue };
                std::thread::spawn(move || {
                    let Some(request) = Request::read(&stream).map(Arc::new) else { return };
                    shared.requests.lock().unwrap().push(request.clone());
                    let script = shared.script.lock().unwrap().clone();
                    // Whoever asked may have had enough.
                    script(&request, &mut stream).ok();
                });
            }
        });
        server
    }

    /// How it answers from now on.
    pub fn answer(
        &self,
        script: impl Fn(&Request, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) {
        *self.script.lock().unwrap() = Arc::new(script);
    }

    /// The same bytes to everyone.
    pub fn say(&self, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        self.answer(move |_, stream| stream.write_all(&bytes));
    }

    pub fn requests(&self) -> Vec<Arc<Request>> {
        self.requests.lock().unwrap().clone()
    }
}

/// A whole answer. `head` is the status and further headers, each line without its end.
pub fn whole(head: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut answer = format!(
        "HTTP/1.1 {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        head.join("\r\n"),
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// Holds the connection open until the other side ends it.
pub fn hang(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.read(&mut [0]).map(drop)
}

/// Breaks the connection off without a goodbye (RST).
pub fn reset(stream: &mut TcpStream) -> std::io::Result<()> {
    rustix::net::sockopt::set_socket_linger(&*stream, Some(Duration::ZERO))?;
    Ok(())
}
