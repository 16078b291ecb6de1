//! Encodes and decodes frames (AMQP 0-9-1, 4.2), with lapin's codec.
//!
//! This module does the framing itself: it must check the size of a frame before it waits for the octets of
//! the frame, and it passes a message's header on unchanged. It must not know channels, or what a method
//! means.

use amq_protocol::frame::{AMQPFrame, WriteContext, gen_frame, parsing};
use amq_protocol::protocol::{AMQPClass, BasicProperties, basic, constants, parse_class};
use amq_protocol::types::{FieldTable, ShortString};
use bytes::{Buf, Bytes, BytesMut};

use crate::copies;
use crate::reply_code::{Refusal, ReplyCode};

/// The octets of a frame apart from its payload: type, channel, size, end marker.
const FRAME_OVERHEAD: usize = 8;
/// The octets of a content header before its properties: class, weight, body size.
const HEADER_PREFIX: usize = 12;
/// The highest nesting of tables and arrays. The codec recurses, so a frame of nested arrays would otherwise
/// overflow the stack.
const MAX_NESTING: usize = 64;

/// One frame from a client.
#[derive(Debug, PartialEq)]
pub(crate) enum Frame {
    Method(u16, AMQPClass),
    Header(u16, ContentHeader),
    Body(u16, BytesMut),
    Heartbeat,
}

/// The header of a message's content.
#[derive(Debug, PartialEq)]
pub(crate) struct ContentHeader {
    pub(crate) class: u16,
    pub(crate) body_size: u64,
    /// The properties that the broker reads itself.
    pub(crate) delivery_mode: Option<u8>,
    pub(crate) expiration: Option<ShortString>,
    pub(crate) user_id: Option<ShortString>,
    /// The headers, if they have further routing keys (see [`copies`]).
    pub(crate) copying: Option<FieldTable>,
    /// The payload of the frame as received: it is sent to consumers unchanged.
    pub(crate) payload: Bytes,
}

/// Takes the next frame from `octets`; `None` if it is not complete yet.
pub(crate) fn decode(octets: &mut BytesMut, frame_max: u32) -> Result<Option<Frame>, Refusal> {
    let Some(prefix) = octets.first_chunk::<7>() else {
        return Ok(None);
    };
    let (kind, channel) = (prefix[0], u16::from_be_bytes([prefix[1], prefix[2]]));
    let size = u32::from_be_bytes([prefix[3], prefix[4], prefix[5], prefix[6]]);
    if !is_frame_type(kind) {
        return Err(Refusal::new(
            ReplyCode::FrameError,
            format!("type {kind}: unknown_frame"),
        ));
    }
    if size as usize + FRAME_OVERHEAD > frame_max as usize {
        let most = frame_max as usize - FRAME_OVERHEAD;
        let text = format!("type {kind}: {{frame_too_large,{size},{most}}}");
        return Err(Refusal::new(ReplyCode::FrameError, text));
    }
    let size = size as usize;
    if octets.len() < size + FRAME_OVERHEAD {
        return Ok(None);
    }
    octets.advance(7);
    let payload = octets.split_to(size);
    let end = octets.get_u8();
    if end != constants::FRAME_END {
        let text = format!("type {kind}: {{invalid_frame_end_marker,{end}}}");
        return Err(Refusal::new(ReplyCode::FrameError, text));
    }
    match kind {
        constants::FRAME_METHOD => {
            decode_method(&payload).map(|method| Frame::Method(channel, method))
        }
        constants::FRAME_HEADER => {
            decode_header(&payload).map(|header| Frame::Header(channel, header))
        }
        constants::FRAME_BODY => Ok(Frame::Body(channel, payload)),
        _ if channel == 0 => Ok(Frame::Heartbeat),
        _ => Err(Refusal::new(
            ReplyCode::UnexpectedFrame,
            format!("type {kind}: heartbeat on channel {channel}"),
        )),
    }
    .map(Some)
}

