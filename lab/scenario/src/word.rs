//! The nearest valid word to one that is not.

/// A hint that names the nearest of the known words, or all of them if none is near.
pub(crate) fn suggest<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let nearest = known
        .clone()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .min_by_key(|(distance, _)| *distance);
    match nearest {
        // Beyond a third of the word, a suggestion is a guess that misleads.
        Some((distance, nearest)) if distance <= (nearest.len() / 3).max(2) => {
            format!("did you mean {nearest:?}?")
        }
        _ => {
            let mut known: Vec<&str> = known.collect();
            if known.len() > LISTED {
                known.sort_by_key(|candidate| strsim::damerau_levenshtein(word, candidate));
                known.dedup();
                known.truncate(LISTED);
                return format!("known are {}, …", known.join(", "));
            }
            format!("known: {}", known.join(", "))
        }
    }
}

/// Of more words than these, only the nearest are named.
const LISTED: usize = 20;
