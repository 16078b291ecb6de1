//! The fuzz targets are a workspace of their own, which no other test builds. The files that they share with the tests
//! exist.

use std::path::Path;

#[test]
fn the_fuzz_targets_name_files_that_exist() {
    let folder = Path::new("tests/fuzz/targets");
    let mut named = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let target = entry.unwrap().path();
        let text = std::fs::read_to_string(&target).unwrap();
        let paths = text
            .lines()
            .filter_map(|line| line.strip_prefix("#[path = \"")?.strip_suffix("\"]"));
        for path in paths {
            named += 1;
            let there = folder.join(path).is_file();
            assert!(
                there,
                "{} names {path}, which does not exist",
                target.display()
            );
        }
    }
    assert!(
        named >= 2,
        "each target shares a file with the tests: {named}"
    );
}
