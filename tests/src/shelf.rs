//! A small HTTPS server that keeps what was PUT and gives it back, as a bucket or a WebDAV server would, and that can be
//! told to misbehave: where anchors off the host go in tests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::PATIENCE;

/// How it behaves from now on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Mood {
    /// Keeps what is PUT.
    Keeps,
    /// Takes connections and ends them before TLS.
    Away,
    /// Takes requests and never answers.
    Hangs,
    /// Answers everything with this status, and for a redirect with a place to go to.
    Answers(u16),
    /// As it keeps, but refuses every PUT.
    ReadOnly,
    /// Says that it has kept what was PUT, and has not.
    Forgets,
}

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `GET` or `PUT`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Its headers.
    pub headers: HeaderMap,
}

#[derive(Debug)]
struct Inside {
    mood: Mood,
    objects: BTreeMap<String, String>,
    seen: Vec<Seen>,
}

#[derive(Debug)]
struct Shared {
    inside: Mutex<Inside>,
    news: Condvar,
}

impl Shared {
    fn inside(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running server; it ends with its owner.
#[derive(Debug)]
pub struct Shelf {
    address: SocketAddr,
    shared: Arc<Shared>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Shelf {
    /// Starts it with an instance's own server certificate. Where `knows` is a CA, clients must show a certificate of it.
    ///
    /// # Panics
    /// If files cannot be read or nothing can be listened on.
    #[must_use]
    pub fn start(tls: &Path, knows: Option<&Path>) -> Self {
        let config = Arc::new(config(tls, knows));
        let inside = Inside { mood: Mood::Keeps, objects: BTreeMap::new(), seen: Vec::new() };
        let shared = Arc::new(Shared { inside: Mutex::new(inside), news: Condvar::new() });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel();
        let own = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, config, own) => {}
                    _owner_gone = ended => {}
                }
            });
        });
        Self { address, shared, end: Some(end), thread: Some(thread) }
    }

    /// The address of one of its objects.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// Behaves otherwise from now on.
    pub fn turn(&self, mood: Mood) {
        self.shared.inside().mood = mood;
    }

    /// What it keeps under a path.
    #[must_use]
    pub fn kept(&self, path: &str) -> Option<String> {
        self.shared.inside().objects.get(path).cloned()
    }

    /// Puts something there, or takes it away, behind everybody's back.
    pub fn put(&self, path: &str, text: Option<&str>) {
        let mut inside = self.shared.inside();
        match text {
            Some(text) => inside.objects.insert(path.to_owned(), text.to_owned()),
            None => inside.objects.remove(path),
        };
    }

    /// Every request so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.inside().seen.clone()
    }

    /// How many requests of this method came so far.
    #[must_use]
    pub fn count(&self, method: &str) -> usize {
        self.shared.inside().seen.iter().filter(|seen| seen.method == method).count()
    }

    /// Waits until so many requests of this method have come.
    ///
    /// # Panics
    /// If they do not come.
    pub fn await_requests(&self, method: &str, count: usize) {
        self.until(&format!("{count} {method}"), |inside| {
            inside.seen.iter().filter(|seen| seen.method == method).count() >= count
        });
    }

    /// Waits until what it keeps under a path is as wanted.
    ///
    /// # Panics
    /// If that does not come.
    pub fn await_kept(&self, path: &str, wanted: impl Fn(&str) -> bool) {
        self.until(path, |inside| inside.objects.get(path).is_some_and(|text| wanted(text)));
    }

    fn until(&self, what: &str, wanted: impl Fn(&Inside) -> bool) {
        let end = Instant::now() + PATIENCE;
        let mut inside = self.shared.inside();
        while !wanted(&inside) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited for {what}: {inside:?}");
            inside = self.shared.news.wait_timeout(inside, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn config(tls: &Path, knows: Option<&Path>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap();
    let builder = match knows {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = CertificateDer::pem_file_iter(tls.join("server.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(tls.join("server.key")).unwrap();
    builder.with_single_cert(chain, key).unwrap()
}

async fn serve(listener: TcpListener, config: Arc<ServerConfig>, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _peer)) = listener.accept().await else { return };
        if shared.inside().mood == Mood::Away {
            continue;
        }
        connections.spawn(connection(stream, TlsAcceptor::from(Arc::clone(&config)), Arc::clone(&shared)));
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    // A client that is refused, or that gives up, is no failure of the server.
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let answer = service_fn(move |request| answer(request, Arc::clone(&shared)));
    let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Full<Bytes>>, Gone> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_cut_short| Gone)?.to_bytes();
    let mood = {
        let mut inside = shared.inside();
        inside.seen.push(Seen {
            method: head.method.to_string(),
            target: head.uri.to_string(),
            headers: head.headers.clone(),
        });
        inside.mood.clone()
    };
    shared.news.notify_all();
    let path = head.uri.path().to_owned();
    let (status, text) = match (mood, head.method) {
        (Mood::Away, _) => return Err(Gone),
        (Mood::Hangs, _) => std::future::pending().await,
        (Mood::Answers(status), _) => (StatusCode::from_u16(status).unwrap(), String::new()),
        (Mood::Forgets, Method::PUT) => (StatusCode::CREATED, String::new()),
        (Mood::ReadOnly, Method::PUT) => (StatusCode::FORBIDDEN, String::new()),
        (_, Method::PUT) => {
            let mut inside = shared.inside();
            let only_new = head.headers.contains_key(header::IF_NONE_MATCH);
            if only_new && inside.objects.contains_key(&path) {
                (StatusCode::PRECONDITION_FAILED, String::new())
            } else {
                inside.objects.insert(path, String::from_utf8(body.to_vec()).unwrap());
                (StatusCode::NO_CONTENT, String::new())
            }
        }
        (_, Method::GET) => match shared.inside().objects.get(&path) {
            Some(text) => (StatusCode::OK, text.clone()),
            None => (StatusCode::NOT_FOUND, "nothing here\n".to_owned()),
        },
        _ => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
    };
    shared.news.notify_all();
    let mut response = Response::builder().status(status);
    if status.is_redirection() {
        response = response.header(header::LOCATION, "/elsewhere");
    }
    Ok(response.body(Full::new(Bytes::from(text))).unwrap())
}

/// Ends a connection without an answer.
#[derive(Debug)]
struct Gone;

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("gone")
    }
}

impl std::error::Error for Gone {}
