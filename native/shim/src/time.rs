//! Wall-clock time, for records and log lines.

use rustix::time::{ClockId, clock_gettime};

pub fn now_nanos() -> i64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// "2016-10-06T00:17:09.669794202Z", as the kubelet reads it.
pub fn rfc3339(nanos: i64) -> String {
    let (seconds, fraction) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:09}Z")
}

/// "20161006-001709.669794202", as in names of files.
pub fn compact(nanos: i64) -> String {
    let whole = rfc3339(nanos);
    whole
        .chars()
        .filter(|letter| !matches!(letter, '-' | ':' | 'Z'))
        .map(|letter| if letter == 'T' { '-' } else { letter })
        .collect()
}

/// Days since 1970-01-01 as a date of the Gregorian calendar. Years are counted from March, so that a leap day comes last;
/// an era is the 400 years after which the calendar repeats.
fn civil(days: i64) -> (i64, i64, i64) {
    let since_march_0000 = days + 719_468;
    let (era, day_of_era) = (since_march_0000.div_euclid(146_097), since_march_0000.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::{compact, rfc3339};

    #[test]
    fn times_in_names_sort_as_times_do() {
        assert_eq!(compact(1_475_713_029_669_794_202), "20161006-001709.669794202");
    }

    #[test]
    fn times_are_written_as_the_kubelet_reads_them() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(rfc3339(1_475_713_029_669_794_202), "2016-10-06T00:17:09.669794202Z");
        assert_eq!(rfc3339(951_782_400_000_000_001), "2000-02-29T00:00:00.000000001Z");
        assert_eq!(rfc3339(1_735_689_599_999_999_999), "2024-12-31T23:59:59.999999999Z");
    }
}
