//! The log of tuning records: what is written reads back, and nothing else is believed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod record_support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use record_support::{candidate, measured, predicted, record};
use ridge_spec::outcome::{CompilerMessage, Limit, Outcome, Phase, Rejection, Samples, Severity};
use ridge_spec::record::{
    BlocksVerified, Companions, Environment, RecordLog, TuningRecord, read_log, to_line,
};

/// Every record of the log, and `code line:column message` of every line that was left out.
#[track_caller]
fn check(bytes: &[u8], n_records: usize, expected: &[&str]) -> RecordLog {
    let log = read_log("records.jsonl", bytes);
    assert_eq!(log.records.len(), n_records);
    let found: Vec<String> = log
        .dropped
        .iter()
        .map(|diagnostic| {
            let place = diagnostic.location.as_ref().unwrap();
            assert_eq!(place.file, "records.jsonl");
            format!("{} {}:{} {}", diagnostic.code, place.line, place.column, diagnostic.message)
        })
        .collect();
    assert_eq!(found, expected);
    log
}

#[test]
fn the_line_is_stable() {
    insta::assert_snapshot!(to_line(&record()).trim_end());
}

#[test]
fn what_is_written_reads_back() {
    let line = to_line(&record());
    let log = check(line.as_bytes(), 1, &[]);
    assert_eq!(log.records[0], record());
    assert!(!log.torn_tail);
    assert_eq!(log.valid_len, u64::try_from(line.len()).unwrap());
    assert!(line.contains(&record().digest().to_string()));
}

#[test]
fn a_measurement_carries_what_was_timed_beside_it() {
    let samples = |ns: &[u64]| Samples::new(ns.to_vec()).unwrap();
    let Outcome::Predicted(prediction) = predicted(16_000) else { unreachable!() };
    let record = TuningRecord {
        outcome: measured(&[17_000, 17_010, 16_990]),
        prediction: Some(prediction),
        companions: Some(Companions {
            copy: samples(&[17_800, 17_790]),
            hot: Some(samples(&[14_000])),
            alone: None,
            twin: Some(samples(&[17_005])),
            repeatable: Some(true),
            throttled: 1,
            clocks: None,
        }),
        ..record()
    };
    let line = to_line(&record);
    assert_eq!(check(line.as_bytes(), 1, &[]).records[0], record);
    let TuningRecord { environment, .. } = record;
    let on = |executor: &str| Environment { executor: executor.to_owned(), ..environment.clone() };
    assert!(on("cuda:0").is_interchangeable(&on("cuda:1")));
    assert!(!on("cuda:0").is_interchangeable(&on("emulator")));
    let driver = Environment { driver: Some("580.1".to_owned()), ..on("cuda:0") };
    assert!(!on("cuda:0").is_interchangeable(&driver));
}

#[test]
fn a_torn_last_line_is_left_out_and_never_the_file() {
    let first = to_line(&record());
    let second = to_line(&TuningRecord { sequence: 13, ..record() });
    let whole = format!("{first}{second}");
    for cut in first.len() + 1..whole.len() {
        let log = check(&whole.as_bytes()[..cut], 1, &[]);
        assert!(log.torn_tail);
        assert_eq!(log.valid_len, u64::try_from(first.len()).unwrap());
    }
    let log = check(&whole.as_bytes()[..first.len() / 2], 0, &[]);
    assert_eq!((log.torn_tail, log.valid_len), (true, 0));
    check(b"", 0, &[]);
}

