//! The quotas of cgroups: how often they held back what runs in them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use procfs::process::{MountInfo, Process};

/// The files that count the throttling of the cgroup of a process and of those above it, as far as they are seen. Both
/// versions of cgroups have them.
pub(super) fn quotas(pid: i32) -> Vec<PathBuf> {
    let groups = Process::new(pid).and_then(|process| process.cgroups());
    let mounts = Process::myself().and_then(|process| process.mountinfo());
    let (Ok(groups), Ok(mounts)) = (groups, mounts) else {
        return Vec::new();
    };
    for group in groups {
        let is_mount = |mount: &&MountInfo| match group.controllers.as_slice() {
            // Version 2 has one hierarchy, and names no controllers.
            [] => mount.fs_type == "cgroup2",
            of_first => {
                mount.fs_type == "cgroup"
                    && of_first.iter().any(|name| name == "cpu")
                    && mount.super_options.contains_key("cpu")
            }
        };
        for mount in mounts.0.iter().filter(is_mount) {
            let files = files(
                &mount.mount_point,
                Path::new(&mount.root),
                Path::new(&group.pathname),
            );
            if files.iter().any(|file| throttled(file).is_some()) {
                return files;
            }
        }
    }
    Vec::new()
}

/// Reads `nr_throttled` of a `cpu.stat`; `None` where the cgroup has no quota that counts.
pub(super) fn throttled(file: &Path) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let count = text
        .lines()
        .find_map(|line| line.strip_prefix("nr_throttled "))?;
    count.trim().parse().ok()
}

/// The files from a group up to the root that is mounted. A container may see a path that is not below its mount: then
/// its own group is the root of the mount.
fn files(mount: &Path, root: &Path, group: &Path) -> Vec<PathBuf> {
    let below = group.strip_prefix(root).unwrap_or(Path::new(""));
    let below = below.strip_prefix("/").unwrap_or(below);
    let up = below
        .ancestors()
        .map(|part| mount.join(part).join("cpu.stat"));
    up.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_groups_above_count_too() {
        let at =
            |root: &str, group: &str| files(Path::new("/m"), Path::new(root), Path::new(group));
        let expected = ["/m/a/b/cpu.stat", "/m/a/cpu.stat", "/m/cpu.stat"];
        assert_eq!(at("/", "/a/b"), expected.map(PathBuf::from));
        assert_eq!(
            at("/a", "/a/b"),
            ["/m/b/cpu.stat", "/m/cpu.stat"].map(PathBuf::from)
        );
        assert_eq!(at("/", "/"), [PathBuf::from("/m/cpu.stat")]);
        assert_eq!(at("/docker/1", "/"), [PathBuf::from("/m/cpu.stat")]);
    }
}
