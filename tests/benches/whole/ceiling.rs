//! The server of the ceilings: the same messages over the same gRPC and mTLS, with nothing behind them but the signature.
//!
//! Key `echo` answers with the digest itself; `sign` signs it with a P-256 key in this process; `sign-verify` also verifies
//! the signature. No policy, no log, no receipt: what any signing server over this stack must at least spend.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, ParsedPublicKey,
};
use futures_util::stream;
use proto::wire::v1;
use proto::wire::v1::signing_service_server::{SigningService, SigningServiceServer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status};

use crate::pki::{self, Identity};

/// Serves until it is killed. Says `port N` once it listens.
pub fn serve(directory: &Path) {
    let tls = TlsAcceptor::from(Arc::new(pki::server(&Identity::within(directory, "server"))));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("port {}", listener.local_addr().unwrap().port());
        let (give, take) = mpsc::channel(16);
        tokio::spawn(accept(listener, tls, give));
        let incoming = stream::unfold(take, |mut take| async { take.recv().await.map(|next| (next, take)) });
        let service = SigningServiceServer::new(Ceiling::new());
        Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
    });
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, give: mpsc::Sender<io::Result<Secured>>) {
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).unwrap();
        let (tls, give) = (tls.clone(), give.clone());
        tokio::spawn(async move {
            // A client that goes away in its handshake is its own affair.
            if let Ok(stream) = tls.accept(stream).await {
                give.send(Ok(Secured(stream))).await.ok();
            }
        });
    }
}

/// The signature alone, and a check of it.
pub struct Signer {
    pair: EcdsaKeyPair,
    public: ParsedPublicKey,
}

impl Signer {
    /// A fresh P-256 key.
    pub fn new() -> Self {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref()).unwrap();
        let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, pair.public_key().as_ref()).unwrap();
        Self { pair, public }
    }

    /// Signs 32 bytes; DER.
    pub fn sign(&self, digest: &[u8]) -> Vec<u8> {
        let digest = Digest::import_less_safe(digest, &SHA256).unwrap();
        self.pair.sign_digest(&digest).unwrap().as_ref().to_vec()
    }

    /// Verifies a signature over 32 bytes.
    pub fn verify(&self, digest: &[u8], signature: &[u8]) {
        let digest = Digest::import_less_safe(digest, &SHA256).unwrap();
        self.public.verify_digest_sig(&digest, signature).unwrap();
    }
}

struct Ceiling {
    signer: Signer,
    key_id: Vec<u8>,
}

impl Ceiling {
    fn new() -> Self {
        Self { signer: Signer::new(), key_id: vec![7; 32] }
    }

    #[allow(clippy::result_large_err, reason = "tonic's own shape of a refusal")]
    fn answer(&self, request: v1::SignRequest) -> Result<v1::SignResponse, Status> {
        let digest = match request.input {
            Some(v1::sign_request::Input::Digest(input)) => input.digests.into_iter().next(),
            _ => None,
        };
        let digest = digest.filter(|digest| digest.value.len() == 32);
        let digest = digest.ok_or_else(|| Status::invalid_argument("a SHA-256 digest was expected"))?.value;
        let value = match request.key.as_str() {
            "echo" => digest,
            "sign" => self.signer.sign(&digest),
            "sign-verify" => {
                let value = self.signer.sign(&digest);
                self.signer.verify(&digest, &value);
                value
            }
            _ => return Err(Status::not_found("the ceilings are echo, sign and sign-verify")),
        };
        let signature = v1::Signature {
            key: request.key,
            version: 1,
            key_id: self.key_id.clone(),
            algorithm: v1::Algorithm::EcdsaP256Sha256.into(),
            encoding: v1::SignatureEncoding::Der.into(),
            value,
        };
        Ok(v1::SignResponse {
            signatures: vec![signature],
            operation_id: request.request_id,
            ..v1::SignResponse::default()
        })
    }
}

#[tonic::async_trait]
impl SigningService for Ceiling {
    async fn sign(&self, request: Request<v1::SignRequest>) -> Result<Response<v1::SignResponse>, Status> {
        self.answer(request.into_inner()).map(Response::new)
    }

    async fn sign_batch(
        &self,
        request: Request<v1::SignBatchRequest>,
    ) -> Result<Response<v1::SignBatchResponse>, Status> {
        let requests = request.into_inner().requests;
        let result = |request| -> Result<v1::SignResult, Status> {
            let outcome = v1::sign_result::Outcome::Response(self.answer(request)?);
            Ok(v1::SignResult { outcome: Some(outcome) })
        };
        let results = requests.into_iter().map(result).collect::<Result<_, _>>()?;
        Ok(Response::new(v1::SignBatchResponse { results }))
    }

    async fn get_public_key(
        &self,
        _request: Request<v1::GetPublicKeyRequest>,
    ) -> Result<Response<v1::GetPublicKeyResponse>, Status> {
        Err(Status::unimplemented("a ceiling has no keys to show"))
    }
}

/// A TLS stream that tonic may serve.
struct Secured(TlsStream<TcpStream>);

impl Connected for Secured {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Secured {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}