/// Appends a method frame.
pub(crate) fn encode_method(out: &mut Vec<u8>, channel: u16, method: AMQPClass) {
    encode(out, &AMQPFrame::Method(channel, method));
}

/// Appends a heartbeat frame.
pub(crate) fn encode_heartbeat(out: &mut Vec<u8>) {
    encode(out, &AMQPFrame::Heartbeat);
}

/// Appends a content header and its body, in frames of at most `frame_max` octets.
pub(crate) fn encode_content(
    out: &mut Vec<u8>,
    channel: u16,
    header: &[u8],
    body: &[u8],
    frame_max: u32,
) {
    encode_raw(out, constants::FRAME_HEADER, channel, header);
    for chunk in body.chunks(frame_max as usize - FRAME_OVERHEAD) {
        encode_raw(out, constants::FRAME_BODY, channel, chunk);
    }
}

/// The payload of a content header frame.
pub(crate) fn header_payload(body_size: usize, properties: &BasicProperties) -> Bytes {
    let mut payload = Vec::with_capacity(HEADER_PREFIX + 64);
    payload.extend_from_slice(&BASIC_CLASS.to_be_bytes());
    payload.extend_from_slice(&[0, 0]);
    payload.extend_from_slice(&(body_size as u64).to_be_bytes());
    let context = basic::gen_properties(properties)(WriteContext::from(payload));
    Bytes::from(context.expect("a vector takes all that is written").write)
}

/// Decodes the properties in the payload of a content header frame that was decoded before.
pub(crate) fn properties_of(payload: &[u8]) -> BasicProperties {
    let decoded = basic::parse_properties(&payload[HEADER_PREFIX..]);
    decoded
        .map(|(_, properties)| properties)
        .unwrap_or_default()
}

/// Whether a message is persistent (AMQP 0-9-1, 1.8.3.8: `delivery-mode`).
pub(crate) fn is_persistent(properties: &BasicProperties) -> bool {
    *properties.delivery_mode() == Some(2)
}

/// The class that carries content, `basic`.
pub(crate) const BASIC_CLASS: u16 = 60;

fn is_frame_type(kind: u8) -> bool {
    [
        constants::FRAME_METHOD,
        constants::FRAME_HEADER,
        constants::FRAME_BODY,
        constants::FRAME_HEARTBEAT,
    ]
    .contains(&kind)
}

fn decode_method(payload: &[u8]) -> Result<AMQPClass, Refusal> {
    let ids = payload.first_chunk::<4>();
    let ids = ids.ok_or_else(|| Refusal::new(ReplyCode::FrameError, "type 1: unknown_frame"))?;
    let class = u16::from_be_bytes([ids[0], ids[1]]);
    let method = u16::from_be_bytes([ids[2], ids[3]]);
    check_nesting(payload).map_err(|refusal| refusal.caused_by(class, method))?;
    match parse_class(payload) {
        Ok(([], decoded)) => {
            check_prefetch_size(&decoded, payload)?;
            Ok(decoded)
        }
        _ if !is_class(class) => Err(Refusal::new(
            ReplyCode::CommandInvalid,
            format!("unknown class {class}"),
        )
        .caused_by(class, method)),
        _ => {
            let text = format!("cannot decode method {class}.{method}");
            Err(Refusal::new(ReplyCode::FrameError, text).caused_by(class, method))
        }
    }
}

/// Refuses a `basic.qos` with a prefetch size in octets, which the codec ignores.
fn check_prefetch_size(method: &AMQPClass, payload: &[u8]) -> Result<(), Refusal> {
    let AMQPClass::Basic(basic::AMQPMethod::Qos(qos)) = method else {
        return Ok(());
    };
    match payload[4..8] {
        [0, 0, 0, 0] => Ok(()),
        [a, b, c, d] => {
            let text = format!("prefetch_size!=0 ({})", u32::from_be_bytes([a, b, c, d]));
            let refusal = Refusal::new(ReplyCode::NotImplemented, text);
            Err(refusal.caused_by(qos.get_amqp_class_id(), qos.get_amqp_method_id()))
        }
        _ => Ok(()),
    }
}

