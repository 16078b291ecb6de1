//! Ids: hexadecimal in, lower-case hexadecimal out, and never all zero.

use proptest::prelude::*;
use trace::{SpanId, TraceId, id::IdError};

#[test]
fn what_is_no_id_is_refused_with_the_reason() {
    let refusal = |text: &str| text.parse::<SpanId>().expect_err(text);
    assert_eq!(refusal("0000000000000000"), IdError::Zero);
    assert_eq!(
        refusal("00f067aa0ba902"),
        IdError::Digits { want: 16, got: 14 }
    );
    assert_eq!(
        refusal("00f067aa0ba902b"),
        IdError::Digits { want: 16, got: 15 }
    );
    assert_eq!(refusal(""), IdError::Digits { want: 16, got: 0 });
    assert_eq!(refusal("00f067aa0ba902bé"), IdError::Digit('é'));
    assert_eq!(
        TraceId::from_slice(&[1; 8]),
        Err(IdError::Length { want: 16, got: 8 })
    );
}

#[test]
fn capitals_are_read_and_small_letters_written() {
    let id: TraceId = "4BF92F3577B34DA6A3CE929D0E0E4736".parse().unwrap();
    assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
}

proptest! {
    #[test]
    fn an_id_survives_its_text(number in 1..u128::MAX) {
        let id = TraceId::from_bytes(number.to_be_bytes()).unwrap();
        prop_assert_eq!(id.to_string().parse::<TraceId>().unwrap(), id);
        prop_assert_eq!(TraceId::from_slice(id.as_bytes()).unwrap(), id);
    }

    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        if let Ok(id) = text.parse::<SpanId>() {
            prop_assert_eq!(id.to_string(), text.to_ascii_lowercase());
        }
    }
}
