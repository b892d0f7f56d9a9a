import Glibc

/// Runs every body on a thread of its own at the same time, whatever else is going on, and waits for all. Tasks would
/// share as many threads as there are processors, and those that block would wait for each other.
public func concurrently<R: Sendable>(_ bodies: [@Sendable () throws -> R]) throws -> [R] {
  let runs = bodies.map { body in
    Run {
      Result { try body() }
    }
  }
  var threads: [pthread_t] = []
  var code: Int32 = 0
  for run in runs {
    var thread = pthread_t()
    code = pthread_create(
      &thread, nil,
      { context in
        Unmanaged<AnyRun>.fromOpaque(context!).takeUnretainedValue().run()
        return nil
      }, Unmanaged<AnyRun>.passUnretained(run).toOpaque())
    if code != 0 { break }
    threads.append(thread)
  }
  for thread in threads { pthread_join(thread, nil) }
  guard code == 0 else { throw ProcessFailure("cannot start a thread: error \(code)") }
  return try runs.map { try $0.result!.get() }
}

private class AnyRun {
  func run() {}
}

private final class Run<R>: AnyRun {
  private let body: () -> Result<R, any Error>
  private(set) var result: Result<R, any Error>?
  init(_ body: @escaping () -> Result<R, any Error>) { self.body = body }
  override func run() { result = body() }
}
