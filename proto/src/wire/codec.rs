//! How the messages of a call become bytes: as `prost` writes them, into a buffer that has room for the whole message.
//!
//! `tonic-prost` begins with 8 KiB and lets the buffer grow under the message: the reply to a batch of 64, some 130 KiB, was
//! copied four times and asked the kernel for memory as often. What is read is read as there.

use std::marker::PhantomData;

use prost::Message;
use tonic::Status;
use tonic::codec::{Codec, EncodeBuf, Encoder};
use tonic_prost::{ProstDecoder, ProstEncoder};

/// The codec that the generated clients and servers use: sends `T`, receives `U`.
#[derive(Debug)]
pub struct Whole<T, U>(PhantomData<(T, U)>);

/// Writes one message after another.
#[derive(Debug)]
pub struct WholeEncoder<T>(ProstEncoder<T>);

impl<T, U> Default for Whole<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Message + 'static, U: Message + Default + 'static> Codec for Whole<T, U> {
    type Encode = T;
    type Decode = U;
    type Encoder = WholeEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> WholeEncoder<T> {
        WholeEncoder(ProstEncoder::default())
    }

    fn decoder(&mut self) -> ProstDecoder<U> {
        ProstDecoder::default()
    }
}

impl<T: Message> Encoder for WholeEncoder<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, message: T, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.reserve(message.encoded_len());
        self.0.encode(message, buffer)
    }
}
