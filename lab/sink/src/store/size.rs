//! How much memory an allocation takes.

/// The memory that an allocation of this many bytes takes: allocators have sizes in steps, four between a power of
/// two and the next (jemalloc, "size classes").
pub(super) fn allocated(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        1..=128 => bytes.next_multiple_of(16),
        _ => bytes.next_multiple_of((bytes.next_power_of_two() >> 3).max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_go_up_in_steps() {
        let right = [
            (0, 0),
            (1, 16),
            (17, 32),
            (128, 128),
            (129, 160),
            (256, 256),
            (257, 320),
            (1025, 1280),
        ];
        for (bytes, class) in right {
            assert_eq!(allocated(bytes), class, "{bytes}");
        }
    }
}
