//! Steps of the wall clock, as the kernel tells them: `timerfd_create(2)`, TFD_TIMER_CANCEL_ON_SET. Waking up from a
//! suspend counts as one; what a time service slews does not, and is noticed by comparison.

use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::os::fd::OwnedFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The timer is set so far ahead that it never expires.
const NEVER: i64 = i64::MAX / 2_000_000_000;

/// Calls `stepped` for each step. Ends where the kernel has no such timers.
pub(super) async fn watch(stepped: impl Fn()) -> std::io::Result<()> {
    let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    #[expect(
        deprecated,
        reason = "what replaces it is unsafe, for descriptors that others may close; this one is ours"
    )]
    let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
    loop {
        arm(timer.get_ref())?;
        let mut ready = timer.readable().await?;
        let read = ready.try_io(|timer| {
            let mut times = [0; 8];
            Ok(rustix::io::read(timer.get_ref(), &mut times)?)
        });
        match read {
            // Not yet, or the far end of time.
            Err(_) | Ok(Ok(_)) => {}
            Ok(Err(error)) if error.raw_os_error() == Some(Errno::CANCELED.raw_os_error()) => stepped(),
            Ok(Err(error)) => return Err(error),
        }
    }
}

fn arm(timer: &OwnedFd) -> std::io::Result<()> {
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
    let end = Itimerspec { it_interval: zero, it_value: Timespec { tv_sec: NEVER, tv_nsec: 0 } };
    match timerfd_settime(timer, flags, &end) {
        // Armed nevertheless: the clock was set since it was armed last, which the next read reports.
        Ok(_) | Err(Errno::CANCELED) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
