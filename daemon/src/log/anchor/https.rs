//! An anchor that an HTTPS server keeps: `PUT` writes it, `GET` reads it, and nothing else is asked of the server.
//!
//! HTTP/1.1 over one connection that is kept while both sides like it. Redirects are not followed, bodies are bounded,
//! and whoever asks does not wait for ever. Secrets are read for each request and sent to this one address.

use std::pin::Pin;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, IF_NONE_MATCH, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use proto::proof::anchor::LONGEST;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::{Address, AnchorFailure, Exchange, Remote, tls};
use crate::clock::Clock;
use crate::secret::{Secret, SecretReference};

/// How an anchor is reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Access {
    /// Where it is.
    pub address: Address,
    /// Who may vouch for the server: certificates in PEM.
    pub ca: SecretReference,
    /// What the daemon shows: a certificate and its key, PEM.
    pub identity: Option<(SecretReference, SecretReference)>,
    /// What the header `Authorization` says.
    pub authorization: Option<Authorization>,
    /// What stands behind a `?` in each request: a right that a store hands out as a part of an address.
    pub query: Option<SecretReference>,
    /// Further headers of each request, which some stores want. Not secret.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// What the header `Authorization` says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Authorization {
    /// A token.
    Bearer(SecretReference),
    /// `user:password`.
    Basic(SecretReference),
}

/// A client of one anchor.
pub(in crate::log) struct Https {
    access: Arc<Access>,
    clock: Arc<dyn Clock>,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// What was answered, as far as it matters.
struct Answer {
    status: StatusCode,
    /// Nothing where it is longer than an anchor.
    body: Option<Bytes>,
}

impl Https {
    pub(in crate::log) fn new(access: Arc<Access>, clock: Arc<dyn Clock>) -> Self {
        Self { access, clock, connection: None }
    }

    async fn get(&mut self) -> Result<Vec<u8>, AnchorFailure> {
        let answer = self.ask(Method::GET, Bytes::new(), false).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(AnchorFailure::Missing),
            status => return Err(AnchorFailure::Away(unhelpful("GET", status))),
        }
        Ok(answer.body.map_or_else(|| vec![0; LONGEST + 1], |body| body.to_vec()))
    }

    async fn put(&mut self, text: String, only_new: bool) -> Result<(), AnchorFailure> {
        if only_new {
            // A connection of its own: a request that is sent twice would find what it made itself.
            self.connection = None;
        }
        let answer = self.ask(Method::PUT, text.into(), only_new).await?;
        match answer.status {
            StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT if only_new => Err(AnchorFailure::Taken),
            status if !status.is_success() => Err(AnchorFailure::Away(unhelpful("PUT", status))),
            _ => Ok(()),
        }
    }

    async fn ask(&mut self, method: Method, body: Bytes, only_new: bool) -> Result<Answer, AnchorFailure> {
        self.exchange(&method, &body, only_new).await.map_err(AnchorFailure::Away)
    }

    /// One request and its answer. A kept connection that the server has closed meanwhile is replaced by a new one.
    async fn exchange(&mut self, method: &Method, body: &Bytes, only_new: bool) -> Result<Answer, String> {
        // Taken out for as long as it is used: whatever is cut short leaves no connection in an unknown state.
        if let Some(mut kept) = self.connection.take()
            && kept.ready().await.is_ok()
        {
            let request = self.request(method, body, only_new)?;
            match answered(&mut kept, request).await {
                Ok(answer) => {
                    self.keep(kept, &answer);
                    return Ok(answer);
                }
                Err(why) => tracing::debug!(anchor = %self.access.address, why, "the connection had ended"),
            }
        }
        let mut fresh = self.connect().await?;
        let answer = answered(&mut fresh, self.request(method, body, only_new)?).await?;
        self.keep(fresh, &answer);
        Ok(answer)
    }

