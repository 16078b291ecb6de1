//! Files must not use each other's items in a circle: such files cannot be understood one by one.
//!
//! A file uses an item of another file by a path with `crate::` or `super::`. Declarations of modules
//! (`mod`) and re-exports (`pub use`) do not count.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The most lines of a source file.
const LONGEST: usize = 450;

/// Catalogues and tables, which may have more lines.
const CATALOGUES: &[&str] = &["services/faults/src/catalogue.rs"];

#[test]
fn there_are_no_circles_of_files() {
    let mut found: Vec<Vec<String>> = Vec::new();
    for source in sources() {
        found.extend(circles(&edges(&read(&source))));
    }
    for circle in &found {
        println!("circle of {}: {}", circle.len(), circle.join(" "));
    }
    let is_bad = |circle: &&Vec<String>| {
        let folders: BTreeSet<&str> = circle.iter().map(|file| folder(file)).collect();
        circle.len() > 3 || folders.len() > 1
    };
    let bad: Vec<String> = found
        .iter()
        .filter(is_bad)
        .map(|circle| circle.join(" "))
        .collect();
    assert!(
        bad.is_empty(),
        "circles of more than three files, or between folders:\n{}",
        bad.join("\n")
    );
}

#[test]
fn no_file_is_too_long() {
    let mut lengths: Vec<(usize, String)> = Vec::new();
    for source in sources() {
        for file in read(&source) {
            lengths.push((file.text.lines().count(), file.name));
        }
    }
    lengths.sort();
    println!("median: {} lines", lengths[lengths.len() / 2].0);
    let long: Vec<String> = lengths
        .iter()
        .filter(|(lines, name)| *lines > LONGEST && !CATALOGUES.contains(&name.as_str()))
        .map(|(lines, name)| format!("{name}: {lines} lines"))
        .collect();
    assert!(
        long.is_empty(),
        "longer than {LONGEST} lines:\n{}",
        long.join("\n")
    );
}

/// The `src` folders of the crates.
pub(crate) fn sources() -> Vec<PathBuf> {
    let mut sources = vec![PathBuf::from("src"), PathBuf::from("loadgen/src")];
    for folder in ["services", "lab"] {
        for entry in std::fs::read_dir(folder).unwrap() {
            sources.push(entry.unwrap().path().join("src"));
        }
    }
    sources.retain(|source| source.is_dir());
    sources.sort();
    sources
}

/// A source file of a crate, with the path of its module.
pub(crate) struct File {
    pub(crate) name: String,
    module: Vec<String>,
    pub(crate) text: String,
}

/// The Rust files of a `src` folder.
pub(crate) fn read(source: &Path) -> Vec<File> {
    let mut files = Vec::new();
    let mut folders = vec![source.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(source).unwrap().with_extension("");
                let mut module: Vec<String> = inside
                    .iter()
                    .map(|part| part.to_str().unwrap().to_owned())
                    .collect();
                if ["lib", "main", "mod"].contains(&module.last().unwrap().as_str()) {
                    module.pop();
                }
                files.push(File {
                    name: path.to_str().unwrap().to_owned(),
                    module,
                    text: std::fs::read_to_string(&path).unwrap(),
                });
            }
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    files
}

/// The folder of the file's child modules, if it has any.
fn folder(file: &str) -> &str {
    let module = file.strip_suffix("/mod.rs").or(file.strip_suffix(".rs"));
    let module = module.unwrap_or(file);
    if Path::new(module).is_dir() {
        return module;
    }
    module.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// For each file, the files whose items it uses.
fn edges(files: &[File]) -> BTreeMap<String, BTreeSet<String>> {
    let by_module: BTreeMap<&[String], &str> = files
        .iter()
        .map(|file| (file.module.as_slice(), file.name.as_str()))
        .collect();
    let mut edges = BTreeMap::new();
    for file in files {
        let tokens: TokenStream = file.text.parse().unwrap();
        let mut named = Vec::new();
        name(tokens, &file.module, &mut named);
        let targets = named.iter().filter_map(|path| {
            // The longest prefix of the path that is a file; the rest is an item in it.
            (0..=path.len())
                .rev()
                .find_map(|length| by_module.get(&path[..length]))
        });
        let targets = targets
            .filter(|&&target| target != file.name)
            .map(|&target| target.to_owned());
        edges.insert(file.name.clone(), targets.collect());
    }
    edges
}

/// Collects the paths with `crate::` and `super::` from the tokens of a module, relative to the root of the
/// crate.
fn name(tokens: TokenStream, module: &[String], named: &mut Vec<Vec<String>>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        if let Some(end) = declaration(&tokens[at..]) {
            at += end;
            continue;
        }
        match &tokens[at] {
            TokenTree::Ident(word) if word == "mod" => {
                // An inline module is in the same file.
                if let (Some(TokenTree::Ident(inner)), Some(TokenTree::Group(body))) =
                    (tokens.get(at + 1), tokens.get(at + 2))
                {
                    let mut inside = module.to_vec();
                    inside.push(inner.to_string());
                    name(body.stream(), &inside, named);
                    at += 3;
                    continue;
                }
            }
            TokenTree::Ident(word) if word == "crate" && is_path(&tokens, at) => {
                follow(&tokens[at + 3..], Vec::new(), named);
            }
            TokenTree::Ident(word) if word == "super" && is_path(&tokens, at) => {
                let mut path = module.to_vec();
                path.pop();
                let mut next = at + 3;
                while matches!(tokens.get(next), Some(TokenTree::Ident(word)) if word == "super")
                    && is_path(&tokens, next)
                {
                    path.pop();
                    next += 3;
                }
                follow(&tokens[next..], path, named);
                at = next;
                continue;
            }
            TokenTree::Group(group) => name(group.stream(), module, named),
            _ => {}
        }
        at += 1;
    }
}

