//! Pressure stall information: how long tasks have waited for a resource.

/// @source the kernel's Documentation/accounting/psi.rst
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    /// At least one task waited.
    pub some: Stall,
    /// All tasks that were not idle waited; kernels before 5.13 do not say it of cpu.
    pub full: Option<Stall>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stall {
    pub total_micros: u64,
    /// percent of the last 10, 60 and 300 seconds
    pub avg10: f64,
    pub avg60: f64,
    pub avg300: f64,
}

impl Pressure {
    /// Of lines such as "some avg10=0.00 avg60=0.00 avg300=0.00 total=0".
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let line = |kind: &str| text.lines().find_map(|line| Stall::parse(line.strip_prefix(kind)?));
        Some(Self { some: line("some ")?, full: line("full ") })
    }
}

impl Stall {
    fn parse(fields: &str) -> Option<Self> {
        let field = |name: &str| fields.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        let average = |name| field(name)?.parse::<f64>().ok();
        Some(Self {
            total_micros: field("total")?.trim().parse().ok()?,
            avg10: average("avg10")?,
            avg60: average("avg60")?,
            avg300: average("avg300")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lines_are_read_and_one_may_be_missing() {
        let some = Stall { total_micros: 917_322, avg10: 1.5, avg60: 0.25, avg300: 0.0 };
        let text = "some avg10=1.50 avg60=0.25 avg300=0.00 total=917322\n";
        assert_eq!(Pressure::parse(text), Some(Pressure { some, full: None }));
        let both = format!("{text}full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n");
        let full = Stall { total_micros: 7, ..Stall::default() };
        assert_eq!(Pressure::parse(&both), Some(Pressure { some, full: Some(full) }));
        assert_eq!(Pressure::parse(""), None);
    }
}
