internal import CLinux

/// Runs the second piece of work on a thread of its own while the first runs here; both here where no thread can be had.
public func runTogether(_ first: () -> Void, _ second: () -> Void) {
  withoutActuallyEscaping(first) { first in
    withoutActuallyEscaping(second) { second in
      let work = Work(first, second)
      fb_run_together(
        { Work.of($0).first() }, { Work.of($0).second() }, Unmanaged.passUnretained(work).toOpaque())
      withExtendedLifetime(work) {}
    }
  }
}

private final class Work {
  let first: () -> Void
  let second: () -> Void

  init(_ first: @escaping () -> Void, _ second: @escaping () -> Void) { (self.first, self.second) = (first, second) }

  static func of(_ context: UnsafeMutableRawPointer?) -> Work {
    Unmanaged<Work>.fromOpaque(context!).takeUnretainedValue()
  }
}
