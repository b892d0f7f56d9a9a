import CLinux
import Glibc

/// Runs `body` on a thread of its own inside a network namespace that `ip netns` knows by this name, and waits for it.
/// A socket that it opens stays in that namespace, wherever it is used afterwards.
public func inNamespace<R>(_ name: String, _ body: () throws -> R) throws -> R {
  let descriptor = open("/run/netns/\(name)", O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { throw LabError.system("network namespace \(name)") }
  defer { close(descriptor) }
  return try withoutActuallyEscaping(body) { body in
    let visit = Visit(body)
    let code = fb_in_network_namespace(
      descriptor, { context in Unmanaged<AnyVisit>.fromOpaque(context!).takeUnretainedValue().run() },
      Unmanaged<AnyVisit>.passUnretained(visit).toOpaque())
    guard code == 0, let result = visit.takeResult() else { throw LabError.system("network namespace \(name)", code) }
    return try result.get()
  }
}

private class AnyVisit {
  func run() {}
}

private final class Visit<R>: AnyVisit {
  private var body: (() throws -> R)?
  private var result: Result<R, any Error>?

  init(_ body: @escaping () throws -> R) { self.body = body }

  override func run() {
    result = Result { try body!() }
    body = nil
  }

  func takeResult() -> Result<R, any Error>? { result }
}
