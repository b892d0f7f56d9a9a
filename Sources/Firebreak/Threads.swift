internal import Glibc

/// Runs the second piece of work on a thread of its own while the first runs here; both here where no thread can be had.
public func runTogether(_ first: () -> Void, _ second: () -> Void) {
  withoutActuallyEscaping(second) { second in
    let work = Work(second)
    var thread = pthread_t()
    let result = pthread_create(
      &thread, nil,
      { context in
        Unmanaged<Work>.fromOpaque(context!).takeUnretainedValue().body()
        return nil
      }, Unmanaged.passUnretained(work).toOpaque())
    first()
    if result == 0 {
      pthread_join(thread, nil)
    } else {
      work.body()
    }
    withExtendedLifetime(work) {}
  }
}

private final class Work {
  let body: () -> Void
  init(_ body: @escaping () -> Void) { self.body = body }
}
