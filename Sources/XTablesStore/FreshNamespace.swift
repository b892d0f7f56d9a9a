internal import CLinux

/// Runs `body` on a thread of its own in a new, empty network namespace of the running kernel, which goes away after it.
/// - Returns: what `body` returned, or the error number with which the kernel refused a namespace.
func inFreshNamespace<R>(_ body: @escaping () -> R) -> Result<R, NamespaceRefused> {
  let visit = Visit(body)
  let code = fb_in_fresh_network_namespace(
    { context in Unmanaged<VisitBase>.fromOpaque(context!).takeUnretainedValue().run() },
    Unmanaged<VisitBase>.passUnretained(visit).toOpaque())
  guard code == 0, let result = visit.result else { return .failure(NamespaceRefused(code: code)) }
  return .success(result)
}

/// The kernel did not allow a new network namespace, or not what belongs into it.
struct NamespaceRefused: Error {
  var what: StaticString = "a network namespace cannot be made here"
  let code: Int32
}

private class VisitBase {
  func run() {}
}

private final class Visit<R>: VisitBase {
  private let body: () -> R
  private(set) var result: R?
  init(_ body: @escaping () -> R) { self.body = body }
  override func run() { result = body() }
}
