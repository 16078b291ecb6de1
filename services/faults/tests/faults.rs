//! The catalogue, and the forms of faults in baggage, in JSON and on the command line.

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
            if let Some(default) = parameter.default {
                setting
                    .set(parameter.name, &default.to_string())
                    .unwrap_or_else(|error| panic!("{}: {error}", fault.name));
            }
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
    let all = Faults::of(CATALOGUE.iter().copied().map(Setting::new)).unwrap();
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
fn a_parameter_without_a_default_has_a_value_only_where_one_is_given() {
    let slow: Setting = "slow-query".parse().unwrap();
    assert_eq!(slow.given_integer("rows"), None);
    assert_eq!(slow.to_string(), "slow-query;ms=400");
    let slow: Setting = "slow-query;rows=5000".parse().unwrap();
    assert_eq!(slow.given_integer("rows"), Some(5_000));
    let all = Faults::of([slow]).unwrap();
    assert_eq!(Faults::from_header(&all.to_header()).unwrap(), all);
    assert_eq!(Faults::from_json(&all.to_json()).unwrap(), all);
}

/// The value that each of the three text forms gives a parameter.
fn each_text(fault: &str, parameter: &str, value: &str) -> [Result<String, String>; 3] {
    let written = |faults: Result<Faults, faults::Error>| {
        let faults = faults.map_err(|error| error.to_string())?;
        let setting = faults.iter().next().unwrap();
        let (_, value) = setting
            .parameters()
            .find(|(known, _)| known.name == parameter)
            .unwrap();
        Ok(value.to_string())
    };
    let header = format!("lab.fault.{fault}=on;{parameter}={value}");
    let line = format!("{fault};{parameter}={value}").parse::<Setting>();
    [
        written(Faults::from_header(&header)),
        written(line.map(|setting| Faults::of([setting]).unwrap())),
        written(Faults::from_json(&json!({ fault: { parameter: value } }))),
    ]
}

#[test]
fn a_value_is_read_as_the_number_that_it_is_or_refused_with_what_it_may_be() {
    for (parameter, value, read) in [
        ("latency_ms", "800", Some("800")),
        ("latency_ms", "008", Some("8")),
        ("latency_ms", "+5", Some("5")),
        ("latency_ms", " 5", Some("5")),
        ("latency_ms", "-0", None),
        ("latency_ms", "5_0", None),
        ("latency_ms", "NaN", None),
        ("latency_ms", "1e3", None),
        ("latency_ms", "5.0", None),
        ("latency_ms", "٥", None),
        ("latency_ms", "５", None),
        ("latency_ms", "", None),
        ("latency_ms", "0x10", None),
        ("latency_ms", "99999999999999999999", None),
        ("offset_ms", "-0", Some("0")),
        ("offset_ms", "-500", Some("-500")),
        ("share", "-0", Some("0")),
        ("share", "-0.0", Some("0")),
        ("share", "5e-1", Some("0.5")),
        ("share", "1.5", None),
        ("share", "NaN", None),
        ("share", "inf", None),
    ] {
        let fault = match parameter {
            "latency_ms" => "slow-provider",
            "offset_ms" => "clock-skew",
            _ => "provider-error",
        };
        for (text, got) in ["baggage", "line", "JSON"]
            .iter()
            .zip(each_text(fault, parameter, value))
        {
            match (read, got) {
                (Some(read), Ok(got)) => assert_eq!(got, read, "{text}: {value:?}"),
                (None, Err(error)) => {
                    assert!(error.contains("number from"), "{text}: {value:?}: {error}");
                }
                (_, got) => panic!("{text}: {value:?}: {got:?}"),
            }
        }
    }
}

