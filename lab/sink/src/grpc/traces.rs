//! The service of traces, with a decoder of its own: that of the generated service refuses a whole request for
//! one text that is not UTF-8, and for a value that is nested deeply.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use axum::http;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse, trace_service_server::SERVICE_NAME,
};
use otlp::Read;
use prost::{Message as _, bytes::Buf as _};
use tonic::{
    Request, Response, Status,
    body::Body,
    codec::{
        Codec, CompressionEncoding, DecodeBuf, Decoder, EnabledCompressionEncodings, EncodeBuf,
        Encoder,
    },
    codegen::{BoxFuture, Service},
    server::{Grpc, NamedService, UnaryService},
};

use super::traces_answer;
use crate::{
    Store,
    take::{self, take},
};

/// `opentelemetry.proto.collector.trace.v1.TraceService`.
#[derive(Clone)]
pub(super) struct TraceService {
    store: Store,
    /// The highest number of bytes of a request, decompressed.
    most: usize,
}

// === impl TraceService ===

impl TraceService {
    pub(super) fn new(store: Store, most: usize) -> TraceService {
        TraceService { store, most }
    }
}

impl NamedService for TraceService {
    const NAME: &'static str = SERVICE_NAME;
}

impl Service<http::Request<Body>> for TraceService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = request.uri().path().rsplit('/').next();
        if method != Some("Export") {
            let unknown = Status::unimplemented("the service has only the method Export");
            return Box::pin(async move { Ok(unknown.into_http()) });
        }
        let mut accepted = EnabledCompressionEncodings::default();
        accepted.enable(CompressionEncoding::Gzip);
        accepted.enable(CompressionEncoding::Zstd);
        let mut grpc = Grpc::new(TraceCodec)
            .apply_compression_config(accepted, EnabledCompressionEncodings::default())
            .apply_max_message_size_config(Some(self.most), None);
        let export = Export(self.store.clone());
        Box::pin(async move { Ok(grpc.unary(export, request).await) })
    }
}

struct Export(Store);

impl UnaryService<Read<ExportTraceServiceRequest>> for Export {
    type Response = ExportTraceServiceResponse;
    type Future = std::future::Ready<Result<Response<ExportTraceServiceResponse>, Status>>;

    fn call(&mut self, request: Request<Read<ExportTraceServiceRequest>>) -> Self::Future {
        let taken = take(&self.0, take::Request::Traces(request.into_inner()));
        std::future::ready(Ok(Response::new(traces_answer(&taken))))
    }
}

struct TraceCodec;

impl Codec for TraceCodec {
    type Encode = ExportTraceServiceResponse;
    type Decode = Read<ExportTraceServiceRequest>;
    type Encoder = TraceCodec;
    type Decoder = TraceCodec;

    fn encoder(&mut self) -> TraceCodec {
        TraceCodec
    }

    fn decoder(&mut self) -> TraceCodec {
        TraceCodec
    }
}

impl Encoder for TraceCodec {
    type Item = ExportTraceServiceResponse;
    type Error = Status;

    fn encode(&mut self, answer: Self::Item, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        answer
            .encode(buffer)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for TraceCodec {
    type Item = Read<ExportTraceServiceRequest>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        otlp::traces_from_protobuf(&bytes)
            .map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}
