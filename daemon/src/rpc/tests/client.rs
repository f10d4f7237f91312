//! A client that can misbehave: TLS by rustls, HTTP/2 by hyper, frames by hand.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use proto::refusal::Refusal;
use proto::wire::refusal;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::Status;

use super::authority::{Authority, Identity, Running};

/// A client of this authority's server, with or without a certificate.
pub fn config(authority: &Authority, identity: Option<&Identity>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            builder.with_client_auth_cert(vec![identity.certificate.clone()], identity.key()).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

pub async fn handshake(running: &Running, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    over(TcpStream::connect(running.edge.address().unwrap()).await?, config).await
}

/// A connection from this address of the machine.
pub async fn dial(running: &Running, from: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(running.edge.address().unwrap()).await.unwrap()
}

/// The handshake over a connection that is there.
pub async fn over(stream: TcpStream, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await
}

/// The certificate that the server showed.
pub fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

/// One HTTP/2 connection.
pub struct Client(pub SendRequest<Full<Bytes>>);

impl Client {
    pub async fn over<IO>(io: IO) -> Self
    where
        IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    pub async fn connect(running: &Running, identity: Option<&Identity>) -> Self {
        Self::over(handshake(running, config(&running.authority, identity)).await.unwrap()).await
    }

    pub async fn local(running: &Running) -> Self {
        Self::over(UnixStream::connect(running.directory.path().join("sign.sock")).await.unwrap()).await
    }

    /// A request as gRPC wants it, with this body.
    pub fn request(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
        Request::post(format!("https://localhost{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(body.into()))
            .unwrap()
    }

    /// Sends a request and gives status and body of its answer.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Answer {
        self.0.ready().await.unwrap();
        let response = self.0.send_request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let collected = body.collect().await.unwrap();
        let trailers = collected.trailers().cloned().unwrap_or(parts.headers);
        Answer { trailers, body: collected.to_bytes() }
    }

    /// The same, over a connection that may have ended: none then.
    pub async fn try_send(&mut self, request: Request<Full<Bytes>>) -> Option<Answer> {
        self.0.ready().await.ok()?;
        let (parts, body) = self.0.send_request(request).await.ok()?.into_parts();
        let collected = body.collect().await.ok()?;
        let trailers = collected.trailers().cloned().unwrap_or(parts.headers);
        Some(Answer { trailers, body: collected.to_bytes() })
    }

    /// A unary call with one well-framed message.
    pub async fn call(&mut self, path: &str, message: &impl prost::Message) -> Answer {
        self.send(Self::request(path, framed(&message.encode_to_vec()))).await
    }
}

/// One message with its gRPC prefix.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub trailers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn status(&self) -> Status {
        Status::from_header_map(&self.trailers).expect("every answer has a status")
    }

    pub fn refusal(&self) -> Refusal {
        let status = self.status();
        refusal::of_status(&status).unwrap_or_else(|| panic!("no ErrorInfo of ours: {status:?}"))
    }

    /// The first message.
    pub fn message<M: prost::Message + Default>(&self) -> M {
        assert_eq!(self.status().code(), tonic::Code::Ok, "{:?}", self.status());
        M::decode(&self.body[5..]).unwrap()
    }
}
