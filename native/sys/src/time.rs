//! Dates, as the C library reckons them.

use std::mem::MaybeUninit;

/// "2016-10-06T00:17:09Z". @param seconds since 1970 @returns `None` past the end of what has a year
pub fn rfc3339(seconds: i64) -> Option<String> {
    let mut parts = MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both pointers are to storage of the right kind that lives until the call is over.
    let filled = unsafe { libc::gmtime_r(&raw const seconds, parts.as_mut_ptr()) };
    if filled.is_null() {
        return None;
    }
    // SAFETY: the call went well, so it has filled the structure.
    let at = unsafe { parts.assume_init() };
    let (year, month) = (i64::from(at.tm_year) + 1900, at.tm_mon + 1);
    Some(format!("{year:04}-{month:02}-{:02}T{:02}:{:02}:{:02}Z", at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec))
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn dates_are_of_universal_time() {
        assert_eq!(rfc3339(0).as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(rfc3339(951_782_400).as_deref(), Some("2000-02-29T00:00:00Z"));
        assert_eq!(rfc3339(i64::MAX), None);
    }
}