#[test]
fn a_number_of_json_is_read_as_a_text_of_it_is() {
    let read = |fault: &str, parameter: &str, number: &str| {
        let text = format!("{{\"{fault}\":{{\"{parameter}\":{number}}}}}");
        let faults = Faults::from_json_text(text.as_bytes()).map_err(|error| error.to_string())?;
        Ok::<_, String>(faults.to_json()[fault][parameter].to_string())
    };
    assert_eq!(read("clock-skew", "offset_ms", "-500").unwrap(), "-500");
    assert_eq!(read("provider-error", "share", "-0").unwrap(), "0.0");
    assert_eq!(read("provider-error", "share", "-0.0").unwrap(), "0.0");
    assert_eq!(read("provider-error", "share", "5e-1").unwrap(), "0.5");
    for (number, word) in [
        ("1e3", "a whole number from 1 to 60000"),
        ("5.5", "a whole number from 1 to 60000"),
        ("-0", "a whole number from 1 to 60000"),
        ("null", "a whole number from 1 to 60000"),
        ("[5]", "a whole number from 1 to 60000"),
        // These texts are not JSON.
        ("008", "line 1 column"),
        ("+5", "line 1 column"),
        ("NaN", "line 1 column"),
    ] {
        let error = read("slow-provider", "latency_ms", number).unwrap_err();
        assert!(error.contains(word), "{number}: {error}");
    }
}

#[test]
fn what_is_said_twice_is_refused() {
    let refused = |text: &str| text.parse::<Setting>().unwrap_err().to_string();
    let twice = refused("slow-provider;latency_ms=5;latency_ms=6");
    assert!(
        twice.contains("given twice, as \"5\" and as \"6\""),
        "{twice}"
    );
    let header = |text: &str| Faults::from_header(text).unwrap_err().to_string();
    let twice = header("lab.fault.panic=on,a=b,lab.fault.panic=on");
    assert!(twice.contains("panic is switched on twice"), "{twice}");
    let twice = header("lab.fault.slow-query=on,lab.fault.slow-query=on%3Bms%3D5");
    assert!(
        twice.contains("as \"slow-query;ms=400\" and as \"slow-query;ms=5\"; name it once"),
        "{twice}"
    );
    let twice = header("lab.fault.slow-provider=on%3Blatency_ms%3D800;latency_ms=5");
    assert!(twice.contains("given twice"), "{twice}");
    let json = |text: &str| {
        Faults::from_json_text(text.as_bytes())
            .unwrap_err()
            .to_string()
    };
    let twice = json(r#"{"panic":{},"panic":{}}"#);
    assert!(twice.contains("panic is switched on twice"), "{twice}");
    let twice = json(r#"{"slow-provider":{"latency_ms":1,"latency_ms":2}}"#);
    assert!(twice.contains("given twice"), "{twice}");
    assert!(json("[1]").contains("slow-provider"), "{}", json("[1]"));
    assert!(json("nonsense").contains("slow-provider"));
}

#[test]
fn what_is_percent_encoded_is_read() {
    for header in [
        "lab.fault.slow-provider=on;latency_ms=%38%30%30",
        "lab.fault.slow-provider=on%3Blatency_ms%3D800",
        "lab.fault.slow-provider=on%3B%20latency_ms%3D800%3B",
        "lab.fault.slow-provider=%6Fn;latency_ms=800",
    ] {
        let faults = Faults::from_header(header).unwrap();
        let setting = faults.get(&faults::SLOW_PROVIDER).unwrap();
        assert_eq!(setting.integer("latency_ms"), 800, "{header}");
    }
    let wrong = Faults::from_header("lab.fault.slow-provider=on;latency_ms=%zz").unwrap_err();
    assert!(wrong.to_string().contains("%zz"), "{wrong}");
    let no_value = Faults::from_header("lab.fault.panic").unwrap_err();
    assert!(no_value.to_string().contains("=on"), "{no_value}");
}

#[test]
fn a_fault_is_on_once() {
    let mut faults = Faults::NONE;
    faults.replace("slow-provider;latency_ms=1".parse().unwrap());
    faults.replace("panic".parse().unwrap());
    faults.replace("slow-provider;latency_ms=2".parse().unwrap());
    assert!(faults.insert("panic".parse().unwrap()).is_err());
    assert_eq!(faults.iter().count(), 2);
    let setting = faults.get(&faults::SLOW_PROVIDER).unwrap();
    let values: Vec<Value> = setting.parameters().map(|(_, value)| value).collect();
    assert_eq!(values, [Value::Integer(2)]);
    assert!(faults.remove(&faults::PANIC));
    assert!(!faults.remove(&faults::PANIC));
}
