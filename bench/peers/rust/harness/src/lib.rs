// SPDX-License-Identifier: MIT
//! The same loop around every Rust peer; PROTOCOL.md beside the peers says what goes over the pipes.
use std::hint::black_box;
use std::io::{BufRead, Write};
use std::time::Instant;

/// Contexts built beforehand are few, so that they stay in the cache: in the peer's favour.
const PREPARED: usize = 10_000;

/// `decide` is the whole question: from the id to the answer. `prepare` builds what the peer wants
/// to know of a user, `evaluate` answers from that alone. `decide` is not put together from the
/// two, because some peers can borrow the id for a call, and not for longer.
pub fn run<C>(
    version: &str,
    mut decide: impl FnMut(&str) -> bool,
    prepare: impl Fn(&str) -> C,
    mut evaluate: impl FnMut(&C) -> bool,
) {
    let path = std::env::args().nth(1).expect("usage: PEER IDS");
    let text = std::fs::read_to_string(path).expect("the ids");
    let ids: Vec<&str> = text.lines().collect();
    let prepared: Vec<C> = ids.iter().take(PREPARED).map(|id| prepare(id)).collect();
    let mut out = std::io::stdout();

    writeln!(out, "{{\"version\": \"{version}\", \"modes\": [\"call\", \"ready\"]}}").unwrap();
    out.flush().unwrap();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let mut words = line.split_whitespace();
        let mode = words.next().unwrap().to_owned();
        let offset: usize = words.next().unwrap().parse().unwrap();
        let count: usize = words.next().unwrap().parse().unwrap();
        let (ns, hits) = if mode == "call" {
            round(&ids, offset, count, |id| decide(black_box(id)))
        } else {
            round(&prepared, offset, count, |context| evaluate(black_box(context)))
        };
        writeln!(out, "{ns} {hits}").unwrap();
        out.flush().unwrap();
    }
}

fn round<T>(users: &[T], offset: usize, count: usize, mut f: impl FnMut(&T) -> bool) -> (u128, u64) {
    let mut next = offset % users.len();
    let mut left = count;
    let mut hits = 0u64;
    let start = Instant::now();

    while left > 0 {
        let part = left.min(users.len() - next);
        for user in &users[next..next + part] {
            hits += u64::from(f(user));
        }
        left -= part;
        next = 0;
    }
    (start.elapsed().as_nanos(), hits)
}
