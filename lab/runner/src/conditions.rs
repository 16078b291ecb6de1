//! [`Conditions`]: what an environment offers to the needs of a scenario.

use protocol::{Database, Pace};
use scenario::Need;
use supervisor::Config;

/// What an environment offers to the needs of a scenario.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Conditions {
    /// The shop of a lab.
    Shop {
        /// The database of the services.
        database: Database,
        /// The pace of the services; `None` if the lab does not report it.
        pace: Option<Pace>,
    },
    /// Services of the user. Nothing is known about them.
    Unknown,
}

// === impl Conditions ===

impl Conditions {
    /// The conditions in a lab that is started with this configuration.
    pub(crate) fn of_lab(config: &Config) -> Conditions {
        Conditions::Shop {
            database: match config.database {
                Some(_) => Database::Postgresql,
                None => Database::Sqlite,
            },
            pace: Some(config.pace),
        }
    }

    /// The phrase that says what the environment offers instead of `need`; `None` if it offers `need`. An
    /// unknown property counts as not offered.
    pub(crate) fn instead_of(self, need: Need) -> Option<&'static str> {
        match (need, self) {
            (_, Conditions::Unknown) => Some("what a target of one's own has is not known"),
            (Need::Postgresql, Conditions::Shop { database, .. }) => match database {
                Database::Postgresql => None,
                Database::Sqlite => Some("this lab runs on SQLite, which has one lock for all"),
            },
            (Need::Textbook, Conditions::Shop { pace, .. }) => match pace {
                Some(Pace::Textbook) => None,
                Some(Pace::None) => {
                    Some("this lab runs with --pace none: no step takes a simulated time")
                }
                None => Some("this lab does not say at which pace it runs"),
            },
        }
    }

    /// Why something with these needs cannot be judged here, as a short phrase; `None` if it can be judged.
    pub(crate) fn lacks(self, needs: &[Need]) -> Option<String> {
        let lacking: Vec<String> = needs
            .iter()
            .filter(|need| self.instead_of(**need).is_some())
            .map(Need::to_string)
            .collect();
        (!lacking.is_empty()).then(|| format!("it needs {}", in_a_row(&lacking)))
    }

    /// Sentences that name each missing need, the things that need it, and what the environment has instead;
    /// `None` if no need is missing. Each item of `needs` is the name of a thing and one of its needs.
    pub(crate) fn who_lacks(self, needs: &[(String, Need)]) -> Option<String> {
        let sentence = |need: Need| {
            let instead = self.instead_of(need)?;
            let mut who: Vec<String> = Vec::new();
            for (one, _) in needs.iter().filter(|(_, of)| *of == need) {
                if !who.contains(one) {
                    who.push(one.clone());
                }
            }
            let verb = match who.len() {
                0 => return None,
                1 => "needs",
                _ => "need",
            };
            Some(format!("{} {verb} {need}; {instead}", in_a_row(&who)))
        };
        let sentences: Vec<String> = Need::ALL.into_iter().filter_map(sentence).collect();
        (!sentences.is_empty()).then(|| sentences.join(". Besides, "))
    }
}

/// Joins words: `a`, `a and b`, `a, b and c`.
fn in_a_row(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: Conditions = Conditions::Shop {
        database: Database::Sqlite,
        pace: Some(Pace::None),
    };

    #[test]
    fn what_is_there_is_not_lacking() {
        let full = Conditions::Shop {
            database: Database::Postgresql,
            pace: Some(Pace::Textbook),
        };
        assert_eq!(full.lacks(&Need::ALL), None);
        assert_eq!(
            full.who_lacks(&Need::ALL.map(|need| (String::new(), need))),
            None
        );
        assert_eq!(BARE.lacks(&[]), None);
    }

    #[test]
    fn what_is_not_known_is_lacking() {
        let silent = Conditions::Shop {
            database: Database::Postgresql,
            pace: None,
        };
        for (conditions, said) in [
            (BARE, "--pace none"),
            (silent, "does not say at which pace"),
            (Conditions::Unknown, "a target of one's own"),
        ] {
            assert_eq!(
                conditions.lacks(&[Need::Textbook]).as_deref(),
                Some("it needs the textbook pace")
            );
            let instead = conditions.instead_of(Need::Textbook).unwrap_or_default();
            assert!(instead.contains(said), "{conditions:?}: {instead}");
        }
    }

    #[test]
    fn who_needs_the_same_is_named_in_one_sentence() {
        let needs = [
            ("the finding a", Need::Textbook),
            ("the p50 of b", Need::Textbook),
            ("the p50 of b", Need::Textbook),
            ("the p90 of b", Need::Textbook),
            ("it", Need::Postgresql),
        ];
        let needs = needs.map(|(who, need)| (who.to_owned(), need));
        assert_eq!(
            BARE.who_lacks(&needs).as_deref(),
            Some(
                "it needs PostgreSQL; this lab runs on SQLite, which has one lock for all. Besides, the \
                 finding a, the p50 of b and the p90 of b need the textbook pace; this lab runs with \
                 --pace none: no step takes a simulated time"
            )
        );
    }
}