    fn keep(&mut self, connection: SendRequest<Full<Bytes>>, answer: &Answer) {
        self.connection = (answer.body.is_some() && !connection.is_closed()).then_some(connection);
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let address = &self.access.address;
        let config = tls::client(&self.access, &self.clock)?;
        let name = ServerName::try_from(address.host().to_owned())
            .map_err(|_name| format!("{} is no name of a host", address.host()))?;
        let stream = TcpStream::connect((address.host(), address.port()))
            .await
            .map_err(|why| format!("cannot connect to {}: {why}", address.authority()))?;
        // A lost delay of small packets is all that this saves.
        stream.set_nodelay(true).map_err(|why| why.to_string())?;
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .map_err(|why| format!("no TLS 1.3 with {}: {why}", address.authority()))?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|why| format!("no HTTP: {why}"))?;
        let anchor = address.to_string();
        // Ends with its sender, or with the runtime.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(anchor, %error, "a connection ended");
            }
        });
        Ok(sender)
    }

    fn request(&self, method: &Method, body: &Bytes, only_new: bool) -> Result<Request<Full<Bytes>>, String> {
        let access = &self.access;
        let mut request = Request::builder().method(method).uri(self.target()?);
        if let Some(headers) = request.headers_mut() {
            let text = |text: &str| HeaderValue::from_str(text).map_err(|why| why.to_string());
            headers.extend(access.headers.iter().cloned());
            headers.insert(HOST, text(access.address.authority())?);
            headers.insert(USER_AGENT, HeaderValue::from_static("countersignd"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            if *method == Method::PUT {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            }
            if only_new {
                headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
            }
            if let Some(authorization) = &access.authorization {
                headers.insert(AUTHORIZATION, authorization.header()?);
            }
        }
        request.body(Full::new(body.clone())).map_err(|why| why.to_string())
    }

    /// The path, with the query if there is one. What cannot be in an address is not shown.
    fn target(&self) -> Result<String, String> {
        let path = self.access.address.path();
        let Some(place) = &self.access.query else { return Ok(path.to_owned()) };
        let secret = read(place)?;
        let query = secret.text().map_err(|why| format!("{place}: {why}"))?.trim_start_matches('?');
        let target = format!("{path}?{query}");
        match target.parse::<http::uri::PathAndQuery>() {
            Ok(_) if !query.contains('#') => Ok(target),
            _ => Err(format!("{place} holds something that cannot stand behind the ? of an address")),
        }
    }
}

impl Remote for Https {
    fn read(&mut self) -> Exchange<'_, Vec<u8>> {
        Box::pin(self.get())
    }

    fn replace(&mut self, text: String) -> Exchange<'_, ()> {
        Box::pin(self.put(text, false))
    }

    fn create(&mut self, text: String) -> Exchange<'_, ()> {
        Box::pin(self.put(text, true))
    }

    fn close(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::ready(()))
    }
}

impl Authorization {
    fn header(&self) -> Result<HeaderValue, String> {
        let (place, text) = match self {
            Self::Bearer(place) => {
                let secret = read(place)?;
                let token = secret.text().map_err(|why| format!("{place}: {why}"))?;
                (place, Zeroizing::new(format!("Bearer {token}")))
            }
            Self::Basic(place) => {
                let pair = Zeroizing::new(STANDARD.encode(read(place)?.expose()));
                (place, Zeroizing::new(format!("Basic {}", *pair)))
            }
        };
        let mut header = HeaderValue::from_str(&text)
            .map_err(|_holds_a_secret| format!("{place} holds something that cannot stand in a header"))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

fn read(place: &SecretReference) -> Result<Secret, String> {
    Ok(place.read().map_err(|why| why.to_string())?.without_line_end())
}

async fn answered(
    connection: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Answer, String> {
    let response = connection.send_request(request).await.map_err(|why| format!("no answer: {why}"))?;
    let status = response.status();
    match Limited::new(response.into_body(), LONGEST).collect().await {
        Ok(body) => Ok(Answer { status, body: Some(body.to_bytes()) }),
        Err(why) if why.is::<http_body_util::LengthLimitError>() => Ok(Answer { status, body: None }),
        Err(why) => Err(format!("the answer was cut short: {why}")),
    }
}

/// What a status says that is neither yes nor no.
fn unhelpful(method: &str, status: StatusCode) -> String {
    let advice = match status {
        status if status.is_redirection() => ": redirects are not followed, configure the last address",
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            ": look at its credentials, and that they may both read and write"
        }
        StatusCode::METHOD_NOT_ALLOWED => ": the server must take PUT and GET",
        _ => "",
    };
    format!("it answers {method} with {status}{advice}")
}
