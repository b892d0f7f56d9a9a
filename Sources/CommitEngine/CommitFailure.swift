public import RuleStore

extension CommitEngine {
  public enum Failure: Error, Hashable, Sendable {
    /// Another Firebreak is at work on the same state.
    case busy(path: String)
    /// There is no commit to take back.
    case nothingToRollBack
    case nothingToConfirm
    /// A commit waits to be confirmed, and no other may begin.
    case awaitingConfirmation(number: Int, seconds: Int)
    /// A commit in another network namespace with the same state is not finished.
    case elsewhere
    /// Another commit has changed what this one takes out of its copy; nothing was changed.
    case overtaken(TableID, by: Int)
    /// The time for it was over: the rules are what they were before.
    case notConfirmed
    /// The commit was no good, and the rules are what they were before.
    case notVerified(String)
    /// The guard did not start; nothing was changed.
    case noGuard(String)
    /// The kernel holds rules that were to be taken back, and taking them back failed.
    case takingBackFailed(String)
    /// Rules that would come back look into a set (ipset) that is gone.
    case missingSet(String)
    /// The last commit was made through another backend than the one that is to take it back.
    case otherBackend(String)
    /// Rules cannot move into tables that hold rules already.
    case occupied([TableID], backend: String)
    /// The record of a commit is damaged and was not used.
    case damagedRecord(path: String, reason: String)
  }
}

extension CommitEngine.Failure: CustomStringConvertible {
  public var description: String {
    switch self {
    case .busy(let path): "another firebreak is at work (it holds \(path))"
    case .nothingToRollBack: "there is no commit to take back"
    case .nothingToConfirm: "no commit waits to be confirmed"
    case .awaitingConfirmation(let number, let seconds):
      "commit \(number) waits to be confirmed and is taken back in \(seconds) s otherwise"
    case .elsewhere: "a commit in another network namespace that shares this state is not finished"
    case .overtaken(let table, let number):
      "commit \(number) has changed the rules of \(table) that this one is about to replace; nothing was changed"
    case .notConfirmed: "nobody confirmed the commit in time; the rules are what they were before it"
    case .notVerified(let why): "the new rules are no good: \(why); the rules are what they were before"
    case .noGuard(let why): "the guard that would take the commit back did not start (\(why)); nothing was changed"
    case .takingBackFailed(let why): "the new rules are still in the kernel: taking them back failed: \(why)"
    case .missingSet(let name):
      "the rules that would come back look into set '\(name)', which is gone; make it again: ipset create \(name) TYPE"
    case .otherBackend(let name):
      "the last commit was made with --backend \(name) and can only be taken back there"
    case .occupied(let tables, let name):
      """
      \(tables.map { "\($0)" }.joined(separator: ", ")): \(name) holds other rules there already, and packets have to \
      pass both; put together by hand what is to be, or take over what moves in place of them: --replace
      """
    case .damagedRecord(let path, let reason):
      "the record of an earlier commit is damaged (\(reason)); it was set aside as \(path)"
    }
  }
}
