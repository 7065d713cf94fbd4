//! Which devices a container may use: the rules of its spec, and those of the devices that every container has.

use crate::{error::RuntimeError, spec::DeviceRule};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Character,
    Block,
}

/// What may be done, or may not. `None` is any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    pub allow: bool,
    pub kind: Kind,
    pub major: Option<u32>,
    pub minor: Option<u32>,
    pub access: Access,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    pub read: bool,
    pub write: bool,
    pub make: bool,
}

/// What holds for each of reading, writing and making a device by itself: the last rule that names it, or `others`.
#[derive(Debug, PartialEq, Eq)]
pub struct Rules {
    pub others: bool,
    pub list: Vec<Rule>,
}

impl Rules {
    pub fn allow_all(&self) -> bool {
        self.others && self.list.iter().all(|rule| rule.allow)
    }
}

const ANY: Option<i64> = None;

// @source the specification's default devices, and what runc and crun allow beside: to make any, and terminals
const DEFAULTS: [(&str, Option<i64>, Option<i64>, &str); 11] = [
    ("c", ANY, ANY, "m"),
    ("b", ANY, ANY, "m"),
    ("c", Some(1), Some(3), "rwm"), // null
    ("c", Some(1), Some(5), "rwm"), // zero
    ("c", Some(1), Some(7), "rwm"), // full
    ("c", Some(1), Some(8), "rwm"), // random
    ("c", Some(1), Some(9), "rwm"), // urandom
    ("c", Some(5), Some(0), "rwm"), // tty
    ("c", Some(5), Some(1), "rwm"), // console
    ("c", Some(5), Some(2), "rwm"), // ptmx
    ("c", Some(136), ANY, "rwm"),   // pts
];

/// @param given in order; nothing is allowed before the first
pub fn of(given: &[DeviceRule]) -> Result<Rules, RuntimeError> {
    let mut rules = Rules { others: false, list: Vec::new() };
    for rule in given {
        rules.add(rule.allow, rule.kind.as_deref().unwrap_or("a"), rule.major, rule.minor, &rule.access)?;
    }
    for (kind, major, minor, access) in DEFAULTS {
        rules.add(true, kind, major, minor, access)?;
    }
    Ok(rules)
}

impl Rules {
    fn add(
        &mut self,
        allow: bool,
        kind: &str,
        major: Option<i64>,
        minor: Option<i64>,
        access: &str,
    ) -> Result<(), RuntimeError> {
        let refused =
            |why| RuntimeError::argument(format!("read device rule {kind} {major:?}:{minor:?} {access:?}"), why);
        let access = Access::parse(access).ok_or_else(|| refused("access is made of r, w and m"))?;
        // As in other runtimes, less than 0 is any.
        let number = |number: Option<i64>| match number.filter(|number| *number >= 0) {
            Some(number) => i32::try_from(number)
                .map(|number| Some(number.cast_unsigned()))
                .map_err(|_| refused("there is no such number")),
            None => Ok(None),
        };
        let (major, minor) = (number(major)?, number(minor)?);
        let kind = match kind {
            "a" if major.is_none() && minor.is_none() && access == Access::ALL => {
                *self = Self { others: allow, list: Vec::new() };
                return Ok(());
            }
            "a" => return Err(refused("a rule for all kinds is one for all devices and accesses")),
            "c" | "u" => Kind::Character,
            "b" => Kind::Block,
            _ => return Err(refused("there is no such kind")),
        };
        self.list.push(Rule { allow, kind, major, minor, access });
        Ok(())
    }
}

impl Access {
    const ALL: Self = Self { read: true, write: true, make: true };

    fn parse(text: &str) -> Option<Self> {
        let known = !text.is_empty() && text.bytes().all(|letter| b"rwm".contains(&letter));
        known.then(|| Self { read: text.contains('r'), write: text.contains('w'), make: text.contains('m') })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(allow: bool, kind: Option<&str>, major: Option<i64>, access: &str) -> DeviceRule {
        DeviceRule { allow, access: access.into(), kind: kind.map(str::to_owned), major, minor: None }
    }

    #[test]
    fn a_rule_for_all_makes_those_before_it_void() {
        let given =
            [rule(true, Some("b"), Some(8), "rw"), rule(false, None, None, "rwm"), rule(true, Some("b"), Some(9), "r")];
        let rules = of(&given).expect("rules");
        assert!(!rules.others);
        assert_eq!((rules.list[0].major, rules.list.len()), (Some(9), 1 + DEFAULTS.len()));
    }

    #[test]
    fn a_container_without_rules_has_the_default_devices() {
        let rules = of(&[]).expect("rules");
        assert!(!rules.others && !rules.allow_all());
        assert_eq!(rules.list.len(), DEFAULTS.len());
    }

    #[test]
    fn all_is_allowed_when_nothing_is_taken_from_all() {
        let all = || rule(true, Some("a"), Some(-1), "rwm");
        assert!(of(&[all()]).expect("rules").allow_all());
        assert!(!of(&[all(), rule(false, Some("c"), Some(1), "w")]).expect("rules").allow_all());
    }

    #[test]
    fn what_would_be_understood_in_part_is_refused() {
        for (kind, major, access) in [
            ("a", Some(1), "rwm"),
            ("a", None, "r"),
            ("c", None, "x"),
            ("c", None, ""),
            ("p", None, "r"),
            ("c", Some(1 << 31), "r"),
        ] {
            assert!(of(&[rule(true, Some(kind), major, access)]).is_err(), "{kind} {major:?} {access:?}");
        }
    }
}
