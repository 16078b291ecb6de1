//! The checks of a card that need no bank: number, expiry, security code.

use api::Card;
use jiff::civil::Date;

/// Why a card is refused. It never contains the data of the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CardError {
    #[error("the card number must have 12 to 19 digits")]
    NumberLength,
    #[error("the card number is mistyped: its check digit does not fit")]
    NumberCheck,
    #[error("the expiry must be a month and a year, as in 09/31")]
    ExpiryFormat,
    #[error("the card has expired")]
    Expired,
    #[error("the security code must have 3 or 4 digits")]
    Cvc,
}

/// Checks a card for a given day, and returns the digits of its number.
pub(crate) fn validate(card: &Card, today: Date) -> Result<String, CardError> {
    let number = digits_of(&card.number)?;
    if !passes_luhn(&number) {
        return Err(CardError::NumberCheck);
    }
    let last_month = parse_expiry(&card.expiry).ok_or(CardError::ExpiryFormat)?;
    if last_month < (today.year(), today.month()) {
        return Err(CardError::Expired);
    }
    if !(3..=4).contains(&card.cvc.len()) || !is_digits(&card.cvc) {
        return Err(CardError::Cvc);
    }
    Ok(number)
}

// === impl CardError ===

impl CardError {
    /// The field of the card that is wrong.
    pub(crate) fn field(self) -> &'static str {
        match self {
            CardError::NumberLength | CardError::NumberCheck => "card.number",
            CardError::ExpiryFormat | CardError::Expired => "card.expiry",
            CardError::Cvc => "card.cvc",
        }
    }
}

fn digits_of(number: &str) -> Result<String, CardError> {
    let digits: String = number.chars().filter(|c| *c != ' ').collect();
    if (12..=19).contains(&digits.len()) && is_digits(&digits) {
        Ok(digits)
    } else {
        Err(CardError::NumberLength)
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The check of ISO/IEC 7812-1, annex B: every second digit from the right counts double, and the sum of all
/// digits is a multiple of ten.
fn passes_luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .zip([1, 2].into_iter().cycle())
        .map(|(digit, times)| u32::from(digit - b'0') * times)
        .map(|product| product / 10 + product % 10)
        .sum();
    sum.is_multiple_of(10)
}

/// The last month in which the card is valid, from `MM/YY`: year and month.
fn parse_expiry(expiry: &str) -> Option<(i16, i8)> {
    let (month, year) = expiry.split_once('/')?;
    if month.len() != 2 || year.len() != 2 || !is_digits(month) || !is_digits(year) {
        return None;
    }
    let month = month
        .parse()
        .ok()
        .filter(|month| (1..=12).contains(month))?;
    let year: i16 = year.parse().ok()?;
    Some((2000 + year, month))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use jiff::civil::date;

    use super::*;

    const TODAY: Date = date(2026, 11, 22);

    fn card(number: &str, expiry: &str, cvc: &str) -> Card {
        Card {
            number: number.into(),
            expiry: expiry.into(),
            cvc: cvc.into(),
        }
    }

    #[test]
    fn a_good_card_gives_its_digits() {
        let good = card("4242 4242 4242 4242", "12/39", "123");
        assert_eq!(validate(&good, TODAY).unwrap(), "4242424242424242");
        let american = card("378282246310005", "11/26", "1234");
        assert!(
            validate(&american, TODAY).is_ok(),
            "it is valid to the end of its month"
        );
    }

    #[test]
    fn what_is_wrong_is_told_for_each_field() {
        for (number, expiry, cvc, wrong) in [
            ("4242424242424241", "12/39", "123", CardError::NumberCheck),
            ("4242424242", "12/39", "123", CardError::NumberLength),
            (
                "4242-4242-4242-4242",
                "12/39",
                "123",
                CardError::NumberLength,
            ),
            ("４２４２４２４２", "12/39", "123", CardError::NumberLength),
            ("4242424242424242", "10/26", "123", CardError::Expired),
            ("4242424242424242", "12/25", "123", CardError::Expired),
            ("4242424242424242", "13/39", "123", CardError::ExpiryFormat),
            ("4242424242424242", "00/39", "123", CardError::ExpiryFormat),
            ("4242424242424242", "1239", "123", CardError::ExpiryFormat),
            ("4242424242424242", "+1/39", "123", CardError::ExpiryFormat),
            ("4242424242424242", "12/39", "12", CardError::Cvc),
            ("4242424242424242", "12/39", "12x", CardError::Cvc),
        ] {
            assert_eq!(
                validate(&card(number, expiry, cvc), TODAY),
                Err(wrong),
                "{number} {expiry} {cvc}"
            );
        }
    }

    #[test]
    fn every_mistyped_digit_is_seen() {
        let good = "4242424242424242";
        for place in 0..good.len() {
            for digit in '0'..='9' {
                let mut typed = good.to_owned();
                typed.replace_range(place..=place, &digit.to_string());
                assert_eq!(passes_luhn(&typed), typed == good, "{typed}");
            }
        }
    }
}
