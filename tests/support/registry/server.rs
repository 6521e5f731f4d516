//! Connections: plain, over TLS, or raw bytes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::answer::DROP;
use super::request::Request;
use super::state::{State, UNPOISONED};

#[derive(Clone)]
pub(super) enum Transport {
    Plain,
    Tls(TlsAcceptor),
    Raw(Bytes, Ending),
}

/// The end of an answer of raw bytes.
#[derive(Clone, Copy)]
pub(super) enum Ending {
    Close,
    Drip(u8),
}

pub(super) async fn accept(
    listener: std::net::TcpListener,
    transport: Transport,
    state: Arc<State>,
) {
    let listener = TcpListener::from_std(listener).expect("it runs inside the runtime");
    loop {
        // A client that has already closed its connection must not stop the registry.
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        // Otherwise a small answer may wait for an acknowledgement.
        stream.set_nodelay(true).expect("an open socket takes options");
        let connection = state.connections.fetch_add(1, Ordering::SeqCst);
        let (transport, state) = (transport.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            match transport {
                Transport::Plain => serve(stream, connection, state).await,
                Transport::Tls(acceptor) => {
                    // Some tests have clients that refuse the certificate.
                    match acceptor.accept(stream).into_fallible().await {
                        Ok(stream) => serve(stream, connection, state).await,
                        // Unread data would reset the connection and discard the alert with the
                        // reason.
                        Err((_, mut stream)) => {
                            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
                        }
                    }
                }
                Transport::Raw(answer, ending) => {
                    // A broken connection is not an error here, and the same is true below.
                    let _ = serve_raw(&stream, connection, &state, &answer, ending).await;
                }
            }
        });
    }
}

async fn serve<S>(stream: S, connection: usize, state: Arc<State>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let state = Arc::clone(&state);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
            state.answer(Request::new(&parts, &body, connection)).await
        }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    // Some tests break the connection.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

/// Uses only readiness, because tokio's extension traits need a feature that nothing else uses.
async fn serve_raw(
    stream: &TcpStream,
    connection: usize,
    state: &State,
    answer: &[u8],
    ending: Ending,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        stream.readable().await?;
        let mut buffer = [0; 4096];
        match stream.try_read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => head.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    let request = Request::from_head(&String::from_utf8_lossy(&head), connection);
    state.requests.lock().expect(UNPOISONED).push(request);
    write(stream, answer).await?;
    while let Ending::Drip(byte) = ending {
        tokio::time::sleep(DROP).await;
        write(stream, &[byte]).await?;
    }
    Ok(())
}

async fn write(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
