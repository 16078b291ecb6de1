//! The list of products in a request: in its query and in SQL.

use std::{collections::BTreeSet, fmt::Write};

use serde::Deserialize;

use crate::error::Error;

/// The most products that one request may name. SQLite allows 32,766 parameters in a statement; a line of a
/// reservation needs two.
pub(crate) const LIMIT: usize = 1_000;

/// The query `?sku=A,B`.
#[derive(Debug, Deserialize)]
pub(crate) struct SkuQuery {
    #[serde(default)]
    sku: String,
}

// === impl SkuQuery ===

impl SkuQuery {
    /// The SKUs, without duplicates.
    pub(crate) fn skus(&self) -> Result<BTreeSet<&str>, Error> {
        let names = self.sku.split(',').map(str::trim);
        let skus: BTreeSet<_> = names.filter(|sku| !sku.is_empty()).collect();
        for sku in &skus {
            check(sku, || "sku".to_owned())?;
        }
        match skus.len() {
            0 => Err(Error::NoSkus),
            count if count > LIMIT => Err(Error::TooMany {
                count,
                limit: LIMIT,
            }),
            _ => Ok(skus),
        }
    }
}

/// Refuses a text with control characters, which is no SKU; PostgreSQL would refuse some of them with an error.
pub(crate) fn check(sku: &str, field: impl FnOnce() -> String) -> Result<(), Error> {
    match sku.contains(char::is_control) {
        true => Err(Error::BadSku {
            field: field(),
            sku: sku.to_owned(),
        }),
        false => Ok(()),
    }
}

/// `$1, $2, …`: one placeholder for each product.
pub(crate) fn placeholders(count: usize) -> String {
    let mut list = String::new();
    for n in 1..=count {
        let comma = if n == 1 { "" } else { ", " };
        write!(list, "{comma}${n}").expect("a string takes all that is written to it");
    }
    list
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::*;

    fn ask(sku: &str) -> SkuQuery {
        SkuQuery { sku: sku.into() }
    }

    #[test]
    fn each_product_counts_once_however_it_is_written() {
        let query = ask("MUG-BLU, TENT-2P-GRN,,MUG-BLU,");
        let skus: Vec<_> = query.skus().unwrap().into_iter().collect();
        assert_eq!(skus, ["MUG-BLU", "TENT-2P-GRN"]);
    }

    #[test]
    fn a_query_must_name_some_products_and_not_too_many() {
        assert!(matches!(ask(" , ").skus(), Err(Error::NoSkus)));
        let many: Vec<_> = (0..=LIMIT).map(|n| n.to_string()).collect();
        assert!(matches!(
            ask(&many.join(",")).skus(),
            Err(Error::TooMany { count: 1_001, .. })
        ));
    }

    #[test]
    fn a_sku_has_no_control_characters() {
        for sku in ["MUG\nBLU", "MUG-BLU,TENT\u{1b}", "MUG\0BLU"] {
            let error = ask(sku).skus().unwrap_err();
            assert!(matches!(error, Error::BadSku { .. }), "{error}");
        }
    }

    #[test]
    fn placeholders_are_numbered_from_one() {
        assert_eq!(placeholders(3), "$1, $2, $3");
    }
}
