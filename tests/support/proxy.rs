//! A loopback proxy: it works like a real proxy, and resolves names that exist only there.
//!
//! It supports HTTP (CONNECT for tunnels, whole URLs for the rest) and SOCKS 5. It records each
//! request with its credentials.

#![allow(dead_code, unreachable_pub, reason = "each test crate uses a part of it")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, PROXY_AUTHORIZATION};
use hyper::{Method, Request, Response, StatusCode, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::accounts::basic;
use super::registry::Registry;

const UNPOISONED: &str = "nothing panics while it holds the lock";

/// A running proxy on 127.0.0.1; it ends when it is dropped.
pub struct Proxy {
    state: Arc<State>,
    address: String,
    /// `None` only while dropping.
    runtime: Option<tokio::runtime::Runtime>,
}

/// A request to a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `CONNECT registry.example:443`, `HEAD http://registry.example/v2/…` or
    /// `SOCKS registry.example:443`.
    pub line: String,
    /// The Proxy-Authorization header.
    pub proxy_authorization: Option<String>,
    /// The Authorization header.
    pub authorization: Option<String>,
}

struct State {
    /// The address of each host and port.
    hosts: BTreeMap<String, String>,
    /// The only user that may pass; everyone if it is `None`.
    user: Option<&'static str>,
    asked: Mutex<Vec<Asked>>,
}

#[derive(Clone, Copy)]
enum Protocol {
    Http,
    Socks,
}

impl Proxy {
    /// An HTTP proxy for everyone, which connects these hosts to these registries.
    pub fn start(hosts: &[(&str, &Registry)]) -> Self {
        Self::launch(hosts, None, Protocol::Http)
    }

    /// The same for this user only.
    pub fn start_closed(hosts: &[(&str, &Registry)], user: &'static str) -> Self {
        Self::launch(hosts, Some(user), Protocol::Http)
    }

    /// A SOCKS 5 proxy for everyone.
    pub fn start_socks(hosts: &[(&str, &Registry)]) -> Self {
        Self::launch(hosts, None, Protocol::Socks)
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The requests so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().expect(UNPOISONED).clone()
    }

    /// The lines of the requests so far.
    pub fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    fn launch(hosts: &[(&str, &Registry)], user: Option<&'static str>, protocol: Protocol) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        listener.set_nonblocking(true).expect("a new socket takes options");
        let address = listener.local_addr().expect("a bound socket has an address").to_string();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("the machine has room for a thread");
        let hosts = hosts.iter();
        let hosts =
            hosts.map(|(name, registry)| ((*name).to_owned(), registry.address().to_owned()));
        let state = Arc::new(State { hosts: hosts.collect(), user, asked: Mutex::default() });
        runtime.spawn(accept(listener, protocol, Arc::clone(&state)));
        Self { state, address, runtime: Some(runtime) }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: std::net::TcpListener, protocol: Protocol, state: Arc<State>) {
    let listener = TcpListener::from_std(listener).expect("it runs inside the runtime");
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            match protocol {
                // A broken connection is not an error here, and the same is true below.
                Protocol::Http => {
                    let service = service_fn(|request| Arc::clone(&state).answer(request));
                    let server = hyper::server::conn::http1::Builder::new();
                    let _ = server
                        .serve_connection(TokioIo::new(stream), service)
                        .with_upgrades()
                        .await;
                }
                Protocol::Socks => {
                    let _ = state.socks(stream).await;
                }
            }
        });
    }
}

impl State {
    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let header = |name| {
            let value = request.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let asked = Asked {
            line: format!("{} {}", request.method(), request.uri()),
            proxy_authorization: header(PROXY_AUTHORIZATION),
            authorization: header(AUTHORIZATION),
        };
        let may_pass = self.user.is_none_or(|user| asked.proxy_authorization == Some(basic(user)));
        self.asked.lock().expect(UNPOISONED).push(asked);
        let status = |status: u16| {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            response
        };
        if !may_pass {
            return Ok(status(407));
        }
        let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let Some(stream) = self.connect(&authority).await else { return Ok(status(502)) };
        if request.method() == Method::CONNECT {
            tokio::spawn(tunnel(request, stream));
            return Ok(status(200));
        }
        Ok(forward(request, stream).await.unwrap_or_else(|_| status(502)))
    }

    /// The connection to a host that the proxy knows.
    async fn connect(&self, authority: &str) -> Option<TcpStream> {
        let address = self.hosts.get(authority)?;
        TcpStream::connect(address).await.ok()
    }

    /// RFC 1928, without authentication and only for names.
    async fn socks(&self, mut stream: TcpStream) -> io::Result<()> {
        let (_version, methods) = (stream.read_u8().await?, stream.read_u8().await?);
        stream.read_exact(&mut vec![0; methods.into()]).await?;
        stream.write_all(&[5, 0]).await?;
        // Version, command, a reserved byte, the kind of address.
        stream.read_exact(&mut [0; 4]).await?;
        let mut name = vec![0; stream.read_u8().await?.into()];
        stream.read_exact(&mut name).await?;
        let port = stream.read_u16().await?;
        let authority = format!("{}:{port}", String::from_utf8_lossy(&name));
        let line = format!("SOCKS {authority}");
        let asked = Asked { line, proxy_authorization: None, authorization: None };
        self.asked.lock().expect(UNPOISONED).push(asked);
        let target = self.connect(&authority).await;
        let reply = if target.is_some() { 0 } else { 4 };
        stream.write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
        if let Some(mut target) = target {
            tokio::io::copy_bidirectional(&mut stream, &mut target).await?;
        }
        Ok(())
    }
}

async fn tunnel(request: Request<Incoming>, mut stream: TcpStream) {
    if let Ok(upgraded) = hyper::upgrade::on(request).await {
        let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(upgraded), &mut stream).await;
    }
}

/// Forwards a request without the headers that are for the proxy only (RFC 9110, 11.7.2).
async fn forward(
    mut request: Request<Incoming>,
    stream: TcpStream,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    request.headers_mut().remove(PROXY_AUTHORIZATION);
    let path = request.uri().path_and_query().expect("a whole URL has a path").to_string();
    *request.uri_mut() = path.parse().expect("a path is a URI");
    let (parts, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Response::from_parts(parts, Full::new(body)))
}