/// Whether the property flags announce properties that AMQP 0-9-1 does not define. Consumers could not read a
/// header with them.
fn has_undefined_properties(payload: &[u8]) -> bool {
    payload
        .get(HEADER_PREFIX + 1)
        .is_none_or(|flags| flags & 0b11 != 0)
}

fn decode_header(payload: &[u8]) -> Result<ContentHeader, Refusal> {
    check_nesting(payload)?;
    match parsing::parse_content_header(payload) {
        Ok((rest, header)) if rest.is_empty() && !has_undefined_properties(payload) => {
            let headers = header.properties.headers().as_ref();
            Ok(ContentHeader {
                class: header.class_id,
                body_size: header.body_size,
                delivery_mode: *header.properties.delivery_mode(),
                expiration: header.properties.expiration().clone(),
                user_id: header.properties.user_id().clone(),
                copying: headers.filter(|headers| copies::are_in(headers)).cloned(),
                payload: without_weight(payload),
            })
        }
        _ => Err(Refusal::new(
            ReplyCode::SyntaxError,
            "cannot decode a content header",
        )),
    }
}

/// Copies a header's payload with a weight of zero, which AMQP 0-9-1 requires and some clients check.
fn without_weight(payload: &[u8]) -> Bytes {
    let mut payload = payload.to_vec();
    payload[2..4].fill(0);
    Bytes::from(payload)
}

fn is_class(class: u16) -> bool {
    matches!(class, 10 | 20 | 30 | 40 | 50 | 60 | 85 | 90)
}

/// Refuses a payload whose tables and arrays may be nested too deeply.
///
/// Each starts with `F` or `A` and its length. The check does not decode: it treats every possible pair as a
/// table or an array, and counts the most that cover one octet. That is never less than the true depth. Text
/// does not cause a refusal, since four letters read as a length exceed the size of a frame.
pub(crate) fn check_nesting(payload: &[u8]) -> Result<(), Refusal> {
    let mut closing = std::collections::BinaryHeap::new();
    for (at, window) in payload.windows(5).enumerate() {
        while closing
            .peek()
            .is_some_and(|std::cmp::Reverse(end)| *end <= at)
        {
            closing.pop();
        }
        let [b'A' | b'F', length @ ..] = window else {
            continue;
        };
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
        if length <= payload.len() - at - 5 {
            closing.push(std::cmp::Reverse(at + 5 + length));
        }
        if closing.len() > MAX_NESTING {
            let text = format!("tables and arrays are nested deeper than {MAX_NESTING}");
            return Err(Refusal::new(ReplyCode::SyntaxError, text));
        }
    }
    Ok(())
}

fn encode(out: &mut Vec<u8>, frame: &AMQPFrame) {
    let context = gen_frame(frame)(WriteContext::from(std::mem::take(out)));
    *out = context.expect("a vector takes all that is written").write;
}

fn encode_raw(out: &mut Vec<u8>, kind: u8, channel: u16, payload: &[u8]) {
    out.reserve(payload.len() + FRAME_OVERHEAD);
    out.push(kind);
    out.extend_from_slice(&channel.to_be_bytes());
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    out.extend_from_slice(payload);
    out.push(constants::FRAME_END);
}

#[cfg(test)]
mod tests {
    use amq_protocol::protocol::{channel, queue};
    use amq_protocol::types::{AMQPValue, FieldArray, FieldTable};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const FRAME_MAX: u32 = 131_072;

    /// Reads to the end, as a session does.
    fn drain(octets: &[u8]) -> Result<Vec<Frame>, Refusal> {
        let mut octets = BytesMut::from(octets);
        let mut frames = Vec::new();
        while let Some(frame) = decode(&mut octets, FRAME_MAX)? {
            frames.push(frame);
        }
        Ok(frames)
    }