#[test]
fn lines_that_are_no_records_are_reported_and_the_others_kept() {
    let good = to_line(&record());
    let other = to_line(&TuningRecord { sequence: 13, ..record() });
    let text = good.trim_end();
    let mut bytes = Vec::new();
    for line in [
        good.as_bytes(),
        b"\n",
        b"# a comment\n",
        b"\x00\x01\xff\xfe\n",
        b"[1, 2]\n",
        b"{}\n",
        b"{\"schema\":1}\n",
        text.replace("\"schema\":1", "\"schema\":2").as_bytes(),
        b"\n",
        text.replace("\"sequence\":12", "\"sequence\":11").as_bytes(),
        b"\n",
        good.as_bytes(),
        &text.as_bytes()[..text.len() / 2],
        b"\n",
        other.as_bytes(),
    ] {
        bytes.extend_from_slice(line);
    }
    let digest = record().digest();
    let edited = TuningRecord { sequence: 11, ..record() }.digest();
    check(
        &bytes,
        2,
        &[
            "record.syntax 3:1 not JSON: expected value",
            "record.not-text 4:1 byte 3 of the line is no UTF-8",
            "record.syntax 5:1 not a JSON object",
            "record.schema 6:1 there is no `schema`",
            "record.digest 7:1 there is no `digest`",
            "record.schema 8:1 the schema is 2, this version reads 1",
            &format!("record.digest 9:1 the digest is \"{digest}\", the content's is \"{edited}\""),
            &format!("record.duplicate 10:1 the record `{}` was there before", digest.short()),
            &format!("record.syntax 11:{} not JSON: EOF while parsing a string", text.len() / 2),
        ],
    );
}

/// Puts the right digest on an edited line: what a program that writes wrong records does.
fn sealed(line: &str) -> String {
    let start = line.find("\"digest\":\"").unwrap() + "\"digest\":\"".len();
    let log = read_log("x", format!("{line}\n").as_bytes());
    let message = &log.dropped[0].message;
    let digest = message.rsplit('"').nth(1).unwrap();
    format!("{}{digest}{}\n", &line[..start], &line[start + 64..])
}

#[test]
fn fields_are_checked_even_under_a_right_digest() {
    let line = to_line(&record());
    let line = line.trim_end();
    let edit = |from: &str, to: &str| {
        assert!(line.contains(from), "{from}");
        sealed(&line.replacen(from, to, 1))
    };
    #[track_caller]
    fn refused(line: &str, expected: &str) {
        let log = read_log("records.jsonl", line.as_bytes());
        assert_eq!(log.records, []);
        assert_eq!(log.dropped[0].code, "record.field");
        assert_eq!(log.dropped[0].message, expected);
    }
    refused(
        &edit("\"seed\":7", "\"seeds\":7"),
        "unknown field `seeds`, expected one of `schema`, `digest`, `kernel`, `spec`, `workload`, \
         `candidate`, `outcome`, `prediction`, `companions`, `refused_on`, `verification`, \
         `artifact`, `resources`, `launch`, `counters`, `bytes_min`, `flops`, `environment`, \
         `protocol`, `seed`, `sequence`, `phases`, `tool_version`",
    );
    refused(&edit("\"seed\":7", "\"seed\":-7"), "invalid value: integer `-7`, expected u64");
    // Twice the same value leaves the digest as it is.
    let twice = line.replace("\"seed\":7,", "\"seed\":7,\"seed\":7,");
    refused(&format!("{twice}\n"), "duplicate field `seed`");
    refused(&edit("\"sm_90a\"", "\"gfx942\""), "`gfx942` is not an architecture like `sm_90a`");
    refused(
        &edit("\"tool_version\"", "\"refused_on\":\"ragged\",\"tool_version\""),
        "`refused_on` without a rejection",
    );
    let samples = to_line(&TuningRecord { outcome: measured(&[17, 18]), ..record() });
    let empty = sealed(&samples.trim_end().replace("[17,18]", "[]"));
    refused(&empty, "a measurement has no samples");
}

#[test]
fn a_line_that_is_too_long_is_not_read() {
    let mut bytes = vec![b' '; ridge_spec::record::LINE_LIMIT + 1];
    bytes[0] = b'{';
    bytes.push(b'\n');
    bytes.extend_from_slice(to_line(&record()).as_bytes());
    let expected = format!(
        "record.too-long 1:1 the line has {} bytes, of at most {}",
        ridge_spec::record::LINE_LIMIT + 1,
        ridge_spec::record::LINE_LIMIT
    );
    check(&bytes, 1, &[&expected]);
    let deep = format!("{}\n", "[".repeat(100_000));
    check(deep.as_bytes(), 0, &["record.syntax 1:128 not JSON: recursion limit exceeded"]);
}

