//! What does a frame cost in each encoding?
//!
//! Hypothesis: encoding is paid once per push and encoding, however many subscribers there are, so that no encoding is
//! a bottleneck; Protobuf is the smallest and the fastest, and a payload is taken out of it without being copied.
//!
//! Budget: a push framed for the socket or a publish decoded in 1 µs with Protobuf, 2 µs with MessagePack, 3 µs with
//! JSON; Protobuf adds at most 80 bytes to a payload.
//!
//! `cargo bench --bench encode` prints the sizes and then runs the times.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group};
use konvert::gateway::socket::framed;
use konvert_protocol::{Encoding, v1};

const PAYLOAD: usize = 128;

fn payload() -> Bytes {
    // Text, as most payloads are; JSON carries it as base64 all the same.
    Bytes::from("One hundred and twenty-eight bytes. ".repeat(4).into_bytes()).slice(..PAYLOAD)
}

fn push() -> v1::ServerFrame {
    v1::ServerFrame::push(v1::Message {
        room: "lobby".into(),
        offset: 123_456,
        sender: "user-0001".into(),
        sender_name: "Alice".into(),
        message_id: "0123456789abcdef".into(),
        time_ms: 1_795_230_000_123,
        payload: payload(),
        ordinal: 123_400,
        ..Default::default()
    })
}

fn publish() -> v1::ClientFrame {
    v1::ClientFrame::new(
        17,
        v1::Publish {
            room: "lobby".into(),
            message_id: "0123456789abcdef".into(),
            payload: payload(),
            ..Default::default()
        },
    )
}

fn sizes() {
    println!("bytes of a message with a payload of {PAYLOAD}, framed: push | publish");
    for encoding in Encoding::ALL {
        let push = framed(encoding.is_text(), &encoding.encode(&push())).len();
        let publish = encoding.encode(&publish()).len();
        println!("{:20} {push:4} | {publish:4}", encoding.subprotocol());
    }
}

fn times(criterion: &mut Criterion) {
    let (push, publish) = (push(), publish());
    for encoding in Encoding::ALL {
        let mut group = criterion.benchmark_group(encoding.subprotocol());
        group.throughput(Throughput::Elements(1)).sample_size(30);
        group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
        group.bench_function("encode push", |bench| {
            bench.iter(|| framed(encoding.is_text(), &encoding.encode(black_box(&push))))
        });
        group.bench_function("encode publish", |bench| bench.iter(|| encoding.encode(black_box(&publish))));
        let bytes = Bytes::from(encoding.encode(&push));
        group.bench_function("decode push", |bench| {
            bench.iter(|| encoding.decode::<v1::ServerFrame>(bytes.clone()).next().expect("a frame").expect("right"))
        });
        let bytes = Bytes::from(encoding.encode(&publish));
        group.bench_function("decode publish", |bench| {
            bench.iter(|| encoding.decode::<v1::ClientFrame>(bytes.clone()).next().expect("a frame").expect("right"))
        });
        group.finish();
    }
}

criterion_group!(benches, times);

fn main() {
    sizes();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