    fn nested(depth: usize) -> Vec<u8> {
        let inner = (1..depth).fold(AMQPValue::Void, |value, _| {
            AMQPValue::FieldArray(FieldArray::from(vec![value]))
        });
        let mut arguments = FieldTable::default();
        arguments.insert("a".into(), inner);
        let declare = queue::Declare {
            queue: "q".into(),
            passive: false,
            durable: false,
            exclusive: false,
            auto_delete: false,
            nowait: false,
            arguments,
        };
        let mut octets = Vec::new();
        encode_method(
            &mut octets,
            1,
            AMQPClass::Queue(queue::AMQPMethod::Declare(declare)),
        );
        octets
    }

    #[test]
    fn tables_may_be_nested_to_the_limit() {
        assert_eq!(
            drain(&nested(MAX_NESTING)).map(|frames| frames.len()),
            Ok(1)
        );
        // The count of the table itself is not announced by a letter, hence two more.
        let refusal = drain(&nested(MAX_NESTING + 2)).expect_err("it is too deep");
        assert_eq!(refusal.code, ReplyCode::SyntaxError);
        assert_eq!(refusal.cause, (50, 10));
    }

    #[test]
    fn text_is_not_taken_for_nesting() {
        let text = "AF".repeat(10_000);
        assert_eq!(check_nesting(text.as_bytes()), Ok(()));
    }

    #[test]
    fn content_is_cut_to_frames_that_the_client_accepts() {
        let header = header_payload(10_000, &BasicProperties::default());
        let mut octets = Vec::new();
        encode_content(&mut octets, 7, &header, &[1; 10_000], 4096);
        let mut octets = BytesMut::from(octets.as_slice());
        let mut sizes = Vec::new();
        while let Some(frame) = decode(&mut octets, 4096).expect("no frame is too large") {
            match frame {
                Frame::Header(7, header) => assert_eq!(header.body_size, 10_000),
                Frame::Body(7, piece) => sizes.push(piece.len()),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(sizes, [4088, 4088, 1824]);
    }

    proptest! {
        #[test]
        fn random_octets_are_decoded_or_refused(octets in vec(any::<u8>(), 0..200)) {
            let _ = drain(&octets);
        }

        #[test]
        fn random_payloads_are_decoded_or_refused(
            kind in 1_u8..=3,
            class in prop::sample::select(vec![10_u8, 20, 30, 40, 50, 60, 85, 90]),
            method in prop::sample::select(vec![10_u8, 11, 20, 21, 30, 31, 40, 50, 60, 70, 80, 90, 120]),
            mut payload in vec(prop_oneof![any::<u8>(), 0_u8..4, Just(b'F'), Just(b'A'), Just(b'S')], 0..200),
        ) {
            payload.splice(0..0, [0, class, 0, method]);
            let mut octets = Vec::new();
            encode_raw(&mut octets, kind, 1, &payload);
            let _ = drain(&octets);
        }

        #[test]
        fn a_stream_is_read_alike_however_it_is_cut(cuts in vec(1_usize..40, 1..20), body in vec(any::<u8>(), 1..100)) {
            let mut octets = Vec::new();
            encode_method(&mut octets, 1, AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {})));
            encode_heartbeat(&mut octets);
            let header = header_payload(body.len(), &BasicProperties::default().with_message_id("m".into()));
            encode_content(&mut octets, 1, &header, &body, FRAME_MAX);
            let whole = drain(&octets).expect("the frames are good");

            let (mut read, mut frames, mut rest) = (BytesMut::new(), Vec::new(), octets.as_slice());
            for cut in cuts.into_iter().cycle() {
                let (piece, later) = rest.split_at(cut.min(rest.len()));
                read.extend_from_slice(piece);
                rest = later;
                while let Some(frame) = decode(&mut read, FRAME_MAX).expect("the frames are good") {
                    frames.push(frame);
                }
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(frames, whole);
        }
    }
}
