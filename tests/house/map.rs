//! The map of the crates in the architecture chapter agrees with the manifests.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

const CHAPTER: &str = "docs/src/contributing/architecture.md";

/// The mark of a planned crate in its row.
const TO_COME: &str = "*to come*";

/// A row of the map.
struct Row {
    line: usize,
    depends_on: BTreeSet<String>,
    is_to_come: bool,
}

#[test]
fn the_map_of_the_architecture_is_that_of_the_manifests() {
    let map = read_map(&std::fs::read_to_string(CHAPTER).unwrap());
    let manifests = read_manifests();
    let wrong = differences(&map, &manifests);
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Compares the map with the manifests; each line of the result is a change to make.
fn differences(
    map: &BTreeMap<String, Row>,
    manifests: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, depends_on) in manifests {
        let Some(row) = map.get(name) else {
            let names: Vec<String> = depends_on.iter().map(|name| format!("`{name}`")).collect();
            wrong.push(format!(
                "{CHAPTER}: the map lacks the crate {name}; its row is\n| `{name}` | … | {} |",
                names.join(", ")
            ));
            continue;
        };
        let place = format!("{CHAPTER}:{}", row.line);
        if row.is_to_come {
            wrong.push(format!("{place}: {name} is there and no longer {TO_COME}"));
            continue;
        }
        for forbidden in depends_on.difference(&row.depends_on) {
            wrong.push(format!(
                "{place}: {name} depends on {forbidden}, which the map forbids; undo that, or add `{forbidden}` \
                 to this line with a reason in the commit"
            ));
        }
        for unused in row.depends_on.difference(depends_on) {
            wrong.push(format!(
                "{place}: {name} does not depend on {unused} any more; remove `{unused}` from this line"
            ));
        }
    }
    for (name, row) in map {
        if !manifests.contains_key(name) && !row.is_to_come {
            wrong.push(format!(
                "{CHAPTER}:{}: there is no crate {name}; remove the line, or mark it {TO_COME}",
                row.line
            ));
        }
    }
    wrong
}

/// The rows of the table whose header begins with `| crate |`, by the name of the crate.
fn read_map(chapter: &str) -> BTreeMap<String, Row> {
    let lines = (1..).zip(chapter.lines());
    let rows = lines
        .skip_while(|(_, line)| !line.starts_with("| crate |"))
        .skip(2)
        .take_while(|(_, line)| line.starts_with('|'));
    rows.map(|(line, row)| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, _, depends_on] = cells[..] else {
            panic!("{CHAPTER}:{line}: a row of the map has three cells: {row}");
        };
        let row = Row {
            line,
            depends_on: code(depends_on),
            is_to_come: row.contains(TO_COME),
        };
        (name.trim_matches('`').to_owned(), row)
    })
    .collect()
}

/// The code spans of a table cell.
fn code(cell: &str) -> BTreeSet<String> {
    cell.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// For each crate of the workspace, the workspace crates that it depends on, without those of its tests.
fn read_manifests() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let ours: BTreeSet<String> = packages.iter().map(name).collect();
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            let of_ours = dependencies
                .filter(|dependency| dependency["kind"] != "dev")
                .map(name)
                .filter(|name| ours.contains(name));
            (name(package), of_ours.collect())
        })
        .collect()
}

#[test]
fn a_row_that_is_wrong_is_named_with_its_line() {
    let map = read_map(
        "| crate | what | depends on |\n|---|---|---|\n| `a` | x | `b`, `c` |\n| `d` | x | |\n| `e` | x | *to come* |\n",
    );
    let of = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let manifests = BTreeMap::from([
        ("a".to_owned(), of(&["b", "z"])),
        ("new".to_owned(), of(&["a"])),
    ]);
    let wrong = differences(&map, &manifests).join("\n");
    for said in [
        ":3: a depends on z",
        ":3: a does not depend on c",
        "lacks the crate new",
        "| `new` | … | `a` |",
        ":4: there is no crate d",
    ] {
        assert!(wrong.contains(said), "{said} is not in\n{wrong}");
    }
    assert!(!wrong.contains("crate e"), "{wrong}");
}