#[test]
fn the_digest_does_not_depend_on_the_order_of_keys_or_on_spaces() {
    let line = to_line(&record());
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    let mut fields: Vec<_> = value.as_object().unwrap().iter().collect();
    fields.reverse();
    let fields: Vec<String> = fields.iter().map(|(k, v)| format!("{k:?} : {v}")).collect();
    let log = check(format!("{{ {} }}\n", fields.join(" , ")).as_bytes(), 1, &[]);
    assert_eq!(log.records[0], record());
}

#[test]
fn environments_and_workloads_have_identities() {
    let a = record();
    let mut b = record();
    assert_eq!(a.environment.digest(), b.environment.digest());
    b.environment.toolkit = "nvrtc 13.1.0".to_owned();
    assert_ne!(a.environment.digest(), b.environment.digest());
    assert_ne!(a.digest(), b.digest());
    assert_eq!(a.workload.to_string(), "cols=4096,rows=4096,T=bf16");
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    let message = ("[ -~\\n\"\u{e9}]{0,40}", any::<Option<u32>>()).prop_map(|(message, line)| {
        CompilerMessage { file: None, line, column: None, severity: Severity::Error, message }
    });
    prop_oneof![
        prop::collection::vec(1u64.., 1..40).prop_map(|ns| measured(&ns)),
        any::<u64>().prop_map(predicted),
        (prop::collection::vec(message, 0..3), ".{0,60}").prop_map(|(diagnostics, log)| {
            Outcome::Rejected(Rejection::Compile { diagnostics, log })
        }),
        any::<u64>().prop_map(|ns| Outcome::Rejected(Rejection::Timeout {
            phase: Phase::Compile,
            limit: Some(Limit::TimeNs(ns)),
            finding: None,
        })),
        (any::<f64>(), any::<f64>(), any::<u64>()).prop_map(|(first, second, n)| {
            Outcome::Rejected(Rejection::Nondeterministic {
                output: "y".to_owned(),
                n_different: n,
                n_elements: n,
                index: vec![0, n],
                first,
                second,
            })
        }),
    ]
}

fn records() -> impl Strategy<Value = TuningRecord> {
    (
        outcomes(),
        (any::<u64>(), any::<u64>(), any::<u64>()),
        prop::collection::btree_map("[a-z]{1,6}", any::<i64>(), 0..4),
        prop::collection::btree_map("[a-z]{1,6}", -1e300..1e300f64, 0..3),
        any::<bool>(),
        any::<f64>(),
        "\\PC{0,20}",
    )
        .prop_map(
            |(outcome, (seed, sequence, bytes_min), axes, scalars, bare, worst, name)| {
                let mut record = TuningRecord { outcome, seed, sequence, bytes_min, ..record() };
                record.workload.axes = axes;
                record.workload.scalars = scalars;
                record.kernel = name;
                record.candidate = candidate(if bare { "" } else { "a=-1,b=text" });
                if bare {
                    record.counters = None;
                    record.verification = None;
                    record.artifact = None;
                } else if let Some(verification) = &mut record.verification {
                    verification.worst_error = worst;
                    verification.blocks = BlocksVerified::All;
                }
                record
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_record_reads_back(record in records()) {
        let line = to_line(&record);
        prop_assert_eq!(line.matches('\n').count(), 1);
        let log = read_log("x", line.as_bytes());
        prop_assert_eq!(log.dropped, vec![]);
        // Not the records themselves: a NaN is not equal to itself.
        prop_assert_eq!(to_line(&log.records[0]), line);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        at in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
    ) {
        read_log("x", &bytes);
        // A record with garbage inside is never believed.
        let line = to_line(&record()).into_bytes();
        let mut damaged = line.clone();
        let at = at.index(damaged.len());
        damaged.splice(at..at, bytes.iter().copied());
        damaged.truncate(cut.index(damaged.len()) + 1);
        damaged.push(b'\n');
        let log = read_log("x", &damaged);
        let known: BTreeMap<_, _> = [(record().digest(), ())].into();
        prop_assert!(log.records.iter().all(|record| known.contains_key(&record.digest())));
    }
}