/// The number of tokens of the `mod name;` or `pub use …;` that begins here, if one does.
fn declaration(tokens: &[TokenTree]) -> Option<usize> {
    let is = |at: usize, word: &str| matches!(tokens.get(at), Some(TokenTree::Ident(found)) if found == word);
    let mut at = 0;
    let is_public = is(0, "pub");
    if is_public {
        at = 1;
        if let Some(TokenTree::Group(group)) = tokens.get(1)
            && group.delimiter() == Delimiter::Parenthesis
        {
            at = 2;
        }
    }
    let is_mod = is(at, "mod") && matches!(tokens.get(at + 2), Some(TokenTree::Punct(_)));
    if !(is_mod || is_public && is(at, "use")) {
        return None;
    }
    let end = tokens
        .iter()
        .position(|token| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ';'))?;
    Some(end + 1)
}

/// Whether the next tokens are `::`.
fn is_path(tokens: &[TokenTree], at: usize) -> bool {
    let is_colon =
        |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(mark)) if mark.as_char() == ':');
    is_colon(at + 1) && is_colon(at + 2)
}

/// Follows a path, and every branch in its braces.
fn follow(tokens: &[TokenTree], mut path: Vec<String>, named: &mut Vec<Vec<String>>) {
    let mut at = 0;
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(word)) => {
                if word != "self" {
                    path.push(word.to_string());
                }
                if !is_path(tokens, at) {
                    named.push(path);
                    return;
                }
                at += 3;
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                for branch in inside
                    .split(|token| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ','))
                {
                    if !branch.is_empty() {
                        follow(branch, path.clone(), named);
                    }
                }
                return;
            }
            _ => {
                named.push(path);
                return;
            }
        }
    }
}

/// The sets of files that all reach each other, each sorted.
fn circles(edges: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reachable = |from: &str| {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut next = vec![from];
        while let Some(file) = next.pop() {
            for target in edges.get(file).into_iter().flatten() {
                if seen.insert(target) {
                    next.push(target);
                }
            }
        }
        seen
    };
    let from: BTreeMap<&str, BTreeSet<&str>> = edges
        .keys()
        .map(|file| (file.as_str(), reachable(file)))
        .collect();
    let mut circles: BTreeSet<Vec<String>> = BTreeSet::new();
    for (file, reached) in &from {
        if !reached.contains(file) {
            continue;
        }
        let circle = from
            .iter()
            .filter(|(other, back)| reached.contains(*other) && back.contains(file))
            .map(|(other, _)| (*other).to_owned());
        circles.insert(circle.collect());
    }
    circles.into_iter().collect()
}

#[test]
fn a_path_is_followed_to_the_file_that_has_its_item() {
    let file = |name: &str, module: &[&str], text: &str| File {
        name: name.to_owned(),
        module: module.iter().map(|&part| part.to_owned()).collect(),
        text: text.to_owned(),
    };
    let files = [
        file("lib.rs", &[], "mod a; pub mod b; pub use crate::b::B;"),
        file(
            "a.rs",
            &["a"],
            "use crate::{b::{self, B}, Error}; mod inner { use super::X; }",
        ),
        file(
            "b.rs",
            &["b"],
            "mod c; fn f() { vec![super::a::one(), 2]; } // crate::none::X",
        ),
        file("b/c.rs", &["b", "c"], "use super::B; use super::super::a;"),
    ];
    let edges = edges(&files);
    let of = |name: &str| edges[name].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(of("lib.rs"), Vec::<&str>::new());
    assert_eq!(of("a.rs"), ["b.rs", "lib.rs"]);
    assert_eq!(of("b.rs"), ["a.rs"]);
    assert_eq!(of("b/c.rs"), ["a.rs", "b.rs"]);
    assert_eq!(circles(&edges), [["a.rs", "b.rs"]]);
}
