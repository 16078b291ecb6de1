//! The catalogue, and how faults ride in baggage, in JSON and on the command line.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;

use faults::{CATALOGUE, Faults, Range, Setting, Value, find};
use serde_json::json;

#[test]
fn every_fault_has_a_name_of_its_own_and_defaults_that_are_allowed() {
    let names: BTreeSet<&str> = CATALOGUE.iter().map(|fault| fault.name).collect();
    assert_eq!(names.len(), CATALOGUE.len());
    for fault in CATALOGUE {
        assert_eq!(find(fault.name).unwrap(), fault);
        assert!(!fault.summary.is_empty(), "{}", fault.name);
        for parameter in fault.parameters {
            let mut setting = Setting::new(fault);
            let default = parameter.default.to_string();
            setting
                .set(parameter.name, &default)
                .unwrap_or_else(|error| panic!("{}: {error}", fault.name));
            match parameter.range {
                Range::Integer(least, most) => assert!(least < most, "{}", fault.name),
                Range::Number(least, most) => assert!(least < most, "{}", fault.name),
                Range::Words(words) => assert!(words.len() > 1, "{}", fault.name),
            }
        }
    }
}

#[test]
fn a_setting_is_written_as_it_is_read() {
    for fault in CATALOGUE {
        let setting = Setting::new(fault);
        assert_eq!(setting.to_string().parse::<Setting>().unwrap(), setting);
    }
    let setting: Setting = "slow-provider; latency_ms = 250".parse().unwrap();
    assert_eq!(setting.integer("latency_ms"), 250);
    assert_eq!(setting.to_string(), "slow-provider;latency_ms=250");
}

#[test]
fn all_faults_at_once_survive_baggage_and_json() {
    let all: Faults = CATALOGUE.iter().copied().map(Setting::new).collect();
    assert_eq!(all.iter().count(), CATALOGUE.len());
    assert_eq!(Faults::from_header(&all.to_header()).unwrap(), all);
    assert_eq!(Faults::from_json(&all.to_json()).unwrap(), all);
}

#[test]
fn what_others_have_in_their_baggage_is_left_alone() {
    let header = "user=ada;vip, lab.request=17,lab.fault.slow-provider=on;latency_ms=5,x=";
    let faults = Faults::from_header(header).unwrap();
    assert_eq!(
        faults.to_header(),
        "lab.fault.slow-provider=on;latency_ms=5"
    );
    assert!(Faults::from_header("").unwrap().is_empty());
}

#[test]
fn what_does_not_exist_is_refused_with_the_nearest() {
    let refused = |text: &str| text.parse::<Setting>().unwrap_err().to_string();
    assert!(
        refused("slow-provder").contains("slow-provider"),
        "{}",
        refused("slow-provder")
    );
    assert!(refused("slow-provider;latency=1").contains("latency_ms"));
    assert!(refused("slow-provider;latency_ms=fast").contains("a whole number from"));
    assert!(refused("slow-provider;latency_ms").contains("PARAMETER=VALUE"));
    assert!(refused("").contains("NAME"));
    assert!(refused("n-plus-one;rows=1").contains("n-plus-one"));
    let header = |text: &str| Faults::from_header(text).unwrap_err().to_string();
    assert!(header("lab.fault.panic=off").contains("=on"));
    assert!(header("lab.fault.panik=on").contains("panic"));
    let json = |value| Faults::from_json(&value).unwrap_err().to_string();
    assert!(json(json!([])).contains("slow-provider"));
    assert!(json(json!({ "panic": 1 })).contains("slow-provider"));
    assert!(json(json!({ "slow-provider": { "latency_ms": 1.5 } })).contains("latency_ms"));
}

#[test]
fn a_fault_is_on_once_with_what_was_said_last() {
    let mut faults = Faults::NONE;
    faults.insert("slow-provider;latency_ms=1".parse().unwrap());
    faults.insert("panic".parse().unwrap());
    faults.insert("slow-provider;latency_ms=2".parse().unwrap());
    assert_eq!(faults.iter().count(), 2);
    let setting = faults.get(&faults::SLOW_PROVIDER).unwrap();
    let values: Vec<Value> = setting.parameters().map(|(_, value)| value).collect();
    assert_eq!(values, [Value::Integer(2)]);
    assert!(faults.remove(&faults::PANIC));
    assert!(!faults.remove(&faults::PANIC));
}
