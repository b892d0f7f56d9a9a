internal import Glibc
internal import Netfilter
internal import RuleStore
internal import Synchronization

/// From error numbers to sentences that name the table and say what to do.
extension XTablesBackend {
  /// Runs one use of libiptc under the process's lock.
  func withLibrary<R>(_ id: TableID, _ body: () throws(LegacyTable.LibraryError) -> R) throws(BackendError) -> R {
    do throws(LegacyTable.LibraryError) {
      return try LibIPTC.lock.withLock { _ throws(LegacyTable.LibraryError) in try body() }
    } catch {
      throw sentence(error, id)
    }
  }

  /// Runs one use of the kernel's own interface.
  func bulk<R>(_ id: TableID, _ body: () throws(BulkTable.Problem) -> R) throws(BackendError) -> R {
    do throws(BulkTable.Problem) {
      return try body()
    } catch {
      switch error {
      case .image(let error):
        throw BackendError(.system, "table \(id): the kernel's answer cannot be read: \(error)")
      case .socket(let failure):
        let operation: LegacyTable.Operation = failure.operation == .open ? .open : .commit
        throw sentence(
          LegacyTable.LibraryError(operation: operation, code: failure.code, reason: describe(failure.code)), id)
      }
    }
  }

  private func sentence(_ error: LegacyTable.LibraryError, _ id: TableID) -> BackendError {
    var result: BackendError
    switch (error.operation, error.code) {
    case (_, EPERM), (_, EACCES):
      result = BackendError(.notPermitted, "table \(id): only root may read or change it", hint: "run it with sudo")
    case (.open, _):
      result = BackendError(
        .unsupported, "the kernel has no table \(id) (\(error.reason))",
        hint: "is the module \(id.family == .ipv4 ? "iptable" : "ip6table")_\(id.name) there?")
    case (_, EAGAIN):
      result = BackendError(.stale, "table \(id) has been changed by another program meanwhile")
    case (.edit(let chain), _):
      result = BackendError(.refused, "table \(id), chain \(chain): \(error.reason)")
    case (.commit, ENOENT):
      result = BackendError(
        .refused, "the kernel refused table \(id): it lacks a match or target that a rule uses, or what a rule names")
    case (.commit, ELOOP):
      result = BackendError(.refused, "the kernel refused table \(id): its chains form a loop")
    case (.commit, EINVAL):
      result = BackendError(
        .refused,
        "the kernel refused table \(id): an extension got a value, or stands at a place, that it does not take",
        hint: "the kernel's log may say more: dmesg | tail")
    case (.commit, _):
      result = BackendError(.refused, "the kernel refused table \(id): \(error.reason)")
    }
    result.code = error.code
    result.table = id
    return result
  }
}
