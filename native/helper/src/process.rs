//! Processes that berthd knows by their number and start time.

use crate::error::HelperError;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use std::{fs, os::fd::OwnedFd, time::Duration};
use wire::KillProcess;

const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A descriptor of the process, `None` when it is gone. The start time is compared when the descriptor is there: from then
/// on the number can't pass to another process.
pub fn hold(pid: i32, ticks: u64) -> Option<OwnedFd> {
    let held = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    (start_ticks(pid) == Some(ticks)).then_some(held)
}

pub fn kill(request: &KillProcess) -> Result<(), HelperError> {
    if request.pid <= 1 {
        return Err(HelperError::Argument {
            doing: "kill process",
            value: request.pid.to_string(),
            why: "it is no process id",
        });
    }
    let Some(held) = hold(request.pid, request.start_ticks) else { return Ok(()) };
    let failed = |errno: Errno| HelperError::io(format!("kill process {}", request.pid), errno);
    match pidfd_send_signal(&held, Signal::KILL) {
        Ok(()) => {}
        Err(Errno::SRCH) => return Ok(()),
        Err(errno) => return Err(failed(errno)),
    }
    let timeout = Duration::from_millis(request.timeout_millis.into()).min(LONGEST_WAIT);
    let timeout = Timespec { tv_sec: timeout.as_secs().cast_signed(), tv_nsec: timeout.subsec_nanos().into() };
    // Readable when it has ended. Interrupted it may wait again for the whole time, which harms nobody.
    loop {
        match poll(&mut [PollFd::new(&held, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => return Err(failed(Errno::TIMEDOUT)),
            Ok(_) => {
                sys::failpoint!("helper: killed process");
                return Ok(());
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(failed(errno)),
        }
    }
}

/// Field 22 of /proc/<pid>/stat; the second field may hold spaces.
pub fn start_ticks(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}
