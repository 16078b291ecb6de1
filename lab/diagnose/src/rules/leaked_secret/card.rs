//! Numbers of payment cards in a text.

/// The number of digits of a card number.
pub(super) const CARD_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// Whether a text contains the number of a payment card, with or without spaces or dashes between its digits.
pub(super) fn holds_card_number(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(before) = bytes[at..].iter().position(u8::is_ascii_digit) {
        let start = at + before;
        let (end, count) = run_of_digits(bytes, start);
        at = end;
        if !CARD_DIGITS.contains(&count) {
            continue;
        }
        let is_part = |byte: Option<&u8>| {
            byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
        };
        let joined = (start > 0 && is_part(bytes.get(start - 1)))
            || bytes.get(end).is_some_and(u8::is_ascii_alphanumeric);
        let number = &text[start..end];
        let is_card = || {
            let digits: String = number.chars().filter(char::is_ascii_digit).collect();
            card_number(&digits)
        };
        if !joined && is_grouped(number) && is_card() {
            return true;
        }
    }
    false
}

/// The end of a run of digits, with single spaces or dashes between groups, and the number of digits.
fn run_of_digits(bytes: &[u8], start: usize) -> (usize, usize) {
    let (mut end, mut count) = (start, 0);
    while let Some(byte) = bytes.get(end) {
        if byte.is_ascii_digit() {
            count += 1;
        } else {
            let between = matches!(byte, b' ' | b'-')
                && bytes.get(end + 1).is_some_and(u8::is_ascii_digit)
                && count < *CARD_DIGITS.end();
            if !between {
                break;
            }
        }
        end += 1;
    }
    (end, count)
}

/// Whether digits are written like a card number: together, or in groups of at least four (the last group may
/// be shorter). This excludes dates and UUIDs.
fn is_grouped(text: &str) -> bool {
    let groups: Vec<&str> = text.split([' ', '-']).collect();
    match groups.as_slice() {
        [_] => true,
        [first @ .., last] => {
            let whole = first.iter().all(|group| (4..=6).contains(&group.len()));
            whole && groups.len() <= 5 && (1..=7).contains(&last.len())
        }
        [] => false,
    }
}

/// Whether digits are a card number: the first digits of an issuer, a length that the issuer uses, and Luhn's
/// check (ISO/IEC 7812-1).
pub(super) fn card_number(digits: &str) -> bool {
    let starts = |from: u32, to: u32, length: usize| {
        digits
            .get(..length)
            .and_then(|first| first.parse::<u32>().ok())
            .is_some_and(|first| (from..=to).contains(&first))
    };
    let known = match digits.len() {
        13 => starts(4, 4, 1),
        14 => starts(300, 305, 3) || starts(36, 36, 2) || starts(38, 39, 2),
        15 => starts(34, 34, 2) || starts(37, 37, 2),
        16 => {
            starts(4, 4, 1)
                || starts(51, 55, 2)
                || starts(2221, 2720, 4)
                || starts(6011, 6011, 4)
                || starts(644, 659, 3)
                || starts(3528, 3589, 4)
        }
        19 => starts(4, 4, 1) || starts(6011, 6011, 4),
        _ => false,
    };
    known && luhn(digits) && digits.bytes().any(|byte| byte != digits.as_bytes()[0])
}

fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0');
            match (place % 2, digit * 2) {
                (0, _) => digit,
                (_, double) if double > 9 => double - 9,
                (_, double) => double,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}
