internal import Glibc

/// A moment on the clock that neither stops while the machine sleeps nor can be set (`CLOCK_BOOTTIME`).
///
/// Everything that waits goes by it. The clocks of the standard library bring its concurrency runtime along, which takes a
/// tenth of the time that a small commit has.
package struct BootTime: Hashable, Comparable, Sendable {
  package let nanoseconds: UInt64

  package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  package static let never = BootTime(nanoseconds: .max)

  package static var now: BootTime {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return BootTime(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
  }

  package static func < (a: BootTime, b: BootTime) -> Bool { a.nanoseconds < b.nanoseconds }

  /// Later by so much; ``never`` where that is too late to be told.
  package static func + (time: BootTime, duration: Duration) -> BootTime {
    let (seconds, attoseconds) = duration.components
    guard seconds >= 0, attoseconds >= 0 else { return time }
    let (product, isLong) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, isLate) = time.nanoseconds.addingReportingOverflow(product)
    let (all, isLater) = sum.addingReportingOverflow(UInt64(attoseconds / 1_000_000_000))
    return isLong || isLate || isLater ? .never : BootTime(nanoseconds: all)
  }

  /// How long it is from one moment to a later one; 0 where it is not later.
  package static func - (later: BootTime, earlier: BootTime) -> Duration {
    earlier < later ? .nanoseconds(Int64(clamping: later.nanoseconds - earlier.nanoseconds)) : .zero
  }

  /// How long it is from now until then, 0 where it has passed.
  package var remaining: Duration { self - .now }
}
